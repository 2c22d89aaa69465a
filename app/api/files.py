"""A whole list as a file: CSV, NDJSON or an Excel workbook, page by page, whatever its length."""

import csv
import io
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, get_args

from pydantic import BaseModel
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from app.api.answers import json_bytes
from app.db import ENDPOINT_THREADS
from app.errors import Problem, invalid
from app.models.exports import ExportFormat

Pages = Iterable[Sequence[Mapping[str, Any]]]

MEDIA_TYPES = {
    ExportFormat.csv: "text/csv",
    ExportFormat.ndjson: "application/x-ndjson",
    ExportFormat.xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_PIECE = 65_536


def ndjson(columns: Sequence[str], pages: Pages) -> Iterator[bytes]:
    for rows in pages:
        yield b"".join(json_bytes({c: row[c] for c in columns}) + b"\n" for row in rows)


def csv_text(columns: Sequence[str], pages: Pages) -> Iterator[bytes]:
    # The byte order mark makes Excel read the file as UTF-8.
    yield b"\xef\xbb\xbf" + _csv_lines([columns])
    for rows in pages:
        yield _csv_lines([[safe_cell(row[c]) for c in columns] for row in rows])


def _csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def safe_cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    text = _text(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = " ".join(value)
    # As in the JSON: nested values as JSON, instants in UTC with Z.
    return value if isinstance(value, str) else json_bytes(value).decode().strip('"')


# -- Excel

# Of a sheet, the header among them (Microsoft, "Excel specifications and limits").
XLSX_ROWS = 1_048_576
_CELL_CHARACTERS = 32_767
_NARROWEST, _WIDEST = 8, 50
# Each keeps an endpoint's thread busy for as long as it takes: some are left for everybody else.
_workbooks = threading.BoundedSemaphore(ENDPOINT_THREADS // 2)


def workbook(
    columns: Sequence[str], schema: type[BaseModel], pages: Pages, title: str
) -> Iterator[bytes]:
    """The list as a workbook of one sheet, finished before this returns (a zip file has its index
    at its end); 422 when it has more rows than a sheet.

    On the disk while it is made, a row at a time, and without a name there as soon as it is read.
    """
    with _turn(), TemporaryDirectory(prefix="hoiso-export-") as folder:
        path = Path(folder) / "list.xlsx"
        options = {
            "constant_memory": True,
            "tmpdir": folder,
            "strings_to_formulas": False,
            "strings_to_numbers": False,
            "strings_to_urls": False,
        }
        book = Workbook(str(path), options)
        try:
            _fill(book, columns, _dates(schema), pages, title)
        finally:
            book.close()
        return _pieces(path.open("rb"))


@contextmanager
def _turn() -> Iterator[None]:
    if not _workbooks.acquire(blocking=False):
        raise Problem("unavailable", retry_after=5)
    try:
        yield
    finally:
        _workbooks.release()


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _dates(schema: type[BaseModel]) -> frozenset[str]:
    """Fields that are a day: real dates in the sheet, which lists hold as text."""
    return frozenset(
        name
        for name, field in schema.model_fields.items()
        if date in (field.annotation, *get_args(field.annotation))
    )


def _fill(
    book: Any, columns: Sequence[str], dates: Collection[str], pages: Pages, title: str
) -> None:
    # Text is text: a code or a phone keeps its leading zeros also when somebody edits the cell.
    text = book.add_format({"num_format": "@"})
    day = book.add_format({"num_format": "dd/mm/yyyy", "align": "left"})
    head = book.add_format({"num_format": "@", "bold": True})
    sheet: Worksheet = book.add_worksheet(title[:31])
    sheet.freeze_panes(1, 0)
    for place, name in enumerate(columns):
        sheet.write_string(0, place, name, head)
    widths = [len(name) for name in columns]
    number = 0
    for rows in pages:
        first = not number
        for row in rows:
            number += 1
            if number >= XLSX_ROWS:
                raise invalid("too_many_rows", "/format", place="query", max=XLSX_ROWS - 1)
            for place, name in enumerate(columns):
                value = row[name]
                if value is None:
                    continue
                if name in dates and _write_day(sheet, number, place, value, day):
                    continue
                if isinstance(value, bool):
                    sheet.write_boolean(number, place, value)
                elif isinstance(value, int | float):
                    sheet.write_number(number, place, value)
                elif shown := _text(value)[:_CELL_CHARACTERS]:
                    sheet.write_string(number, place, shown, text)
                    if first:
                        widths[place] = max(widths[place], len(shown))
    for place, (name, width) in enumerate(zip(columns, widths, strict=True)):
        fitting = min(max(width, _NARROWEST), _WIDEST) + 2
        sheet.set_column(place, place, fitting, day if name in dates else text)
    sheet.autofilter(0, 0, number, len(columns) - 1)


def _write_day(sheet: Any, row: int, place: int, value: Any, format_: Any) -> bool:
    """A date Excel can count: its days begin with 1900."""
    day = date.fromisoformat(value) if isinstance(value, str) else value
    if day.year <= 1900:
        return False
    sheet.write_datetime(row, place, day, format_)
    return True


FORMS: dict[ExportFormat, Callable[[Sequence[str], Pages], Iterator[bytes]]] = {
    ExportFormat.csv: csv_text,
    ExportFormat.ndjson: ndjson,
}
