"""The fields of an answer come in the order of its schema, whichever operation answers."""

from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

from app.api.http.routing import routes_of
from tests.helpers.client import Api

READ = [
    *("/v1/me", "/v1/units", "/v1/branches", "/v1/members?limit=3", "/v1/members/count"),
    *("/v1/accounts", "/v1/appointments", "/v1/events", "/v1/sessions", "/v1/households"),
    *("/v1/loan-figures", "/v1/duplicates", "/v1/correction-requests", "/v1/transfers"),
    *("/v1/imports", "/v1/changes?limit=3", "/v1/me/work", "/v1/groups", "/v1/posts"),
    *("/v1/privacy/requests", "/v1/poverty-standards", "/v1/code-lists", "/v1/me/notifications"),
]


def order(value: Any) -> Any:
    """The names of fields at every depth, in their order."""
    if isinstance(value, dict):
        return [(name, order(each)) for name, each in value.items()]
    return [order(each) for each in value] if isinstance(value, list) else None


def model_of(app: FastAPI, path: str) -> Any:
    [route] = [
        each
        for each in routes_of(app)
        if (each.method, each.path) == ("GET", path.partition("?")[0])
    ]
    return route.response_model


@pytest.mark.parametrize("path", READ)
def test_is_that_of_the_schema(api: Api, app: FastAPI, path: str) -> None:
    answer = api.as_("phuongvi").get(path)
    if answer.status_code == 403:
        answer = api.as_("phutho").get(path)
    assert answer.status_code == 200, answer.text
    schema = TypeAdapter(model_of(app, path))
    expected = schema.dump_python(schema.validate_json(answer.content), mode="json")
    assert order(answer.json()) == order(expected)
