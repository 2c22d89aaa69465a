"""Connections as `hoiso serve` takes them: heads of requests are bounded in size, in number of
headers and in time, and whoever stops in the middle of a request is not waited for.

uvicorn has no such limits with httptools, its parser in C. A head is measured when it is complete;
one that is not grows by what is fed.
"""

import asyncio
import json
from typing import Any
from uuid import uuid4

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from app.api.http.problems import MEDIA_TYPE
from app.errors import Problem

# As nginx takes by default; the longest token of ours has 4 KiB.
MOST_BYTES = 32 * 1024
MOST_HEADERS = 100
HEAD_SECONDS = 10.0
# Between two pieces of a body.
BODY_SECONDS = 30.0


class _Refused(Exception):
    """Raised into the parser, which stops."""


class BoundedConnection(HttpToolsProtocol):
    """One connection: it waits for a head, then for a body, or the server is at work."""

    _awaits: str | None = "head"
    _piece = 0  # bytes of the piece that is being read
    _held = 0  # bytes fed in pieces after the one in which it began
    _timer: asyncio.TimerHandle | None = None
    _heard_at = 0.0
    _problem: Problem | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._piece = len(data)
        self._held += self._piece
        super().data_received(data)
        if self.transport.is_closing():
            self._unwatch()
        elif self._held > MOST_BYTES:
            self._refuse(_head_too_large())
        else:
            self._heard_at = self.loop.time()
            self._watch()

    # -- what the parser has read

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._awaits, self._held = "head", 0
        self._unwatch()

    def on_headers_complete(self) -> None:
        if self._is_too_large():
            self._problem = _head_too_large()
            raise _Refused
        super().on_headers_complete()
        self._awaits, self._held = "body", 0

    def on_body(self, body: bytes) -> None:
        self._held = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._awaits, self._held = None, 0

    def _is_too_large(self) -> bool:
        if len(self.headers) > MOST_HEADERS:
            return True
        if self._held + self._piece <= MOST_BYTES:
            return False  # without a look at each: so are nearly all
        return (
            len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MOST_BYTES
        )

    # -- time

    def _watch(self) -> None:
        """One timer, and only where something is awaited: most requests come whole."""
        if self._awaits is None:
            self._unwatch()
        elif self._timer is None:
            seconds = HEAD_SECONDS if self._awaits == "head" else BODY_SECONDS
            self._timer = self.loop.call_later(seconds, self._expired, self._awaits)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expired(self, awaited: str) -> None:
        self._timer = None
        if self._awaits == awaited == "head" and not self._answering:
            self._refuse(Problem("request_too_slow"))
            return
        silent = self.loop.time() - self._heard_at
        if self._awaits == "body" and silent >= BODY_SECONDS and not self.flow.read_paused:
            self.transport.close()
        else:
            self._watch()

    # -- refusals

    @property
    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _refuse(self, problem: Problem) -> None:
        self._problem = problem
        self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """The answer to a request that never was one; none in the middle of another answer."""
        self._unwatch()
        if not self._answering:
            problem = self._problem or Problem("malformed_request", extra={"reason": msg})
            self.transport.write(_answer(problem))
        self.transport.close()


def _head_too_large() -> Problem:
    return Problem("head_too_large", limit=MOST_BYTES, count=MOST_HEADERS)


def _answer(problem: Problem) -> bytes:
    """In Vietnamese: without a whole head the language that the client wants is not known."""
    body = problem.render(language="vi", instance="", request_id=uuid4().hex)
    text = json.dumps(body, ensure_ascii=False).encode()
    headers: dict[str, Any] = {
        "content-type": MEDIA_TYPE,
        "content-length": len(text),
        "x-request-id": body["request_id"],
        "connection": "close",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return STATUS_LINE[problem.status] + lines.encode() + b"\r\n" + text
