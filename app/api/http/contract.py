"""The published contracts: the whole, and the subsets for the mobile app and for integrators."""

from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.http.problems import MEDIA_TYPE, ProblemBody, codes_of
from app.api.http.routing import Route, routes_of
from app.services.kernel.manifest import manifest

# The kinds of clients that have a contract of their own, cut to what they need.
SUBSETS: Final = ("mobile", "integration")
_METHODS = ("get", "post", "put", "patch", "delete")
_DESCRIPTION = """
The open backend of a women's union: members, branches, access, history.

Sign in at `POST /v1/auth/token` (a form) and send `Authorization: Bearer <access_token>`.
Errors are `application/problem+json`; branch on `code`. Send `content-type: application/json`
with every JSON body. `Idempotency-Key` makes a POST, PATCH or DELETE safe to send again.
"""


def openapi(app: FastAPI) -> dict[str, Any]:
    """The contract of the running app (OpenAPI 3.1)."""
    if app.openapi_schema is None:
        routes = [route for route in routes_of(app) if route.include_in_schema]
        schema = get_openapi(
            title="Hội Số",
            version=app.version,
            description=_DESCRIPTION.strip(),
            routes=[route.fastapi for route in routes],
            tags=[{"name": name, "description": text} for name, text in manifest().tags.items()],
            license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
            servers=[{"url": "/"}],
        )
        _secure(schema)
        _describe_parameters_once(schema)
        _add_headers(schema, routes)
        _describe_problems(schema)
        app.openapi_schema = schema
    return app.openapi_schema


def _operations(schema: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    for item in schema["paths"].values():
        for method in _METHODS:
            if method in item:
                yield method, item[method]


def _describe_parameters_once(schema: dict[str, Any]) -> None:
    """FastAPI describes a parameter twice: on the parameter and in its schema."""
    for _, operation in _operations(schema):
        for parameter in operation.get("parameters", []):
            parameter["schema"].pop("description", None)


def _secure(schema: dict[str, Any]) -> None:
    schema["components"]["securitySchemes"] = {
        "bearer": {
            "type": "oauth2",
            "description": "Access token of POST /v1/auth/token, valid for 15 minutes.",
            "flows": {
                "password": {
                    "tokenUrl": "/v1/auth/token",
                    "refreshUrl": "/v1/auth/token",
                    "scopes": {},
                },
                "clientCredentials": {"tokenUrl": "/v1/auth/token", "scopes": {}},
            },
        }
    }
    for _, operation in _operations(schema):
        operation.setdefault("security", [{"bearer": []}])


def _add_headers(schema: dict[str, Any], routes: Iterable[Route]) -> None:
    """The headers every route of a kind honours, documented once."""
    components = schema["components"].setdefault("parameters", {})
    components["IdempotencyKey"] = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "1 to 128 printable ASCII characters; the same key and request get the"
        " stored answer for a day.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"},
    }
    components["IfMatch"] = {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The ETag the change is based on, or several, with commas between; `*` is any."
        " 412 when the record has none of them any more. A weak ETag (`W/`) matches nothing.",
        "schema": {"type": "string"},
    }
    components["AcceptLanguage"] = {
        "name": "Accept-Language",
        "in": "header",
        "required": False,
        "description": "Language of error texts: vi (default) or en.",
        "schema": {"type": "string"},
    }
    for route in routes:
        operation = schema["paths"][route.path_format][route.method.lower()]
        parameters = operation.setdefault("parameters", [])
        if route.replayed and route.method != "GET":
            parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
        if route.if_match:
            parameters.append({"$ref": "#/components/parameters/IfMatch"})
        parameters.append({"$ref": "#/components/parameters/AcceptLanguage"})


def _describe_problems(schema: dict[str, Any]) -> None:
    """FastAPI documents its own 422 bodies; ours are problems, described by their codes."""
    schemas = schema["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs") | {"ProblemBody": problem}
    for _, operation in _operations(schema):
        for status, answer in operation["responses"].items():
            if MEDIA_TYPE in answer.get("content", {}):
                answer["description"] = " | ".join(codes_of(int(status)))


def subset(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """The contract cut down to one kind of client: its tags and what they refer to."""
    tags = {tag for tag, clients in manifest().audience.items() if name in clients}
    paths: dict[str, Any] = {}
    for path, item in schema["paths"].items():
        kept = {
            method: operation
            for method, operation in item.items()
            if method in _METHODS and set(operation["tags"]) & set(tags)
        }
        if kept:
            paths[path] = kept
    cut = schema | {
        "info": schema["info"] | {"title": f"Hội Số: {name}"},
        "tags": [tag for tag in schema["tags"] if tag["name"] in tags],
        "paths": paths,
    }
    components = schema["components"]
    used = _references(paths, components)
    cut["components"] = {
        kind: {
            n: value for n, value in group.items() if kind == "securitySchemes" or (kind, n) in used
        }
        for kind, group in components.items()
    }
    return cut


def _references(root: Any, components: dict[str, Any]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str):
                kind, name = reference.removeprefix("#/components/").split("/")
                if (kind, name) not in found:
                    found.add((kind, name))
                    waiting.append(components[kind][name])
            waiting.extend(value for key, value in node.items() if key != "$ref")
    return found
