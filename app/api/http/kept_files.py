"""Files of people as answers: saved and not opened, whatever is in them."""

from typing import Any, Final

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from app.api.http.answers import attachment
from app.api.http.conditional import matches
from app.api.http.middleware import HEAD_ONLY
from app.api.http.noting import will_show
from app.api.http.problems import problem_response
from app.api.http.ranges import ACCEPTED, IN_PARTS, part_asked
from app.json_values import json_bytes
from app.models.files.files import FileLinkCreate, FileShown
from app.models.kernel.access_log import ReadHow
from app.services.files import links
from app.services.files.stored import Content
from app.services.kernel.access import Db


class FileResponse(StreamingResponse):
    """Bytes as they were kept."""

    media_type = "application/octet-stream"


_BYTES: Final = {
    media_type: {"schema": {"type": "string", "format": "binary"}}
    for media_type in ("application/octet-stream", "image/jpeg", "application/pdf", "text/plain")
}


def _header(text: str, kind: str = "string") -> dict[str, Any]:
    return {"description": text, "schema": {"type": kind}}


_HEADERS: Final = {
    "ETag": _header("Of these bytes, which never change behind the id of the file."),
    "Content-Length": _header(
        "Bytes of the answer: a file is not compressed on its way.", "integer"
    ),
    "Accept-Ranges": _header("`bytes`: a part may be asked for."),
}
FILE: Final[dict[int | str, dict[str, Any]]] = {
    **IN_PARTS,
    200: {"description": "The file.", "headers": _HEADERS, "content": _BYTES},
    206: IN_PARTS[206] | {"content": _BYTES},
    410: problem_response(),
}


def linked(db: Db, content: Content, body: FileLinkCreate) -> Response:
    """A link to a file that the caller may read; no cache keeps it."""
    content.read(0)  # nobody is given a link to what is lost
    _show(content)
    secret, until = links.made(db, content, body.size, body.seconds)
    item = {"path": f"/v1/file-links/{secret}", "expires_at": until}
    return Response(json_bytes(item), 201, {"Cache-Control": "no-store"}, "application/json")


def sent(request: Request, content: Content) -> Response:
    """A file, or the part of it that is asked for; it is noted who was shown it."""
    answer = in_parts(request, content)
    if isinstance(answer, FileResponse):
        _show(content)
    return answer


def in_parts(request: Request, content: Content) -> Response:
    """A file, or the part of it that is asked for; 304 when the client has it. Behind its id its bytes
    never change."""
    headers = ACCEPTED | {"ETag": content.tag}
    if matches(request, content.tag):
        return Response(status_code=304, headers=headers)
    part = part_asked(request, content.tag, content.size)
    chunks = content.read(0 if part is None else part.start)
    status, length = 200, content.size
    if part is not None:
        status, length, chunks = 206, part.end - part.start, part.of(chunks)
        headers |= part.headers
    headers |= attachment(content.name) | {"Content-Length": str(length)}
    if request.scope.get(HEAD_ONLY):
        return Response(None, status, headers, content.media_type)
    return FileResponse(chunks, status, headers, content.media_type)


def _show(content: Content) -> None:
    """It is noted who was shown a picture of whom; of a link, who made it."""
    if content.used_by is not None:
        row = {"entity": content.used_as, "id": content.used_by, "content": content.tag}
        will_show(FileShown, [row], ReadHow.detail)
