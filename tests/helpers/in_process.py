"""An application asked without a socket: it answers in an event loop of the thread that asks.

The loop of Starlette's test client is in a thread of its own, to and from which each request went
seven times: more than a third of what one cost.
"""

import asyncio
import atexit
from collections import deque
from collections.abc import Coroutine
from typing import Any, TypeVar

import httpx2
from starlette.types import ASGIApp, Message, Scope

SOMEBODY = ("testclient", 50000)
T = TypeVar("T")
# Loops that nobody runs: there are as many as requests were ever answered at once.
_idle: deque[asyncio.Runner] = deque()


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, done in this thread."""
    try:
        runner = _idle.pop()
    except IndexError:
        runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
    try:
        return runner.get_loop().run_until_complete(work)
    finally:
        _idle.append(runner)


@atexit.register
def _close() -> None:
    for runner in _idle:
        runner.close()


class _Transport(httpx2.BaseTransport):
    def __init__(self, app: ASGIApp, address: tuple[str, int]) -> None:
        self.app, self.address = app, address

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        start, *parts = run(self._answer(request))
        body = b"".join(part.get("body", b"") for part in parts)
        stream = httpx2.ByteStream(b"" if request.method == "HEAD" else body)
        return httpx2.Response(start["status"], headers=start["headers"], stream=stream)

    async def _answer(self, request: httpx2.Request) -> list[Message]:
        """All of it: an endless one is for a server with a socket."""
        unread: list[Message] = [{"type": "http.request", "body": request.read()}]
        sent: list[Message] = []
        complete = asyncio.Event()

        async def receive() -> Message:
            if unread:
                return unread.pop()
            await complete.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            kind = "http.response.body" if sent else "http.response.start"
            assert message["type"] == kind
            assert not complete.is_set()
            if sent and not message.get("more_body"):
                complete.set()
            sent.append(message)

        try:
            await self.app(self._scope(request), receive, send)
        except Exception:
            # As a server: what is raised once the answer has left is for its log.
            if not sent:
                raise
        return sent

    def _scope(self, request: httpx2.Request) -> Scope:
        url = request.url
        return {
            "type": "http",
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "root_path": "",
            "query_string": url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": self.address,
            "server": (url.host, 80),
            "state": {},
        }


def client_of(app: ASGIApp, address: tuple[str, int] = SOMEBODY) -> httpx2.Client:
    """`address` is whom the application sees asking."""
    return httpx2.Client(
        transport=_Transport(app, address),
        base_url="http://testserver",
        headers={"user-agent": "testclient"},
        follow_redirects=True,
    )
