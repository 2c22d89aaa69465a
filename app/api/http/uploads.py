"""Files that clients send: a raw body, or one file of a form; whole in memory, never on disk."""

import re
from dataclasses import dataclass
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Annotated, Any, Final
from urllib.parse import unquote

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.errors import invalid, malformed

_MOST_NAME = 200
_BINARY = {"type": "string", "format": "binary"}
# The contract of a body that is a file: the file itself under any content type, or a form.
FILE_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": _BINARY},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": _BINARY},
                }
            },
        },
    }
}


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file; `name` is the client's file name without folders, if it sent one."""

    name: str | None
    content: bytes


async def uploaded(request: Request) -> Upload:
    """The file in a request. The body was limited by the middleware."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        name = _named(request.headers.get("content-disposition", ""))
        return Upload(name, await request.body())
    body = await request.body()
    parser = MultiPartParser(request.headers, request.stream(), max_files=1, max_fields=10)
    parser.spool_max_size = len(body) + 1
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        reason = getattr(error, "message", "multipart/form-data")
        raise malformed(reason) from error
    try:
        files = [value for value in form.values() if isinstance(value, UploadFile)]
        if not files:
            raise invalid("required", "/file")
        return Upload(_clean(files[0].filename or ""), await files[0].read())
    finally:
        await form.close()


def _named(disposition: str) -> str | None:
    # Headers come as Latin-1, and clients write UTF-8 (`curl -H`). The parser of python-multipart
    # knows forms, in which `filename*` (RFC 8187) has no place; the one of e-mail knows it.
    raw = disposition.encode("latin-1", "replace").decode("utf-8", "replace")
    message = Message()
    message["content-disposition"] = raw
    given = message.get_param("filename", header="content-disposition")
    if given is None:
        return None
    return _clean(unquote(given) if isinstance(given, str) else collapse_rfc2231_value(given))


def _clean(name: str) -> str | None:
    """The last part of a path, as Windows and others write it, without what does not print."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in last if c.isprintable()).strip()[:_MOST_NAME] or None


UploadDep = Annotated[Upload, Depends(uploaded)]
