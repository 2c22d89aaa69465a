"""Files of people as answers: saved and not opened, whatever is in them."""

from typing import Any

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from app.api.http.answers import attachment
from app.api.http.conditional import matches
from app.api.http.problems import problem_response
from app.services.files.stored import Content


class FileResponse(StreamingResponse):
    """Bytes as they were kept."""

    media_type = "application/octet-stream"


FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
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


def sent(request: Request, content: Content) -> Response:
    """A file; 304 when the client has it. Behind its id its bytes never change."""
    headers = {"ETag": content.tag}
    if matches(request, content.tag):
        return Response(status_code=304, headers=headers)
    headers |= attachment(content.name)
    return FileResponse(content.chunks, 200, headers, content.media_type)
