"""What a column is, by a heading that is a question, stands twice, or is of somebody else."""

import openpyxl
import pytest

from app.workbooks import headers, proposals, questions, reading, rows
from app.workbooks.tables import Cell, Table
from tests.data import make_workbooks as ugly


def read(*lines: list[Cell]) -> Table:
    return reading.read(ugly.xlsx(list(lines)))


def columns(table: Table) -> dict[str, str]:
    letters = {column.index: column.letter for column in table.columns}
    found = proposals.propose(table, "members")
    return {field: letters[each.column] for field, each in found.items()}


def taken(table: Table) -> list[rows.TakenRow]:
    places = {field: each.column for field, each in proposals.propose(table, "members").items()}
    return list(rows.take(table, places, "members"))


class TestQuestions:
    @pytest.mark.parametrize(
        ("question", "field"),
        [
            ("Chị sinh năm nào?", "birth_date"),
            ("2. Ngày, tháng, năm sinh của chị (dương lịch)", "birth_date"),
            ("Số điện thoại hiện chị đang dùng là số nào?", "phone"),
            ("Chị đang sinh hoạt ở chi hội nào ạ?", "branch"),
            ("Bạn có phải là Đảng viên không?", "party"),
            ("Địa chỉ thường trú của cô", "address"),
            ("Nơi sinh hoạt của chị (chi hội)", "branch"),
        ],
    )
    def test_hold_the_name_of_what_they_ask_for(self, question: str, field: str) -> None:
        table = read(["Họ và tên", "Năm sinh?", question], ["Lê Thị Hà", 1970, "x"])
        assert columns(table)[field] in ("B", "C")
        assert field != "birth_date" or questions.asked_for(question, _phrases()) == field

    @pytest.mark.parametrize(
        "question",
        [
            "Họ và tên chồng của chị là gì?",
            "Nghề nghiệp của con chị?",
            "Địa chỉ email của chị",
            "Ngày sinh hoạt chi hội của chị là ngày nào?",
            "Chị hội viên có nhu cầu vay vốn không?",
            "Chị có góp ý gì về chi hội không?",
            "Số điện thoại của người liên hệ khi chị vắng nhà",
            "Ngày cấp căn cước",
        ],
    )
    def test_about_others_and_other_things_ask_for_nothing(self, question: str) -> None:
        table = read(["Họ và tên", "Năm sinh", question], ["Lê Thị Hà", 1970, "x"])
        assert set(columns(table)) <= {"full_name", "birth_date", "branch"}
        assert "C" not in columns(table).values() or "chi hội" in question

    def test_a_number_before_a_heading_is_none_of_it(self) -> None:
        table = read(
            ["1. Họ và tên", "Câu 2: Năm sinh", "3) SĐT"], ["Lê Thị Hà", 1970, "0912345678"]
        )
        assert columns(table) == {"full_name": "A", "birth_date": "B", "phone": "C"}

    def test_a_form_has_its_header_in_its_questions(self) -> None:
        asked: list[Cell] = ["Dấu thời gian", "Chị cho biết họ và tên?", "Năm sinh của chị?"]
        table = read(asked, ["01/03/2026 08:10:00", "Lê Thị Hà", 1970])
        assert (table.header_row, len(table.rows)) == (1, 1)
        assert columns(table) == {"full_name": "B", "birth_date": "C"}


def _phrases() -> dict[str, str]:
    specs = headers.fields("members").values()
    return dict(questions.phrases((n, s.field) for s in specs for n in (s.vi, *s.names)))


class TestTwice:
    def test_one_of_one_name_is_read_and_the_other_told(self) -> None:
        head: list[Cell] = ["Họ và tên", "Năm sinh", "SĐT", "SĐT "]
        table = read(head, ["Lê Thị Hà", 1970, "0912345678", "0912345679"])
        assert columns(table) == {"full_name": "A", "birth_date": "B", "phone": "C"}
        assert [column.header for column in table.columns][2:] == ["SĐT", "SĐT (2)"]
        [note] = [note for note in table.notes if note.code == "same_heading"]
        assert note.params == {"header": "SĐT", "letters": "C, D"}

    def test_of_equal_columns_the_one_behind_her_name(self) -> None:
        head: list[Cell] = ["Chủ hộ", "Năm sinh", "Họ và tên hội viên", "Năm sinh", "Năm sinh"]
        table = read(head, ["Lê Văn Nam", 1945, "Lê Thị Hà", 1970, 1999])
        assert columns(table) == {"full_name": "C", "birth_date": "D"}

    def test_under_the_heading_of_somebody_else(self) -> None:
        book = openpyxl.Workbook()
        sheet = book.worksheets[0]
        sheet.append(["Hội viên", None, "Chồng", None])
        sheet.append(["Họ và tên", "Năm sinh", "Họ và tên", "Điện thoại"])
        sheet.append(["Lê Thị Hà", 1970, "Lê Văn Nam", "0912345678"])
        for merged in ("A1:B1", "C1:D1"):
            sheet.merge_cells(merged)
        table = reading.read(ugly.saved(book))
        assert columns(table) == {"full_name": "A", "birth_date": "B"}


def test_words_in_another_order() -> None:
    table = read(["Họ và tên", "Sinh năm", "Vào Hội năm"], ["Lê Thị Hà", 1970, 1990])
    assert columns(table) == {"full_name": "A", "birth_date": "B", "joined_on": "C"}


class TestPartyByItsDay:
    HEAD: list[Cell] = ["Họ và tên", "Năm sinh", "Ngày vào Đảng"]

    def test_without_a_column_of_the_party(self) -> None:
        table = read(self.HEAD, ["Lê Thị Hà", 1970, 1990], ["Lê Thị Lan", 1971, None])
        assert [row.values.get("party") for row in taken(table)] == ["member", None]
        [note] = rows.notes_on(table, {"full_name", "party_joined_on"}, "members")
        assert note.code == "implied"

    def test_a_column_of_the_party_says_it_itself(self) -> None:
        table = read([*self.HEAD, "Đảng viên"], ["Lê Thị Hà", 1970, 1990, None])
        assert taken(table)[0].values["party"] is None
        assert rows.notes_on(table, {"party", "party_joined_on"}, "members") == []


def test_sums_below_groups_of_ticks_are_no_rows() -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for line in (
        ["STT", "Họ và tên", "Năm sinh", "Dân tộc", None, "Trình độ văn hoá", None, "Đảng viên"],
        [None, None, None, "Kinh", "Mường", "THCS", "THPT", None],
        [1, "Lê Thị Hà", 1970, "x", None, None, "X", "x"],
        [2, "Lê Thị Tổng", 1971, None, "x", "X", None, None],
        [None, "Cộng", None, 1, 1, 1, 1, 1],
        [None, "Tỷ lệ %", None, "50", "50", "50,0", 50, 50.5],
    ):
        sheet.append(line)
    for merged in ("A1:A2", "B1:B2", "C1:C2", "D1:E1", "F1:G1", "H1:H2"):
        sheet.merge_cells(merged)
    table = reading.read(ugly.saved(book))
    found = [(row.values["ethnicity"], row.values["education"]) for row in taken(table)]
    assert found == [("01", "upper_secondary"), ("04", "lower_secondary")]
    assert [(each.reason, each.rows) for each in table.left_out] == [
        ("total", [5, 6]),
        ("header", [1, 2]),
    ]


def test_ticks_beside_a_part_that_is_the_name_of_a_column_are_not_lost() -> None:
    table = read(
        [None, None, "Tôn giáo"],
        ["Họ và tên", "Năm sinh", "Công giáo", "Phật giáo", "Đảng viên"],
        ["Lê Thị Hà", 1970, "x", None, "x"],
        ["Lê Thị Mai", 1971, None, "x", None],
    )
    found = taken(table)
    assert [row.values["religion"] for row in found] == ["catholic", "buddhist"]
    assert [row.values["party"] for row in found] == ["member", None]


def test_a_heading_over_ticks_ends_at_the_next_name_of_a_column() -> None:
    table = read(
        [None, None, "Tôn giáo"],
        ["Họ và tên", "Năm sinh", "Công giáo", "Phật giáo", "Không", "Chỗ ở", "Số điện thoại"],
        ["Lê Thị Hà", 1970, "x", None, None, "Khu 3", "0912345678"],
        ["Lê Thị Mai", 1971, None, "x", None, "Khu 4", None],
        ["Lê Thị Lan", 1972, None, None, "x", None, None],
    )
    found = taken(table)
    assert [row.values["religion"] for row in found] == ["catholic", "buddhist", "none"]
    assert (found[0].values["address"], found[0].values["phone"]) == ("Khu 3", "+84912345678")
    assert [each.header for each in table.columns][2:] == ["Tôn giáo", "Chỗ ở", "Số điện thoại"]
    assert "ticks_read" in [note.code for note in table.notes]


def test_ticks_are_read_beside_a_column_that_nobody_knows() -> None:
    table = read(
        [None, None, "Tôn giáo"],
        ["Họ và tên", "Năm sinh", "Công giáo", "Phật giáo", "Việc riêng"],
        ["Lê Thị Hà", 1970, "x", None, "bán hàng"],
        ["Lê Thị Mai", 1971, None, "x", None],
    )
    assert [row.values["religion"] for row in taken(table)] == ["catholic", "buddhist"]


@pytest.mark.parametrize("number", ["Số TT", "STT", "Số thứ tự"])
def test_a_title_right_above_the_header_is_none_of_it(number: str) -> None:
    table = read(
        ["Danh sách chị em hội viên chi hội khu 4 (bà Gấm ghi)"],
        [number, "Chị em", "Sinh năm", "Điện thoại"],
        [1, "Lê Thị Hà", 1970, "0912345678"],
    )
    assert columns(table) == {"full_name": "B", "birth_date": "C", "phone": "D"}
    assert (table.header_row, table.titled) == (2, "chi hội khu 4")


def test_a_serial_number_under_a_heading_is_no_branch() -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Hội viên chi hội", None, None])
    sheet.append(["Số TT", "Họ và tên", "Năm sinh"])
    sheet.append([1, "Lê Thị Hà", 1970])
    sheet.merge_cells("A1:C1")
    assert columns(reading.read(ugly.saved(book))) == {"full_name": "B", "birth_date": "C"}


def test_who_is_asked_is_no_name() -> None:
    table = read(["Họ và tên", "Năm sinh", "Chị em có muốn vay vốn không?"], ["Lê Thị Hà", 1970, 1])
    assert columns(table) == {"full_name": "A", "birth_date": "B"}


def test_an_old_card_among_citizen_ids_is_told() -> None:
    cards: list[Cell] = ["132012345", "025168001234", "13201234"]
    table = read(["Họ và tên", "Năm sinh", "Số CCCD"], *(["Lê Thị Hà", 1968, c] for c in cards))
    found = taken(table)
    assert [(row.values.get("id_card"), row.values.get("citizen_id")) for row in found] == [
        ("132012345", None),
        (None, "025168001234"),
        (None, None),
    ]
    assert [[each.problem.code for each in row.problems] for row in found] == [
        ["id_card_among_ids"],
        [],
        ["citizen_id_invalid"],
    ]


@pytest.mark.parametrize("heading", ["SOCMND", "Số CMND", "CMND/CCCD"])
def test_one_column_of_cards_holds_each_by_its_length(heading: str) -> None:
    cards: list[Cell] = ["132012345", "025168001234", "000000000", "000000000000", 25168001234]
    table = read(["Họ và tên", "Năm sinh", heading], *(["Lê Thị Hà", 1968, each] for each in cards))
    found = taken(table)
    assert [(row.values.get("id_card"), row.values.get("citizen_id")) for row in found] == [
        ("132012345", None),
        (None, "025168001234"),
        (None, None),
        (None, None),
        (None, "025168001234"),
    ]
    assert [[each.problem.code for each in row.problems] for row in found] == [
        [],
        [],
        ["number_not_known"],
        ["number_not_known"],
        ["citizen_id_zero_restored"],
    ]
