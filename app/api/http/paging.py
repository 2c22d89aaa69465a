"""Lists on the wire: keyset pages with sealed cursors, `fields`, and whole lists as files.

`Accept` (`text/csv`, `application/x-ndjson`, the type of .xlsx) or `format=` gives every page of
the list as one file, and each of them is written down (`services/kernel/export_log`).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy.engine import Connection

from app.api.http.answers import attachment
from app.api.http.conditional import chosen_fields
from app.api.http.context import request_context
from app.api.http.middleware import HEAD_ONLY
from app.api.http.noting import note, will_show
from app.api.http.server import server_of
from app.clock import local_today
from app.errors import invalid
from app.json_values import json_bytes
from app.models.base import Filed, Headings, ListFormat, ListQuery
from app.models.kernel.access_log import ReadHow
from app.models.kernel.export_log import ExportFormat
from app.services.kernel import export_log, list_files
from app.services.kernel.headings import headings_of, with_unit_names
from app.services.kernel.keyset import Entry, Key, Pages, in_memory
from app.services.kernel.list_files import MEDIA_TYPES
from app.services.kernel.shown import shown
from app.services.kernel.unit_names import UnitNames

_NOT_FILTERS = {"cursor", "limit", "fields", "format", "headings"}
_CHUNK = 500
JSON = "application/json"
Form = TypeVar("Form", bound=StrEnum)
_Q = re.compile(r"[01](\.[0-9]{0,3})?")
# Not as further content types: generated clients would take every page for perhaps a text.
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One page; or, asked for with `format` or by `Accept` (`text/csv`,"
        " `application/x-ndjson`, the type of .xlsx), the whole list as a file."
    }
}


def listing(
    request: Request,
    db: Connection,
    query: ListQuery,
    schema: type[BaseModel],
    pages: Pages,
    *,
    beside: Mapping[str, Any] | None = None,
) -> Response:
    """A page as JSON, or the whole list as a file, as the client asks. `beside` are further members
    of a page."""
    fields = chosen_fields(query.fields, schema)
    wanted = _wanted(request, query)
    if wanted is not None:
        columns = [name for name in schema.model_fields if fields is None or name in fields]
        return _Export(request, query, schema, columns, pages).answer(db, wanted)
    cursors = Cursors(request, query)
    after = None if query.cursor is None else cursors.read(query.cursor)
    entries = pages(db, after, query.limit + 1)
    cursor = cursors.write(entries[query.limit - 1][0]) if len(entries) > query.limit else None
    items = [item for _, item in entries[: query.limit]]
    will_show(schema, items, ReadHow.list, chosen=fields, query=query)
    if fields is not None:
        items = [{name: item[name] for name in item if name in fields} for item in items]
    headers = _link(request, cursor) if cursor else None
    page = {"next_cursor": cursor, **(beside or {}), "items": items}
    return Response(json_bytes(page), 200, headers, JSON)


def figures(
    request: Request,
    db: Connection,
    query: Filed,
    computed: BaseModel,
    schema: type[BaseModel],
    rows: Iterable[Mapping[str, Any]],
) -> Response:
    """Figures as JSON, or their rows as a file, as the client asks."""
    wanted = _wanted(request, query)
    if wanted is None:
        return Response(computed.model_dump_json(), 200, media_type=JSON)
    pages = in_memory(((number,), row) for number, row in enumerate(rows))
    return _Export(request, query, schema, [*schema.model_fields], pages).answer(db, wanted)


def is_file(request: Request, query: Filed) -> bool:
    """Whether the whole list is to leave as a file."""
    return _wanted(request, query) is not None


def _wanted(request: Request, query: Filed) -> ExportFormat | None:
    """The file that is asked for, or wanted more than JSON, which is for everyone else
    (RFC 9110, 12.5.1)."""
    if query.format is not None:
        return None if query.format is ListFormat.json else ExportFormat(query.format)
    return accepted(request, MEDIA_TYPES)


def accepted(request: Request, types: Mapping[Form, str]) -> Form | None:
    """The one of these formats that is accepted rather than JSON; None where JSON is as good."""
    accept = request.headers.get("accept", "").lower()
    if not any(media_type in accept for media_type in types.values()):
        return None
    weights: dict[Form | None, float] = {None: _weight(accept, JSON)}
    weights |= {form: _weight(accept, media_type) for form, media_type in types.items()}
    return max(weights, key=lambda form: weights[form])  # the first of equals


def _weight(accept: str, media_type: str) -> float:
    """The q of the range that names a type most closely. A stream is asked for by its own name."""
    ranges = [media_type]
    if media_type == JSON:
        ranges += ["application/*", "*/*"]
    given: dict[str, float] = {}
    for part in accept.split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        given[name] = min(map(_q, parameters), default=1.0)
    return next((given[name] for name in ranges if name in given), 0.0)


def _q(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    return float(value) if name == "q" and _Q.fullmatch(value) else 1.0


def _link(request: Request, cursor: str) -> dict[str, str]:
    sent = request.scope["query_string"].decode("latin-1")
    others = [
        part.replace(">", "%3E")
        for part in sent.split("&")
        if part and not part.startswith("cursor=")
    ]
    target = f"{request.scope['path']}?{'&'.join([*others, f'cursor={cursor}'])}"
    return {"Link": f'<{target}>; rel="next"'}


class Cursors:
    """Places in one list: sealed, because they hold the name of a person and travel in addresses,
    and good for the same path and filters only."""

    def __init__(self, request: Request, query: ListQuery) -> None:
        self.sealer = server_of(request).cursors
        filters = query.model_dump(exclude=_NOT_FILTERS, exclude_defaults=True)
        self.list_name = request.scope["path"].encode() + b" " + json_bytes(filters)

    def write(self, key: Key) -> str:
        body = json_bytes([_packed(value) for value in key])
        return self.sealer.seal(body, self.list_name)

    def read(self, cursor: str) -> Key:
        try:
            body = self.sealer.open(cursor, self.list_name)
        except ValueError as error:
            raise invalid("cursor_invalid", "/cursor", place="query") from error
        return tuple(map(_unpacked, json.loads(body)))


# What JSON has no type for goes as (a mark, text). An instant is a date too: it comes first.
_MARKS: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "u": (UUID, str, UUID),
    "t": (datetime, datetime.isoformat, datetime.fromisoformat),
    "d": (date, date.isoformat, date.fromisoformat),
}


def _packed(value: Any) -> Any:
    for mark, (type_, text, _) in _MARKS.items():
        if isinstance(value, type_):
            return [mark, text(value)]
    return value


def _unpacked(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    mark, text = value
    _, _, read = _MARKS[mark]
    return read(text)


# -- whole lists


class _Export:
    """One list written to the response as a file."""

    def __init__(
        self,
        request: Request,
        query: Filed,
        schema: type[BaseModel],
        columns: Sequence[str],
        pages: Pages,
    ) -> None:
        self.request = request
        self.query = query
        self.schema = schema
        self.columns = columns
        self.pages = pages
        self.database = server_of(request).database
        self.rows = 0
        # The parts of the path that are names: /v1/units/7/children is "units-children".
        parts = request.scope["path"].split("/")[2:]
        self.name = "-".join(part for part in parts if part.replace("-", "").isalpha())

    def answer(self, db: Connection, form: ExportFormat) -> Response:
        media_type = MEDIA_TYPES[form]
        if form is ExportFormat.csv:
            media_type += "; charset=utf-8"
        headers = attachment(f"{self.name}-{local_today().isoformat()}.{form.value}")
        # The first rows before the answer begins: a refusal is still a refusal.
        if self.request.scope.get(HEAD_ONLY):
            self.pages(db, None, 1)
            return StreamingResponse(iter(()), 200, headers, media_type)
        first = self.pages(db, None, _CHUNK)
        export_id = self._written_down(form)
        body = self._ended(export_id, self._body(form, first))
        return StreamingResponse(body, 200, headers, media_type)

    def _written_down(self, form: ExportFormat) -> UUID:
        context = request_context.get()
        assert context.actor is not None  # noqa: S101  # no list is public
        return export_log.begin(
            self.database,
            context.actor,
            request_id=context.request_id,
            path=self.request.scope["path"],
            filters=self.query.model_dump(mode="json", exclude=_NOT_FILTERS, exclude_defaults=True),
            fields=self.columns,
            format_=form,
        )

    def _body(self, form: ExportFormat, first: Sequence[Entry]) -> Iterator[bytes]:
        chunks = self._chunks(first)
        if form is ExportFormat.ndjson:
            return list_files.ndjson(self.columns, chunks)
        columns = headings = self.columns
        if self.query.headings is Headings.vi:
            columns = with_unit_names(self.schema, self.columns)
            headings = headings_of(self.schema, columns)
            chunks = map(UnitNames(self.database, columns).beside, chunks)
        if form is ExportFormat.csv:
            return list_files.csv_text(columns, headings, chunks)
        return list_files.xlsx(columns, headings, chunks, self.schema, self.name)

    def _ended(self, export_id: UUID, body: Iterator[bytes]) -> Iterator[bytes]:
        """The file; when all of it has gone out, that is written down too."""
        yield from body
        export_log.finish(self.database, export_id, self.rows)

    def _note(self, items: Sequence[Mapping[str, Any]]) -> None:
        how, query = ReadHow.export, self.query
        note(self.request, shown(self.schema, items, how, chosen=self.columns, query=query))

    def _chunks(self, first: Sequence[Entry]) -> Iterator[Sequence[Mapping[str, Any]]]:
        entries = first
        while entries:
            items = [item for _, item in entries]
            self._note(items)
            self.rows += len(items)
            yield items
            if len(entries) < _CHUNK:
                return
            entries = self._after(entries[-1][0])

    def _after(self, key: Key) -> Sequence[Entry]:
        """A connection a chunk: a slow phone never holds one between its reads."""
        return self.database.read_apart(lambda db: self.pages(db, key, _CHUNK))
