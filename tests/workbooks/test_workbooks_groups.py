"""Headings of parts of a branch, sums, answers of yes and no, and what is written beside a value."""

from typing import Any

import pytest

from app.workbooks import headers, marks, nothing, reading, rows, sections, values
from app.workbooks.tables import Cell, Row, Table
from tests.data import make_workbooks as ugly
from tests.workbooks.wild.files import xlsx
from tests.workbooks.wild.sheets import Sheet

HEAD: list[Cell] = ["STT", "Họ và tên", "Năm sinh", "Số điện thoại"]


def taken(*lines: list[Cell]) -> list[rows.TakenRow]:
    table = reading.read(ugly.xlsx(list(lines)), kind="members")
    mapping = {field: each.column for field, each in headers.propose(table, "members").items()}
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
        ],
    )
    def test_are_parts_of_a_branch(self, text: str) -> None:
        assert sections.is_group(text)

    @pytest.mark.parametrize(
        "text",
        [
            *("Chi hội 3", "Khu 2", "Tổ dân phố 4", "Bản 3", "Hội viên chi hội 3", "Ngọc Đồng"),
            *("Danh sách hội viên Ngọc Đồng", "Tổ Ngọc Đồng", ""),
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
        column = headers.propose(table, "members")["ethnicity"].column
        assert [row.cells[column] for row in table.rows] == ["Kinh"] * 6 + ["Mường"]

    def test_another_text_among_them_is_kept_for_somebody_to_see(self) -> None:
        table = self._table([7, "Trần Thị Lụa", 1971, None, "mẹ"])
        column = headers.propose(table, "members")["ethnicity"].column
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
        ],
    )
    def test_a_note_beside_a_day_is_said(self, cell: str, day: str) -> None:
        assert value_of("birth_date", cell) == (day, "date_noted")

    @pytest.mark.parametrize("cell", ["196?", "Tân Mão", "khoảng 60 tuổi", "1950 (hay 1952)"])
    def test_of_no_certain_year_nothing_is_taken(self, cell: str) -> None:
        assert value_of("birth_date", cell)[0] is None

    def test_what_programs_write_for_nothing(self) -> None:
        assert nothing.is_unfilled(" NULL ")
        assert not nothing.is_unfilled("Không")
        assert not nothing.is_nothing("Không dùng từ 2020")


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
        ],
    )
    def test_is_said_by_note_name_or_state(
        self, name: str, note: str | None, state: str | None
    ) -> None:
        assert "row_says_gone" in self._codes(name, note, state)

    @pytest.mark.parametrize(
        "note", ["mới chuyển về năm 2024", "chuyển về từ Yên Lập", "nhà ở dốc"]
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
    assert headers.propose(table, "members")[field].column == 2


@pytest.mark.parametrize("written", ["Đ/c Lê Thị Hà", "đồng chí Lê Thị Hà", "Cụ Lê Thị Hà"])
def test_how_she_is_addressed_is_no_part_of_her_name(written: str) -> None:
    assert value_of("full_name", written) == ("Lê Thị Hà", "name_with_more")
