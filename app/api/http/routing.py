"""Routes: each operation is defined here, with everything the HTTP layer needs to know about it.

A route names its endpoint and its documented answers, and states how it differs from others
(`before_password`, `if_match`, `most_bytes`, `short_read`). No other module keeps a list of paths.
"""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypedDict, TypeVar, Unpack, get_args

from fastapi import FastAPI, Request, Response
from fastapi.datastructures import Default
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form, Query
from fastapi.responses import JSONResponse
from pydantic.warnings import UnsupportedFieldAttributeWarning
from sqlmodel import Session
from starlette import routing as starlette
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from app.api.http.bodies import BodyRoute
from app.api.http.endpoints import Endpoint, need_of, placed
from app.api.http.problems import documented
from app.config import Settings
from app.db import Database
from app.models.base import Input
from app.problem_texts import HintCode

# FastAPI ignores it where it makes the validator of a parameter: those of models that are built when
# they are first used are made later.
warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning)

Responses = dict[int | str, dict[str, Any]]
_E = TypeVar("_E", bound=Endpoint)


class RouteOptions(TypedDict, total=False):
    """Options of a route beside its path and method."""

    response_model: Any
    status_code: int
    responses: Responses
    response_class: type[Response]
    openapi_extra: dict[str, Any]
    include_in_schema: bool
    # For an account that signed in with a one-time code and has no password yet.
    before_password: bool
    # Whether it honours `If-Match`; by default a PATCH does.
    if_match: bool
    # The largest body, where it is not that of all requests.
    most_bytes: Callable[[Settings], int]
    # Its body may be packed (gzip): the endpoint unpacks it, in pieces.
    takes_gzip: bool
    # See `endpoints.placed`.
    short_read: bool
    # Reads the change log: all that was committed before is numbered first.
    numbered: bool
    # Gives records to keep: an app that is too old gets 426 (api/http/app_versions).
    refuses_old_apps: bool
    # What a GET says by its headers alone is of use: HEAD stands in the contract. Every GET answers it.
    head: bool
    # Ignores query parameters: others add theirs (`fbclid`, `utm_source`) to its address.
    any_query: bool
    # Carries out operations of phones: it answers the conflicts of those it may be.
    carries_out_operations: bool


def takes_query(parameter: inspect.Parameter) -> bool:
    """Whether this parameter of an endpoint is the model of its query, which is strict."""
    return any(isinstance(extra, Query) for extra in get_args(parameter.annotation)[1:])


class Route(starlette.Route):
    """One operation. What only FastAPI needs of it is built when it is first asked for."""

    def __init__(
        self,
        path: str,
        endpoint: Endpoint,
        method: str,
        *,
        tags: Sequence[str] = (),
        public: bool = False,
        response_model: Any = None,
        status_code: int = 200,
        responses: Responses | None = None,
        response_class: type[Response] | None = None,
        openapi_extra: Mapping[str, Any] | None = None,
        include_in_schema: bool = True,
        before_password: bool = False,
        if_match: bool | None = None,
        most_bytes: Callable[[Settings], int] | None = None,
        takes_gzip: bool = False,
        short_read: bool = False,
        numbered: bool = False,
        refuses_old_apps: bool = False,
        head: bool = False,
        any_query: bool = False,
        carries_out_operations: bool = False,
    ) -> None:
        run = placed(endpoint, status_code, short_read=short_read, numbered=numbered)
        name = endpoint.__name__
        super().__init__(path, run, name=name, include_in_schema=include_in_schema)
        self.method = method
        self.methods = {method}
        self.operation_id = name
        self.tags = tags
        self.public = public
        self.need = need_of(endpoint)
        self.response_model = response_model
        self.status_code = status_code
        self.responses = responses or {}
        self.response_class = response_class
        self.openapi_extra = openapi_extra or {}
        self.before_password = before_password
        self.if_match = method == "PATCH" if if_match is None else if_match
        self.most_bytes = most_bytes
        self.takes_gzip = takes_gzip
        self.refuses_old_apps = refuses_old_apps
        self.head = head
        self.carries_out_operations = carries_out_operations
        parameters = inspect.signature(endpoint).parameters.values()
        self.takes_no_query = not (any_query or any(map(takes_query, parameters)))

    @property
    def operation_ids(self) -> list[str]:
        """What it is in the contract: itself, and its HEAD where that is of use."""
        return [self.operation_id, *([f"{self.operation_id}_headers"] if self.head else [])]

    @property
    def writes(self) -> bool:
        return self.need in (Session, Database)

    @property
    def replayed(self) -> bool:
        """Whether its answer is kept, for a client that sends the same Idempotency-Key again."""
        return self.need is Session and not self.public

    @property
    def takes_form(self) -> bool:
        body = self.fastapi.body_field
        return body is not None and isinstance(body.field_info, Form)

    @property
    def elsewhere(self) -> Mapping[str, HintCode]:
        """Hints for fields that its body does not have, since another request changes them."""
        body = self.fastapi.body_field
        model = body.field_info.annotation if body is not None else None
        return model.elsewhere if isinstance(model, type) and issubclass(model, Input) else {}

    @cached_property
    def fastapi(self) -> BodyRoute:
        """The route as FastAPI has it: for the contract, and for requests with something wrong."""
        errors = documented(
            public=self.public,
            method=self.method,
            writes=self.writes,
            if_match=self.if_match,
            refuses_old_apps=self.refuses_old_apps,
        )
        security: dict[str, Any] = {"security": []} if self.public else {}
        return BodyRoute(
            self.path,
            self.endpoint,
            methods=[self.method],
            operation_id=self.operation_id,
            tags=[*self.tags],
            status_code=self.status_code,
            response_model=self.response_model,
            response_class=self.response_class or Default(JSONResponse),
            responses=errors | self.responses,
            openapi_extra=security | {**self.openapi_extra} or None,
            include_in_schema=self.include_in_schema,
        )

    def check_query(self, request: Request) -> None:
        """422 for each query parameter of a request to a route that takes none."""
        if self.takes_no_query and request.scope["query_string"] and request.query_params:
            given = request.query_params.items()
            unknown = [
                {"type": "extra_forbidden", "loc": ("query", name), "input": value}
                for name, value in given
            ]
            raise RequestValidationError(unknown)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        if match is not Match.NONE:
            found["route"] = self
        return match, found

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.fastapi.handle(scope, receive, send)


class Router:
    """The operations of one resource. Each needs an `actor: ActorDep`, unless the router is
    public: a route cannot forget its guard."""

    def __init__(self, *, prefix: str = "", tags: Sequence[str] = (), public: bool = False) -> None:
        self.prefix = prefix
        self.tags = tags
        self.public = public
        self.routes: list[Route] = []

    def get(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_E], _E]:
        return self._defining("GET", path, options)

    def post(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_E], _E]:
        return self._defining("POST", path, options)

    def patch(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_E], _E]:
        return self._defining("PATCH", path, options)

    def delete(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_E], _E]:
        return self._defining("DELETE", path, options)

    def options(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_E], _E]:
        return self._defining("OPTIONS", path, options)

    def _defining(self, method: str, path: str, options: RouteOptions) -> Callable[[_E], _E]:
        def define(endpoint: _E) -> _E:
            self.add(method, path, endpoint, **options)
            return endpoint

        return define

    def add(
        self, method: str, path: str, endpoint: Endpoint, **options: Unpack[RouteOptions]
    ) -> None:
        guarded = "actor" in inspect.signature(endpoint).parameters
        if not (guarded or self.public):
            raise TypeError(f"{endpoint.__name__} is neither public nor guarded by an actor")
        route = Route(
            self.prefix + path,
            endpoint,
            method,
            tags=self.tags,
            public=self.public,
            **options,
        )
        self.routes.append(route)


def routes_of(app: FastAPI) -> list[Route]:
    """The operations of an application: without the pages that only show the contract."""
    return [route for route in app.router.routes if isinstance(route, Route)]


def route_of(request: Request) -> Route:
    """The route that answers this request."""
    route: Route = request.scope["route"]
    return route
