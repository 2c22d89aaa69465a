"""How a request finds its route, and the short way of a plain request.

FastAPI tries routes one after another, and solves dependencies anew on every request. Measured,
that is most of the price of a small request (docs/decisions/0005). So an index finds the route,
and a request whose token, path, query and JSON body are all in order goes straight to its
endpoint. Whatever is not in order goes FastAPI's own way, which says what is wrong.
"""

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.params import Query
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.http.bodies import may_hold_nul
from app.api.http.deps import ActorDep, current_actor
from app.errors import Problem


def include(app: FastAPI, router: APIRouter) -> None:
    """Register a router's routes flat: nested routers cost 2 µs a route on every request."""
    app.router.routes.extend(router.routes)
    app.router._mark_routes_changed()  # noqa: SLF001  # as FastAPI's own registration does


def index_routes(app: FastAPI) -> None:
    """Put the index in front of FastAPI's linear scan: 160 routes cost 626 µs, indexed 153.

    Candidates are found by method, number of segments and second segment (`/v1/<this>/...`).
    What it does not find, FastAPI's scan answers: 404, 405, redirects, mounts.
    """
    index: dict[tuple[str, int, str], list[tuple[APIRoute, ShortWay | None]]] = {}
    literal: dict[str, list[APIRoute]] = {}
    for route in app.router.routes:
        if isinstance(route, APIRoute):
            if not route.param_convertors:
                literal.setdefault(route.path, []).append(route)
            for method in route.methods or ():
                entry = (route, ShortWay.of(route))
                index.setdefault(_place(method, route.path), []).append(entry)
    app.router.middleware_stack = _Indexed(index, literal, app.router.app, app.router)


def _place(method: str, path: str) -> tuple[str, int, str]:
    parts = path.split("/", 3)
    return method, path.count("/"), parts[2] if len(parts) > 2 else ""


class _Indexed:
    def __init__(
        self,
        index: Mapping[tuple[str, int, str], list[tuple[APIRoute, "ShortWay | None"]]],
        literal: Mapping[str, Sequence[APIRoute]],
        scan: ASGIApp,
        router: APIRouter,
    ) -> None:
        self.index = index
        self.literal = literal
        self.scan = scan
        self.router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # FastAPI's own tracing hooks into its scan.
        if scope["type"] == "http" and "fastapi.telemetry" not in scope:
            same_path = self.literal.get(scope["path"], ())
            if same_path and all(scope["method"] not in (r.methods or ()) for r in same_path):
                # PATCH /v1/members/count is not for the member of id `count`: 405.
                scope.update(same_path[0].matches(scope)[1])
                await same_path[0].handle(scope, receive, send)
                return
            for route, way in self.index.get(_place(scope["method"], scope["path"]), ()):
                match, child_scope = route.matches(scope)
                if match is Match.FULL:
                    scope["router"] = self.router
                    scope.update(child_scope)
                    if way is not None:
                        request = Request(scope, receive, send)
                        if await way.answers(request, send):
                            return
                        receive = _again(request)
                    await route.handle(scope, receive, send)
                    return
        await self.scan(scope, receive, send)


def _again(request: Request) -> Receive:
    """What was read of a request's body, to be read once more."""
    if not hasattr(request, "_body"):
        return request.receive
    waiting: list[Message] = [{"type": "http.request", "body": request._body}]  # noqa: SLF001  # Starlette keeps it there

    async def receive() -> Message:
        return waiting.pop() if waiting else await request.receive()

    return receive


class ShortWay:
    """A guarded route, from request to endpoint without FastAPI in between."""

    def __init__(
        self,
        endpoint: Any,
        path: Mapping[str, TypeAdapter[Any]],
        query: tuple[str, type[BaseModel]] | None,
        body: tuple[str, type[BaseModel]] | None,
        *,
        wants_request: bool,
    ) -> None:
        self.endpoint = endpoint
        self.path = path
        self.body = body
        self.wants_request = wants_request
        self.query = query
        if query is not None:
            # Endpoints do not change their query: one without parameters serves all requests.
            needs = any(field.is_required() for field in query[1].model_fields.values())
            self.no_query = None if needs else query[1]()
            self.lists = {
                name
                for name, field in query[1].model_fields.items()
                if get_origin(field.annotation) is list
            }

    @classmethod
    def of(cls, route: APIRoute) -> "ShortWay | None":
        """The short way of a route whose parameters are all of the plain kinds, else None."""
        path: dict[str, TypeAdapter[Any]] = {}
        query = body = None
        guarded = False
        parameters = inspect.signature(route.endpoint).parameters
        for name, parameter in parameters.items():
            annotation = parameter.annotation
            if annotation == ActorDep and name == "actor":
                guarded = True
            elif name in route.param_convertors:
                path[name] = TypeAdapter(annotation)
            elif any(isinstance(extra, Query) for extra in get_args(annotation)[1:]):
                query = (name, get_args(annotation)[0])
            elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
                body = (name, annotation)
            elif annotation is not Request or name != "request":
                return None
        if not guarded:
            return None
        return cls(route.endpoint, path, query, body, wants_request="request" in parameters)

    async def answers(self, request: Request, send: Send) -> bool:
        """Answer the request; False, with nothing done, when something is not in order."""
        scope = request.scope
        try:
            values: dict[str, Any] = {"actor": await current_actor(request)}
            for name, adapter in self.path.items():
                values[name] = adapter.validate_python(scope["path_params"][name])
            if self.query is not None:
                values[self.query[0]] = self._query(request, self.query[1])
            if self.body is not None:
                values[self.body[0]] = await _body(request, self.body[1])
        except Problem as problem:
            if problem.code == "unavailable":
                raise  # asked again, it would only wait as long once more
            return False
        except (ValueError, RecursionError):  # a ValidationError is a ValueError
            return False
        if self.wants_request:
            values["request"] = request
        result = await self.endpoint(**values)
        if not isinstance(result, Response):
            result = Response(result.model_dump_json(), media_type="application/json")
        await result(scope, request.receive, send)
        return True

    def _query(self, request: Request, model: type[BaseModel]) -> BaseModel:
        if not request.scope["query_string"] and self.no_query is not None:
            return self.no_query
        given = request.query_params
        return model.model_validate(
            {name: given.getlist(name) if name in self.lists else given[name] for name in given}
        )


async def _body(request: Request, model: type[BaseModel]) -> BaseModel:
    """The JSON body as its model; ValueError for anything that FastAPI should judge."""
    if request.headers.get("content-type") != "application/json":
        raise ValueError
    body = await request.body()
    if may_hold_nul(body):
        raise ValueError
    return model.model_validate(json.loads(body))
