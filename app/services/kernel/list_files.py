"""A whole list as a file: CSV, NDJSON or an Excel workbook, page by page, whatever its length."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from app.json_values import json_bytes, json_line
from app.models.kernel.export_log import ExportFormat
from app.models.members.fields import PARTIAL_DATE
from app.workbooks.formulas import guarded
from app.workbooks.streaming import Pages, workbook

MEDIA_TYPES = {
    ExportFormat.csv: "text/csv",
    ExportFormat.ndjson: "application/x-ndjson",
    ExportFormat.xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def ndjson(columns: Sequence[str], pages: Pages) -> Iterator[bytes]:
    wanted = list(columns)
    for rows in pages:
        lines = [
            # Most rows have just these fields: to make one anew costs as much as its line.
            json_line(row if list(row) == wanted else {c: row[c] for c in wanted})
            for row in rows
        ]
        yield b"".join(lines)


def csv_text(columns: Sequence[str], headings: Sequence[str], pages: Pages) -> Iterator[bytes]:
    # The byte order mark makes Excel read the file as UTF-8.
    yield b"\xef\xbb\xbf" + _csv_lines([headings])
    for rows in pages:
        yield _csv_lines([[safe_cell(row[c]) for c in columns] for row in rows])


def _csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def safe_cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return guarded(_text(value))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = " ".join(value)
    # As in the JSON: nested values as JSON, instants in UTC with Z.
    return value if isinstance(value, str) else json_bytes(value).decode().strip('"')


def xlsx(
    columns: Sequence[str],
    headings: Sequence[str],
    pages: Pages,
    schema: type[BaseModel],
    title: str,
) -> Iterator[bytes]:
    headed = dict(zip(columns, headings, strict=True))
    return workbook(headed, _dates(schema), pages, title, _text)


def _dates(schema: type[BaseModel]) -> frozenset[str]:
    """Fields that are a day, which lists hold as text: real dates in a sheet, where they are whole."""
    shown = schema.model_json_schema(mode="serialization")["properties"]
    return frozenset(name for name, told in shown.items() if any(map(_is_day, _ways(told))))


def _ways(told: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    ways: Sequence[Mapping[str, Any]] = told.get("anyOf", [told])
    return ways


def _is_day(told: Mapping[str, Any]) -> bool:
    return told.get("format") == "date" or told.get("pattern") == PARTIAL_DATE
