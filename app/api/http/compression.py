"""Answers are compressed where the client asks for it: pages of lists, and files while they go out."""

from functools import cached_property
from typing import Final

import zstandard
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import (
    DEFAULT_EXCLUDED_CONTENT_TYPES,
    GZipResponder,
    IdentityResponder,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.models.kernel.export_log import ExportFormat
from app.services.kernel.list_files import MEDIA_TYPES

# A packet of the network: what is smaller travels no faster.
_LEAST_BYTES = 1_400
# A list takes a third of the time of level 9, and is hardly longer.
_LEVEL = 5
# A workbook is a zip already.
_PACKED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, MEDIA_TYPES[ExportFormat.xlsx])


class Compression:
    """zstd or gzip, where asked; nothing at all stands in the way of other requests."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        make = None
        if scope["type"] == "http" and scope["method"] != "HEAD":
            make = _RESPONDERS.get(_asked(scope))
        await (self.app if make is None else make(self.app))(scope, receive, send)


class _Careful(IdentityResponder):
    """Leaves answers that nobody may store as they are: their secrets (tokens, codes) would show in
    the length of what stands beside them (BREACH). So it does with files that are fetched in parts,
    which are parts of the bytes that have the tag and the sum."""

    _is_as_it_is = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_once(message: Message) -> None:
            if message["type"] == "http.response.start":
                _name_each_once(MutableHeaders(raw=message["headers"]))
            await send(message)

        await super().__call__(scope, receive, send_once)

    async def send_with_compression(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            is_secret = "no-store" in headers.get("cache-control", "")
            self._is_as_it_is = is_secret or "accept-ranges" in headers
        if self._is_as_it_is:
            await self.send(message)
        else:
            await super().send_with_compression(message)


class _Gzip(_Careful, GZipResponder):
    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, _LEAST_BYTES, exclude_content_types=_PACKED)
        self.compresslevel = _LEVEL


class _Zstd(_Careful):
    """RFC 8878: as small as gzip for a fraction of the time."""

    content_encoding = "zstd"

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, _LEAST_BYTES, exclude_content_types=_PACKED)

    @cached_property
    def _frame(self) -> "zstandard.ZstdCompressionObj":  # typed in its stubs alone
        return zstandard.ZstdCompressor().compressobj()

    async def apply_compression(self, body: bytes, *, more_body: bool) -> bytes:
        # Each part of a file can be read when it arrives.
        how = zstandard.COMPRESSOBJ_FLUSH_BLOCK if more_body else zstandard.COMPRESSOBJ_FLUSH_FINISH
        return self._frame.compress(body) + self._frame.flush(how)


# Of codings that a client takes equally, the first.
_RESPONDERS: Final[dict[str, type[_Gzip | _Zstd]]] = {"zstd": _Zstd, "gzip": _Gzip}


def _name_each_once(headers: MutableHeaders) -> None:
    """Starlette adds Accept-Encoding to a Vary that has it."""
    if "vary" in headers:
        headers["vary"] = ", ".join(dict.fromkeys(headers["vary"].split(", ")))


def _asked(scope: Scope) -> str:
    """The coding that the client likes best of ours, or none (RFC 9110, 12.5.3)."""
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
    if not accepted:
        return ""
    weights: dict[str, float] = {}
    for part in accepted.decode("latin-1").lower().split(","):
        coding, _, weight = part.partition(";")
        try:
            weights[coding.strip()] = float(weight.replace(" ", "").removeprefix("q=") or 1)
        except ValueError:
            continue
    rest = weights.get("*", 0.0)
    best = max(_RESPONDERS, key=lambda coding: weights.get(coding, rest))
    return best if weights.get(best, rest) > 0 else ""
