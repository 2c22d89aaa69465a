"""Rows as Apache Parquet, for programs that count: a column of a type each, compressed with zstd."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import IO, Any, Final, cast

from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
from arro3.io import write_parquet
from pydantic import BaseModel

from app.json_values import json_bytes

Rows = Sequence[Mapping[str, Any]]
# Rows that a reader has to hold at once; in memory while they are written.
_GROUP: Final = 20_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def write(
    write_piece: Callable[[bytes], None],
    columns: Sequence[str],
    schema: type[BaseModel],
    pages: Iterator[Rows],
) -> None:
    """Days that are known whole are days and instants are in UTC; ids, days that are known in part and
    nested values (as JSON) are text."""
    types = {
        "text": (DataType.utf8(), DataType.utf8(), _text),
        "integer": (DataType.int64(), DataType.int64(), _same),
        "number": (DataType.float64(), DataType.float64(), _same),
        "boolean": (DataType.bool(), DataType.bool(), _same),
        "date": (DataType.int32(), DataType.date32(), _days),
        "date-time": (DataType.int64(), DataType.timestamp("us", tz="UTC"), _microseconds),
    }
    told = schema.model_json_schema(mode="serialization")
    kinds = [types[_type_of(told, name)] for name in columns]
    named = [
        Field(name, shown, nullable=True)
        for name, (_, shown, _) in zip(columns, kinds, strict=True)
    ]
    made = Schema(named)

    def batch(rows: Rows) -> RecordBatch:
        arrays = []
        for name, (stored, shown, value) in zip(columns, kinds, strict=True):
            values = [None if row[name] is None else value(row[name]) for row in rows]
            array = Array(values, type=stored)
            arrays.append(array if stored is shown else array.cast(shown))
        return RecordBatch.from_arrays(arrays, schema=made)

    sink = _Sink(write_piece)
    batches = sink.held(batch(rows) for rows in pages if rows)
    reader = RecordBatchReader.from_batches(made, batches)
    file = cast("IO[bytes]", sink)
    write_parquet(reader, file, compression="zstd(3)", max_row_group_size=_GROUP)
    sink.ensure_whole()


class _Sink:
    """A file that is only written. What goes wrong comes out behind the writer, which would end the
    thread with it."""

    def __init__(self, write_piece: Callable[[bytes], None]) -> None:
        self._write = write_piece
        self._error: Exception | None = None

    def write(self, data: bytes) -> int:
        if self._error is None:
            try:
                self._write(bytes(data))
            except Exception as error:  # noqa: BLE001  # it is raised again
                self._error = error
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def seek(self, *_: int) -> int:
        raise OSError("it is written from its first byte to its last")

    def held(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The batches up to the first that cannot be made or kept."""
        try:
            for each in batches:
                if self._error is not None:
                    return
                yield each
        except Exception as error:  # noqa: BLE001  # it is raised again
            self._error = error

    def ensure_whole(self) -> None:
        if self._error is not None:
            raise self._error


def _type_of(told: Mapping[str, Any], name: str) -> str:
    """By the schema of the answers: one type beside null, else text."""
    found = told["properties"][name]
    ways = [way for way in found.get("anyOf", [found]) if way.get("type") != "null"]
    ways = [_resolved(told, way) for way in ways]
    kinds = {way.get("format") if way.get("format") in _DATED else way.get("type") for way in ways}
    kind = next(iter(kinds)) if len(kinds) == 1 else None
    return str(kind) if kind in ("integer", "number", "boolean", *_DATED) else "text"


_DATED: Final = ("date", "date-time")


def _resolved(told: Mapping[str, Any], way: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(way.get("$ref", "")).rpartition("/")[2]
    found: Mapping[str, Any] = told["$defs"][name] if name else way
    return found


def _same(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    return value if type(value) is str else json_bytes(value).decode().strip('"')


def _days(value: Any) -> int:
    day = date.fromisoformat(value) if isinstance(value, str) else value
    return int(day.toordinal() - _EPOCH_DAY)


def _microseconds(value: Any) -> int:
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    since = instant.astimezone(UTC) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
