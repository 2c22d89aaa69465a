"""The lists of one sheet: each under a header of its own, with the title lines above it."""

from collections.abc import Sequence
from typing import NamedTuple

from app.errors import Problem
from app.workbooks import beside, bodies, columns, day_parts, header_rows, sections, ticks
from app.workbooks.grids import Grid, Line
from app.workbooks.header_rows import Head
from app.workbooks.tables import BookFormat, LeftOut, LeftOutReason, Note, Row, Table


def lists_of(grid: Grid) -> list[Table]:
    """Each list with its columns named. Raises Problem when there is none, or one cannot be read."""
    if not grid.rows:
        raise Problem("import_empty")
    first, *others = beside.apart(grid)
    tables = _below_each_other(first)
    for each in others:
        tables += beside.goes_on(_below_each_other(each), tables[-1])
    return tables


def _below_each_other(grid: Grid) -> list[Table]:
    heads = header_rows.heads_of(grid)
    tables: list[Table] = []
    start = 0
    for head, after in zip(heads, [*heads[1:], None], strict=True):
        end = _title_begins(grid, head, after)
        lines = _Lines(grid.rows[start : head.place], grid.rows[head.place : head.end])
        body = grid.rows[head.end : end]
        tables.append(_table(grid, head, lines, body, tables[-1] if tables else None))
        start = end
    if grid.blank:
        if grid.kind is not BookFormat.ndjson:
            _leave_out(tables[0], LeftOutReason.blank, grid.blank)
        tables[0].notes.append(Note("rows_blank", {"count": len(grid.blank)}))
    filled = [table for table in tables if table.rows]
    if not filled:
        raise Problem("import_no_rows", header_row=tables[0].header_row)
    for empty in tables:
        if not empty.rows:
            filled[0].left_out += empty.left_out
            filled[0].rest += empty.rest
    if len(filled) > 1:
        rows = ", ".join(str(table.header_row) for table in filled)
        filled[0].notes.append(Note("lists_read", {"count": len(filled), "rows": rows}))
    return filled


def _title_begins(grid: Grid, head: Head, after: Head | None) -> int:
    """Where the list under `head` ends: above the lines that are the title of the next one."""
    if after is None:
        return len(grid.rows)
    width = sum(cell is not None for cell in grid.rows[head.place][1])
    place = after.place
    while place > head.end and _is_title(grid.rows[place - 1], width):
        place -= 1
    return place


def _is_title(line: Line, width: int) -> bool:
    """A line of text alone, which fills less than half of the list's columns."""
    filled = [cell for cell in line[1] if cell is not None]
    texts = all(isinstance(cell, str) and any(map(str.isalpha, cell)) for cell in filled)
    return texts and len(filled) <= 2 and len(filled) * 2 < width


class _Lines(NamedTuple):
    """The lines above a list, and those of its header."""

    above: Sequence[Line]
    head: Sequence[Line]

    @property
    def number(self) -> int:
        """That of the last row of the header; of none that of the row above the list, or 0."""
        last = [*self.above, *self.head][-1:]
        return last[0][0] if last else 0


def _unnamed(grid: Grid) -> dict[int, str]:
    """The columns of a list without a header."""
    grid.notes.append(Note("no_header"))
    return dict.fromkeys(range(grid.width), "")


def _table(
    grid: Grid, head: Head, lines: _Lines, body: Sequence[Line], before: Table | None
) -> Table:
    """The list under this header; `before` is the one above it in the same sheet."""
    number = lines.number
    texts = header_rows.texts_of(grid, head) if lines.head else _unnamed(grid)
    if head.height > 1:
        code = "two_header_rows" if head.height == 2 else "three_header_rows"
        grid.notes.append(Note(code, {"first": lines.head[0][0], "last": number}))
    if lines.above:
        shown = {"count": len(lines.above), "header_row": number}
        grid.notes.append(Note("rows_above_header", shown))
    bodies.fill_merged(grid, body)
    goes_on = before if all(map(_is_of_group, lines.above)) else None
    headings = _headings(goes_on, is_new=bool(lines.above))
    found = bodies.list_rows(grid, body, texts, [cells for _, cells in lines.head], *headings)
    table = _with_rows(grid, lines, body, found)
    _find_branch(table, lines, goes_on)
    joined = day_parts.join(table, texts)
    if head.height > 1:
        joined |= ticks.join(table, texts)
    columns.name_columns(table, texts, grid.width, joined)
    return table


def _is_of_group(line: Line) -> bool:
    """Whether a line between two lists is of a part of the branch that the first is of."""
    texts = [cell for cell in line[1] if cell is not None]
    return all(
        isinstance(text, str) and any(map(sections.is_group, header_rows.readings(text)))
        for text in texts
    )


def _headings(goes_on: Table | None, *, is_new: bool) -> tuple[str | None, str | None]:
    """The headings that hold for the next list; `is_new`: a group of its own begins with it."""
    if goes_on is None or not goes_on.rows:
        return None, None
    last = goes_on.rows[-1]
    if not is_new:
        return last.section, last.within
    own = None if last.section is None or sections.is_within(last.section) else last.section
    return last.within or own, None


def _with_rows(grid: Grid, lines: _Lines, body: Sequence[Line], found: bodies.Found) -> Table:
    rows, number = found.rows, lines.number
    kept = {row.number for row in rows}
    rest = [*lines.above, *lines.head, *(each for each in body if each[0] not in kept)]
    of_json = grid.kind is BookFormat.ndjson
    if of_json:
        rows, number = [Row(row.number - 1, row.cells) for row in rows], 0
    table = Table(grid.kind, grid.sheet, number, [], rows)
    table.cell_problems = {at: problem for at, problem in grid.problems.items() if at[0] in kept}
    headed = max((grid.wide.get(each, 0) for each, _ in lines.head), default=0)
    table.shifted = {each for each in kept if grid.wide.get(each, 0) > headed}
    # The first list of a sheet says what there is to say of it.
    table.notes, grid.notes = grid.notes, []
    table.rest = [Row(each, cells) for each, cells in rest]
    # A line of ndjson has no header: its names are in each line.
    if not of_json:
        _leave_out(table, LeftOutReason.title_lines, [each for each, _ in lines.above])
        for why, numbers in found.left_out.items():
            _leave_out(table, why, numbers)
        _leave_out(table, LeftOutReason.header, [each for each, _ in lines.head])
    return table


def _find_branch(table: Table, lines: _Lines, goes_on: Table | None) -> None:
    texts = [
        said
        for _, cells in lines.above
        for text in sections.title_texts(cells)
        for said in header_rows.readings(text)
    ]
    table.titled = sections.of_titles(texts, table.sheet)
    if table.titled is None and goes_on is not None:
        table.titled = goes_on.titled
    elif table.titled:
        table.notes.append(Note("branch_of_title", {"branch": table.titled}))


def _leave_out(table: Table, why: LeftOutReason, numbers: list[int]) -> None:
    if not numbers:
        return
    known = next((each for each in table.left_out if each.reason is why), None)
    if known is None:
        table.left_out.append(LeftOut(why, numbers, table.sheet))
    else:
        known.rows[:] = sorted([*known.rows, *numbers])
