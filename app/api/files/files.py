"""Files: sent by the protocol tus 1.0 (core, creation, expiration, termination), read as they are."""

from contextlib import suppress
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session
from starlette.requests import ClientDisconnect

from app.api.http import tus
from app.api.http.bodies import dropped
from app.api.http.context import origin
from app.api.http.deps import ActorDep
from app.api.http.endpoints import in_thread
from app.api.http.kept_files import FILE, FileResponse, sent
from app.api.http.problems import problem_response
from app.api.http.ranges import ASKED
from app.api.http.routing import Responses, Router
from app.api.http.server import server_of
from app.api.http.threads import Threads
from app.config import Settings
from app.db import Database
from app.errors import Problem, invalid
from app.json_values import json_bytes
from app.models.files.files import FileKind, FileQuery, FileRead
from app.services.files import arriving, stored, uploads
from app.services.files.arriving import Arriving
from app.services.kernel.access import Actor
from app.services.kernel.changes import Origin

router = Router(prefix="/v1/files", tags=["files"])
public = Router(prefix="/v1/files", tags=["files"], public=True)
FilePath = Annotated[UUID, Path(description="Id of the file.")]
# So much of a body is in memory at a time.
_BLOCK: Final = 256 * 1024
# Whole files are looked at one by one: a picture of 50 million pixels takes 200 MB while it is
# decoded, and some seconds, in which the endpoints have all their threads.
_looking = Threads(1, "files")


def _header(name: str, text: str, *, required: bool = False) -> dict[str, Any]:
    kind = "integer" if name in ("Upload-Length", "Upload-Offset") else "string"
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": text,
        "schema": {"type": kind},
    }


_VERSION = _header("Tus-Resumable", "1.0.0, which is also what is taken for granted.")
_CREATION: Final[dict[str, Any]] = {
    "parameters": [
        _VERSION,
        _header("Upload-Length", "Bytes of the whole file.", required=True),
        _header(
            "Upload-Metadata",
            "Pairs of a name and a value in Base64, with commas between them: `kind`"
            f" ({' or '.join(FileKind)}), and `filetype`, the media type if the client knows it."
            " A file whose content is of another type is refused. Other names are ignored: what"
            " a file is called often names a person, and is not kept.",
            required=True,
        ),
    ]
}
_PIECE: Final[dict[str, Any]] = {
    "parameters": [
        _VERSION,
        _header("Upload-Offset", "Where the piece begins: what has arrived.", required=True),
    ],
    "requestBody": {
        "required": True,
        "content": {tus.OFFSET_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    },
}
_REFUSALS: Final[Responses] = {status: problem_response() for status in (410, 412)}


def _answers(status: int, headers: dict[str, Any]) -> Responses:
    return {status: {"headers": headers}, 412: problem_response()}


def _most_bytes(settings: Settings) -> int:
    return max(settings.picture_max_bytes, settings.document_max_bytes)


@public.options("", status_code=204)
def describe_uploads(request: Request) -> Response:
    """What the server knows of tus: its version, its extensions, the largest file."""
    most = _most_bytes(server_of(request).settings)
    return Response(
        status_code=204,
        headers={
            "Tus-Resumable": tus.VERSION,
            "Tus-Version": tus.VERSION,
            "Tus-Extension": tus.EXTENSIONS,
            "Tus-Max-Size": str(most),
        },
    )


@router.post(
    "",
    status_code=201,
    response_model=FileRead,
    responses=_answers(201, tus.LOCATED),
    openapi_extra=_CREATION,
)
def create_file(session: Session, actor: ActorDep, request: Request) -> Response:
    """Announce a file; its bytes follow by PATCH to the `Location`.

    One of no bytes is whole at once. What is sent and put into no record is deleted after 7 days.
    """
    with tus.spoken(request):
        length = tus.number(request, "Upload-Length")
        told = tus.metadata(request)
        item = uploads.begin(session, actor, _kind(told), length, _stated(told))
    headers = tus.answered(item) | {"Location": f"/v1/files/{item['id']}"}
    return Response(json_bytes(item), 201, headers, "application/json")


def _kind(told: dict[str, str]) -> FileKind:
    kind = told.get("kind")
    if kind is None:
        raise invalid("required", "/upload-metadata/kind", place="header", allowed=[*FileKind])
    if kind not in [*FileKind]:
        raise invalid("not_in_list", "/upload-metadata/kind", place="header", allowed=[*FileKind])
    return FileKind(kind)


def _stated(told: dict[str, str]) -> str | None:
    stated = told.get("filetype") or None
    if stated is not None and not (len(stated) <= 100 and stated.isprintable()):
        raise invalid("wrong_format", "/upload-metadata/filetype", place="header")
    return stated


@router.get(
    "/{file_id}",
    response_model=FileRead,
    responses=_answers(200, tus.DESCRIBED) | _REFUSALS,
    head=True,
)
def get_file(db: Connection, actor: ActorDep, request: Request, file_id: FilePath) -> Response:
    """A file that I have sent: how much of it has arrived, and what became of it. HEAD answers with
    `Upload-Offset`, from where the next piece goes on."""
    with tus.spoken(request):
        item = uploads.find(db, actor, file_id)
    return Response(json_bytes(item), 200, tus.answered(item), "application/json")


@router.patch(
    "/{file_id}",
    status_code=204,
    if_match=False,
    most_bytes=_most_bytes,
    responses=_answers(204, tus.DESCRIBED) | _REFUSALS,
    openapi_extra=_PIECE,
)
async def append_to_file(
    database: Database, actor: ActorDep, request: Request, file_id: FilePath
) -> Response:
    """Send a piece, from the offset that is due: else 409 with the right one.

    Of a body that breaks off, what has arrived is kept. Of two at a time at one offset one wins. The
    piece with which the file is whole is answered when its content was looked at: 422 when it is
    not what it should be. That piece again, or a piece of nothing, changes nothing.
    """
    with tus.spoken(request):
        try:
            piece = await _due(database, actor, request, file_id)
        except Problem as problem:
            # Whoever is still sending would see a broken connection, and not the answer.
            if not await dropped(request):
                problem.headers["Connection"] = "close"
            raise
        await _receive(request, piece)
        await _finish(piece, origin(actor))
        item = await in_thread(lambda: _found(database, actor, file_id))
    return Response(status_code=204, headers=tus.answered(item))


async def _due(database: Database, actor: Actor, request: Request, file_id: UUID) -> Arriving:
    offset = tus.number(request, "Upload-Offset")
    if request.headers.get("content-type", "").partition(";")[0].strip() != tus.OFFSET_TYPE:
        raise Problem("unsupported_media_type", expected=tus.OFFSET_TYPE)
    return await in_thread(lambda: arriving.begin(database, actor, file_id, offset))


async def _receive(request: Request, piece: Arriving) -> None:
    """The body, block by block; the client may be gone before its end."""
    waiting = bytearray()
    try:
        with suppress(ClientDisconnect):
            async for data in request.stream():
                waiting += data
                if len(waiting) >= _BLOCK:
                    await _write(piece, waiting)
        await _write(piece, waiting)
    except BaseException:
        piece.drop()
        raise


async def _finish(piece: Arriving, author: Origin) -> None:
    if piece.is_last:
        await in_thread(lambda: piece.done(author), _looking)
    else:
        await in_thread(lambda: piece.done(author))


async def _write(piece: Arriving, waiting: bytearray) -> None:
    data = bytes(waiting)
    waiting.clear()
    if data:
        await in_thread(lambda: piece.write(data))


def _found(database: Database, actor: Actor, file_id: UUID) -> dict[str, Any]:
    with database.reading() as db:
        return uploads.find(db, actor, file_id)


@router.delete("/{file_id}", status_code=204, responses=_REFUSALS)
def delete_file(session: Session, actor: ActorDep, request: Request, file_id: FilePath) -> Response:
    """Give up a file that I have sent, whole or in part, while nothing has it."""
    with tus.spoken(request):
        uploads.end(session, actor, file_id)
    return Response(status_code=204, headers={"Tus-Resumable": tus.VERSION})


@router.get(
    "/{file_id}/content",
    response_class=FileResponse,
    responses=FILE,
    head=True,
    openapi_extra=ASKED,
)
def get_file_content(
    db: Connection,
    actor: ActorDep,
    request: Request,
    file_id: FilePath,
    query: Annotated[FileQuery, Query()],
) -> Response:
    """The bytes of a file that I have sent, until something has it: then it is read there."""
    return sent(request, stored.of_sender(db, actor, file_id, query.size))
