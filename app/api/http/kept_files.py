"""Files of people as answers: saved and not opened, whatever is in them."""

from typing import Any

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from app.api.http.answers import attachment
from app.api.http.conditional import matches
from app.api.http.middleware import HEAD_ONLY
from app.api.http.noting import will_show
from app.api.http.problems import problem_response
from app.json_values import json_bytes
from app.models.files.files import FileLinkCreate, FileShown
from app.models.kernel.access_log import ReadHow
from app.services.files import links
from app.services.files.stored import Content
from app.services.kernel.access import Db


class FileResponse(StreamingResponse):
    """Bytes as they were kept."""

    media_type = "application/octet-stream"


FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "headers": {
            "ETag": {
                "description": "Of these bytes, which never change behind the id of the file.",
                "schema": {"type": "string"},
            },
            "Content-Length": {
                "description": "Bytes of the file, where it is not compressed on its way.",
                "schema": {"type": "integer"},
            },
        },
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}}
            for media_type in (
                "application/octet-stream",
                "image/jpeg",
                "application/pdf",
                "text/plain",
            )
        },
    },
    410: problem_response(),
}


def linked(db: Db, content: Content, body: FileLinkCreate) -> Response:
    """A link to a file that the caller may read; no cache keeps it."""
    _show(content)
    secret, until = links.made(db, content, body.size, body.seconds)
    item = {"path": f"/v1/file-links/{secret}", "expires_at": until}
    return Response(json_bytes(item), 201, {"Cache-Control": "no-store"}, "application/json")


def sent(request: Request, content: Content) -> Response:
    """A file; 304 when the client has it. Behind its id its bytes never change."""
    headers = {"ETag": content.tag}
    if matches(request, content.tag):
        return Response(status_code=304, headers=headers)
    headers |= attachment(content.name) | {"Content-Length": str(content.size)}
    if request.scope.get(HEAD_ONLY):
        return Response(None, 200, headers, content.media_type)
    _show(content)
    return FileResponse(content.chunks, 200, headers, content.media_type)


def _show(content: Content) -> None:
    """It is noted who was shown a picture of whom; of a link, who made it."""
    if content.used_by is not None:
        row = {"entity": content.used_as, "id": content.used_by, "content": content.tag}
        will_show(FileShown, [row], ReadHow.detail)
