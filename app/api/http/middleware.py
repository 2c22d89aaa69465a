"""Around every request, as pure ASGI (a BaseHTTPMiddleware costs 87 µs, this 1): its id, its
language, the body limit, security headers, the log line and the metrics, and a last resort: a 500
contains a request id and nothing else.
"""

import re
import time
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from app import logs
from app.api.http.context import RequestContext, preferred_language, request_context
from app.api.http.problems import problem_answer
from app.api.http.routing import route_of
from app.api.http.server import address_of, server_of
from app.errors import FieldError, Problem

_REQUEST_ID = re.compile(rb"^[A-Za-z0-9_-]{8,64}$")
_TRACE_PARENT = re.compile(rb"^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$")

_seconds = Histogram(
    "hoiso_request_seconds",
    "Time to answer, by route template.",
    ("method", "route", "status"),
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
_errors = Counter("hoiso_server_errors_total", "Requests answered with 500.", ("route",))
_children: dict[tuple[str, str, int], Any] = {}
_FIRST_ERROR = 400
_CLIENT_GONE = 499  # nginx's number for it; nobody is there to be answered
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_POLICY = b"content-security-policy"
_API_HEADERS = [
    (_POLICY, b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Authorization, Accept, Accept-Encoding, Accept-Language"),
]
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_OURS = frozenset(name for name, _ in (*_HEADERS, *_API_HEADERS, _HSTS))


# In the scope of a HEAD: no more rows are read than its headers need.
HEAD_ONLY = "hoiso.head_only"


class Kernel:
    """Added innermost of the user middleware: what it answers passes CORS as well."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        log_requests: bool,
        https_only: bool,
    ) -> None:
        self.app = app
        self.log_requests = log_requests
        https = [_HSTS] if https_only else []
        self.headers = _HEADERS + https
        self.api_headers = _HEADERS + _API_HEADERS + https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        context = RequestContext(
            request_id=_request_id(headers),
            language=preferred_language(headers.get(b"accept-language", b"").decode("latin-1")),
            path=scope["path"],
        )
        request_context.set(context)
        request_id = (b"x-request-id", context.request_id.encode())
        status = sent = 0
        # A HEAD is a GET whose body is not sent (RFC 9110, 9.3.2).
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope = {**scope, "method": "GET", HEAD_ONLY: True}

        async def send_with_headers(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name for name, _ in message["headers"]}
                # A page with a policy of its own (api/http/docs.py) is no answer of the API.
                added = self.headers if _POLICY in present else self.api_headers
                if not _OURS.isdisjoint(present):
                    added = [header for header in added if header[0] not in present]
                message["headers"] = [*message["headers"], request_id, *added]
            elif is_head:
                if message.get("more_body"):
                    return
                message = {"type": "http.response.body", "body": b""}
            else:
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._answer(scope, receive, send_with_headers)
        except ClientDisconnect:
            status = _CLIENT_GONE
        except Exception as error:
            logs.exception("unhandled", error, request_id=context.request_id)
            _errors.labels(_template(scope)).inc()
            if status:
                self._observe(scope, context, status, time.perf_counter() - started)
                _count(scope, context, status, sent)
                raise  # the answer has begun: nothing better than to break it off
            await problem_answer(Problem("internal"))(scope, receive, send_with_headers)
        self._observe(scope, context, status, time.perf_counter() - started)
        _count(scope, context, status, sent)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = _refused(scope)
        if problem is None:
            await self.app(scope, receive, send)
        else:
            await problem_answer(problem)(scope, receive, send)

    def _observe(self, scope: Scope, context: RequestContext, status: int, seconds: float) -> None:
        route = _template(scope)
        # Anyone may invent methods; every label is kept for ever.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        key = (method, route, status)
        child = _children.get(key)
        if child is None:
            child = _children[key] = _seconds.labels(method, route, str(status))
        child.observe(seconds)
        if self.log_requests:
            # The template, never the path or the query: a log line holds no personal data.
            logs.info(
                "request",
                request_id=context.request_id,
                method=method,
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
            )


def _count(scope: Scope, context: RequestContext, status: int, sent: int) -> None:
    """What a program asked for, and how many bytes it was answered."""
    program = context.program
    if program is None:
        return
    request = Request(scope)
    server_of(request).usage.note(
        program.account_id,
        program.key_id,
        route_of(request).operation_id,
        address_of(request),
        refused=status >= _FIRST_ERROR,
        bytes_=sent,
    )


def _refused(scope: Scope) -> Problem | None:
    """No NUL anywhere in an address: PostgreSQL stores none."""
    if b"%00" in scope["query_string"]:
        error = FieldError("query", "", "nul_character")
        return Problem("validation_failed", errors=[error], count=1)
    return Problem("not_found") if "\0" in scope["path"] else None


def _template(scope: Scope) -> str:
    route = scope.get("route")
    return getattr(route, "path", None) or "unmatched"


def _request_id(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id", b"")
    if given and _REQUEST_ID.match(given):
        return given.decode()
    traced = _TRACE_PARENT.match(headers.get(b"traceparent", b""))
    return traced.group(1).decode() if traced else uuid7().hex
