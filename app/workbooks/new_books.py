"""New workbooks for files that are not changed in place, and for the rows in error alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.text import clean
from app.workbooks.cell_comments import AUTHOR
from app.workbooks.cell_styles import COLOUR
from app.workbooks.said import WIDTHS, Said
from app.workbooks.tables import BookFormat, Cell, Row, Table

if TYPE_CHECKING:
    import xlsxwriter
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

_WIDEST, _NARROWEST = 40, 8
_FOR_WIDTH: Final = 100
_NOT_IN_NAMES: Final = re.compile(r"[\[\]:*?/\\']")
_NAME_CHARACTERS: Final = 31
_CELL_CHARACTERS: Final = 32_767
BOOK: Final = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def new_book(target: Path) -> xlsxwriter.Workbook:
    import xlsxwriter

    return xlsxwriter.Workbook(str(target), BOOK)


def write_anew(whole: Table, said: Sequence[Said], target: Path) -> None:
    """Every row where it was, in the sheets that were read and in the others; lines of ndjson one
    lower, under their header."""
    by_sheet: dict[str, list[Said]] = {}
    for each in said:
        by_sheet.setdefault(each.part.table.sheet or "", []).append(each)
    with new_book(target) as book:
        for name, lists in by_sheet.items():
            _write_sheet(book, name, lists)
        for name, rows in whole.unread.items():
            pen = Pen(book, book.add_worksheet(free_name(book, name)))
            for row in rows:
                pen.row(row.number - 1, row.cells, None, {})


def free_name(book: xlsxwriter.Workbook, sheet: str) -> str:
    """A name that Excel takes, and that no other sheet of the book has."""
    name = clean(_NOT_IN_NAMES.sub(" ", sheet))[:_NAME_CHARACTERS] or "Danh sách"
    taken = {each.name.casefold() for each in book.worksheets()}
    number, free = 1, name
    while free.casefold() in taken:
        number += 1
        end = f" ({number})"
        free = name[: _NAME_CHARACTERS - len(end)] + end
    return free


def _write_sheet(book: xlsxwriter.Workbook, name: str, lists: Sequence[Said]) -> None:
    down = 1 if lists[0].part.table.kind is BookFormat.ndjson else 0
    pen = Pen(book, book.add_worksheet(free_name(book, name)))
    pen.widen([row for said in lists for row in said.part.table.rows[:_FOR_WIDTH]], lists[0].places)
    # One after another: a sheet is written from its first row to its last.
    lines: list[tuple[int, Row, Said | None]] = []
    heads: dict[int, dict[int, str]] = {}
    for said in lists:
        table = said.part.table
        lines += [
            (row.number - 1, row, said if row.number in said.texts and not down else None)
            for row in table.rest
        ]
        lines += [(row.number - 1 + down, row, said) for row in table.rows]
        # Lists beside one another have one row of names.
        heads.setdefault(table.header_row - 1 + down, {}).update(said.head)
    for place, row, of in sorted(lines, key=lambda each: each[0]):
        if of is not None:
            pen.told(place, row.cells, of.texts.get(row.number, {}), of.wrong.get(row.number, {}))
        elif place in heads:
            pen.row(place, _with(row.cells, heads[place]), pen.head, {})
        else:
            pen.row(place, row.cells, None, {})


def _with(cells: Sequence[Cell], names: Mapping[int, str]) -> list[Cell]:
    head = [*cells, *[None] * (max(names, default=0) + 1 - len(cells))]
    for at, name in names.items():
        head[at] = head[at] or name
    return head


class Pen:
    """Writes rows to a sheet, each cell as what it is; text is never a formula."""

    def __init__(self, book: xlsxwriter.Workbook, sheet: Worksheet) -> None:
        self.sheet = sheet
        self.head = book.add_format({"bold": True, "num_format": "@", "text_wrap": True})
        self.text = book.add_format({"num_format": "@"})
        self.day = book.add_format({"num_format": "dd/mm/yyyy"})
        colour = f"#{COLOUR[2:]}"
        self.wrong = book.add_format({"num_format": "@", "bg_color": colour})
        self.wrong_day = book.add_format({"num_format": "dd/mm/yyyy", "bg_color": colour})

    def widen(self, rows: Sequence[Row], places: Mapping[str, int]) -> None:
        """Columns as wide as the first rows need; all formatted as text, so that zeros stay."""
        some = rows[:_FOR_WIDTH]
        for place in range(max((len(row.cells) for row in some), default=0)):
            longest = max(len(str(row.cells[place] or "")) for row in some)
            self.sheet.set_column(
                place, place, min(max(longest + 2, _NARROWEST), _WIDEST), self.text
            )
        for name, place in places.items():
            self.sheet.set_column(place, place, WIDTHS[name], self.text)

    def told(
        self, place: int, cells: Sequence[Cell], told: Mapping[int, str], wrong: Mapping[int, str]
    ) -> None:
        width = max([len(cells), *(at + 1 for at in told)])
        whole = [*cells, *[None] * (width - len(cells))]
        for at, text in told.items():
            whole[at] = text or None
        self.row(place, whole, None, wrong)

    def row(
        self, place: int, cells: Sequence[Cell], format_: Format | None, wrong: Mapping[int, str]
    ) -> None:
        for at, cell in enumerate(cells):
            if at in wrong:
                self._wrong(place, at, cell, wrong[at])
            elif cell is not None:
                self._cell(place, at, cell, format_ or self.text, format_ or self.day)

    def _wrong(self, place: int, at: int, cell: Cell, comment: str) -> None:
        if cell is None:
            self.sheet.write_blank(place, at, None, self.wrong)
        else:
            self._cell(place, at, cell, self.wrong, self.wrong_day)
        self.sheet.write_comment(place, at, comment, {"author": AUTHOR})

    def _cell(self, place: int, at: int, cell: Cell, text: Format, day: Format) -> None:
        write: Any = self.sheet
        if isinstance(cell, bool):
            write.write_boolean(place, at, cell, text)
        elif isinstance(cell, int | float):
            write.write_number(place, at, cell, text)
        elif isinstance(cell, datetime) and cell.year >= 1900:
            write.write_datetime(place, at, cell, day)
        elif isinstance(cell, date) and not isinstance(cell, datetime) and cell.year >= 1900:
            write.write_datetime(place, at, datetime.combine(cell, time()), day)
        else:
            write.write_string(place, at, str(cell)[:_CELL_CHARACTERS], text)
