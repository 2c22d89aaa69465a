"""The cells of a file: each sheet of a workbook, or the one of a text file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

from app.errors import Problem
from app.workbooks import guards, plain
from app.workbooks.composing import composable
from app.workbooks.guards import Source
from app.workbooks.tables import BookFormat, Cell, CellProblem, Limits, Note

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

_SHARED = 4_096
# Its number, and its cells.
Line = tuple[int, list[Cell]]


@dataclass(slots=True)
class Grid:
    """The cells of one sheet. Of `rows` blank ones are left out, all are equally wide."""

    kind: BookFormat
    sheet: str | None
    rows: list[Line]
    width: int
    # (first row, first column, last row, last column), from 0.
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    # Numbers of the rows that hold nothing.
    blank: list[int] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    # Of cells, by row number and column index.
    problems: dict[tuple[int, int], CellProblem] = field(default_factory=dict)
    # Of a csv: how many cells a row has that has more than most lines.
    wide: Mapping[int, int] = field(default_factory=dict)


@contextmanager
def _parsing(part: str) -> Iterator[None]:
    """Every failure of the parser is the fault of the file.

    The parser is not written in Python, and reports some failures by an exception outside of
    `Exception`.
    """
    try:
        yield
    except (Problem, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:
        raise Problem("import_damaged", part=part[:60]) from error


def opened_book(source: Source) -> "CalamineWorkbook":
    from python_calamine import CalamineWorkbook

    with _parsing("xlsx"):
        if isinstance(source, bytes):
            return CalamineWorkbook.from_filelike(BytesIO(source))
        return CalamineWorkbook.from_path(source)


def grids_of(book: "CalamineWorkbook", kind: BookFormat, limits: Limits) -> list[tuple[Grid, bool]]:
    """Each sheet, and whether it is visible. Raises Problem for one that is too large, and for
    sheets that are too large together."""
    from python_calamine import SheetVisibleEnum

    found = []
    rows = cells = 0
    for meta in book.sheets_metadata:
        grid = sheet_grid(book, meta.name, kind, limits)
        height = len(grid.rows) + len(grid.blank)
        rows, cells = rows + height, cells + height * grid.width
        if cells > limits.cells:
            raise Problem("import_too_many_rows", rows=rows, limit=limits.cells * rows // cells)
        found.append((grid, meta.visible == SheetVisibleEnum.Visible))
    return found


def sheet_grid(book: "CalamineWorkbook", name: str, kind: BookFormat, limits: Limits) -> Grid:
    with _parsing(name):
        return _grid_of(book.get_sheet_by_name(name), kind, limits)


def _grid_of(sheet: "CalamineSheet", kind: BookFormat, limits: Limits) -> Grid:
    grid = Grid(kind, sheet.name, [], 0)
    if sheet.start is None or sheet.end is None:
        return grid
    last_row, last_column = sheet.end
    guards.within(last_row + 1, last_column + 1, limits)
    # Rows come from the first of the sheet, cells from the first column that holds something.
    left = [None] * sheet.start[1]
    # What a column says again and again is held once.
    cell_of = lru_cache(maxsize=_SHARED, typed=True)(_cell)
    for number, cells in enumerate(sheet.iter_rows(), 1):
        read = list(map(cell_of, cells))
        if any(cell is not None for cell in read):
            grid.rows.append((number, [*left, *read] if left else read))
        else:
            grid.blank.append(number)
    grid.width = max((len(cells) for _, cells in grid.rows), default=0)
    grid.merged = [
        (top, left, bottom, right)
        for (top, left), (bottom, right) in sheet.merged_cell_ranges or ()
        if top <= last_row and left <= last_column
    ]
    _ensure_apart(grid, last_row, last_column)
    return grid


def _ensure_apart(grid: Grid, last_row: int, last_column: int) -> None:
    """Raises where merged cells lie over each other, which no program writes: to fill them might
    take longer than the sheet is large."""
    area = sum(
        (min(bottom, last_row) - top + 1) * (min(right, last_column) - left + 1)
        for top, left, bottom, right in grid.merged
    )
    if area > (last_row + 1) * (last_column + 1):
        raise Problem("import_damaged", part=str(grid.sheet)[:60])


def _cell(value: Any) -> Cell:
    kind = type(value)
    if kind is str:
        return composable(value) if value and not value.isspace() else None
    if kind is float:
        return int(value) if value.is_integer() and abs(value) < 1e18 else value
    if isinstance(value, datetime):
        return value.date() if value.time() == time() else value
    if kind is timedelta:
        return str(value)
    found: Cell = value
    return found


def text_grid(source: Source, kind: BookFormat, limits: Limits) -> Grid:
    with guards.opened(source) as file:
        data = file.read()
    read = plain.ndjson(data, limits) if kind is BookFormat.ndjson else plain.csv_rows(data, limits)
    grid = Grid(kind, None, [], 0, notes=list(read.notes), problems=read.problems, wide=read.wide)
    for number, cells in enumerate(read.rows, 1):
        if any(cell is not None for cell in cells):
            grid.rows.append((number, cells))
        else:
            grid.blank.append(number)
    grid.width = max((len(cells) for _, cells in grid.rows), default=0)
    for _, cells in grid.rows:
        cells.extend([None] * (grid.width - len(cells)))
    return grid
