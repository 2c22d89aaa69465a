"""Lines of JSON out of a body as it arrives, and a line as a row of a list."""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from uuid import uuid4

import orjson

from app.errors import Problem
from app.models.imports.imports import RowDecision
from app.problem_texts import FieldCode
from app.services.imports.kinds import of_file, wrong
from app.services.kernel.list_kinds import Given, Json
from app.text import nearest
from app.workbooks import guards, headers, rows
from app.workbooks.plain import once, scalar
from app.workbooks.tables import BookFormat, Cell, Column, Kind, Part, Row, Table
from app.workbooks.values import Options

# A line that is longer is refused, and dropped as it comes.
LONGEST: Final = 256 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_BLOCK: Final = 256 * 1024
# What a line says beside its fields.
_BESIDE: Final = frozenset({"decision", "accept"})
_SIMILAR: Final = 0.7


class Lines:
    """Cuts a body into lines, one at a time; None for one that is too long."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._dropping = False
        self._first = True

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        self._rest += data
        start = 0
        while (end := self._rest.find(b"\n", start)) >= 0:
            if self._dropping:
                self._dropping = False
                yield None
            else:
                yield self._line(bytes(self._rest[start:end]))
            start = end + 1
        del self._rest[:start]
        if len(self._rest) > LONGEST:
            self._dropping = True
            self._rest.clear()

    def end(self) -> Iterator[bytes | None]:
        """The last line, where nothing ends it."""
        if self._dropping:
            yield None
        elif self._rest:
            yield self._line(bytes(self._rest))

    def _line(self, line: bytes) -> bytes | None:
        if self._first:
            line, self._first = line.removeprefix(_BOM), False
        return line if len(line) <= LONGEST else None


class Unpacked:
    """Unpacks gzip in blocks, however much it comes to."""

    def __init__(self) -> None:
        self._zip = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            while data:
                if self._zip.eof:  # several members, one after the other
                    self._zip = zlib.decompressobj(wbits=31)
                yield self._zip.decompress(data, _BLOCK)
                data = self._zip.unconsumed_tail or self._zip.unused_data
        except zlib.error:
            raise Problem("bulk_body_cut") from None

    def end(self) -> None:
        if not self._zip.eof:
            raise Problem("bulk_body_cut")


@dataclass(slots=True)
class TakenLine:
    """`row` is the line as a row of a list; None where it cannot be read, with what is `wrong`."""

    number: int
    row: Given | None = None
    wrong: list[Json] = field(default_factory=list)

    @property
    def named(self) -> Sequence[tuple[str, str]]:
        """What it names its record by."""
        values = {} if self.row is None else self.row.values
        return [(name, str(values[name])) for name in ("id", "external_id") if values.get(name)]


def _unreadable(number: int, code: FieldCode, **params: Any) -> TakenLine:
    return TakenLine(number, wrong=[wrong(code, "line", **params)])


class Reader:
    """Reads the lines of one set: what a field may hold is what a cell of a list may."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.specs = headers.fields(kind)
        self._shapes: dict[tuple[str, ...], Any] = {}

    def take(self, number: int, line: bytes | None) -> TakenLine | None:
        """None for an empty line."""
        if line is None:
            return _unreadable(number, "line_too_long", max=LONGEST)
        if not line.strip():
            return None
        found = _parsed(line)
        if isinstance(found, str):
            return _unreadable(number, found)
        return self._row(number, found)

    def _row(self, number: int, found: Mapping[str, Any]) -> TakenLine:
        problems = [
            *self._unknown(name for name in found if name not in self.specs),
            *(
                wrong("wrong_type", name, written=orjson.dumps(value).decode()[:100])
                for name, value in found.items()
                if isinstance(value, dict) or (isinstance(value, list) and name not in _BESIDE)
            ),
            *(
                wrong("nul_character", name)
                for name, value in found.items()
                if isinstance(value, str) and "\0" in value
            ),
        ]
        decision, accepted, more = _beside(found)
        problems += more
        if problems:
            return TakenLine(number, wrong=problems)
        names = tuple(name for name in found if name not in _BESIDE)
        try:
            cells: list[Cell] = [scalar(found[name]) for name in names]
        except Problem:
            return TakenLine(number, wrong=[wrong("text_invalid", "line")])
        taken = self._taker(names).take(Row(number, cells))
        given = [_without_place(of_file(each)) for each in taken.problems]
        row = Given(number, taken.values, given, taken.fingerprint, decision, accepted)
        return TakenLine(number, row)

    def _unknown(self, names: Iterator[str]) -> Iterator[Json]:
        for name in names:
            if name not in _BESIDE:
                near = nearest(name, [*self.specs], _SIMILAR)
                yield wrong("unknown_field", name[:100], proposal=near and near[0])

    def _taker(self, names: tuple[str, ...]) -> Any:
        """One for each set of fields. It remembers cells it has read: it is forgotten with the set."""
        if names not in self._shapes:
            table = _table(names)
            places = {name: index for index, name in enumerate(names)}
            self._shapes[names] = rows.Taker(table, places, self.kind, Options())
        return self._shapes[names]


@lru_cache(maxsize=64)
def _table(names: tuple[str, ...]) -> Table:
    columns = [Column(i, guards.letter(i), name, name) for i, name in enumerate(names)]
    table = Table(BookFormat.ndjson, None, 0, columns, [])
    table.parts = [Part(table, 0, {})]
    return table


def _without_place(problem: Json) -> Json:
    return {**problem, "letter": None, "header": None}


def _parsed(line: bytes) -> dict[str, Any] | FieldCode:
    """The object, or the code of what is wrong with the line."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _why(line)
    if not isinstance(found, dict):
        return "line_no_object"
    # Fewer colons than two keys more: no name can stand there twice.
    if line.count(b":") > len(found):
        try:
            json.loads(line, object_pairs_hook=once)
        except (ValueError, RecursionError):
            return "line_repeats_a_name"
    return found


def _why(line: bytes) -> FieldCode:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "line_not_utf8"
    if "\0" in text:
        return "nul_character"
    try:
        json.loads(text)
    except RecursionError:
        return "too_deep"
    except ValueError:
        return "line_no_json"
    return "too_deep" if text.count("[") + text.count("{") > 500 else "line_no_json"


def _beside(found: Mapping[str, Any]) -> tuple[RowDecision | None, frozenset[str], list[Json]]:
    decision, accepted = found.get("decision"), found.get("accept") or []
    problems = []
    if decision is not None and decision not in [*RowDecision]:
        problems.append(wrong("not_in_list", "decision", written=str(decision)[:100]))
        decision = None
    if not (isinstance(accepted, list) and all(isinstance(each, str) for each in accepted)):
        problems.append(wrong("wrong_type", "accept"))
        accepted = []
    return decision and RowDecision(decision), frozenset(accepted), problems


def new_fingerprint() -> str:
    """Of a line that cannot be read: none is the same."""
    return uuid4().hex
