"""A list out of a file: xlsx, xls, csv or ndjson, whatever surrounds it.

Of the sheets the one that looks most like a list is read; of its rows the header is the one with
the most names we know. What is left out (a title, totals, signatures) is reported in the notes.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from app.errors import Problem
from app.text import clean
from app.workbooks import guards, headers, legacy, plain
from app.workbooks.guards import Source
from app.workbooks.tables import (
    Cell,
    CellProblem,
    Column,
    Encoding,
    FileKind,
    Limits,
    Note,
    Row,
    SheetInfo,
    Table,
)

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

RESULT, ERROR, HINT, ID = "Kết quả", "Lỗi", "Gợi ý", "Mã"
OURS: Final = (RESULT, ERROR, HINT)
# Begins the example row of the template.
EXAMPLE: Final = "Ví dụ ("

_HEADER_WITHIN: Final = 60
_TOLD_ROWS: Final = 20
_LONGEST_HEADER: Final = 200
_WRONG_SHARE: Final = 5

_TOTAL: Final = re.compile(
    r"(?:tổng|cộng|tổng cộng|tổng số|cộng dồn|total|subtotal)(?:\s*(?:cộng|số|dồn))?\s*"
    r"(?:[:\d(.].*|(?:hội viên|người|toàn|chi hội|khu|xã|hộ|trang|nhóm|nữ|nam|danh sách)\b.*)?"
)
_SIGNATURE: Final = re.compile(
    r"(?:người lập|ngày .{0,12}tháng|t/m|tm\.|thay mặt|chủ tịch|xác nhận|thủ trưởng|kế toán|"
    r"ghi chú\s*:|\(ký|ký tên|.{0,40}, ?ngày .{0,12}tháng|chi hội trưởng$|ban chấp hành)"
)
# A heading between the rows, unless it is merged over several columns.
_HEADING: Final = re.compile(
    r"(?:[IVX]+\.|[A-Z]\.)?\s*(?:chi hội|khu|thôn|xóm|tổ|bản|ấp|đơn vị|xã|phường|hội|nhóm)\b",
    re.IGNORECASE,
)
_ROMAN: Final = re.compile(r"[IVX]{1,6}\.?|[A-Z]\.?|[0-9]{1,4}\.?")


@dataclass(slots=True)
class _Grid:
    """The cells of one sheet. `rows` are (number, cells), blank ones left out, all equally wide."""

    kind: FileKind
    sheet: str | None
    rows: list[tuple[int, list[Cell]]]
    width: int
    # (first row, first column, last row, last column), from 0.
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    blank: int = 0
    notes: list[Note] = field(default_factory=list)


def sheets(source: Source, *, limits: Limits | None = None) -> list[SheetInfo]:
    """The sheets to choose from; of csv and ndjson one, named "". Raises as `read` does."""
    limits = limits or Limits()
    facts = guards.check(source, limits)
    if facts.kind in (FileKind.csv, FileKind.ndjson):
        grid = _text_grid(source, facts.kind, limits)
        return [SheetInfo("", True, len(grid.rows), grid.width, True)]
    with _book(source) as book:
        grids = _grids(book, facts.kind, limits)
        likely = _likeliest(grids)
        return [
            SheetInfo(grid.sheet or "", visible, _last(grid), grid.width, grid is likely)
            for grid, visible in grids
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
        return _table(_text_grid(source, facts.kind, limits))
    with _book(source) as book:
        grid = _chosen(book, facts.kind, sheet, limits)
    grid.notes += _notes_on(facts)
    return _table(grid)


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


def _book(source: Source) -> "CalamineWorkbook":
    from python_calamine import CalamineWorkbook

    with _parsing("xlsx"):
        if isinstance(source, bytes):
            return CalamineWorkbook.from_filelike(BytesIO(source))
        return CalamineWorkbook.from_path(source)


def _chosen(book: "CalamineWorkbook", kind: FileKind, name: str | None, limits: Limits) -> _Grid:
    if name is not None:
        known = {each.casefold(): each for each in book.sheet_names}
        if (found := known.get(name.casefold())) is None:
            names = ", ".join(book.sheet_names[:20])
            raise Problem("import_sheet_unknown", sheet=name, sheets=names)
        return _sheet_grid(book, found, kind, limits)
    grids = _grids(book, kind, limits)
    chosen = _likeliest(grids)
    if chosen is None:
        raise Problem("import_empty")
    others = [grid.sheet or "" for grid, _ in grids if grid is not chosen and grid.rows]
    if others:
        params = {"sheet": chosen.sheet, "others": ", ".join(others)}
        chosen.notes.append(Note("sheet_chosen", params))
    return chosen


def _grids(book: "CalamineWorkbook", kind: FileKind, limits: Limits) -> list[tuple[_Grid, bool]]:
    from python_calamine import SheetVisibleEnum

    return [
        (_sheet_grid(book, meta.name, kind, limits), meta.visible == SheetVisibleEnum.Visible)
        for meta in book.sheets_metadata
    ]


def _likeliest(grids: Iterable[tuple[_Grid, bool]]) -> _Grid | None:
    """The visible sheet with the most names of columns we know; of equals the longest."""
    filled = [(grid, visible) for grid, visible in grids if grid.rows]
    ranked = sorted(
        filled,
        key=lambda each: (each[1], _known_at(each[0], _header_place(each[0])), len(each[0].rows)),
    )
    return ranked[-1][0] if ranked else None


def _last(grid: _Grid) -> int:
    return grid.rows[-1][0] if grid.rows else 0


def _sheet_grid(book: "CalamineWorkbook", name: str, kind: FileKind, limits: Limits) -> _Grid:
    with _parsing(name):
        return _grid_of(book.get_sheet_by_name(name), kind, limits)


def _grid_of(sheet: "CalamineSheet", kind: FileKind, limits: Limits) -> _Grid:
    grid = _Grid(kind, sheet.name, [], 0)
    if sheet.start is None or sheet.end is None:
        return grid
    last_row, last_column = sheet.end
    guards.within(last_row + 1, last_column + 1, limits)
    # Rows come from the first of the sheet, cells from the first column that holds something.
    left = [None] * sheet.start[1]
    for number, cells in enumerate(sheet.iter_rows(), 1):
        read = list(map(_cell, cells))
        if any(cell is not None for cell in read):
            grid.rows.append((number, [*left, *read] if left else read))
        else:
            grid.blank += 1
    grid.width = max((len(cells) for _, cells in grid.rows), default=0)
    grid.merged = [
        (top, left, bottom, right)
        for (top, left), (bottom, right) in sheet.merged_cell_ranges or ()
        if top <= last_row and left <= last_column
    ]
    return grid


def _cell(value: Any) -> Cell:
    kind = type(value)
    if kind is str:
        return value if value and not value.isspace() else None
    if kind is float:
        return int(value) if value.is_integer() and abs(value) < 1e18 else value
    if isinstance(value, datetime):
        return value.date() if value.time() == time() else value
    if kind is timedelta:
        return str(value)
    found: Cell = value
    return found


def _text_grid(source: Source, kind: FileKind, limits: Limits) -> _Grid:
    with guards.opened(source) as file:
        data = file.read()
    read = plain.ndjson(data, limits) if kind is FileKind.ndjson else plain.csv_rows(data, limits)
    grid = _Grid(kind, None, [], 0, notes=list(read.notes))
    for number, cells in enumerate(read.rows, 1):
        if any(cell is not None for cell in cells):
            grid.rows.append((number, cells))
        else:
            grid.blank += 1
    grid.width = max((len(cells) for _, cells in grid.rows), default=0)
    for _, cells in grid.rows:
        cells.extend([None] * (grid.width - len(cells)))
    return grid


# -- the header


def _known(cell: Cell) -> bool:
    return (
        isinstance(cell, str) and len(cell) <= 120 and any(map(headers.is_known, _readings(cell)))
    )


def _readings(text: str) -> Iterator[str]:
    """A header as it is, and as it would be in each old encoding."""
    yield clean(text)
    if not text.isascii():
        yield clean(legacy.decode(text, Encoding.tcvn3))
        yield clean(legacy.decode(text, Encoding.vni))


def _known_at(grid: _Grid, place: int | None) -> int:
    return 0 if place is None else sum(map(_known, grid.rows[place][1]))


def _header_place(grid: _Grid) -> int | None:
    """Which of `grid.rows` is the header: the one with the most names we know (two, or all there
    are); without any, the first that is nearly as wide as the sheet and nothing but text."""
    first = grid.rows[:_HEADER_WITHIN]
    best, most = None, 0
    for place, (_, cells) in enumerate(first):
        known = sum(map(_known, cells))
        alone = sum(cell is not None for cell in cells) == 1
        if known > most and (known >= 2 or alone):
            best, most = place, known
    if best is not None:
        return best
    for place, (_, cells) in enumerate(first):
        filled = [cell for cell in cells if cell is not None]
        if len(filled) >= 2 and len(filled) * 10 >= grid.width * 7:
            plain_text = all(isinstance(c, str) and not any(map(str.isdigit, c)) for c in filled)
            return place if plain_text else None
    return None


def _second_header(grid: _Grid, place: int) -> bool:
    """Whether the row below belongs to the header: it names parts of what is above (Nam, Nữ)."""
    if place + 1 >= len(grid.rows):
        return False
    (number, upper), (below, lower) = grid.rows[place : place + 2]
    if below != number + 1:
        return False
    spread = {
        column
        for top, left, bottom, right in grid.merged
        if top == number - 1 and bottom == top and right > left
        for column in range(left, right + 1)
    }
    told = [column for column, cell in enumerate(lower) if cell is not None]
    texts = all(isinstance(lower[column], str) for column in told)
    apart = all(upper[column] is None or column in spread for column in told)
    return texts and apart and any(_known(lower[column]) for column in told)


def _header_texts(grid: _Grid, place: int, two: bool) -> dict[int, str]:
    """The header of each column that has one, as written; parts joined by " / "."""
    number, upper = grid.rows[place]
    row = number - 1
    over: dict[int, str] = {}
    again: dict[int, str] = {}
    for top, left, bottom, right in grid.merged:
        if top <= row <= bottom and right > left and upper[left] is not None:
            for column in range(left + 1, min(right + 1, grid.width)):
                over[column] = str(upper[left])
                again[column] = f"{upper[left]} ({column - left + 1})"
    lower: Sequence[Cell] = grid.rows[place + 1][1] if two else [None] * grid.width
    texts: dict[int, str] = {}
    # An upper header without a merge stands over the unnamed columns at its right that have a part.
    last = ""
    for column in range(grid.width):
        above = str(upper[column]) if upper[column] is not None else over.get(column, "")
        last = above or last
        part = str(lower[column]) if lower[column] is not None else ""
        if clean(part) in (*OURS, ID):
            texts[column] = part
        elif part:
            texts[column] = f"{above or last} / {part}" if above or last else part
        elif upper[column] is not None:
            texts[column] = str(upper[column])
        elif column in again:
            texts[column] = again[column]
    return {column: text[:_LONGEST_HEADER] for column, text in texts.items()}


# -- the table


def _table(grid: _Grid) -> Table:
    if not grid.rows:
        raise Problem("import_empty")
    if grid.kind is FileKind.ndjson:
        head: int | None = 0
    else:
        head = _header_place(grid)
    if head is None:
        raise Problem("import_no_header", rows=min(_HEADER_WITHIN, len(grid.rows)))
    two = grid.kind is not FileKind.ndjson and _second_header(grid, head)
    if not two and head > 0 and grid.kind is not FileKind.ndjson and _second_header(grid, head - 1):
        head, two = head - 1, any(map(_known, grid.rows[head - 1][1]))
        head += not two
    number = grid.rows[head + two][0]
    texts = _header_texts(grid, head, two)
    notes = grid.notes
    if two:
        notes.append(Note("two_header_rows", {"first": grid.rows[head][0], "second": number}))
    above = grid.rows[:head]
    if above:
        notes.append(Note("rows_above_header", {"count": len(above), "header_row": number}))
    body = grid.rows[head + two + 1 :]
    del grid.rows[head + two + 1 :]
    _fill_merged(grid, body)
    across = {top + 1 for top, left, bottom, right in grid.merged if right > left and top == bottom}
    rows = _list_rows(body, texts, across, notes)
    kept = {row.number for row in rows}
    rest = [*grid.rows, *(each for each in body if each[0] not in kept)]
    if not rows:
        raise Problem("import_no_rows", header_row=number)
    if grid.blank:
        notes.append(Note("rows_blank", {"count": grid.blank}))
    if grid.kind is FileKind.ndjson:
        rows = [Row(row.number - 1, row.cells) for row in rows]
        number = 0
    table = Table(grid.kind, grid.sheet, number, [], rows, notes)
    table.rest = [Row(each, cells) for each, cells in rest]
    table.above = [
        " ".join(clean(str(cell)) for cell in cells if cell is not None) for _, cells in above
    ]
    _columns(table, texts, grid.width)
    return table


def _fill_merged(grid: _Grid, body: list[tuple[int, list[Cell]]]) -> None:
    """A cell merged over several rows holds for each of them."""
    if not body:
        return
    by_number = dict(body)
    first = body[0][0]
    filled = 0
    for top, left, bottom, right in grid.merged:
        if top + 1 < first or bottom == top or left >= grid.width:
            continue
        value = by_number[top + 1][left] if top + 1 in by_number else None
        if value is None:
            continue
        filled += 1
        for number in range(top + 2, bottom + 2):
            # A row that holds nothing else is no row.
            if cells := by_number.get(number):
                cells[left : min(right, left) + 1] = [value]
    if filled:
        grid.notes.append(Note("merged_cells", {"count": filled}))


def _list_rows(
    body: list[tuple[int, list[Cell]]], texts: dict[int, str], across: set[int], notes: list[Note]
) -> list[Row]:
    """The rows that are of the list; what else there is goes to the notes."""
    rows: list[Row] = []
    told = 0
    section: str | None = None
    ended = False
    for place, (number, cells) in enumerate(body):
        filled = [cell for column, cell in enumerate(cells) if cell is not None and column in texts]
        if any(isinstance(cell, str) and cell.startswith(EXAMPLE) for cell in filled):
            notes.append(Note("row_example", {"row": number}))
            continue
        if place == 0 and _numbers_columns(filled):
            notes.append(Note("row_numbering", {"row": number}))
            continue
        few = len(filled) * 2 <= len(texts) or len(filled) <= 2
        text = _first_text(cells) if few or len(filled) < 4 else None
        why = None
        for said in _readings(text) if text is not None else ():
            headed = number in across or bool(_HEADING.match(said))
            if why := _left_out(said, cells, ended, len(texts), headed):
                ended = ended or why == "row_signature"
                section = said if why == "row_section" else section
                told += 1
                if told <= _TOLD_ROWS:
                    shown = {"row": number, "text": said[:60]}
                    notes.append(Note(why.replace("signature", "total"), shown))
                break
        if why is not None:
            continue
        if not filled:
            continue
        rows.append(Row(number, cells, section))
    return rows


def _first_text(cells: Sequence[Cell]) -> str | None:
    texts = (cell for cell in cells if isinstance(cell, str) and any(map(str.isalpha, cell)))
    return next((text for text in texts if not _ROMAN.fullmatch(text.strip())), None)


def _numbers_columns(filled: Sequence[Cell]) -> bool:
    """(1) (2) (3), or A B 1 2: the row under the header of an official form."""
    texts = [str(cell).strip().strip("() ").lower() for cell in filled]
    letters = [text for text in texts if len(text) == 1 and text.isalpha()]
    numbers = [text for text in texts if text.isascii() and text.isdigit()]
    return (
        len(texts) >= 3
        and texts == letters + numbers
        and letters == list("abcdefgh")[: len(letters)]
        and numbers == [str(number) for number in range(1, len(numbers) + 1)]
    )


def _left_out(
    text: str, cells: Sequence[Cell], ended: bool, width: int, headed: bool
) -> str | None:
    """Why a row with little in it is not of the list: a total, a signature, a heading."""
    low = clean(text).casefold()
    if _TOTAL.fullmatch(low):
        return "row_total"
    if width < 3:
        return None
    some = sum(cell is not None for cell in cells)
    if _SIGNATURE.match(low) or (ended and some <= 3):
        return "row_signature"
    numbered = some == 2 and cells[0] is not None and bool(_ROMAN.fullmatch(str(cells[0]).strip()))
    return "row_section" if headed and (some == 1 or numbered) else None


def _columns(table: Table, texts: dict[int, str], width: int) -> None:
    """Decodes each column and names it. Raises for two of one name and for mixed encodings."""
    named: dict[str, list[str]] = {}
    for index in range(width):
        values = [value for row in table.rows if isinstance(value := row.cells[index], str)]
        written = texts.get(index, "")
        if not written and all(row.cells[index] is None for row in table.rows):
            continue
        read = legacy.detect(values)
        header = _header(written, read.encoding)
        column = Column(
            index, guards.letter(index), header, written, read.encoding, (), clean(header) in OURS
        )
        _decode(table, column, read)
        column = _with_examples(table, column)
        table.columns.append(column)
        if header and not column.ours:
            named.setdefault(headers.key(header) or header, []).append(column.letter)
        if read.encoding is not Encoding.unicode:
            shown = {"letter": column.letter, "header": header, "encoding": read.encoding.upper()}
            table.notes.append(Note("encoding_decoded", shown))
    for name, letters in named.items():
        if len(letters) > 1:
            header = next(
                c.header for c in table.columns if (headers.key(c.header) or c.header) == name
            )
            raise Problem("import_duplicate_headers", header=header, letters=", ".join(letters))
    if ours := [column.header for column in table.columns if column.ours]:
        table.notes.append(Note("own_columns_ignored", {"headers": ", ".join(ours)}))


def _header(written: str, encoding: Encoding) -> str:
    if written.isascii():
        return clean(written)
    own = legacy.detect(written.split()).encoding
    tried = (Encoding.unicode, encoding, own, Encoding.tcvn3, Encoding.vni)
    for each in tried:
        if headers.is_known(text := clean(legacy.decode(written, each))):
            return text
    return clean(legacy.decode(written, own))


def _decode(table: Table, column: Column, read: legacy.Read) -> None:
    """All text of a column to Unicode. Cells of another encoding are decoded and reported."""
    index, encoding = column.index, column.encoding
    told = 0
    wrong: list[int] = []
    decoded: dict[str, str] = {}
    for row in table.rows:
        value = row.cells[index]
        if not isinstance(value, str):
            continue
        if value.isascii():
            row.cells[index] = value.strip()
            continue
        told += 1
        if other := read.mixed.get(value):
            wrong.append(row.number)
            right = legacy.decode(value, other).strip()
            params = {"encoding": other.upper()}
            table.cell_problems[row.number, index] = CellProblem("encoding_mixed", params, right)
            row.cells[index] = right
            continue
        if (text := decoded.get(value)) is None:
            text = decoded[value] = legacy.decode(value, encoding).strip()
        row.cells[index] = text
    if wrong and len(wrong) * _WRONG_SHARE > told and len(wrong) > 1:
        others = sorted({each.upper() for each in read.mixed.values()})
        raise Problem(
            "import_mixed_encodings",
            letter=column.letter,
            header=column.header,
            encodings=", ".join([encoding.upper(), *others]),
            rows=", ".join(map(str, wrong[:5])),
        )


def _with_examples(table: Table, column: Column) -> Column:
    shown: dict[str, None] = {}
    for row in table.rows[:100]:
        value = row.cells[column.index]
        if value is not None:
            shown[str(value)[:60]] = None
        if len(shown) == 3:
            break
    return replace(column, examples=tuple(shown))
