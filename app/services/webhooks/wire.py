"""Requests to receivers: to the address that was checked, within limits of time and size.

`httpcore2` speaks HTTP and TLS; which address a connection goes to is decided here. It follows no
redirect, and knows no proxy.
"""

import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpcore2

from app.config import Network, Settings
from app.models.webhooks.attempts import WebhookError
from app.services.webhooks import addresses
from app.services.webhooks.addresses import ReceiverAddress

CONNECT_SECONDS: Final = 5.0
# From the look-up of the name to the last byte of the answer.
TOTAL_SECONDS: Final = 10.0
_MOST_READ: Final = 16_384
_MOST_KEPT: Final = 500
_MOST_ADDRESSES: Final = 4


class AddressRefused(Exception):
    """The name leads to an address that nothing is sent to."""


class NameUnknown(Exception):
    """The name leads nowhere."""


@dataclass(frozen=True, slots=True)
class ReceiverAnswer:
    """What became of one request. `status` is None where no answer came; `answer` has its first bytes."""

    status: int | None
    error: WebhookError | None
    duration_ms: int
    answer: str | None = None
    retry_after: str | None = None


class Wire:
    """A context: one connection at a time, kept for the next request to the same receiver."""

    def __init__(self, settings: Settings) -> None:
        self._backend = _Checked(settings.webhook_allowed_networks)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_trust(settings.webhook_ca_file),
            max_connections=1,
            keepalive_expiry=5.0,
            network_backend=self._backend,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.close()

    def post(
        self, target: ReceiverAddress, headers: Mapping[str, str], body: bytes
    ) -> ReceiverAnswer:
        """Send it, once; never raises for what a receiver or a network does."""
        began = time.monotonic()
        self._backend.begin(began + TOTAL_SECONDS, plain=target.scheme == "http")
        try:
            status, answer, given = self._ask(target, headers, body)
        except Exception as error:
            found = _error_of(error)
            if found is None:
                raise
            return ReceiverAnswer(None, found, _since(began))
        retry_after = given.get(b"retry-after", b"").decode("latin-1") or None
        return ReceiverAnswer(status, _refusal(status), _since(began), answer, retry_after)

    def _ask(
        self, target: ReceiverAddress, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, str, dict[bytes, bytes]]:
        # In its parts, so that no second parser reads it in another way.
        url = httpcore2.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.target
        )
        limits = {
            "connect": CONNECT_SECONDS,
            **dict.fromkeys(("read", "write", "pool"), TOTAL_SECONDS),
        }
        given = [("Host", target.host_header), ("Content-Length", str(len(body))), *headers.items()]
        with self._pool.stream(
            "POST", url, headers=given, content=body, extensions={"timeout": limits}
        ) as answer:
            kept, read = b"", 0
            for part in answer.iter_stream():
                kept = (kept + part)[: 4 * _MOST_KEPT]
                read += len(part)
                if read > _MOST_READ:
                    break  # to leave it unread ends the connection
            said = {name.lower(): value for name, value in answer.headers}
            return answer.status, kept.decode("utf-8", "replace")[:_MOST_KEPT], said


def _since(began: float) -> int:
    return round(1000 * (time.monotonic() - began))


def _refusal(status: int) -> WebhookError | None:
    if 200 <= status < 300:
        return None
    if status == 410:
        return WebhookError.gone
    return WebhookError.redirect if 300 <= status < 400 else WebhookError.status


_ERRORS: Final[Sequence[tuple[type[Exception], WebhookError]]] = (
    (AddressRefused, WebhookError.address_refused),
    (NameUnknown, WebhookError.name_unknown),
    (httpcore2.TimeoutException, WebhookError.timeout),
    (httpcore2.NetworkError, WebhookError.connection),
    (httpcore2.ProtocolError, WebhookError.answer),
    (OSError, WebhookError.connection),
)


def _error_of(error: Exception) -> WebhookError | None:
    """None: it is none of the receiver's."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return WebhookError.certificate
        cause = cause.__cause__ or cause.__context__
    return next((found for kind, found in _ERRORS if isinstance(error, kind)), None)


@cache
def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """The authorities of the machine, and those of the operator."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


class _Checked(httpcore2.NetworkBackend):
    """Connects to addresses that may be sent to, and to no name: what was checked is what is asked."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._plain = False
        self.deadline = 0.0

    def begin(self, deadline: float, *, plain: bool) -> None:
        """The next request has to be over by then. `plain`: it is in nobody's secret, so that it goes to
        allowed networks only."""
        self.deadline = deadline
        self._plain = plain

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore2.NetworkStream:
        until = min(self.deadline, time.monotonic() + (timeout or CONNECT_SECONDS))
        failure: Exception = NameUnknown(host)
        for address in self._addresses(host, port)[:_MOST_ADDRESSES]:
            try:
                stream = httpcore2.SyncBackend().connect_tcp(str(address), port, _left(until))
            except (httpcore2.NetworkError, httpcore2.TimeoutException) as error:
                failure = error
            else:
                return _InTime(stream, self)
        raise failure

    def _addresses(self, host: str, port: int) -> list[addresses.Address]:
        """One address that is refused refuses them all."""
        try:
            found = addresses.looked_up(host, port)
        except (OSError, UnicodeError) as error:
            raise NameUnknown(host) from error
        for address in found:
            good = addresses.is_allowed if self._plain else addresses.may_be_sent_to
            if not good(address, self._allowed):
                raise AddressRefused(host)
        return found


class _InTime(httpcore2.NetworkStream):
    """Bytes to and from a receiver until the request has to be over: each read begins a time limit of its
    own, so one byte a second would have no end."""

    def __init__(self, stream: httpcore2.NetworkStream, request: _Checked) -> None:
        self._stream = stream
        self._request = request

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._request.deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._request.deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        until = min(self._request.deadline, time.monotonic() + CONNECT_SECONDS)
        secret = self._stream.start_tls(ssl_context, server_hostname, _left(until))
        return _InTime(secret, self._request)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("its time is over")
    return left
