"""Bodies as endpoints get to see them: no larger than allowed, UTF-8, and in JSON no U+0000.

PostgreSQL stores no NUL and SQLite would: both refuse it, here, with the place where it is.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

from app.errors import FieldError, Problem, malformed, pointer
from app.json_values import cut, nuls, path
from app.models.kernel.items import MOST_DEPTH, Batch

_TOLD = 50
_MOST_DROPPED = 1024 * 1024
_LONGEST_SIZE = 16  # digits: beyond every limit, whatever follows
_PLAIN = "identity"
_GZIP = "gzip"
_FORM = "application/x-www-form-urlencoded"
_OF_BODIES = frozenset((b"content-length", b"transfer-encoding", b"content-encoding"))
_ASCII = "".join(map(chr, range(128)))


def bounded(request: Request, limit: int, *, gzip: bool = False) -> Request:
    """Limit the body of the request; 413 above the limit, at once if `Content-Length` names the
    size. 415 for one that is packed: it is never unpacked, so nothing small becomes large here. `gzip`:
    its endpoint unpacks it in pieces.
    A GET whose headers name no body stays as it is: nobody reads one.
    """
    if request.method == "GET" and _OF_BODIES.isdisjoint(dict(request.scope["headers"])):
        return request
    taken = (_PLAIN, _GZIP) if gzip else (_PLAIN,)
    if request.headers.get("content-encoding", _PLAIN).strip().lower() not in taken:
        raise Problem("encoding_unsupported", headers={"Accept-Encoding": ", ".join(taken)})
    announced = _announced(request)
    if announced is None:
        raise malformed("Content-Length")
    if announced > limit:
        raise Problem("body_too_large", limit=limit)
    receive, read = request.receive, 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise Problem("body_too_large", limit=limit)
        return message

    return Request(request.scope, limited)


def _announced(request: Request) -> int | None:
    """The size in `Content-Length`; 0 where there is none, None where it is no size."""
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        return None
    return int(length[:_LONGEST_SIZE])


async def dropped(request: Request) -> bool:
    """Read the body of a refused request, up to 1 MiB, and forget it; whether that was all.

    A client sees no answer while it is sending. One that waits to be asked for the body
    (`Expect: 100-continue`) is not asked.
    """
    headers = request.headers
    if "content-length" not in headers and "transfer-encoding" not in headers:
        return True
    announced = _announced(request)
    if headers.get("expect") or announced is None or announced > _MOST_DROPPED:
        return False
    read = 0
    while read <= _MOST_DROPPED:
        message = await request.receive()
        read += len(message.get("body", b""))
        if not message.get("more_body"):
            return True
    return False


class BodyRoute(APIRoute):
    """A route whose JSON body, if it takes one, is clean before it is validated."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle
        model = self.body_field.field_info.annotation
        is_batch = isinstance(model, type) and issubclass(model, Batch)

        async def checked(request: Request) -> Response:
            body = await request.body()
            if _media_type(request) == _FORM:
                return await handle(_percent_encoded(request, body))
            if is_batch and _is_json(request):
                request = await _parsable(request, body)
            if may_hold_nul(body):
                await _refuse_nul(request, body, is_batch=is_batch)
            return await handle(request)

        return checked


def _percent_encoded(request: Request, body: bytes) -> Request:
    """The same form with every letter percent-encoded: raw ones (`curl -d 'device=Máy'`) would
    be read as Latin-1."""
    try:
        unquote_to_bytes(body).decode()
    except UnicodeDecodeError:
        raise malformed("a form is UTF-8") from None
    if body.isascii():
        return request
    return _with_body(request, quote(body, safe=_ASCII).encode())


def _with_body(request: Request, body: bytes) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)


def may_hold_nul(body: bytes) -> bool:
    """Whether a closer look is needed: nearly every body is done with after two searches."""
    return b"\\u0000" in body or b"\0" in body


async def _parsable(request: Request, body: bytes) -> Request:
    """Of a batch with something too deep for the parser the rest: what is cut is reported with its item."""
    try:
        await request.json()
    except RecursionError:
        return _with_body(request, await asyncio.to_thread(cut, body, 2 * MOST_DEPTH))
    except ValueError:
        pass  # malformed: the endpoint's own parser reports it
    return request


async def _refuse_nul(request: Request, body: bytes, *, is_batch: bool) -> None:
    """In an item of a batch it is reported with the item."""
    if not _is_json(request):
        return  # forms have their own check, everything else is refused
    if b"\0" in body:
        raise malformed("NUL byte: JSON is UTF-8")
    try:
        found = [path(place) for place in nuls(await request.json())]
    except (ValueError, RecursionError):
        return  # malformed: the endpoint's own parser reports it
    if is_batch:
        found = [each for each in found if each[:1] != ["items"] or len(each) == 1]
    if found:
        errors = [FieldError("body", pointer(each), "nul_character") for each in found[:_TOLD]]
        raise Problem("validation_failed", errors=errors, count=len(found))


def _is_json(request: Request) -> bool:
    media_type = _media_type(request)
    return media_type == "application/json" or media_type.endswith("+json")


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
