"""Exports of whole records: asked for, made by a job, fetched as files."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.context import request_context
from app.api.http.deps import ActorDep
from app.api.http.kept_files import FileResponse, in_parts
from app.api.http.paging import STREAMED, accepted, listing
from app.api.http.pending import Pending, answer_when_over
from app.api.http.problems import problem_response
from app.api.http.ranges import ASKED, IN_PARTS
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.errors import invalid
from app.json_values import json_bytes
from app.models.exports.exports import (
    BulkExportItem,
    BulkExportPage,
    BulkExportQuery,
    BulkExportRead,
    BulkFormat,
    ExportCreate,
    ExportState,
)
from app.security.sealing import Sealer
from app.services.exports import orders
from app.services.exports.writing import FILE_TYPES
from app.services.kernel.access import Actor, Db

router = Router(prefix="/v1/exports", tags=["exports"])
ExportPath = Annotated[UUID, Path(description="Id of the export.")]
NamePath = Annotated[str, Path(description="Name of the file in the manifest.", max_length=60)]
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}}
            for media_type in FILE_TYPES.values()
        },
    },
    410: problem_response(),
    **IN_PARTS,
}
_SEE_FILE: dict[int | str, dict[str, Any]] = {
    303: {
        "description": "It is ready and has one file, and the type of the file is accepted rather than"
        " JSON: `Location` is the file.",
        "headers": {"Location": {"schema": {"type": "string"}}},
    }
}


@router.post(
    "",
    status_code=202,
    response_model=BulkExportRead,
    responses={
        200: {"model": BulkExportRead, "description": "It is ready."},
        **_SEE_FILE,
        429: problem_response(),
    },
)
def create_export(
    session: Session, actor: ActorDep, request: Request, body: ExportCreate
) -> Response:
    """Have all records of some kinds written into files, as they are at one moment: those that lists
    show me, with the same fields masked. `Location` is the manifest; the files are kept for 24 hours.
    `Prefer: wait=60` answers when it is ready; with `Accept: application/x-ndjson`, or the type of another
    format, it leads to the file of one kind at once.
    """
    wanted = accepted(request, FILE_TYPES)
    if wanted is not None:
        if body.since is not None or len({*body.kinds}) != 1:
            raise invalid("one_kind_a_file", "/kinds")
        if "format" not in body.model_fields_set:
            body.format = wanted
    sealer = server_of(request).cursors
    export_id = orders.ask(session, actor, body, sealer)
    return _answered(session, actor, export_id, 202, sealer, wanted)


def _answered(
    db: Db,
    actor: Actor,
    export_id: UUID,
    status: int,
    sealer: Sealer,
    wanted: BulkFormat | None,
) -> Response:
    def shown(db: Db, actor: Actor) -> Response:
        language = request_context.get().language
        item = orders.manifest_of(db, actor, export_id, language, sealer)
        files = item["files"] if item["state"] is ExportState.ready else []
        if wanted is not None and len(files) == 1:
            return Response(None, 303, {"Location": files[0]["path"]})
        body = BulkExportRead.model_validate(item).model_dump()
        making = status == 202 and item["ready_at"] is None
        headers = {"Location": f"/v1/exports/{export_id}"} if status == 202 else None
        return Response(json_bytes(body), 202 if making else 200, headers, "application/json")

    now = shown(db, actor)
    pending = Pending(now.body, now.status_code, dict(now.headers))
    job_id = orders.find_own(db, export_id, actor.account_id).job_id
    return answer_when_over(actor, job_id, pending, shown)


@router.get("", response_model=BulkExportPage, responses=STREAMED)
def list_own_exports(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[BulkExportQuery, Query()]
) -> Response:
    """Exports that I have asked for, the newest first."""
    return listing(request, db, query, BulkExportItem, orders.list_own(actor))


@router.get("/{export_id}", response_model=BulkExportRead, responses=_SEE_FILE)
def get_export(
    db: Connection, actor: ActorDep, request: Request, export_id: ExportPath
) -> Response:
    """The manifest of an export of mine. `Prefer: wait=60` answers when it is ready. Who accepts the type of
    its one file rather than JSON is led there."""
    wanted = accepted(request, FILE_TYPES)
    return _answered(db, actor, export_id, 200, server_of(request).cursors, wanted)


@router.get(
    "/{export_id}/files/{name}",
    response_class=FileResponse,
    responses=_FILE,
    head=True,
    openapi_extra=ASKED,
)
def get_export_file(
    db: Connection, actor: ActorDep, request: Request, export_id: ExportPath, name: NamePath
) -> Response:
    """A file of an export of mine. A download that was broken off goes on with `Range` and, in
    `If-Range`, its ETag. 410 when its time is over, or my rights are others than those it was made with:
    have another one made."""
    file = orders.file_of(db, actor, export_id, name)
    return in_parts(request, orders.content_of(db, file, name))
