"""Schooling and qualification in one column: each value goes to the field it belongs to."""

from datetime import date

import pytest

from app.workbooks import proposals, reading, rows
from app.workbooks.tables import Cell
from tests.data import make_workbooks as ugly

_NAMES: list[Cell] = ["Lê Thị Hà", "Khổng Thị Mai", "Trần Ngọc Lan", "Hà Thị Lý", "Lê Thị Na"]
_MIXED: list[Cell] = ["9/12", "ĐH", "Trung cấp", "10/10"]


def read(heading: str, cells: list[Cell], *beside: tuple[str, list[Cell]]) -> list[rows.TakenRow]:
    columns = [("Họ và tên", _NAMES[: len(cells)]), (heading, cells), *beside]
    lines = zip(*(cells for _, cells in columns), strict=True)
    head: list[Cell] = [heading for heading, _ in columns]
    table = reading.read(ugly.xlsx([head, *map(list, lines)]))
    found = proposals.propose(table, "members")
    return list(rows.take(table, {name: each.column for name, each in found.items()}, "members"))


def levels(found: list[rows.TakenRow]) -> list[tuple[str | None, str | None]]:
    return [(row.values.get("education"), row.values.get("qualification")) for row in found]


def told(row: rows.TakenRow) -> list[tuple[str, bool]]:
    return [(p.problem.code, p.problem.taken) for p in row.problems if p.field == "levels"]


@pytest.mark.parametrize(
    "heading", ["Trình độ", "TRÌNH ĐỘ", "TĐ", "Trình độ (văn hoá, chuyên môn)", "Trình độ VH-CM"]
)
def test_each_goes_where_it_belongs(heading: str) -> None:
    found = read(heading, _MIXED)
    assert levels(found) == [
        ("lower_secondary", None),
        (None, "bachelor"),
        (None, "intermediate"),
        ("upper_secondary", None),
    ]
    assert [told(row) for row in found] == [
        [],
        [("levels_read", True)],
        [("levels_read", True)],
        [],
    ]


@pytest.mark.parametrize("heading", ["Trình độ", "Trình độ văn hoá", "Trình độ chuyên môn"])
@pytest.mark.parametrize(
    "cell",
    ["12/12, ĐH Sư phạm", "12/12 - ĐH", "12/12; Đại học", "THPT + ĐH", "12/12 (ĐH)", "12/12 ĐH"],
)
def test_a_cell_that_says_both_gives_both(heading: str, cell: str) -> None:
    found = read(heading, [cell, "12/12, CĐ Y", None, date(2026, 12, 9)])
    assert levels(found)[:3] == [
        ("upper_secondary", "bachelor"),
        ("upper_secondary", "college"),
        (None, None),
    ]
    # A spreadsheet took 9/12 for a day.
    assert (levels(found)[3], told(found[3])) == (
        ("lower_secondary", None),
        [("schooling_read", True)],
    )
    assert told(found[0]) == [("levels_read", True)]


def test_what_is_no_level_waits() -> None:
    for cell in ("ĐH, CĐ", "CN may", "12/12, thợ may", "9/12, " + "ĐH " * 40):
        found = read("Trình độ", ["9/12", "ĐH", "TC", "THPT", cell])
        assert told(found[-1]) == [("levels_unknown", False)]
        assert levels(found)[-1] == (None, None)


def test_columns_of_their_own_are_as_they_were() -> None:
    own: list[Cell] = ["12/12"] * 4
    found = read("Trình độ", _MIXED, ("Văn hoá", own), ("Chuyên môn", ["TC", "ĐH", "CĐ", None]))
    assert levels(found)[0] == ("upper_secondary", "intermediate")
    # A higher school stands for the schooling before it.
    assert levels(read("Trình độ văn hoá", _MIXED))[1] == ("upper_secondary", None)


def test_what_says_nothing_of_schools_is_not_read() -> None:
    assert "levels" not in read("Trình độ", ["Khá", "Giỏi", "ĐH", "Khá"])[0].values
