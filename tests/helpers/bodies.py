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
    if "const" in schema:
        return schema["const"]
    if choices := schema.get("anyOf", schema.get("oneOf")):
        return smallest(choices[0], whole)
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
    several: list[Json] = schema.get("anyOf") or schema.get("oneOf") or []
    choices = [resolved(choice, whole) for choice in several]
    for choice in choices:
        if choice.get("type") == "array" or steps[0] in choice.get("properties", ()):
            schema = choice
            break
    if steps[0] is None:
        item = body[0] if body else smallest(schema["items"], whole)
        return [put(item, schema["items"], whole, steps[1:], value)]
    below = schema["properties"][steps[0]]
    # What was made for another of the choices does not go with it.
    made = body if body and body.keys() <= schema["properties"].keys() else {}
    body = smallest(schema, whole) | made
    return body | {steps[0]: put(body.get(steps[0]), below, whole, steps[1:], value)}


def pointer_of(place: Place) -> str:
    return "".join(f"/{0 if step is None else step}" for step in place.steps)
