"""The lists out of a file: xlsx, xls, ods, csv or ndjson, whatever surrounds them.

All visible sheets are read that hold a list like that of the likeliest sheet. What is left out (a
title, totals, signatures, other sheets) is reported in the notes and, with the number of each row,
in `Table.left_out`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from app.errors import Problem
from app.workbooks import archives, grids, guards, header_rows, joining, marks, package, sections
from app.workbooks.grids import Grid
from app.workbooks.guards import Source
from app.workbooks.sheet_lists import lists_of
from app.workbooks.tables import (
    BookFormat,
    Kind,
    LeftOut,
    LeftOutReason,
    Limits,
    Note,
    Row,
    SheetInfo,
    Table,
)

# A grid, and whether its sheet is visible.
_Sheets = Sequence[tuple[Grid, bool]]
_OF_TEXT = (BookFormat.csv, BookFormat.ndjson)
# Of a sheet without a list; what else is refused is reported to somebody who chooses the sheet.
_NO_LIST = ("import_no_header", "import_no_rows")


def read(
    source: Source,
    sheet: str | None = None,
    *,
    kind: Kind | None = None,
    limits: Limits | None = None,
    file_name: str = "",
) -> Table:
    """The lists in the file, or those of this sheet, as one.

    Lists whose columns have other names are joined by the fields of this kind; without a kind by
    their names alone. Where nothing in the file says a branch, `file_name` may. Raises Problem, one of `guards.REFUSALS`.
    """
    limits = limits or Limits()
    source = archives.straight(source)
    facts = guards.check(source, limits)
    found = _sheets_of(source, facts.kind, limits)
    likely = _likeliest(found)
    chosen = likely if sheet is None else _named(found, sheet)
    if chosen is None:
        raise Problem("import_empty")
    own = lists_of(chosen)
    main = max(own, key=lambda table: len(table.rows))
    lists: list[Table] = []
    unread: list[tuple[Grid, LeftOutReason]] = []
    for grid, visible in found:
        beside, why = (own, None) if grid is chosen else _lists_beside(grid, main, kind)
        if grid is not chosen and why is None and not visible:
            why = LeftOutReason.sheet_hidden
        elif grid is not chosen and why is None and sheet is not None:
            why = LeftOutReason.sheet_not_read
        if why is None:
            lists += beside
        elif grid.rows:
            unread.append((grid, why))
    heights = {grid.sheet: _last(grid) for grid, _ in found}
    notes = _mark(lists, source)
    whole = joining.joined(lists, main, heights, kind)
    _find_branch(whole, file_name)
    for grid, why in unread:
        whole.left_out.append(LeftOut(why, [*range(1, heights[grid.sheet] + 1)], grid.sheet))
        whole.unread[grid.sheet or ""] = [Row(number, cells) for number, cells in grid.rows]
        whole.notes.append(Note(why, {"sheet": grid.sheet, "count": len(grid.rows)}))
    whole.notes += [*_notes_on(facts), *notes]
    whole.sheets = [_info(grid, visible=shown, likely=grid is likely) for grid, shown in found]
    return whole


def _find_branch(whole: Table, file_name: str) -> None:
    """That of the file's name, where neither a title nor a sheet says one."""
    branch = sections.of_file(file_name)
    if branch is None or any(part.table.titled for part in whole.parts):
        return
    for part in whole.parts:
        part.table.titled = branch
    whole.notes.append(Note("branch_of_file", {"branch": branch}))


def _sheets_of(source: Source, kind: BookFormat, limits: Limits) -> _Sheets:
    if kind in _OF_TEXT:
        return [(grids.text_grid(source, kind, limits), True)]
    with grids.opened_book(source) as book:
        return grids.grids_of(book, kind, limits)


def _lists_beside(
    grid: Grid, main: Table, kind: Kind | None
) -> tuple[list[Table], LeftOutReason | None]:
    """The lists of another sheet, or why it is not read."""
    if not grid.rows:
        return [], LeftOutReason.sheet_without_list
    try:
        lists = lists_of(grid)
    except Problem as problem:
        if problem.code in _NO_LIST:
            return [], LeftOutReason.sheet_without_list
        return [], LeftOutReason.sheet_not_read
    if any(joining.are_alike(main, table, kind) for table in lists):
        return lists, None
    return [], LeftOutReason.sheet_without_list


def _mark(lists: Iterable[Table], source: Source) -> list[Note]:
    """Say which rows are hidden or struck out and which cells failed, or that the file does not show it."""
    known: dict[str, marks.Marks] = {}
    try:
        for table in lists:
            if table.kind is not BookFormat.xlsx or table.sheet is None:
                raise package.UnpatchableError("not xlsx")
            if table.sheet not in known:
                known[table.sheet] = marks.of_sheet(source, table.sheet)
            table.hidden, table.struck_out, failed = known[table.sheet]
            _show_failed(table, failed)
    except package.UnpatchableError:
        return [Note("marks_unseen")]
    return []


def _show_failed(table: Table, failed: Mapping[tuple[int, int], str]) -> None:
    """Put back what the parser leaves empty: the cell says that its formula failed."""
    rows = {row.number: row for row in table.rows} if failed else {}
    for (number, index), text in failed.items():
        row = rows.get(number)
        if row is not None and index < len(row.cells) and row.cells[index] is None:
            row.cells[index] = text


def _notes_on(facts: guards.FileFacts) -> Iterator[Note]:
    if facts.not_calculated:
        yield Note("formulas_not_calculated", {"count": facts.not_calculated})
    if facts.formulas:
        yield Note("formulas_read", {"count": facts.formulas})
    if facts.macros:
        yield Note("macros_ignored")
    if facts.external_links:
        yield Note("external_links_ignored")
    if facts.kind in (BookFormat.xls, BookFormat.ods):
        yield Note("returned_as_xlsx", {"kind": f".{facts.kind}"})


# -- sheets


def _named(found: _Sheets, name: str) -> Grid:
    for grid, _ in found:
        if grid.sheet is not None and grid.sheet.casefold() == name.casefold():
            return grid
    names = ", ".join(grid.sheet or "-" for grid, _ in found[:20])
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


def _info(grid: Grid, *, visible: bool, likely: bool) -> SheetInfo:
    height = len(grid.rows) if grid.kind in _OF_TEXT else _last(grid)
    return SheetInfo(grid.sheet or "", visible, height, grid.width, likely)


def _last(grid: Grid) -> int:
    return grid.rows[-1][0] if grid.rows else 0
