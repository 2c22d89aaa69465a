"""How a request finds its route, and what comes before its endpoint: the limit of its body and
the token.

FastAPI tries routes one after another. Measured, that is most of the price of a small request
(docs/decisions/0005), so an index finds the route. The token is looked at before the body is read:
a request without a valid token uses no memory for its body.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.http import app_versions
from app.api.http.bodies import bounded, dropped
from app.api.http.deps import current_actor
from app.api.http.routing import Route, Router, routes_of
from app.api.http.server import server_of
from app.api.http.short_way import ShortWay
from app.api.http.tagging import Tagged
from app.errors import Problem
from app.services.kernel.access import Actor


def include(app: FastAPI, router: Router) -> None:
    """Register a router's routes flat: nested routers cost 2 µs a route on every request."""
    app.router.routes.extend(router.routes)
    app.router._mark_routes_changed()  # noqa: SLF001  # as FastAPI's own registration does


def index_routes(app: FastAPI) -> None:
    """Put the index in front of FastAPI's linear scan: 160 routes cost 626 µs, indexed 153.

    A path without parameters is found at once. Candidates for others are found by method, number
    of segments and the first one after `/v1`. What it does not find, FastAPI's scan answers: 404, 405, redirects, mounts.
    """
    index: dict[tuple[str, int, str], list[_Entry]] = {}
    literal: dict[str, dict[str, _Entry]] = {}
    for route in routes_of(app):
        if route.param_convertors:
            index.setdefault(_place(route.method, route.path), []).append(_Entry(route))
        else:
            literal.setdefault(route.path, {})[route.method] = _Entry(route)
    app.router.middleware_stack = _Dispatch(index, literal, app.router.app)


def _place(method: str, path: str) -> tuple[str, int, str]:
    parts = path.split("/", 3)
    first = 2 if path.startswith("/v1/") else 1
    return method, path.count("/"), parts[first] if len(parts) > first else ""


class _Entry:
    def __init__(self, route: Route) -> None:
        self.route = route

    @cached_property
    def short_way(self) -> ShortWay | None:
        return ShortWay.of(self.route)


class _Dispatch:
    def __init__(
        self,
        index: Mapping[tuple[str, int, str], list[_Entry]],
        literal: Mapping[str, Mapping[str, _Entry]],
        scan: ASGIApp,
    ) -> None:
        self.index = index
        self.literal = literal
        self.scan = scan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.scan(scope, receive, send)
            return
        entry = self._find(scope)
        if scope["method"] == "GET":
            send = Tagged(scope, send)
        request = Request(scope, receive)
        if entry is None:
            await self.scan(scope, _bounded(request, None).receive, send)
            return
        # FastAPI's own tracing hooks into its scan.
        traced = "fastapi.telemetry" in scope
        actor = None if entry.route.public else await _let_in(request)
        if entry.route.refuses_old_apps:
            app_versions.ensure_served(request)
        request = _bounded(request, entry)
        entry.route.check_query(request)
        if actor is not None:
            way = None if traced else entry.short_way
            if way is not None and await way.answers(request, actor, send):
                return
        answer = self.scan if traced else entry.route.handle
        await answer(scope, _again(request), send)

    def _find(self, scope: Scope) -> _Entry | None:
        """The route of a request, which is noted in its scope."""
        method, path = scope["method"], scope["path"]
        methods = self.literal.get(path)
        if methods is None:
            candidates: Sequence[_Entry] = self.index.get(_place(method, path), ())
        elif method in methods:
            candidates = (methods[method],)
        else:
            # PATCH /v1/members/count is not for the member of id `count`: 405.
            [other, *_] = methods.values()
            scope.update(other.route.matches(scope)[1])
            raise HTTPException(405)
        for entry in candidates:
            match, found = entry.route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                return entry
        return None


def _bounded(request: Request, entry: _Entry | None) -> Request:
    settings = server_of(request).settings
    limit = settings.max_body_bytes
    if entry is not None and entry.route.most_bytes is not None:
        limit = entry.route.most_bytes(settings)
    return bounded(request, limit, gzip=entry is not None and entry.route.takes_gzip)


async def _let_in(request: Request) -> Actor:
    try:
        return await current_actor(request)
    except Problem as problem:
        if not await dropped(request):
            problem.headers["Connection"] = "close"
        raise


def _again(request: Request) -> Receive:
    """What was read of a request's body, to be read once more."""
    if not hasattr(request, "_body"):
        return request.receive
    waiting: list[Message] = [{"type": "http.request", "body": request._body}]  # noqa: SLF001  # Starlette keeps it there

    async def receive() -> Message:
        return waiting.pop() if waiting else await request.receive()

    return receive
