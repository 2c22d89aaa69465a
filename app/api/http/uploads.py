"""Files that clients send: a raw body, or one file of a form; whole in memory, never on disk."""

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.errors import invalid, malformed

_NAME = re.compile(
    r"filename\*=(?:UTF-8'[^']*')?([^;]+)|filename=\"([^\"]*)\"|filename=([^;\s]+)", re.IGNORECASE
)
_MOST_NAME = 200


@dataclass(frozen=True, slots=True)
class Upload:
    """A file; `name` is what the client calls it, without folders, if it says."""

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
    # Headers come as Latin-1, and clients write UTF-8 (`curl -H`).
    raw = disposition.encode("latin-1", "replace")
    found = _NAME.search(raw.decode("utf-8", "replace"))
    if found is None:
        return None
    return _clean(unquote(next(part for part in found.groups() if part is not None)))


def _clean(name: str) -> str | None:
    """The last part of a path, as Windows and others write it, without what does not print."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in last if c.isprintable()).strip()[:_MOST_NAME] or None


UploadDep = Annotated[Upload, Depends(uploaded)]
