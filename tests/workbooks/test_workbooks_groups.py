"""Headings of parts of a branch, sums, answers of yes and no, and what is written beside a value."""

from typing import Any

import pytest

from app.workbooks import headers, marks, nothing, proposals, reading, rows, said, sections, values
from app.workbooks.tables import Cell, Row, Table
from tests.data import make_workbooks as ugly
from tests.workbooks.wild.files import xlsx
from tests.workbooks.wild.sheets import Sheet

HEAD: list[Cell] = ["STT", "Họ và tên", "Năm sinh", "Số điện thoại"]


def taken(*lines: list[Cell]) -> list[rows.TakenRow]:
    table = reading.read(ugly.xlsx(list(lines)), kind="members")
    mapping = {field: each.column for field, each in proposals.propose(table, "members").items()}
    return list(rows.take(table, mapping, "members"))


def where(found: list[rows.TakenRow]) -> list[tuple[Any, ...]]:
    return [tuple(row.values.get(name) for name in ("section", "within")) for row in found]


def value_of(field: str, cell: Cell) -> Any:
    found = values.parse(headers.fields("members")[field], "members", cell)
    return found.value, found.problem.code if found.problem else None


class TestGroups:
    @pytest.mark.parametrize(
        "text",
        [
            *("Tổ 2", "Tổ phụ nữ số 3 (5 hội viên)", "II. HỘI VIÊN", "I. Ban chấp hành chi hội"),
            *("Nhóm 1:", "TO PHU NU 2", "B. Hội viên nòng cốt", "Danh sách hội viên danh dự"),
            *("Hội viên được miễn hội phí", "HỘI VIÊN ĐƯỢC MIỄN HỘI PHÍ (3 người)"),
            *("Hoi vien duoc mien hoi phi", "Chị em mới kết nạp năm 2025", "Đối tượng chính sách"),
            *("II. Hội viên cao tuổi (trên 60 tuổi)", "Hội viên đi làm ăn xa", "Diện hộ nghèo:"),
            *("Hội viên chưa đóng hội phí", "Các hội viên tạm vắng", "Phụ nữ đơn thân"),
        ],
    )
    def test_are_parts_of_a_branch(self, text: str) -> None:
        assert sections.is_group(text)

    @pytest.mark.parametrize(
        "text",
        [
            *("Chi hội 3", "Khu 2", "Tổ dân phố 4", "Bản 3", "Hội viên chi hội 3", "Ngọc Đồng"),
            *("Danh sách hội viên Ngọc Đồng", "Tổ Ngọc Đồng", ""),
            *("Hội viên Ngọc Đồng", "HỘI VIÊN ĐÔNG XÁ", "Hoi vien Dong Xa", "Chị em khu 4"),
        ],
    )
    def test_are_not_what_may_be_a_branch(self, text: str) -> None:
        assert not sections.is_group(text)

    def test_are_of_the_branch_above_whoever_leads_it(self) -> None:
        found = taken(
            HEAD,
            ["A. CHI HỘI KHU 1 - Chi hội trưởng: Hà Thị Lý"],
            ["I", "Tổ 1 (1 hội viên)"],
            [1, "Lê Thị Hà", 1970, "0912345678"],
            [None, "Cộng tổ 1", None, 1],
            ["II", "Tổ 2 (1 hội viên)"],
            [1, "Trần Thị Lụa", 1971, "0912345679"],
            ["B. CHI HỘI KHU 2"],
            [1, "Đỗ Thị Nga", 1972, "0912345670"],
        )
        assert where(found) == [
            ("Tổ 1", "CHI HỘI KHU 1"),
            ("Tổ 2", "CHI HỘI KHU 1"),
            ("CHI HỘI KHU 2", None),
        ]

    def test_a_to_is_no_part_of_a_to_dan_pho(self) -> None:
        assert sections.enclosing("Tổ 5", "Tổ dân phố 4") is None
        assert sections.enclosing("Tổ 5", "Chi hội khu 4") == "Chi hội khu 4"

    def test_that_begin_another_table_go_on_with_the_branch_of_the_title(self) -> None:
        other: list[Cell] = ["STT", "Họ và tên", "Năm sinh", "Nghề nghiệp"]
        table = reading.read(
            ugly.xlsx(
                [
                    ["CHI HỘI PHỤ NỮ KHU 3"],
                    ["I. BAN CHẤP HÀNH"],
                    HEAD,
                    [1, "Lê Thị Hà", 1970, "0912345678"],
                    ["II. HỘI VIÊN"],
                    other,
                    [1, "Trần Thị Lụa", 1971, "Làm ruộng"],
                    ["Ngọc Đồng"],
                    HEAD,
                    [1, "Đỗ Thị Nga", 1972, "0912345670"],
                ]
            ),
            kind="members",
        )
        assert [part.table.titled for part in table.parts][:2] == ["CHI HỘI PHỤ NỮ KHU 3"] * 2
        # It may be another branch.
        assert table.parts[-1].table.titled is None


class TestTicks:
    def _table(self, *more: list[Any]) -> Table:
        sheet = Sheet().line("STT", "Họ và tên", "Năm sinh", "Dân tộc", None)
        sheet.line(None, None, None, "Kinh", "Mường").merged.append("D1:E1")
        for number in range(6):
            sheet.line(number, f"Lê Thị Hà {'ABCDEF'[number]}", 1970, "X", None)
        sheet.lines += more
        return reading.read(xlsx(sheet), kind="members")

    def test_stay_ticks_beside_sums_and_shares(self) -> None:
        table = self._table(
            [7, "Trần Thị Lụa", 1971, None, "•"],
            [None, "Cộng", None, 6, 1],
            [None, "Tỷ lệ %", None, "85,7", "14,3"],
        )
        column = proposals.propose(table, "members")["ethnicity"].column
        assert [row.cells[column] for row in table.rows] == ["Kinh"] * 6 + ["Mường"]

    def test_another_text_among_them_is_kept_for_somebody_to_see(self) -> None:
        table = self._table([7, "Trần Thị Lụa", 1971, None, "mẹ"])
        column = proposals.propose(table, "members")["ethnicity"].column
        assert table.rows[-1].cells[column] == "Mường mẹ"


class TestValues:
    @pytest.mark.parametrize(
        ("field", "cell", "expected"),
        [
            *(("party", cell, "member") for cell in ("Rồi", "1", 1, "Đã kết nạp", "x", True)),
            *(("party", cell, "none") for cell in ("Chưa", 0, "0", "Không", "Ngoài Đảng", False)),
            *(("party", cell, None) for cell in ("-", "?")),
            *(("core", cell, True) for cell in ("rồi", "đã", "có")),
            *(("core", cell, False) for cell in ("chưa", "không có")),
            *(("occupation", cell, None) for cell in ("NULL", "N/A", "nan")),
            ("occupation", "Không", "Không"),
            *(("phone", cell, None) for cell in ("ko có", "không nhớ số", "chưa dùng điện thoại")),
            *(("phone", cell, None) for cell in ("k có", "chưa có sđt", "ko dùng đt", ".....")),
            *(("birth_date", cell, "1970") for cell in ("sn 1970", "SN: 1970", "s.n 1970")),
            *(("birth_date", cell, "1970") for cell in ("sn1970", "…/…/1970", "__/__/1970")),
            *(("joined_on", cell, None) for cell in ("..../..../......", "…", "__/__/____")),
            *(("joined_on", cell, None) for cell in ("00/00/0000", "-", "/ /", "(…)", "?")),
            *(("occupation", cell, None) for cell in (".......", "____", "…")),
            ("address", "-", "-"),
            *(
                ("ethnicity", cell, "01")
                for cell in ("01 - Kinh", "Kinh (01)", "1-Kinh", "1. Kinh")
            ),
            *(("ethnicity", cell, "02") for cell in ("[02] Tày", "02: Tày", "Tày - 02")),
            *(("gender", cell, "female") for cell in ("2 - Nữ", "Nữ (2)", "0: Nữ")),
            *(("religion", cell, "none") for cell in ("Lương", "Bên lương")),
            ("religion", "Bên giáo", "catholic"),
        ],
    )
    def test_as_people_and_programs_answer(self, field: str, cell: Cell, expected: Any) -> None:
        assert value_of(field, cell) == (expected, None)

    @pytest.mark.parametrize(
        ("cell", "day"),
        [
            ("1950 (Canh Dần)", "1950"),
            ("khoang 1948", "1948"),
            ("khoảng năm 1948", "1948"),
            ("~ 1948", "1948"),
            ("17/05/1968 (tuổi Thân)", "1968-05-17"),
            *((cell, "1956") for cell in ("1956 (68t)", "1956 (68 tuổi)", "1956 - 68 tuổi")),
            *((cell, "1956") for cell in ("1956, 68t", "1956 68t.", "năm 1956 (68 tuoi)")),
            *((cell, "1925") for cell in ("ất Sửu 1925", "1925 - Ất Sửu", "1925 (ẤT SỬU)")),
        ],
    )
    def test_a_note_beside_a_day_is_said(self, cell: str, day: str) -> None:
        assert value_of("birth_date", cell) == (day, "date_noted")

    def test_a_code_beside_the_label_of_another_is_nobodys(self) -> None:
        assert value_of("ethnicity", "01 - Tày") == (None, "code_unknown")

    @pytest.mark.parametrize(
        ("cell", "day"),
        [
            ("ngày mồng tám tháng ba năm 1960", "1960-03-08"),
            ("mùng một tháng năm năm 1960", "1960-05-01"),
            ("Ngày hai mươi mốt tháng mười một năm 1971", "1971-11-21"),
            ("ngày mười lăm tháng 5 năm 1960", "1960-05-15"),
        ],
    )
    def test_a_day_in_words(self, cell: str, day: str) -> None:
        assert value_of("birth_date", cell) == (day, None)

    @pytest.mark.parametrize(
        "cell", ["196?", "Tân Mão", "khoảng 60 tuổi", "1950 (hay 1952)", "Canh Dần 1951"]
    )
    def test_of_no_certain_year_nothing_is_taken(self, cell: str) -> None:
        assert value_of("birth_date", cell)[0] is None

    def test_what_programs_write_for_nothing(self) -> None:
        assert nothing.is_unfilled(" NULL ")
        assert not nothing.is_unfilled("Không")
        assert not nothing.is_nothing("Không dùng từ 2020")


STATES_OF_GONE = (
    *("Đã chuyển sinh hoạt đi", "Không còn sinh hoạt", "Ngừng sinh hoạt", "Thôi sinh hoạt"),
    *("Không còn là hội viên", "Inactive", "Đã ra khỏi Hội", "da chuyen sinh hoat di", "Xoá tên"),
)
NOTES_OF_GONE = (
    *("Chuyển vào miền Nam ở với con", "Chuyển sang chi hội khu 2", "Xin thôi", "Mất 2024"),
    *("Mất ngày 3/5/2025", "Bà mất tháng 3", "Chết", "Theo con vào Sài Gòn", "Lấy chồng xã khác"),
    *("chuyen vao nam", "Định cư nước ngoài", "Chuyển hộ khẩu đi", "Ốm nặng, đã mất"),
    *("Chuyển đi Hà Nội theo con từ T5/2025", "Chuyển vào Nam từ năm 2024"),
)
NOTES_OF_OTHERS = (
    *("Mới chuyển đến", "Chồng đã mất", "Mất thẻ", "Mất thẻ hội viên", "Đã chuyển đổi CCCD"),
    *("Chuyển đến từ chi hội khu 2", "Con đã mất", "Bố mất 2020", "Mất sức lao động", "Mất CCCD"),
    *("Chuyển sang hội viên danh dự", "Chuyển sang làm công nhân", "Chồng chuyển vào Nam làm"),
    *("Con chuyển đi học xa", "mat the", "chong da mat", "moi chuyen den", "Mất 1 chân"),
    *("Nhận chuyển sinh hoạt từ xã Tiên Lương", "Chuyển sinh hoạt đến", "Mẹ đã mất"),
)


class TestGone:
    HEAD = ("Họ và tên", "Năm sinh", "Ghi chú (chuyển đi, mất...)", "Trạng thái")

    def _codes(self, name: str, note: str | None, state: str | None) -> list[str]:
        [row] = taken([*self.HEAD], [name, 1970, note, state])
        return [each.problem.code for each in row.problems]

    @pytest.mark.parametrize(
        ("name", "note", "state"),
        [
            ("Lê Thị Hà (đã chết)", None, None),
            ("Lê Thị Hà", "Chuyển về Yên Lập theo con", None),
            ("Lê Thị Hà", "trùng với STT 5", None),
            ("Lê Thị Hà", None, "Đã chuyển đi"),
            ("Lê Thị Hà", None, "Đã qua đời"),
            *(("Lê Thị Hà", None, state) for state in STATES_OF_GONE),
            *(("Lê Thị Hà", note, None) for note in NOTES_OF_GONE),
        ],
    )
    def test_is_said_by_note_name_or_state(
        self, name: str, note: str | None, state: str | None
    ) -> None:
        assert "row_says_gone" in self._codes(name, note, state)

    @pytest.mark.parametrize(
        "heading",
        [
            *("Ghi chú", "Trạng thái sinh hoạt", "Tình trạng HV", "Kết quả rà soát", "Lý do"),
            *("Biến động trong năm", "Diễn biến", "Theo dõi", "Tình hình hội viên", "Status"),
        ],
    )
    def test_is_said_in_any_column_of_notes_or_states(self, heading: str) -> None:
        [row] = taken(["Họ và tên", "Năm sinh", heading], ["Lê Thị Hà", 1970, "Đã chuyển đi"])
        assert [each.problem.code for each in row.problems] == ["row_says_gone"]

    @pytest.mark.parametrize(
        "heading", ["Tình trạng hôn nhân", "Ghi chú về chồng", "Tình hình sức khoẻ"]
    )
    def test_is_not_said_in_columns_of_something_else(self, heading: str) -> None:
        [row] = taken(["Họ và tên", "Năm sinh", heading], ["Lê Thị Hà", 1970, "Đã mất"])
        assert row.problems == []

    @pytest.mark.parametrize(
        "note", ["mới chuyển về năm 2024", "chuyển về từ Yên Lập", "nhà ở dốc", *NOTES_OF_OTHERS]
    )
    def test_is_not_said_of_who_came(self, note: str) -> None:
        assert self._codes("Lê Thị Hà", note, "Đang sinh hoạt") == []

    def test_of_a_record_on_file_the_state_is_known(self) -> None:
        [row] = taken(
            ["Mã", "Họ và tên", "Năm sinh", "Trạng thái"],
            ["0198c0de-0000-7000-8000-000000000001", "Lê Thị Hà", 1970, "Đã từ trần"],
        )
        assert row.problems == []

    def test_a_note_is_text(self) -> None:
        table = reading.read(ugly.xlsx([["Họ và tên", "Ghi chú"], ["Lê Thị Hà", 5]]))
        assert not marks.says_gone(Row(2, ["Lê Thị Hà", 5]), table.columns[1])


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        *(("NS", "birth_date"), ("Ng.sinh", "birth_date"), ("Số nhà, ngõ", "address")),
        *(("Chị là người dân tộc gì?", "ethnicity"), ("Chị đã là Đảng viên chưa?", "party")),
    ],
)
def test_headings_in_other_words(heading: str, field: str) -> None:
    table = reading.read(ugly.xlsx([["Họ và tên", "Số điện thoại", heading], ["Lê Hà", "", "x"]]))
    assert proposals.propose(table, "members")[field].column == 2


@pytest.mark.parametrize("written", ["Đ/c Lê Thị Hà", "đồng chí Lê Thị Hà", "Cụ Lê Thị Hà"])
def test_how_she_is_addressed_is_no_part_of_her_name(written: str) -> None:
    assert value_of("full_name", written) == ("Lê Thị Hà", "name_with_more")


class TestTitles:
    @pytest.mark.parametrize(
        ("cells", "branch"),
        [
            (["CHI HỘI KHU 1", None, "Độc lập - Tự do - Hạnh phúc"], "CHI HỘI KHU 1"),
            (["CHI HOI KHU 1", "Doc lap - Tu do - Hanh phuc"], "CHI HOI KHU 1"),
            (["CHI HỘI KHU 1            Độc lập - Tự do - Hạnh phúc"], "CHI HỘI KHU 1"),
            (["HỘI LHPN XÃ PHƯỢNG VĨ\nCHI HỘI PHỤ NỮ KHU 2"], "CHI HỘI PHỤ NỮ KHU 2"),
            (["CỘNG HOÀ XÃ HỘI CHỦ NGHĨA VIỆT NAM", "Chi hội Ngọc Đồng"], "Chi hội Ngọc Đồng"),
            (["Chi hội khu 5", "Phượng Vĩ, ngày 3 tháng 5 năm 2025"], "Chi hội khu 5"),
            (["DS HỘI VIÊN CHI HỘI KHU 3 (tính đến ngày 30/6/2025)"], "CHI HỘI KHU 3"),
            (["Danh sách hội viên chi hội khu 4 quý II năm 2025"], "chi hội khu 4"),
            (["Chi hội khu 6 - 6 tháng đầu năm 2025"], "Chi hội khu 6"),
            (["Danh sách hội viên chi hội khu 1 năm 2024-2025"], "chi hội khu 1"),
            (["Đơn vị: Chi hội khu 1", "Mẫu số 01"], "Chi hội khu 1"),
            (["HỘI LHPN XÃ PHƯỢNG VĨ", "Độc lập - Tự do - Hạnh phúc"], None),
        ],
    )
    def test_name_the_branch_beside_whatever_stands_there(
        self, cells: list[Cell], branch: str | None
    ) -> None:
        assert sections.of_titles(sections.title_texts(cells), None) == branch

    def test_go_on_below_a_heading_that_names_no_branch(self) -> None:
        found = taken(
            ["CHI HỘI PHỤ NỮ KHU 3"],
            HEAD,
            [1, "Lê Thị Hà", 1970, "0912345678"],
            [None, "Cộng", None, 1],
            [None, "Hội viên được miễn hội phí"],
            [1, "Trần Thị Lụa", 1951, "0912345679"],
        )
        assert where(found)[-1] == ("Hội viên được miễn hội phí", "CHI HỘI PHỤ NỮ KHU 3")


class TestIdsOfOthers:
    HEAD: list[Cell] = ["Mã hội viên", "Họ và tên", "Năm sinh"]

    @pytest.mark.parametrize("code", ["HV-25-08356-00112", 112, "00112", "PN.001"])
    def test_are_left_out_and_said(self, code: Cell) -> None:
        table = reading.read(ugly.xlsx([self.HEAD, [code, "Lê Thị Hà", 1970]]), kind="members")
        assert "id" not in proposals.propose(table, "members")
        [note] = rows.notes_on(table, {"full_name"}, "members")
        assert (note.code, note.params["letter"]) == ("ids_of_others", "A")

    def test_one_of_ours_among_them_makes_the_others_wrong(self) -> None:
        ours = "0198c0de-0000-7000-8000-000000000001"
        found = taken(self.HEAD, [ours, "Lê Thị Hà", 1970], ["HV-1", "Trần Thị Lụa", 1971])
        assert found[0].values["id"] == ours
        assert [each.problem.code for each in found[1].problems] == ["id_invalid"]

    def test_an_empty_column_is_ours(self) -> None:
        [row] = taken(self.HEAD, [None, "Lê Thị Hà", 1970])
        assert row.values["id"] is None

    def test_ours_are_written_beside_them(self) -> None:
        table = reading.read(ugly.xlsx([["Mã", "Họ và tên"], ["HV-1", "Lê Thị Hà"]]))
        assert said.places_in(table, 2)["Mã"] == 5


@pytest.mark.parametrize(
    "heading",
    [
        *("sdt zalo", "SĐT (Zalo)", "SĐT/Zalo", "Số Zalo", "Điện thoại Zalo", "Số điện thoại/Zalo"),
        *("SĐT có Zalo", "ĐT liên lạc", "ĐT LH", "Số máy", "Số điện thoại có Zalo"),
    ],
)
def test_headings_of_a_phone(heading: str) -> None:
    table = reading.read(ugly.xlsx([["Họ và tên", "Năm sinh", heading], ["Lê Hà", 1970, "x"]]))
    assert proposals.propose(table, "members")["phone"].column == 2


@pytest.mark.parametrize(
    "heading",
    [
        *("Chị là người dân tộc nào?", "6. Dân tộc của chị là gì?", "Chị thuộc dân tộc nào"),
        *("Chị là người dân tộc gì ạ?", "Bạn là người dân tộc nào", "Dân tộc (Kinh, Mường...)"),
    ],
)
def test_questions_about_the_ethnic_group(heading: str) -> None:
    table = reading.read(ugly.xlsx([["Họ và tên", "Năm sinh", heading], ["Lê Hà", 1970, "Kinh"]]))
    assert proposals.propose(table, "members")["ethnicity"].column == 2


@pytest.mark.parametrize(
    "heading", ["NS", "N/S", "Sinh", "NTN", "Ng sinh", "SINH NĂM", "Năm sinh*"]
)
def test_short_headings_of_the_day_of_birth(heading: str) -> None:
    table = reading.read(ugly.xlsx([["Họ và tên", "Khu", heading], ["Lê Hà", "Khu 1", 1970]]))
    assert proposals.propose(table, "members")["birth_date"].column == 2


@pytest.mark.parametrize(
    ("field", "cell", "code"),
    [
        ("religion", "x", "tick_names_nothing"),
        ("ethnicity", "✓", "tick_names_nothing"),
        ("citizen_id", "thẻ hết hạn, chờ cấp lại", "citizen_id_invalid"),
        ("id_card", "chờ đổi thẻ", "id_card_invalid"),
        ("phone", "gọi qua con gái", "phone_invalid"),
    ],
)
def test_a_cell_that_says_that_there_is_no_value_keeps_nobody_out(
    field: str, cell: Cell, code: str
) -> None:
    found = values.parse(headers.fields("members")[field], "members", cell)
    assert found.problem is not None
    assert (found.value, found.problem.code, found.problem.left_out) == (None, code, True)


@pytest.mark.parametrize(
    ("note", "party"),
    [
        *((text, "member") for text in ("Đảng viên", "ĐẢNG VIÊN", "CHT, đảng viên")),
        *((text, None) for text in ("Con là Đảng viên", "Hộ nghèo", None)),
    ],
)
def test_a_note_says_that_she_is_in_the_party(note: Cell, party: str | None) -> None:
    [row] = taken(["Họ và tên", "Năm sinh", "Ghi chú"], ["Lê Thị Hà", 1970, note])
    assert row.values.get("party") == party
    assert [each.problem.code for each in row.problems] == (["value_of_note"] if party else [])
    [row] = taken(["Họ và tên", "Đảng", "Ghi chú"], ["Lê Thị Hà", "Chưa", note])
    assert row.values["party"] == "none"
