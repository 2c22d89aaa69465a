"""Rows of a kind as a file, in the formats of lists."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel

from app.db import Database
from app.models.base import Headings
from app.models.exports.exports import BulkFormat
from app.services.kernel import list_files
from app.services.kernel.headings import headings_of, with_unit_names
from app.services.kernel.unit_names import UnitNames

Rows = Sequence[Mapping[str, Any]]


class WrittenRows:
    """How the rows of a schema are written; `columns` are those of the file."""

    def __init__(
        self, database: Database, schema: type[BaseModel], columns: Sequence[str], order: Any
    ) -> None:
        self._database = database
        self._schema = schema
        self._format = order.format
        is_table = order.format in (BulkFormat.csv, BulkFormat.xlsx)
        self._for_people = is_table and order.headings == Headings.vi
        self.columns = with_unit_names(schema, columns) if self._for_people else list(columns)

    def write_to(
        self, write_piece: Callable[[bytes], None], pages: Iterator[Rows], *, title: str
    ) -> None:
        """The file, a page of rows in memory at a time."""
        if self._format == BulkFormat.parquet:
            # 10 MB of memory.
            from app.services.exports import parquet

            parquet.write(write_piece, self.columns, self._schema, pages)
            return
        for piece in self._pieces(pages, title):
            write_piece(piece)

    def _pieces(self, pages: Iterator[Rows], title: str) -> Iterator[bytes]:
        columns = headings = self.columns
        if self._format == BulkFormat.ndjson:
            return list_files.ndjson(columns, pages)
        if self._for_people:
            headings = headings_of(self._schema, columns)
            pages = map(UnitNames(self._database, columns).beside, pages)
        if self._format == BulkFormat.csv:
            return list_files.csv_text(columns, headings, pages)
        return list_files.xlsx(columns, headings, pages, self._schema, title)


FILE_TYPES: Final[Mapping[BulkFormat, str]] = {
    BulkFormat.parquet: "application/vnd.apache.parquet",
    **{BulkFormat(form.value): list_files.MEDIA_TYPES[form] for form in list_files.MEDIA_TYPES},
}
