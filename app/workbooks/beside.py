"""Lists that stand beside one another in one sheet, under headers that are the same."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from app.text import clean
from app.workbooks import column_values, header_rows
from app.workbooks.grids import Grid
from app.workbooks.tables import BookFormat, Cell, Note, Table

# A list has a name and something else at least.
_LEAST: Final = 2


def apart(grid: Grid) -> list[Grid]:
    """The sheet once for each list beside another, with the cells of that list alone; the cells stay
    in their columns."""
    place = None if grid.kind is BookFormat.ndjson else header_rows.place_of(grid)
    starts = [] if place is None else _starts(grid, place)
    if len(starts) < _LEAST:
        return [grid]
    ends = [*starts[1:], grid.width]
    first, *others = (
        _masked(grid, start, end) for start, end in zip([0, *starts[1:]], ends, strict=True)
    )
    first.blank, first.notes, first.problems = grid.blank, grid.notes, grid.problems
    return [first, *others]


def _starts(grid: Grid, place: int) -> list[int]:
    """The first column of each list: where the names of the first list come again."""
    head = grid.rows[place][1]
    named = [(column, clean(str(cell)).casefold()) for column, cell in enumerate(head) if cell]
    texts = [text for _, text in named]
    for count in range(_LEAST, len(texts) // 2 + 1):
        again = len(texts) // count
        if texts[: count * again] == texts[:count] * again:
            starts = [named[count * turn][0] for turn in range(again)]
            return starts if _are_of_people(grid, place, starts) else []
    return []


def _are_of_people(grid: Grid, place: int, starts: Sequence[int]) -> bool:
    ends = [*starts[1:], grid.width]
    return all(
        any(_names_people(grid, place, column) for column in range(start, end))
        for start, end in zip(starts, ends, strict=True)
    )


def _names_people(grid: Grid, place: int, column: int) -> bool:
    below = grid.rows[place + 1 : place + 1 + header_rows.WITHIN]
    cells = [cells[column] for _, cells in below]
    return column_values.are_people([cell for cell in cells if cell is not None])


def _masked(grid: Grid, start: int, end: int) -> Grid:
    rows = []
    for number, cells in grid.rows:
        own: list[Cell] = [None] * grid.width
        own[start:end] = cells[start:end]
        rows.append((number, own))
    merged = [each for each in grid.merged if start <= each[1] < end]
    return replace(grid, rows=rows, merged=merged, blank=[], notes=[], problems={})


def goes_on(tables: list[Table], before: Table) -> list[Table]:
    """The lists at the right of others: what is said of the whole sheet is said of the first."""
    for table in tables:
        table.is_beside = table is tables[0]
        table.titled = table.titled or before.titled
        table.left_out = []
        shown = {"row": table.header_row, "letter": table.columns[0].letter}
        table.notes = [Note("list_beside", shown)]
    return tables
