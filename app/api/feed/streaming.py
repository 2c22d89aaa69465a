"""The feed as a stream of server-sent events (WHATWG HTML, 9.2): one connection, and each event as it comes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.engine import Connection
from starlette.types import Receive, Scope, Send

from app.api.http.bearer import asked_anew, claims_of, token_of
from app.api.http.context import request_context
from app.api.http.middleware import HEAD_ONLY
from app.api.http.noting import note_answer
from app.api.http.server import server_of
from app.api.http.waiting import in_thread
from app.clock import utc_now
from app.errors import FieldError, Problem
from app.json_values import json_bytes
from app.services.kernel.access import Actor

MEDIA_TYPE: Final = "text/event-stream"
# Proxies end what is silent for half a minute or a minute.
HEARTBEAT_SECONDS: Final = 10.0
_RETRY_MILLISECONDS: Final = 3_000
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx hands on what it gets at once
}
Page = Mapping[str, Any]
# A page after a place, as an actor sees it.
Read = Callable[[Connection, Actor, Page], Page]


def is_asked_for(request: Request) -> bool:
    """Whether the client wants events as they come."""
    ranges = request.headers.get("accept", "").lower().split(",")
    return any(each.partition(";")[0].strip() == MEDIA_TYPE for each in ranges)


def place_of(request: Request) -> int | None:
    """The `seq` after which a client goes on that was cut off; 422 where it is none."""
    given = request.headers.get("last-event-id", "")
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and int(given[:20]) < 2**63 and len(given) <= 19):
        error = FieldError("header", "last-event-id", "wrong_format")
        raise Problem("validation_failed", errors=[error], count=1)
    return int(given)


class EventStream(Response):
    """Pages of the feed without an end, each event with its `seq` as `id`, from the `first` page on.

    `place` after each page has what the next request needs. The stream ends with the token, with the
    rights it was begun with, and with the server: `end` says why. All is asked for anew before each
    page.
    """

    media_type = MEDIA_TYPE

    def __init__(self, request: Request, first: Page, read: Read) -> None:
        super().__init__(None, 200, _HEADERS, MEDIA_TYPE)
        self.request = request
        self.first = first
        self.read = read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get(HEAD_ONLY):
            await super().__call__(scope, receive, send)
            return
        actor = request_context.get().actor
        assert actor is not None  # noqa: S101  # only a guarded route reads the log
        waiting = server_of(self.request).waiting
        ends = claims_of(self.request, token_of(self.request)).expires_at
        seconds = (ends - utc_now()).total_seconds()
        with waiting.place_of(actor.account_id), waiting.cut_off_at_a_stop():
            answer = StreamingResponse(self._messages(seconds), 200, _HEADERS, MEDIA_TYPE)
            # Also of a client that reads nothing of what it was sent.
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds + HEARTBEAT_SECONDS):
                    await answer(scope, receive, send)

    async def _messages(self, seconds: float) -> AsyncIterator[bytes]:
        until = time.monotonic() + seconds
        page = self.first
        yield f"retry: {_RETRY_MILLISECONDS}\n\n".encode() + told(page, None)
        try:
            while True:
                before, page = page, await self._next(page, until)
                if page["scope"] != before["scope"]:
                    yield _end("scope")
                    return
                note_answer(self.request)
                yield told(page, before)
        except _Stopped:
            yield _end("server_stops")
        except Problem as problem:
            yield _end(problem.code)

    async def _next(self, page: Page, until: float) -> Page:
        server = server_of(self.request)
        if not page["more"]:
            left = min(HEARTBEAT_SECONDS, until - time.monotonic())
            await server.waiting.news_after(server.database, page["seq"], max(left, 0.0))
        if server.waiting.stopped:
            raise _Stopped
        if time.monotonic() >= until:
            raise Problem("invalid_token", extra={"reason": "expired"})
        actor = await asked_anew(self.request)
        request_context.get().shown = []
        read = partial(self._read, actor, page)
        return await in_thread(partial(server.database.read_apart, read))

    def _read(self, actor: Actor, page: Page, db: Connection) -> Page:
        return self.read(db, actor, page)


class _Stopped(Exception):
    """The server stops."""


def told(page: Page, before: Page | None) -> bytes:
    """A page as messages; as a comment when there is nothing new since the page before."""
    return b"".join(_messages_of(page, before))


def _messages_of(page: Page, before: Page | None) -> Iterator[bytes]:
    for event in page["items"]:
        yield b"id: %d\ndata: %s\n\n" % (event["data"]["seq"], json_bytes(event))
    if before is None or page["seq"] != before["seq"]:
        place = {name: value for name, value in page.items() if name != "items"}
        yield b"event: place\nid: %d\ndata: %s\n\n" % (page["seq"], json_bytes(place))
    else:
        yield b":\n\n"


def _end(reason: str) -> bytes:
    return b"event: end\ndata: %s\n\n" % json_bytes({"reason": reason})
