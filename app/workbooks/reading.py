"""A list out of a file: xlsx, xls, csv or ndjson, whatever surrounds it.

Of the sheets the one that looks most like a list is read; of its rows the header is the one with
the most names we know. What is left out (a title, totals, signatures, other sheets) is reported in
the notes and, with the number of each row, in `Table.left_out`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from app.errors import Problem
from app.text import clean
from app.workbooks import (
    bodies,
    columns,
    grids,
    guards,
    header_rows,
    marks,
    patching,
    sections,
    ticks,
)
from app.workbooks.grids import Grid
from app.workbooks.guards import Source
from app.workbooks.tables import (
    FileKind,
    LeftOut,
    LeftOutReason,
    Limits,
    Note,
    Row,
    SheetInfo,
    Table,
)

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

# A grid, and whether its sheet is visible.
_Sheets = Sequence[tuple[Grid, bool]]


def sheets(source: Source, *, limits: Limits | None = None) -> list[SheetInfo]:
    """The sheets to choose from; of csv and ndjson one, named "". Raises as `read` does."""
    limits = limits or Limits()
    facts = guards.check(source, limits)
    if facts.kind in (FileKind.csv, FileKind.ndjson):
        grid = grids.text_grid(source, facts.kind, limits)
        return [SheetInfo("", True, len(grid.rows), grid.width, True)]
    with grids.opened_book(source) as book:
        found = grids.grids_of(book, facts.kind, limits)
        likely = _likeliest(found)
        return [
            SheetInfo(grid.sheet or "", visible, _last(grid), grid.width, grid is likely)
            for grid, visible in found
        ]


def read(source: Source, sheet: str | None = None, *, limits: Limits | None = None) -> Table:
    """The list in the file, of this sheet or of the likeliest.

    Raises Problem, one of `guards.REFUSALS`.
    """
    limits = limits or Limits()
    facts = guards.check(source, limits)
    if facts.kind in (FileKind.csv, FileKind.ndjson):
        if sheet:
            raise Problem("import_sheet_unknown", sheet=sheet, sheets="-")
        return _table(grids.text_grid(source, facts.kind, limits))
    with grids.opened_book(source) as book:
        found = grids.grids_of(book, facts.kind, limits)
        grid = _chosen(book, found, sheet)
    others = [each for each, _ in found if each is not grid and each.rows]
    if others and sheet is None:
        names = ", ".join(each.sheet or "" for each in others)
        grid.notes.append(Note("sheet_chosen", {"sheet": grid.sheet, "others": names}))
    unread = list(map(_unread, others))
    grid.notes += [
        Note("sheet_not_read", {"sheet": each.sheet, "count": len(each.rows)})
        for each in unread
        if each.reason is LeftOutReason.sheet_not_read
    ]
    grid.notes += _notes_on(facts)
    table = _table(grid)
    table.left_out += unread
    _mark(table, source)
    return table


def _mark(table: Table, source: Source) -> None:
    """Say which rows are hidden or struck out, or that the file does not show it."""
    try:
        if table.kind is not FileKind.xlsx or table.sheet is None:
            raise patching.UnpatchableError("not xlsx")
        table.hidden, table.struck_out = marks.of_sheet(source, table.sheet)
    except patching.UnpatchableError:
        table.notes.append(Note("marks_unseen"))


def _notes_on(facts: guards.Facts) -> Iterator[Note]:
    if facts.not_calculated:
        yield Note("formulas_not_calculated", {"count": facts.not_calculated})
    if facts.formulas:
        yield Note("formulas_read", {"count": facts.formulas})
    if facts.macros:
        yield Note("macros_ignored")
    if facts.external_links:
        yield Note("external_links_ignored")


# -- sheets


def _chosen(book: "CalamineWorkbook", found: _Sheets, name: str | None) -> Grid:
    if name is None:
        chosen = _likeliest(found)
        if chosen is None:
            raise Problem("import_empty")
        return chosen
    for grid, _ in found:
        if (grid.sheet or "").casefold() == name.casefold():
            return grid
    names = ", ".join(book.sheet_names[:20])
    raise Problem("import_sheet_unknown", sheet=name, sheets=names)


def _likeliest(found: Iterable[tuple[Grid, bool]]) -> Grid | None:
    """The visible sheet with the most names of columns we know; of equals the longest."""
    ranked = sorted(
        ((grid, visible) for grid, visible in found if grid.rows),
        key=lambda each: (each[1], _known_names(each[0]), len(each[0].rows)),
    )
    return ranked[-1][0] if ranked else None


def _known_names(grid: Grid) -> int:
    return header_rows.known_at(grid, header_rows.place_of(grid))


def _unread(grid: Grid) -> LeftOut:
    """The rows of another sheet: those below its header, if it has one, or all it holds."""
    head = header_rows.place_of(grid)
    if head is None or header_rows.known_at(grid, head) < 2:
        return LeftOut(
            LeftOutReason.sheet_without_list, [number for number, _ in grid.rows], grid.sheet
        )
    return LeftOut(
        LeftOutReason.sheet_not_read, [number for number, _ in grid.rows[head + 1 :]], grid.sheet
    )


def _last(grid: Grid) -> int:
    return grid.rows[-1][0] if grid.rows else 0


# -- the table


def _table(grid: Grid) -> Table:
    if not grid.rows:
        raise Problem("import_empty")
    head, two = _header(grid)
    number = grid.rows[head + two][0]
    texts = header_rows.texts_of(grid, head, two)
    notes = grid.notes
    if two:
        notes.append(Note("two_header_rows", {"first": grid.rows[head][0], "second": number}))
    above = grid.rows[:head]
    if above:
        notes.append(Note("rows_above_header", {"count": len(above), "header_row": number}))
    body = grid.rows[head + two + 1 :]
    del grid.rows[head + two + 1 :]
    bodies.fill_merged(grid, body)
    heads = [cells for _, cells in grid.rows[head:]]
    found = bodies.list_rows(grid, body, texts, heads)
    if not found.rows:
        raise Problem("import_no_rows", header_row=number)
    if grid.blank:
        notes.append(Note("rows_blank", {"count": len(grid.blank)}))
    return _named(grid, head, two, texts, body, found)


def _header(grid: Grid) -> tuple[int, bool]:
    """Which of the rows is the header, and whether the next one is of it."""
    if grid.kind is FileKind.ndjson:
        return 0, False
    head = header_rows.place_of(grid)
    if head is None:
        raise Problem("import_no_header", rows=min(header_rows.WITHIN, len(grid.rows)))
    if header_rows.has_second(grid, head):
        return head, True
    if head > 0 and header_rows.has_second(grid, head - 1):
        two = any(map(header_rows.known, grid.rows[head - 1][1]))
        return head - two, two
    return head, False


def _named(
    grid: Grid,
    head: int,
    two: bool,
    texts: dict[int, str],
    body: Sequence[grids.Line],
    found: bodies.Found,
) -> Table:
    """The table of these rows, its columns named."""
    above, headed = grid.rows[:head], grid.rows[head : head + two + 1]
    rows, number = found.rows, headed[-1][0]
    kept = {row.number for row in rows}
    rest = [*grid.rows, *(each for each in body if each[0] not in kept)]
    if grid.kind is FileKind.ndjson:
        rows, number = [Row(row.number - 1, row.cells) for row in rows], 0
    table = Table(grid.kind, grid.sheet, number, [], rows, grid.notes)
    table.rest = [Row(each, cells) for each, cells in rest]
    table.above = [
        " ".join(clean(str(cell)) for cell in cells if cell is not None) for _, cells in above
    ]
    table.titled = sections.of_titles(table.above, grid.sheet)
    if table.titled:
        grid.notes.append(Note("branch_of_title", {"branch": table.titled}))
    apart = {
        LeftOutReason.title_lines: [each for each, _ in above],
        **found.left_out,
        LeftOutReason.header: [
            *(each for each, _ in headed),
            *found.left_out[LeftOutReason.header],
        ],
        LeftOutReason.blank: grid.blank,
    }
    # A line of ndjson has no header: its names are in each line.
    if grid.kind is not FileKind.ndjson:
        table.left_out = [LeftOut(why, each, grid.sheet) for why, each in apart.items() if each]
    joined = ticks.join(table, texts) if two else frozenset()
    columns.name_columns(table, texts, grid.width, joined)
    return table
