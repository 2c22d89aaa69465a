"""The published contracts: the whole, and the subsets for the mobile app and for integrators."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app import problem_texts
from app.api.http.app_versions import HEADER
from app.api.http.problems import MEDIA_TYPE, ProblemBody, codes_of
from app.api.http.recorded import (
    capability_of,
    conflicts_by_operation,
    conflicts_seen,
    recorded,
    vietnamese,
)
from app.api.http.routing import Route, routes_of
from app.errors import FOLDER
from app.services.kernel.manifest import manifest

# The kinds of clients that have a contract of their own, cut to what they need.
SUBSETS: Final = ("mobile", "integration")
_JSON = "application/json"
_REPEATED = {"idempotency_in_progress", "idempotency_rights_changed"}
_METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
_DESCRIPTION = """
Hội Số, the open backend of a women's union.

Sign in at `POST /v1/auth/token` (a form) and send `Authorization: Bearer <access_token>`.
Errors are `application/problem+json`; branch on `code`. Send `content-type: application/json`
with every JSON body. `Idempotency-Key` makes a POST, PATCH or DELETE safe to send again.

What there is:

"""
# Names of packages and modules are made of it: plain letters.
_TITLE = "Hoi So API"


def openapi(app: FastAPI) -> dict[str, Any]:
    """The contract of the running app (OpenAPI 3.1)."""
    if app.openapi_schema is None:
        routes = [route for route in routes_of(app) if route.include_in_schema]
        schema = get_openapi(
            title=_TITLE,
            version=app.version,
            description=_description(),
            routes=[route.fastapi for route in routes],
            tags=[{"name": name, "description": text} for name, text in manifest().tags.items()],
            license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
            servers=[{"url": "/"}],
        )
        _secure(schema)
        _describe_parameters_once(schema)
        _add_headers(schema, routes)
        _describe_problems(schema, routes)
        _describe_operations(schema, routes)
        _add_heads(schema, routes)
        app.openapi_schema = schema
    return app.openapi_schema


def _description() -> str:
    tags = sorted(manifest().tags.items())
    return _DESCRIPTION.lstrip() + "\n".join(f"- **{name}**: {text}" for name, text in tags)


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
    components["AppVersion"] = {
        "name": HEADER,
        "in": "header",
        "required": False,
        "description": "Platform and version of the app. 426 `app_too_old` when it is served no longer.",
        "schema": {"type": "string", "examples": ["android/1.4.2"]},
    }
    for route in routes:
        operation = _of(schema, route)
        parameters = operation.setdefault("parameters", [])
        if route.refuses_old_apps:
            parameters.append({"$ref": "#/components/parameters/AppVersion"})
        if route.replayed and route.method != "GET":
            parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
        if route.if_match:
            parameters.append({"$ref": "#/components/parameters/IfMatch"})
        parameters.append({"$ref": "#/components/parameters/AcceptLanguage"})


def _of(schema: dict[str, Any], route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = schema["paths"][route.path_format][route.method.lower()]
    return operation


def _describe_operations(schema: dict[str, Any], routes: Iterable[Route]) -> None:
    """A Vietnamese name beside the English one; a request and an answer as they were in a test; and the
    kind of operation by which a phone does it while it is offline (`x-offline`, false where it cannot)."""
    offline = {kind.operation: kind.name for kind in manifest().operations.values()}
    for route in routes:
        operation = _of(schema, route)
        known: Mapping[str, Any] = recorded(route)
        english = route.operation_id.replace("_", " ").capitalize()
        operation["summary"] = " · ".join(filter(None, [english, vietnamese(route)]))
        sent = operation.get("requestBody", {})
        answered = operation["responses"][str(route.status_code)]
        for described, part in ((sent, "request"), (answered, "answer")):
            if part in known and _JSON in described.get("content", {}):
                described["content"][_JSON]["example"] = known[part]
        if route.public or known.get("by_phone", False):
            operation["x-phone"] = True
        operation["x-offline"] = offline.get(route.operation_id, False)


def _add_heads(schema: dict[str, Any], routes: Iterable[Route]) -> None:
    """A HEAD is its GET without any body (RFC 9110, 9.3.2); a problem keeps its type, which its header
    has."""
    for route in routes:
        if route.head:
            get = _of(schema, route)
            english, _, translated = get["summary"].partition(" · ")
            schema["paths"][route.path_format]["head"] = get | {
                "operationId": route.operation_ids[-1],
                "summary": f"{english} (headers) · " + f"{translated} (không có nội dung)",
                "responses": {
                    status: answer
                    if status >= "400"
                    else {name: part for name, part in answer.items() if name != "content"}
                    for status, answer in get["responses"].items()
                },
            }


def _describe_problems(schema: dict[str, Any], routes: Iterable[Route]) -> None:
    """FastAPI documents its own 422 bodies; ours are problems, described by their codes."""
    schemas = schema["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs") | {"ProblemBody": problem}
    for route in routes:
        responses = _of(schema, route)["responses"]
        if "409" in responses and not conflicts_of(route):
            del responses["409"]
        for status, answer in responses.items():
            if MEDIA_TYPE in answer.get("content", {}):
                codes = conflicts_of(route) if status == "409" else codes_of(int(status))
                answer["description"] = " | ".join(codes)


def conflicts_of(route: Route) -> list[str]:
    """The codes of 409 that an operation answers: its own, and those of repeated requests.

    What no test has seen of any operation stands at all of its capability that write. Of an
    operation that was never recorded, all there are.
    """
    known = recorded(route)
    if not known:
        return codes_of(409)
    repeated = _REPEATED if route.replayed else set()
    unseen = _unseen().get(capability_of(route), set()) if route.writes else set()
    carried_out = _of_phones() if route.carries_out_operations else set()
    return sorted({*known.get("conflicts", ()), *repeated, *unseen, *carried_out})


def _of_phones() -> set[str]:
    """What the operations of the API answer that phones do while they are offline."""
    of = conflicts_by_operation()
    return {code for kind in manifest().operations.values() for code in of.get(kind.operation, ())}


def _unseen() -> dict[str, set[str]]:
    """Codes of 409 that no operation was seen to answer, by the capability whose texts have them."""
    conflicts = set(codes_of(409)) - _REPEATED - conflicts_seen()
    return {
        each.name: {
            code
            for file in each.problems
            for code in conflicts & problem_texts.read(FOLDER / file).problems.keys()
        }
        for each in manifest().capabilities
    }


def subset(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """The contract cut down to one kind of client: its tags and what they refer to."""
    tags = {tag for tag, clients in manifest().audience.items() if name in clients}
    paths: dict[str, Any] = {}
    for path, item in schema["paths"].items():
        kept = {
            method: operation
            for method, operation in item.items()
            if method in _METHODS
            and set(operation["tags"]) & tags
            and (name != "mobile" or "x-phone" in operation)
        }
        if kept:
            paths[path] = kept
    cut = schema | {
        "info": schema["info"] | {"title": f"{_TITLE} {name}"},
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
