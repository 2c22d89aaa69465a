"""Lists on the wire: keyset pages with sealed cursors, `fields`, and whole lists streamed.

`Accept: text/csv` or `application/x-ndjson` streams every page of the list, chunk by chunk.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy.engine import Connection

from app.api.answers import json_bytes
from app.api.conditional import chosen_fields
from app.api.middleware import HEAD_ONLY
from app.errors import invalid
from app.models.base import ListQuery
from app.security import Sealer

# The values of the last row that order the list; the next page starts after them.
Key = tuple[str | int | UUID, ...]
Row = tuple[Key, Mapping[str, Any]]
_NOT_FILTERS = {"cursor", "limit", "fields"}
# Rows after a key, at most so many, in the list's order.
Fetch = Callable[[Connection, Key | None, int], Sequence[Row]]

_CHUNK = 1_000
JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"
_Q = re.compile(r"[01](\.[0-9]{0,3})?")
# Not as further content types: generated clients would take every page for perhaps a text.
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One page; or, asked for with `Accept: text/csv` or `application/x-ndjson`,"
        " the whole list as a stream."
    }
}


def listing(
    request: Request, db: Connection, query: ListQuery, schema: type[BaseModel], fetch: Fetch
) -> Response:
    """A page as JSON, or the whole list as CSV or NDJSON, by what the client accepts."""
    fields = chosen_fields(query.fields, schema)
    wanted = _wanted(request.headers.get("accept", ""))
    if wanted is not None:
        columns = [name for name in schema.model_fields if fields is None or name in fields]
        # The first rows before the answer begins: a refusal is still a refusal.
        count = 1 if request.scope.get(HEAD_ONLY) else _CHUNK
        return _streamed(request, wanted, columns, fetch, fetch(db, None, count))
    cursors = Cursors(request, query)
    after = None if query.cursor is None else cursors.read(query.cursor)
    rows = fetch(db, after, query.limit + 1)
    cursor = cursors.write(rows[query.limit - 1][0]) if len(rows) > query.limit else None
    items = [row for _, row in rows[: query.limit]]
    if fields is not None:
        items = [{name: row[name] for name in row if name in fields} for row in items]
    headers = _link(request, cursor) if cursor else None
    return Response(
        json_bytes({"items": items, "next_cursor": cursor}), 200, headers, "application/json"
    )


def _wanted(accept: str) -> str | None:
    """The stream that is wanted more than JSON, which is for everyone else (RFC 9110, 12.5.1)."""
    accept = accept.lower()
    if CSV not in accept and NDJSON not in accept:
        return None
    weights = {kind: _weight(accept, kind) for kind in (JSON, CSV, NDJSON)}
    best = max(weights, key=lambda kind: weights[kind])  # the first of equals
    return None if best == JSON else best


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
        self.sealer: Sealer = request.app.state.cursors
        filters = query.model_dump(exclude=_NOT_FILTERS, exclude_defaults=True)
        self.list_name = request.scope["path"].encode() + b" " + json_bytes(filters)

    def write(self, key: Key) -> str:
        body = json_bytes([["u", value.hex] if isinstance(value, UUID) else value for value in key])
        return self.sealer.seal(body, self.list_name)

    def read(self, cursor: str) -> Key:
        try:
            body = self.sealer.open(cursor, self.list_name)
        except ValueError as error:
            raise invalid("cursor_invalid", "/cursor", place="query") from error
        return tuple(UUID(v[1]) if isinstance(v, list) else v for v in json.loads(body))


# -- whole lists


def _streamed(
    request: Request,
    media_type: str,
    columns: Sequence[str],
    fetch: Fetch,
    first: Sequence[Row],
) -> StreamingResponse:
    database = request.app.state.database

    def pages() -> Iterator[Sequence[Mapping[str, Any]]]:
        rows = first
        while rows:
            yield [row for _, row in rows]
            if len(rows) < _CHUNK:
                return
            # A connection a chunk: a slow phone never holds one between its reads.
            with database.reading() as db:
                rows = fetch(db, rows[-1][0], _CHUNK)

    name = request.url.path.rsplit("/", 1)[-1]
    if media_type == CSV:
        headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return StreamingResponse(_csv(columns, pages()), 200, headers, "text/csv; charset=utf-8")
    return StreamingResponse(_ndjson(columns, pages()), 200, None, NDJSON)


def _ndjson(
    columns: Sequence[str], pages: Iterable[Sequence[Mapping[str, Any]]]
) -> Iterator[bytes]:
    for rows in pages:
        yield b"".join(json_bytes({c: row[c] for c in columns}) + b"\n" for row in rows)


def _csv(columns: Sequence[str], pages: Iterable[Sequence[Mapping[str, Any]]]) -> Iterator[bytes]:
    # The byte order mark makes Excel read the file as UTF-8.
    yield b"\xef\xbb\xbf" + _csv_lines([columns])
    for rows in pages:
        yield _csv_lines([[_cell(row[c]) for c in columns] for row in rows])


def _csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = " ".join(value)
    # As in the JSON: nested values as JSON, instants in UTC with Z.
    text = value if isinstance(value, str) else json_bytes(value).decode().strip('"')
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
