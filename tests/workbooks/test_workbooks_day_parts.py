"""A day in columns of its own: Ngày | Tháng | Năm."""

import random
from collections.abc import Sequence

import pytest

from app.workbooks import proposals, reading, rows
from app.workbooks.tables import Cell, Table
from tests.data import make_workbooks as ugly
from tests.workbooks.wild.files import vntime, xlsx
from tests.workbooks.wild.sheets import Cell as Shown
from tests.workbooks.wild.sheets import Sheet

NAME = "Lê Thị Hà"


def places(table: Table) -> dict[str, int]:
    return {field: each.column for field, each in proposals.propose(table, "members").items()}


def taken(table: Table) -> list[rows.TakenRow]:
    return list(rows.take(table, places(table), "members"))


def born(table: Table) -> list[tuple[str | None, str | None]]:
    """The day of birth of each row, or the code of what is wrong with it."""
    found = []
    for row in taken(table):
        codes = [each.problem.code for each in row.problems if each.field == "birth_date"]
        found.append((row.values.get("birth_date"), codes[0] if codes else None))
    return found


def grouped(*lines: Sequence[Shown], merged: bool = True, parts: str = "") -> Table:
    sheet = Sheet().line("STT", "Họ và tên", "Ngày sinh", None, None, "Địa chỉ")
    sheet.line(None, None, *(parts or "Ngày|Tháng|Năm").split("|"))
    if merged:
        sheet.merged.append("C1:E1")
    for number, parts_ in enumerate(lines, 1):
        sheet.line(number, f"{NAME} {'ABCDEFGHIJ'[number]}", *parts_, "Khu 1")
    return reading.read(xlsx(sheet), kind="members")


@pytest.mark.parametrize("merged", [True, False])
@pytest.mark.parametrize(
    "parts",
    [
        *("Ngày|Tháng|Năm", "NGÀY|THÁNG|NĂM", "Ngay|Thang|Nam", "Ngày sinh|Tháng sinh|Năm sinh"),
        *("Ngày|Tháng|Năm sinh", "Ng.|Th.|Năm", "Day|Month|Year"),
    ],
)
def test_under_one_heading_are_one_day(merged: bool, parts: str) -> None:
    table = grouped((16, 5, 1970), (None, None, 1956), merged=merged, parts=parts)
    assert born(table) == [("1970-05-16", None), ("1956", None)]
    assert "male" not in places(table)
    assert "gender" not in taken(table)[0].values
    assert "day_parts_read" in [note.code for note in table.notes]


def test_a_part_may_be_missing() -> None:
    table = grouped(
        (16, 5, 1970),
        (None, 6, 1980),
        ("-", "…", 1955),
        (0, 0, 1950),
        ("01", "02", "1971"),
        (3, 4, 71),
        ("16/05/1970", None, None),
    )
    assert [day for day, _ in born(table)] == [
        *("1970-05-16", "1980-06", "1955", "1950", "1971-02-01", "1971-04-03", "1970-05-16")
    ]


def test_what_makes_no_day_is_said() -> None:
    table = grouped((16, 5, 1970), (16, 5, None), (16, None, 1970), (2, None, None), (31, 2, 1970))
    assert born(table)[1:] == [
        (None, "date_without_year"),
        *[(None, "date_unread")] * 3,
    ]


@pytest.mark.parametrize(
    ("headings", "cells"),
    [
        (["Ngày sinh", "Tháng sinh", "Năm sinh"], [16, 5, 1970]),
        (["Ngày", "Tháng", "Năm sinh"], [16, 5, 1970]),
        (["NGAY", "THANG", "NAM SINH"], ["16", "5", "1970"]),
        (["Ngày, tháng sinh", "Năm sinh"], ["16/5", 1970]),
        (["Ngày/tháng", "Năm sinh"], ["16-5", "1970"]),
        (["Ngày sinh", "Năm sinh"], ["16/5", 1970]),
        (["Năm sinh", "Tháng sinh", "Ngày sinh"], [1970, 5, 16]),
        (["Ngày sinh", "Tháng", "Năm"], [16, 5, 1970]),
    ],
)
def test_side_by_side_are_one_day(headings: list[Cell], cells: list[Cell]) -> None:
    table = reading.read(ugly.xlsx([["Họ và tên", *headings], [NAME, *cells]]))
    assert born(table) == [("1970-05-16", None)]


def test_of_other_days_too() -> None:
    head: list[Cell] = ["Họ và tên", "Năm sinh", "Ngày vào Hội", "Tháng vào Hội", "Năm vào Hội"]
    [row] = taken(reading.read(ugly.xlsx([head, [NAME, 1970, 8, 3, 1990]])))
    assert (row.values["birth_date"], row.values["joined_on"]) == ("1970", "1990-03-08")


@pytest.mark.parametrize(
    ("headings", "cells", "day"),
    [
        # A whole day, and its year again.
        (["Ngày sinh", "Năm sinh"], ["16/05/1970", 1970], "1970-05-16"),
        (["Năm sinh", "Năm vào Hội"], [1970, 1990], "1970"),
        (["Năm sinh", "Tháng"], [1970, 12], "1970"),
    ],
)
def test_columns_that_are_no_parts_are_left_alone(
    headings: list[Cell], cells: list[Cell], day: str
) -> None:
    table = reading.read(ugly.xlsx([["Họ và tên", *headings], [NAME, *cells]]))
    assert born(table) == [(day, None)]
    assert "day_parts_read" not in [note.code for note in table.notes]


def test_any_days_in_parts_are_the_days_written() -> None:
    draw = random.Random("days in parts")
    for _ in range(20):
        days = [
            (draw.randint(1, 28), draw.randint(1, 12), draw.randint(1940, 2000)) for _ in range(8)
        ]
        order = draw.choice(["Ngày|Tháng|Năm", "Năm|Tháng|Ngày", "Tháng|Ngày|Năm"])
        at = ["Ngày", "Tháng", "Năm"]
        lines = [tuple(day[at.index(part)] for part in order.split("|")) for day in days]
        table = grouped(*lines, merged=draw.random() < 0.5, parts=order)
        assert born(table) == [(f"{y:04}-{m:02}-{d:02}", None) for d, m, y in days]


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        *(("Nam", "male"), ("NAM", "male"), ("Nữ", "female"), ("Nu", "female")),
        *(("Năm", None), ("Nấm", None), ("Nợ", None), ("Bàn", None)),
        *(("Bản", "branch"), ("Ban", "branch"), ("Xã", "commune"), ("Xa", "commune")),
        *(
            ("Xá", None),
            ("Đạo", "religion"),
            ("Dao", "religion"),
            ("Đào", None),
            ("Thôn", "branch"),
        ),
        *(("Thốn", None), ("Số điên thoại", "phone")),
    ],
)
def test_a_heading_of_one_word_is_that_word(heading: str, field: str | None) -> None:
    table = reading.read(ugly.xlsx([["Họ và tên", "Năm sinh", heading], [NAME, 1970, "x"]]))
    assert [name for name, at in places(table).items() if at == 2] == ([field] if field else [])


@pytest.mark.parametrize(
    "headings", [("Ngày", "Tháng", "Năm sinh"), ("Ngày sinh", "Tháng sinh", "Năm sinh")]
)
def test_side_by_side_in_an_old_font_are_one_day(headings: tuple[str, ...]) -> None:
    """ "Th¸ng" begins as "th." does."""
    sheet = Sheet().line("STT", "Họ và tên", *headings, "Địa chỉ")
    sheet.line(1, NAME, 16, 5, 1970, "Khu 1")
    assert born(reading.read(vntime([sheet]), kind="members")) == [("1970-05-16", None)]
