"""Bulk upsert: another system pushes records as lines of JSON and reads a verdict for each."""

import zlib
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.engine import Connection
from starlette.requests import ClientDisconnect

from app.api.http.context import origin, request_context
from app.api.http.deps import ActorDep
from app.api.http.endpoints import in_thread
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.api.http.threads import Threads
from app.config import Settings
from app.db import Database
from app.errors import Problem, not_found
from app.models.imports.bulk import BulkChunk, BulkQuery
from app.models.imports.imports import ImportKind
from app.services.imports import bulk, bulk_sets, verdicts
from app.services.imports.bulk import Bulk
from app.services.imports.bulk_lines import Unpacked

router = Router(prefix="/v1/bulk", tags=["bulk"])
KindPath = Annotated[ImportKind, Path(description="What the lines are of.")]
_NDJSON: Final = "application/x-ndjson"
_TYPES: Final = (_NDJSON, "application/ndjson", "application/jsonl", "application/octet-stream")
_MOST_BYTES: Final = 2 * 1024**3
# Sets of a thousand lines are planned for half a second, in which the endpoints have all their threads.
_working = Threads(2, "bulk")


class Verdicts(StreamingResponse):
    """A verdict a line, and in the last line their sum."""

    media_type = _NDJSON


_LINES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "NDJSON. Of each line, in order: `line`, `verdict` (created, updated, unchanged, needs_decision,"
        " refused, skipped), `id`, `revision`, `warnings` and `problems` (each `field`, `code`, `reason`,"
        " `hint`, `value`), `candidates` (`id`, `score`, `unit_id`). The last line: `done`, `import_id`,"
        " `batch`, `chunk`, `lines` and the count of each verdict.",
        "content": {_NDJSON: {"schema": {"type": "string", "format": "binary"}}},
    }
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {_NDJSON: {"schema": {"type": "string", "format": "binary"}}},
    }
}


def _most_bytes(_: Settings) -> int:
    return _MOST_BYTES


@router.post(
    "/{kind}",
    response_class=Verdicts,
    responses=_LINES,
    openapi_extra=_BODY,
    most_bytes=_most_bytes,
    takes_gzip=True,
)
async def bulk_upsert(
    database: Database,
    actor: ActorDep,
    request: Request,
    kind: KindPath,
    query: Annotated[BulkQuery, Query()],
) -> Response:
    """Send records, one JSON object a line (NDJSON, `Content-Encoding: gzip` if you like), and get a
    verdict for each: created, updated, unchanged, needs_decision, refused.

    A line names its record by `external_id` (`system|value`) or by our `id`; without either the rules for
    duplicates decide. Its fields are those of import files; what it does not say stays as it is. Lines
    are written in sets of some thousands, each with its verdicts or not at all. With `batch` and
    `chunk` a request that was cut is simply sent again: what is done is not done twice. The batch is an
    import: `POST /v1/imports/{import_id}/undo` takes it back.
    """
    _ensure_lines(request)
    language = request_context.get().language
    begin = partial(bulk.begin, database, actor, kind, query, origin(actor), language)
    work = await in_thread(begin, _working)
    await _receive(request, work)
    if work.import_id is None:
        return Verdicts(_tried(work, query), media_type=_NDJSON)
    return Verdicts(
        bulk_sets.answer(database, work.import_id, query.chunk),
        headers={"Location": f"/v1/imports/{work.import_id}"},
        media_type=_NDJSON,
    )


def _ensure_lines(request: Request) -> None:
    media_type = request.headers.get("content-type", _NDJSON).partition(";")[0].strip().lower()
    if media_type not in _TYPES:
        raise Problem("unsupported_media_type", expected=_NDJSON)


async def _receive(request: Request, work: Bulk) -> None:
    """The body, set by set. One that breaks off leaves the sets that were whole."""
    unpacked = Unpacked() if _is_packed(request) else None
    try:
        async for data in request.stream():
            for piece in [data] if unpacked is None else unpacked.feed(data):
                for lines in work.cut(piece):
                    await in_thread(partial(work.take, lines), _working)
    except ClientDisconnect:
        raise Problem("bulk_body_cut") from None
    if unpacked is not None:
        unpacked.end()
    await in_thread(partial(work.take, work.rest(), is_last=True), _working)


def _is_packed(request: Request) -> bool:
    return request.headers.get("content-encoding", "").strip().lower() == "gzip"


def _tried(work: Bulk, query: BulkQuery) -> Iterator[bytes]:
    unzip = zlib.decompressobj()
    packed = work.dry.bytes()
    while packed:
        yield unzip.decompress(packed, 256 * 1024)
        packed = unzip.unconsumed_tail
    yield unzip.flush()
    counted = work.dry.counted
    yield verdicts.summary(
        {
            "done": True,
            "import_id": None,
            "batch": query.batch,
            "chunk": query.chunk,
            "lines": sum(counted.values()),
            **counted,
        }
    )


@router.get("/{kind}", response_class=Verdicts, responses=_LINES)
def get_bulk_verdicts(
    db: Connection,
    actor: ActorDep,
    request: Request,
    kind: KindPath,
    query: Annotated[BulkChunk, Query()],
) -> Response:
    """The verdicts that a chunk of my batch got, when its answer was lost. `done` in the last line is
    false where the chunk broke off: send it again."""
    import_id: UUID | None = bulk.find(db, actor, kind, query.batch)
    if import_id is None or not bulk_sets.of_chunk(db, import_id, query.chunk):
        raise not_found()
    bulk_sets.ensure_kept(db, import_id)
    database = server_of(request).database
    return Verdicts(bulk_sets.answer(database, import_id, query.chunk), media_type=_NDJSON)
