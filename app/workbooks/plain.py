"""Lists in plain text: comma separated values of any encoding and separator, and ndjson."""

import csv
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from app.errors import Problem
from app.workbooks import csv_records, guards, legacy
from app.workbooks.composing import composable
from app.workbooks.formulas import unguarded
from app.workbooks.tables import Cell, CellProblem, Encoding, Limits, Note

_SAMPLE: Final = 20_000
_DELIMITERS: Final = {",": ",", ";": ";", "\t": "tab", "|": "|"}
_LONGEST_CELL: Final = 32_767
_MOST: Final = 10**15
_FEW_WRONG: Final = 5


@dataclass(slots=True)
class PlainRows:
    """The first of the rows is the header in ndjson, and anything in csv. Their number is the place.
    `problems` are of cells, by row number and column index; `wide` how many cells each row has that
    has more than most lines."""

    rows: list[list[Cell]]
    notes: list[Note] = field(default_factory=list)
    problems: dict[tuple[int, int], CellProblem] = field(default_factory=dict)
    wide: dict[int, int] = field(default_factory=dict)


def csv_rows(data: bytes, limits: Limits) -> PlainRows:
    text, encoding = _text(data)
    delimiter = _delimiter(text[:_SAMPLE])
    rows: list[list[Cell]] = []
    problems: dict[tuple[int, int], CellProblem] = {}
    lines = list(io.StringIO(text, newline=""))
    del text
    wide: dict[int, int] = {}
    try:
        _, usual = csv_records.usual_width(lines, delimiter)
        for record in csv_records.records(lines, delimiter):
            cells = record.cells
            if record.unclosed is not None:
                place = len(rows) + 1, record.unclosed
                problems[place] = CellProblem("quote_unclosed", {"line": record.line})
            if len(cells) > usual:
                wide[len(rows) + 1] = len(cells)
            if len(cells) > limits.columns:
                cells = _trimmed(cells, limits)  # what is empty at its end is nothing
            rows.append([_cell(cell) for cell in cells])
            if len(rows) > limits.rows + guards.AROUND:
                raise Problem("import_too_many_rows", rows=len(lines), limit=limits.rows)
    except csv.Error as error:
        raise Problem("import_damaged", part="csv") from error
    while rows and not any(rows[-1]):
        rows.pop()
    told = {"encoding": encoding, "delimiter": _DELIMITERS[delimiter]}
    notes = [Note("file_encoding", told)]
    if problems:
        said = ", ".join(str(each.params["line"]) for each in problems.values())
        notes.append(Note("quotes_unclosed", {"lines": said}))
    return PlainRows(rows, notes, problems, wide)


def _trimmed(cells: list[str], limits: Limits) -> list[str]:
    while cells and not cells[-1]:
        cells.pop()
    if len(cells) > limits.columns:
        raise Problem("import_too_many_columns", columns=len(cells), limit=limits.columns)
    return cells


def _cell(text: str) -> Cell:
    text = text.strip(" \t\r\n")
    # Our own export marks what a spreadsheet would take for a formula.
    return composable(unguarded(text)[:_LONGEST_CELL]) or None


def _text(data: bytes) -> tuple[str, str]:
    """The text, and the name of what it was written in."""
    for mark, name in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return _decoded(data, name), name.removesuffix("-sig")
    if data[:_SAMPLE].count(0):
        even, odd = data[:_SAMPLE:2].count(0), data[1:_SAMPLE:2].count(0)
        name = "utf-16-le" if odd > even else "utf-16-be"
        return _decoded(data, name), name
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        if _is_utf8_but_for_some(data):
            line = data.count(b"\n", 0, error.start) + 1
            raise Problem("import_damaged", part=f"UTF-8: {line}") from error
        return _of_one_byte(data)


def _is_utf8_but_for_some(data: bytes) -> bool:
    """Whether nearly all letters beyond ASCII are UTF-8, as they are by chance in no other encoding."""
    letters = re.sub(r"[\x00-\x7f]+", "", data.decode("utf-8", "replace"))
    wrong = letters.count("\ufffd")
    return len(letters) > _FEW_WRONG * wrong


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode(name)
    except UnicodeDecodeError as error:
        raise Problem("import_damaged", part=name) from error


def _of_one_byte(data: bytes) -> tuple[str, str]:
    """Windows-1258, or a font's encoding (TCVN3, VNI), which is detected column by column."""
    latin = data.decode("latin-1")
    vietnamese = composable(data.decode("cp1258", "replace"))
    vietnamese = unicodedata.normalize("NFC", vietnamese)
    scores = Counter({"cp1258": _reads(vietnamese[:_SAMPLE])})
    for encoding in (Encoding.tcvn3, Encoding.vni):
        scores[encoding] = _reads(legacy.decode(latin[:_SAMPLE], encoding))
    best = max(scores, key=lambda each: scores[each])
    return (vietnamese, "windows-1258") if best == "cp1258" else (latin, "latin-1")


def _reads(text: str) -> int:
    """Words with a distinctive letter that are Vietnamese, less those that are not."""
    words = [word for word in legacy.words_of(text) if not word.isascii()]
    return sum(1 if legacy.reads_well(word) else -1 for word in words)


def _delimiter(sample: str) -> str:
    """What cuts the lines into the most, and most alike, pieces."""

    def rank(delimiter: str) -> tuple[int, int]:
        try:
            return csv_records.usual_width(sample.splitlines(), delimiter)
        except csv.Error:
            return (0, 0)

    return max(_DELIMITERS, key=rank)


def ndjson(data: bytes, limits: Limits) -> PlainRows:
    """One object a line; keys in the order they first come are the columns. Nested: as JSON."""
    places: dict[str, int] = {}
    rows: list[list[Cell]] = []
    for number, line in enumerate(_lines(data), 1):
        if number > limits.rows + guards.AROUND:
            raise Problem("import_too_many_rows", rows=data.count(b"\n"), limit=limits.rows)
        found = _object(line, number) if line.strip() else {}
        item = {_sound(key): value for key, value in found.items()}
        for key in item:
            if key not in places:
                places[key] = len(places)
        if len(places) > limits.columns:
            raise Problem("import_too_many_columns", columns=len(places), limit=limits.columns)
        cells: list[Cell] = [None] * len(places)
        for key, value in item.items():
            cells[places[key]] = scalar(value)
        rows.append(cells)
    head: list[Cell] = list(places)
    return PlainRows([head, *rows] if places else [])


def _lines(data: bytes) -> Iterator[bytes]:
    return iter(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"))


def _object(line: bytes, number: int) -> dict[str, Any]:
    try:
        item = json.loads(line, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Problem("import_damaged", part=f"{number}") from error
    if not isinstance(item, dict):
        raise Problem("import_damaged", part=f"{number}")
    return item


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; one that says a thing twice is not sound, and JSON would take the last of them."""
    item = dict(pairs)
    if len(item) < len(pairs):
        raise ValueError
    return item


def scalar(value: Any) -> Cell:
    """A value of JSON as a cell."""
    if isinstance(value, str):
        return composable(_sound(value).strip()[:_LONGEST_CELL]) or None
    if isinstance(value, int | float) and not abs(value) < _MOST:
        return str(value)[:_LONGEST_CELL]  # more than a sheet can hold, or no number at all
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return composable(_sound(" ".join(value))[:_LONGEST_CELL]) or None
    return composable(_sound(json.dumps(value, ensure_ascii=False))[:_LONGEST_CELL])


def _sound(text: str) -> str:
    """Without halves of characters, which JSON can name and nothing can store."""
    return text.encode("utf-8", "replace").decode()
