"""Files that go back: their own workbook with a verdict on each row, and the rows in error alone.

An xlsx keeps its sheets, widths, fonts and formulas: four columns are added to its lists, the wrong
cells are coloured and carry a comment. Of an xls, an ods, a csv and an ndjson a new xlsx is made. No cell
of ours is a formula.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from app.workbooks import archives, new_books, patching, said
from app.workbooks.guards import Source
from app.workbooks.new_books import Pen
from app.workbooks.package import UnpatchableError
from app.workbooks.said import WIDTHS, RowVerdict, Said
from app.workbooks.sheet_patch import Changes
from app.workbooks.tables import BookFormat, Cell, Kind, Table


def write_back(
    source: Source,
    table: Table,
    kind: Kind,
    verdicts: Mapping[int, RowVerdict],
    target: Path,
    *,
    applied: bool,
) -> bool:
    """Their file with `Kết quả`, `Lỗi`, `Gợi ý` and `Mã`, as xlsx, to `target`.

    `verdicts` by row number; `applied`: the rows were written, not only previewed. True when it is
    their workbook changed in place, False when a new one had to be made (not xlsx, or an xlsx of a
    strange make).
    """
    lists = list(said.of_lists(table, kind, verdicts, applied=applied))
    if table.kind is BookFormat.xlsx:
        by_sheet = groupby(lists, key=lambda each: each.part.table.sheet or "")
        try:
            patching.patch(
                archives.straight(source),
                [_changes(name, list(of)) for name, of in by_sheet],
                target,
            )
        except UnpatchableError:
            target.unlink(missing_ok=True)
        else:
            return True
    new_books.write_anew(table, lists, target)
    return False


def _changes(sheet: str, lists: Sequence[Said]) -> Changes:
    changes = Changes(sheet)
    for each in lists:
        number = each.part.table.header_row
        # Rows of lists beside one another are the same rows of the sheet.
        # A list may begin with its first row, without a header.
        heads = {number: each.head} if number else {}
        for row, texts in {**each.texts, **heads}.items():
            changes.texts[row] = {**changes.texts.get(row, {}), **texts}
        for row, wrong in each.wrong.items():
            changes.wrong[row] = {**changes.wrong.get(row, {}), **wrong}
        changes.heads.add(number)
        changes.width |= {place: WIDTHS[name] for name, place in each.places.items()}
    return changes


def write_errors(table: Table, kind: Kind, verdicts: Mapping[int, RowVerdict], target: Path) -> int:
    """A workbook of the rows in error alone, under the same header; how many there are."""
    places = said.places_in(table, said.width_of(table))
    rows = [row for row in table.rows if row.number in verdicts]
    rows = [row for row in rows if verdicts[row.number].result == "error"]
    # Without its title the sheet's name says whose the rows are; of several lists a heading does.
    titles = [part.table.titled for part in table.parts]
    title, several = titles[0], len(titles) > 1
    with new_books.new_book(target) as book:
        name = None if several else title or table.sheet
        sheet = book.add_worksheet(new_books.free_name(book, name or ""))
        pen = Pen(book, sheet)
        pen.widen(rows, places)
        width = max([column.index for column in table.columns] + [*places.values()]) + 1
        head: list[Cell] = [None] * width
        for column in table.columns:
            head[column.index] = column.header or None
        for name, place in places.items():
            head[place] = head[place] or name
        pen.row(0, head, pen.head, {})
        sheet.freeze_panes(1, 0)
        place, heading = 0, None
        for row in rows:
            place += 1
            above = row.section or (titles[row.part] if several else None)
            if above and above != heading:
                heading = above
                sheet.merge_range(place, 0, place, max(1, min(3, width - 1)), heading, pen.head)
                place += 1
            verdict = verdicts[row.number]
            told = said.texts_of(verdict, kind, applied=True)
            pen.told(
                place,
                row.cells,
                {places[n]: t for n, t in told.items()},
                said.comments_of(verdict, kind),
            )
    return len(rows)
