"""Files in parts (RFC 9110, 14): a download that was broken off goes on where it stood."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request

from app.api.http.middleware import HEAD_ONLY
from app.api.http.problems import problem_response
from app.errors import Problem

_BYTES: Final = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))")
ACCEPTED: Final = {"Accept-Ranges": "bytes"}
_CONTENT_RANGE: Final[dict[str, Any]] = {
    "Content-Range": {
        "description": "Which bytes of how many.",
        "schema": {"type": "string", "examples": ["bytes 1000-1999/5000"]},
    }
}
# What a client may send, as the contract describes it.
ASKED: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": "Range",
            "in": "header",
            "description": "`bytes=1000-`, `bytes=0-999` or `bytes=-500`: only these bytes are sent.",
            "schema": {"type": "string"},
        },
        {
            "name": "If-Range",
            "in": "header",
            "description": "The ETag of the bytes that are there already: of other ones all are sent.",
            "schema": {"type": "string"},
        },
    ]
}
IN_PARTS: Final[dict[int | str, dict[str, Any]]] = {
    206: {"description": "The part that `Range` asks for.", "headers": _CONTENT_RANGE},
    416: problem_response(),
}


@dataclass(frozen=True, slots=True)
class FilePart:
    """Bytes `start` to before `end` of `size`."""

    start: int
    end: int
    size: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Range": f"bytes {self.start}-{self.end - 1}/{self.size}"}

    def of(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Of the bytes from `start` on, those of the part."""
        left = self.end - self.start
        for chunk in chunks:
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return


def part_asked(request: Request, tag: str, size: int) -> FilePart | None:
    """The part of a file that a request asks for; None: all of it, as for several parts at once, what is
    no range of bytes, an `If-Range` that names another file, and a HEAD (RFC 9110, 14.2). 416 for what
    lies behind its end."""
    found = _BYTES.fullmatch(request.headers.get("range", "").replace(" ", "").lower())
    is_head = bool(request.scope.get(HEAD_ONLY))
    if found is None or is_head or request.headers.get("if-range", tag) != tag:
        return None
    first, last, of_end = (None if text is None else int(text) for text in found.groups())
    if first is None:
        part = FilePart(max(size - (of_end or 0), 0), size, size)
    else:
        part = FilePart(first, size if last is None else min(last + 1, size), size)
        if last is not None and last < first:
            return None
    if part.start >= size:
        headers = {"Content-Range": f"bytes */{size}"}
        raise Problem("range_behind_end", size=size, headers=headers)
    return part
