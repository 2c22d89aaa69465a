"""An ETag for every JSON answer that has none: 304 for a client that has it already.

Resources are tagged by their revision (`conditional.entity`). Lists, counts, code lists and the
caller's own account are tagged by what they say, which differs with what the caller may see.
"""

from hashlib import blake2b

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Scope, Send

from app.api.http.conditional import is_among

_JSON = "application/json"
# Headers of a body that is not sent (RFC 9110, 15.4.5).
_OF_A_BODY = ("content-type", "content-length")


class Tagged:
    """Sends the answer to a GET."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _takes_tag(message):
            self._start = message
            return
        if self._start is not None:
            message = await self._begin(self._start, message)
            self._start = None
        await self._send(message)

    async def _begin(self, start: Message, first: Message) -> Message:
        """Send how the answer begins; the body that follows."""
        if not first.get("more_body"):
            headers = MutableHeaders(raw=start["headers"])
            tag = f'"{blake2b(first["body"], digest_size=9).hexdigest()}"'
            headers["etag"] = tag
            if is_among(Headers(scope=self._scope).get("if-none-match", ""), tag):
                start["status"] = 304
                for name in _OF_A_BODY:
                    del headers[name]
                first = {"type": "http.response.body", "body": b""}
        await self._send(start)
        return first


def _takes_tag(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return (
        start["status"] == 200
        and headers.get("content-type") == _JSON
        and "etag" not in headers
        and "no-store" not in headers.get("cache-control", "")
    )
