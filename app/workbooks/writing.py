"""Files that go back: their own workbook with a verdict on each row, and the rows in error alone.

An xlsx keeps its sheets, widths, fonts and formulas: four columns are added to its list, the wrong
cells are coloured and carry a comment. Of an xls, a csv and an ndjson a new xlsx is made. No cell
of ours is a formula.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from app.text import clean
from app.workbooks import headers, patching
from app.workbooks.guards import Source
from app.workbooks.rows import RowProblem
from app.workbooks.tables import ERROR, HINT, ID, RESULT, Cell, FileKind, Kind, Row, Table

if TYPE_CHECKING:
    import xlsxwriter
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

Result = Literal["created", "updated", "same", "duplicate", "error", "skipped"]

# The texts of the column Kết quả, for what was done and what would be.
RESULTS: Final[dict[Result, tuple[str, str]]] = {
    "created": ("Đã thêm mới", "Sẽ thêm mới"),
    "updated": ("Đã cập nhật", "Sẽ cập nhật"),
    "same": ("Không thay đổi", "Không thay đổi"),
    "duplicate": ("Có thể trùng", "Có thể trùng"),
    "error": ("Lỗi", "Lỗi"),
    "skipped": ("Bỏ qua", "Bỏ qua"),
}
# Widths of our columns, in characters.
_WIDTHS: Final = {RESULT: 16, ERROR: 50, HINT: 50, ID: 38}
_WIDEST, _NARROWEST = 40, 8
_FOR_WIDTH: Final = 100
_NOT_IN_NAMES: Final = re.compile(r"[\[\]:*?/\\']")
_CELL_CHARACTERS: Final = 32_767
_ISO: Final = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?(?:-([0-9]{2}))?")
BOOK: Final = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one row.

    `id` goes to the column `Mã`, by which the row is known when it comes back; `hint` is added to
    the hints of the problems (whom it may duplicate).
    """

    result: Result
    id: str | None = None
    problems: Sequence[RowProblem] = ()
    hint: str | None = None


def write_back(
    source: Source,
    table: Table,
    kind: Kind,
    verdicts: Mapping[int, Verdict],
    target: Path,
    *,
    applied: bool,
) -> bool:
    """Their file with `Kết quả`, `Lỗi`, `Gợi ý` and `Mã`, as xlsx, to `target`.

    `verdicts` by row number; `applied`: the rows were written, not only previewed. True when it is
    their workbook changed in place, False when a new one had to be made (not xlsx, or an xlsx of a
    strange make).
    """
    places = _places(table)
    texts = {number: _texts(verdict, kind, applied) for number, verdict in verdicts.items()}
    wrong = {number: said for number, each in verdicts.items() if (said := _comments(each, kind))}
    if table.kind is FileKind.xlsx and table.sheet is not None:
        cells = {
            number: {places[name]: text for name, text in told.items()}
            for number, told in texts.items()
        }
        cells[table.header_row] = {place: name for name, place in places.items() if name != ID}
        if not any(column.index == places[ID] for column in table.columns):
            cells[table.header_row][places[ID]] = ID
        widths = {place: _WIDTHS[name] for name, place in places.items()}
        changes = patching.Changes(table.sheet, cells, wrong, table.header_row, widths)
        try:
            patching.patch(source, changes, target)
        except patching.UnpatchableError:
            target.unlink(missing_ok=True)
        else:
            return True
    _write_anew(table, places, texts, wrong, target)
    return False


def _new_book(target: Path) -> xlsxwriter.Workbook:
    import xlsxwriter

    return xlsxwriter.Workbook(str(target), BOOK)


def write_errors(table: Table, kind: Kind, verdicts: Mapping[int, Verdict], target: Path) -> int:
    """A workbook of the rows in error alone, under the same header; how many there are."""
    places = _places(table)
    rows = [row for row in table.rows if row.number in verdicts]
    rows = [row for row in rows if verdicts[row.number].result == "error"]
    with _new_book(target) as book:
        # Without its title the sheet's name says whose the rows are.
        named = _NOT_IN_NAMES.sub(" ", table.titled or table.sheet or "")
        sheet = book.add_worksheet(clean(named)[:31] or "Danh sách")
        pen = _Pen(book, sheet)
        pen.widen(rows, places)
        width = max([column.index for column in table.columns] + [*places.values()]) + 1
        head: list[Cell] = [None] * width
        for column in table.columns:
            head[column.index] = column.header or None
        for name, place in places.items():
            head[place] = head[place] or name
        pen.row(0, head, pen.head, {})
        sheet.freeze_panes(1, 0)
        place, section = 0, None
        for row in rows:
            place += 1
            if row.section and row.section != section:
                section = row.section
                sheet.merge_range(place, 0, place, max(1, min(3, width - 1)), section, pen.head)
                place += 1
            verdict = verdicts[row.number]
            told = _texts(verdict, kind, applied=True)
            pen.told(
                place, row.cells, {places[n]: t for n, t in told.items()}, _comments(verdict, kind)
            )
    return len(rows)


# -- texts


def _places(table: Table) -> dict[str, int]:
    """The positions of our columns: as last time, else at the right of all others."""
    there = {column.header: column.index for column in table.columns if column.ours}
    ids = [column.index for column in table.columns if headers.key(column.header) in ("ma", "id")]
    if ids:
        there[ID] = ids[0]
    free = len(table.rows[0].cells) if table.rows else 0
    free = max([free, *(column.index + 1 for column in table.columns)])
    for name in (RESULT, ERROR, HINT, ID):
        if name not in there:
            there[name] = free
            free += 1
    return {name: there[name] for name in (RESULT, ERROR, HINT, ID)}


def _texts(verdict: Verdict, kind: Kind, applied: bool) -> dict[str, str]:
    said = {RESULT: RESULTS[verdict.result][0 if applied else 1]}
    said[ERROR] = "\n".join(
        _named(each, each.problem.render("vi")["detail"], kind) for each in verdict.problems
    )
    hints = [_named(each, hint, kind) for each in verdict.problems if (hint := _hint(each, kind))]
    said[HINT] = "\n".join(filter(None, [*hints, verdict.hint]))
    # A row without a record keeps the contents of its own column.
    return said | ({ID: verdict.id} if verdict.id else {})


def _named(each: RowProblem, text: str, kind: Kind) -> str:
    spec = headers.fields(kind).get(each.field)
    # The template's name of a field without a column.
    name = spec.vi if spec is not None and each.header in ("", each.field) else each.header
    return f"{name}: {text}"


def _hint(each: RowProblem, kind: Kind) -> str:
    told = each.problem.render("vi")
    proposal = told.get("proposal")
    offered = f"Có phải là {shown(proposal, each.field, kind)}?" if proposal else ""
    return " ".join(filter(None, [offered, told.get("hint", "")]))


def shown(proposal: str, field: str, kind: Kind) -> str:
    """A proposal as a cadre would write it in the cell: a day dd/mm/yyyy, the label of a code."""
    spec = headers.fields(kind).get(field)
    if spec is not None and spec.list is not None:
        labels = dict(headers.code_list(kind, spec.list))
        return labels.get(proposal, proposal)
    if spec is not None and spec.type == "phone" and proposal.startswith("+84"):
        return f"0{proposal[3:]}"
    dated = spec is not None and (
        "day" in spec.type or "date" in spec.type or "gender" in spec.type
    )
    if dated and (match := _ISO.fullmatch(proposal)):
        return "/".join(filter(None, reversed(match.groups())))
    return proposal


def _comments(verdict: Verdict, kind: Kind) -> dict[int, str]:
    """The texts for each wrong cell, by column."""
    said: dict[int, str] = {}
    for each in verdict.problems:
        if each.column is not None:
            text = " ".join(filter(None, [each.problem.render("vi")["detail"], _hint(each, kind)]))
            said[each.column] = f"{said[each.column]}\n{text}" if each.column in said else text
    return said


# -- a new workbook


def _write_anew(
    table: Table,
    places: Mapping[str, int],
    texts: Mapping[int, Mapping[str, str]],
    wrong: Mapping[int, Mapping[int, str]],
    target: Path,
) -> None:
    """Every row where it was; lines of ndjson one lower, under their header."""
    down = 1 if table.kind is FileKind.ndjson else 0
    rows = [*((row, False) for row in table.rest), *((row, True) for row in table.rows)]
    with _new_book(target) as book:
        sheet = book.add_worksheet(clean(table.sheet or "")[:31] or "Danh sách")
        pen = _Pen(book, sheet)
        pen.widen(table.rows, places)
        for row, listed in sorted(rows, key=lambda each: each[0].number + down * each[1]):
            place = row.number - 1 + down * listed
            if listed:
                told = {places[name]: text for name, text in texts.get(row.number, {}).items()}
                pen.told(place, row.cells, told, wrong.get(row.number, {}))
            elif place == table.header_row - 1 + down:
                head = [*row.cells, *[None] * (max(places.values()) + 1 - len(row.cells))]
                for name, at in places.items():
                    head[at] = head[at] or name
                pen.row(place, head, pen.head, {})
            else:
                pen.row(place, row.cells, None, {})


class _Pen:
    """Writes rows to a sheet, each cell as what it is; text is never a formula."""

    def __init__(self, book: xlsxwriter.Workbook, sheet: Worksheet) -> None:
        self.sheet = sheet
        self.head = book.add_format({"bold": True, "num_format": "@", "text_wrap": True})
        self.text = book.add_format({"num_format": "@"})
        self.day = book.add_format({"num_format": "dd/mm/yyyy"})
        colour = f"#{patching.COLOUR[2:]}"
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
            self.sheet.set_column(place, place, _WIDTHS[name], self.text)

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
        self.sheet.write_comment(place, at, comment, {"author": patching.AUTHOR})

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
