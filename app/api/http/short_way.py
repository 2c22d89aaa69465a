"""The short way of a plain request, from its route to its endpoint without FastAPI in between.

FastAPI solves the dependencies of a route anew on every request. Measured, that is most of the
price of a small request (docs/decisions/0005). A request whose path, query and JSON body are all in
order needs none of it. Any other request takes FastAPI's own way, which reports what is wrong.
"""

import inspect
import json
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from fastapi import Request, Response
from pydantic import BaseModel, TypeAdapter
from starlette.types import Send

from app.api.http.bodies import may_hold_nul
from app.api.http.deps import ActorDep
from app.api.http.routing import Route, takes_query
from app.services.kernel.access import Actor


class ShortWay:
    """A guarded route whose parameters are all of the plain kinds."""

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
            fields = query[1].model_fields
            # One for all requests without parameters: query models are frozen.
            needs = any(field.is_required() for field in fields.values())
            self.no_query = None if needs else query[1]()
            self.lists = {
                field.alias or name
                for name, field in fields.items()
                if get_origin(field.annotation) is list
            }

    @classmethod
    def of(cls, route: Route) -> "ShortWay | None":
        """The short way of a route; None where it has anything that is not understood here."""
        if route.response_class is not None or not inspect.iscoroutinefunction(route.endpoint):
            return None
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
            elif takes_query(parameter):
                query = (name, get_args(annotation)[0])
            elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
                body = (name, annotation)
            elif annotation is not Request or name != "request":
                return None
        if not guarded:
            return None
        return cls(route.endpoint, path, query, body, wants_request="request" in parameters)

    async def answers(self, request: Request, actor: Actor, send: Send) -> bool:
        """Answer the request; False, with nothing done, when something is not in order."""
        try:
            values = await self._values(request)
        except (ValueError, RecursionError):  # a ValidationError is a ValueError
            return False
        values["actor"] = actor
        result = await self.endpoint(**values)
        if not isinstance(result, Response):
            result = Response(result.model_dump_json(), media_type="application/json")
        await result(request.scope, request.receive, send)
        return True

    async def _values(self, request: Request) -> dict[str, Any]:
        given = request.scope["path_params"]
        values = {name: kind.validate_python(given[name]) for name, kind in self.path.items()}
        if self.query is not None:
            values[self.query[0]] = self._query(request, self.query[1])
        if self.body is not None:
            values[self.body[0]] = await _body(request, self.body[1])
        if self.wants_request:
            values["request"] = request
        return values

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
