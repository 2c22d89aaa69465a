"""Bodies of requests, made from their schemas."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from fastapi import FastAPI
from pydantic import BaseModel

from app.api.http.routing import Route, routes_of
from app.services.kernel.named import Place
from tests.helpers.answers import Json


def body_of(route: Route) -> Any:
    """The model of its body, or None."""
    body = route.fastapi.body_field
    return None if body is None else body.field_info.annotation


def with_bodies(app: FastAPI) -> Iterator[tuple[Route, type[BaseModel]]]:
    for route in routes_of(app):
        model = body_of(route)
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield route, model


def resolved(schema: Json, whole: Json) -> Json:
    if "$ref" in schema:
        found: Json = whole["$defs"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema


def smallest(schema: Json, whole: Json) -> Any:
    schema = resolved(schema, whole)
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return smallest(schema["anyOf"][0], whole)
    if schema.get("type") == "object":
        needed = schema.get("required", ())
        return {name: smallest(schema["properties"][name], whole) for name in needed}
    if schema.get("type") == "array":
        return [smallest(schema["items"], whole) for _ in range(schema.get("minItems", 0))]
    if schema.get("type") == "string":
        formats = {"uuid": str(uuid4()), "date": "2024-05-17"}
        return formats.get(
            schema.get("format", ""), "2024-05-17T01:00:00Z" if schema.get("format") else "aaaa"
        )
    return {"integer": schema.get("minimum", 1), "boolean": False, "number": 1}[schema["type"]]


def put(body: Any, schema: Json, whole: Json, steps: tuple[str | None, ...], value: Any) -> Any:
    """The body with a value at a place, and what that place needs around it."""
    if not steps:
        return value
    schema = resolved(schema, whole)
    for choice in schema.get("anyOf", ()):
        if resolved(choice, whole).get("type") in ("object", "array"):
            schema = resolved(choice, whole)
    if steps[0] is None:
        item = body[0] if body else smallest(schema["items"], whole)
        return [put(item, schema["items"], whole, steps[1:], value)]
    below = schema["properties"][steps[0]]
    body = smallest(schema, whole) | (body or {})
    return body | {steps[0]: put(body.get(steps[0]), below, whole, steps[1:], value)}


def pointer_of(place: Place) -> str:
    return "".join(f"/{0 if step is None else step}" for step in place.steps)
