"""An ETag for every JSON answer and picture that has none: 304 for a client that has it already.

Resources are tagged by their revision (`conditional.entity`). Lists, counts, code lists and the
caller's own account are tagged by what they say, which differs with what the caller may see.
"""

from starlette.types import Message, Scope, Send
from xxhash import xxh3_64_hexdigest

from app.api.http.conditional import given_tags, is_among

_TAGGED = (b"application/json", b"image/svg+xml")
# Headers of a body that is not sent (RFC 9110, 15.4.5).
_OF_A_BODY = (b"content-type", b"content-length")


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
            tag = f'"{xxh3_64_hexdigest(first["body"])}"'
            headers = [*start["headers"], (b"etag", tag.encode())]
            if is_among(given_tags(self._scope), tag):
                start["status"] = 304
                headers = [header for header in headers if header[0] not in _OF_A_BODY]
                first = {"type": "http.response.body", "body": b""}
            start["headers"] = headers
        await self._send(start)
        return first


def _takes_tag(start: Message) -> bool:
    if start["status"] != 200:
        return False
    headers = dict(start["headers"])
    return (
        headers.get(b"content-type") in _TAGGED
        and b"etag" not in headers
        and b"no-store" not in headers.get(b"cache-control", b"")
    )
