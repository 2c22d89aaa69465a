"""What every list takes: `fields`, `format`, `headings`, `limit`, `cursor`, read by one model."""

import inspect
from collections.abc import Iterable
from typing import Any, get_args

from app.api.http.routing import Route, takes_query
from app.models.base import ListQuery


def query_of(route: Route) -> type[Any] | None:
    """The model of its query, if it takes one."""
    for parameter in inspect.signature(route.endpoint).parameters.values():
        if takes_query(parameter):
            model: type[Any] = get_args(parameter.annotation)[0]
            return model
    return None


def lists(routes: Iterable[Route]) -> list[tuple[Route, type[ListQuery]]]:
    """The routes of lists, each with the model of its query."""
    queries = [(route, query_of(route)) for route in routes]
    return [
        (route, query)
        for route, query in queries
        if query is not None and issubclass(query, ListQuery)
    ]


def as_every_list(query: type[ListQuery]) -> set[str]:
    """Those of the shared parameters that `query` neither declares nor validates by itself."""
    below = query.__mro__[: query.__mro__.index(ListQuery)]
    own = {name for each in below for name in vars(each).get("__annotations__", {})}
    decorators, shared = query.__pydantic_decorators__, ListQuery.__pydantic_decorators__
    for name, validator in decorators.field_validators.items():
        if name not in shared.field_validators:
            own |= {*validator.info.fields}
    whole = decorators.model_validators.items()
    before = [
        name
        for name, validator in whole
        if validator.info.mode != "after" and name not in shared.model_validators
    ]
    return set() if "*" in own or before else ListQuery.model_fields.keys() - own
