"""Lists as offices print and programs write them: three rows of headings, pages, roll calls, days
without separators."""

from datetime import date

import pytest

from app.workbooks import day_columns, headers, proposals, reading, rows, values
from app.workbooks.tables import Cell, LeftOutReason, Table
from app.workbooks.values import Options
from tests.data import make_workbooks as ugly
from tests.workbooks.wild.files import xlsx
from tests.workbooks.wild.sheets import Sheet


def mapped(table: Table) -> dict[str, int]:
    return {field: each.column for field, each in proposals.propose(table, "members").items()}


def taken(table: Table) -> list[rows.TakenRow]:
    return list(rows.take(table, mapped(table), "members"))


def codes(row: rows.TakenRow) -> list[tuple[str, bool]]:
    return [(each.problem.code, each.problem.taken) for each in row.problems]


class TestAnAnnex:
    """Headings of three rows, repeated on the second page with a sum that is carried over."""

    @pytest.fixture
    def table(self) -> Table:
        sheet = Sheet("PL").line("DANH SÁCH HỘI VIÊN", merged="A:H").line()
        self._head(sheet)
        sheet.line(*range(1, 9))
        sheet.line(1, "Lê Thị Hà", 1970, "x", None, None, "x", None)
        sheet.line(2, "Hà Thị Én", 1981, None, "X", None, None, "X")
        sheet.line(None, "Cộng chuyển trang sau", 2).line("Trang 2", merged="A:H")
        self._head(sheet)
        sheet.line(None, "Mang sang", 2)
        sheet.line(3, "Vũ Thị Lan", 1990, None, None, "+", "+", None)
        return reading.read(xlsx(sheet), kind="members")

    @staticmethod
    def _head(sheet: Sheet) -> None:
        first = sheet.last + 1
        sheet.line("STT", "Họ và tên", "Năm sinh", "Trình độ", *[None] * 4)
        sheet.line(None, None, None, "Học vấn", None, None, "Chuyên môn", None)
        sheet.line(None, None, None, "TH", "THCS", "THPT", "TC", "ĐH")
        sheet.merged += [f"D{first}:H{first}", f"D{first + 1}:F{first + 1}"]
        sheet.merged += [f"G{first + 1}:H{first + 1}"]
        sheet.merged += [f"{letter}{first}:{letter}{first + 2}" for letter in "ABC"]

    def test_has_the_ticks_of_each_level(self, table: Table) -> None:
        found = [
            [row.values[name] for name in ("full_name", "education", "qualification")]
            for row in taken(table)
        ]
        assert found == [
            ["Lê Thị Hà", "primary", "intermediate"],
            ["Hà Thị Én", "lower_secondary", "bachelor"],
            ["Vũ Thị Lan", "upper_secondary", "intermediate"],
        ]

    def test_says_what_was_left_out(self, table: Table) -> None:
        left_out = {each.reason: each.rows for each in table.left_out}
        assert left_out[LeftOutReason.header] == [3, 4, 5, 11, 12, 13]
        assert left_out[LeftOutReason.total] == [9, 14]
        assert left_out[LeftOutReason.numbering] == [6]
        told = next(note for note in table.notes if note.code == "three_header_rows")
        assert told.params == {"first": 3, "last": 5}


class TestWhoIsNoMember:
    def test_a_hidden_man_waits_and_a_hidden_woman_is_told(self) -> None:
        sheet = Sheet("DS").line("Họ và tên", "Giới tính", "Năm sinh")
        sheet.line("Lê Thị Hà", "Nữ", 1970).line("Lê Văn Hải", "Nam", 1971)
        sheet.line("Hà Thị Én", "Nữ", 1972)
        sheet.hidden |= {3, 4}
        found = taken(reading.read(xlsx(sheet), kind="members"))
        assert list(map(codes, found)) == [[], [("row_hidden", False)], [("row_hidden", True)]]

    @pytest.mark.parametrize("heading", ["Hội viên PN", "Đã vào Hội", "HV"])
    def test_who_is_none_yet_waits(self, heading: str) -> None:
        lines: list[list[Cell]] = [
            ["Họ và tên", "Năm sinh", heading],
            ["Lê Thị Hà", 1970, "x"],
            ["Hà Thị Én", 2003, "chưa vào"],
            ["Vũ Thị Lan", 1999, None],
        ]
        found = taken(reading.read(ugly.xlsx(lines), kind="members"))
        assert list(map(codes, found)) == [[], [("row_says_no_member", False)], []]


def test_days_of_eight_digits_by_their_column() -> None:
    spec = headers.fields("members")["birth_date"]
    days: list[Cell] = ["17051968", "5031970", 9111981, "00001975", "31021965", 1969]

    def read(cell: Cell, column: list[Cell]) -> tuple[object, str | None]:
        options = Options(column=day_columns.of_cells(column))
        value, problem = values.parse(spec, "members", cell, options)
        return value, problem.code if problem else None

    column: list[Cell] = [*days, "20101977", "01011980", "28021990", "13121958"]
    assert [read(day, column) for day in days] == [
        ("1968-05-17", None),
        ("1970-03-05", None),
        ("1981-11-09", None),
        ("1975", None),
        (None, "date_unread"),
        ("1969", None),
    ]
    # Alone among days of another form it is asked about.
    assert read("17051968", ["17051968", "20/10/1977", date(1980, 1, 1)]) == (None, "date_unread")


def test_letters_of_a_roll_call_are_no_branches() -> None:
    lines: list[list[Cell]] = [["Họ và tên", "Năm sinh", "Ngày sinh hoạt"]]
    lines += [["Lê Thị Hà", 1970, "x"], ["Hà Thị Én", 1981, "P"], ["Vũ Thị Lan", 1990, "K"]]
    assert "branch" not in mapped(reading.read(ugly.xlsx(lines), kind="members"))


def test_old_and_new_cards_under_one_heading() -> None:
    lines: list[list[Cell]] = [
        ["Họ và tên", "Năm sinh", "Số CCCD/ CMND/ Mã định danh"],
        ["Lê Thị Hà", 1970, "131054219"],
        ["Hà Thị Én", 1981, "025181004567"],
    ]
    found = taken(reading.read(ugly.xlsx(lines), kind="members"))
    cards = [(row.values.get("id_card"), row.values.get("citizen_id")) for row in found]
    assert cards == [("131054219", None), (None, "025181004567")]


def test_flowers_beside_a_name_are_taken_away_with_a_sign() -> None:
    for written in ("Lê Thị Hà 🌸", "❤️ Lê Thị Hà"):
        value, problem = values.name_of(written)
        assert value == "Lê Thị Hà"
        assert problem is not None
        assert (problem.code, problem.taken) == ("name_with_more", True)


def test_a_number_that_kept_one_zero_has_lost_none() -> None:
    spec = headers.fields("members")["citizen_id"]
    found = [values.parse(spec, "members", each).problem for each in ("02516800123", "25168001234")]
    assert [each and (each.code, each.proposal) for each in found] == [
        ("citizen_id_invalid", None),
        ("citizen_id_zero_lost", "025168001234"),
    ]
