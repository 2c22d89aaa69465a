"""Answers are compressed for whoever asks for it: pages of lists, and files while they go out."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import (
    DEFAULT_EXCLUDED_CONTENT_TYPES,
    GZipMiddleware,
    GZipResponder,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.http.files import MEDIA_TYPES
from app.models.kernel.export_log import ExportFormat

# A packet of the network: what is smaller travels no faster.
_LEAST_BYTES = 1_400
# A list takes a third of the time of level 9, and is hardly longer.
_LEVEL = 5
# A workbook is a zip already.
_PACKED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, MEDIA_TYPES[ExportFormat.xlsx])


class Compression(GZipMiddleware):
    """gzip, where asked; nothing at all stands in the way of other requests."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, _LEAST_BYTES, _LEVEL, exclude_content_types=_PACKED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "HEAD" or not _asks(scope):
            await self.app(scope, receive, send)
            return
        responder = _Responder(
            self.app,
            self.minimum_size,
            compresslevel=self.compresslevel,
            thread_minimum_size=self.thread_minimum_size,
            exclude_content_types=self.exclude_content_types,
        )
        await responder(scope, receive, send)


class _Responder(GZipResponder):
    """Leaves answers that nobody may store as they are: their secrets (tokens, codes) would show in
    the length of what stands beside them (BREACH)."""

    _is_secret = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_once(message: Message) -> None:
            if message["type"] == "http.response.start":
                _name_each_once(MutableHeaders(raw=message["headers"]))
            await send(message)

        await super().__call__(scope, receive, send_once)

    async def send_with_compression(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            self._is_secret = "no-store" in headers.get("cache-control", "")
        if self._is_secret:
            await self.send(message)
        else:
            await super().send_with_compression(message)


def _name_each_once(headers: MutableHeaders) -> None:
    """Starlette adds Accept-Encoding to a Vary that has it."""
    if "vary" in headers:
        headers["vary"] = ", ".join(dict.fromkeys(headers["vary"].split(", ")))


def _asks(scope: Scope) -> bool:
    """gzip is among the codings the client takes (RFC 9110, 12.5.3)."""
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
    weights = {}
    for part in accepted.decode("latin-1").lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = weight.replace(" ", "")
    weight = weights.get("gzip", weights.get("*", "q=0"))
    return weight.rstrip("0.") != "q="
