"""Errors on the wire: application/problem+json (RFC 9457), and how the contract documents them."""

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from app.api.http.context import request_context
from app.api.http.noting import note_answer, will_show
from app.api.http.server import server_of
from app.errors import FIELD_ERRORS, PROBLEMS, Problem, field_error
from app.models.kernel.access_log import ReadHow
from app.services.kernel.access import Actor, Db

MEDIA_TYPE = "application/problem+json"
# The record that a member's record was merged into, for an actor who may see it.
KeptOf = Callable[[Db, Actor, UUID], UUID | None]


def _one_of(codes: Mapping[str, object]) -> Callable[[JsonDict], None]:
    """The codes as they are when the contract is made, after the texts were installed."""

    def describe(schema: JsonDict) -> None:
        schema["enum"] = [*sorted(codes)]

    return describe


class FieldProblem(BaseModel):
    """One wrong field: a JSON pointer (RFC 6901) into the part of the request named by `in`."""

    in_: str = Field(alias="in", json_schema_extra={"enum": ["body", "query", "path", "header"]})
    pointer: str
    code: str = Field(json_schema_extra=_one_of(FIELD_ERRORS))
    detail: str
    hint: str | None = None


class ProblemBody(BaseModel):
    """What every error answers. Branch on `code`; `detail` is for people (vi, or en if asked)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(json_schema_extra=_one_of(PROBLEMS))
    instance: str
    request_id: str
    errors: list[FieldProblem] | None = None
    required_right: str | None = None
    units: list[dict[str, Any]] | None = None


def documented(*, public: bool, method: str, writes: bool) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, from what kind of route it is."""
    statuses = {400, 422, 429, 500, 503} | (set() if public else {401, 403, 404})
    if writes:
        statuses |= {409, 413, 415}
    if method == "PATCH":
        statuses |= {412}
    return {status: problem_response() for status in sorted(statuses)}


def problem_response() -> dict[str, Any]:
    """One documented error: the problem+json body; the contract describes it by its codes."""
    return {
        "description": "",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
    }


def codes_of(status: int) -> list[str]:
    return sorted(code for code, text in PROBLEMS.items() if text.status == status)


def problem_answer(problem: Problem) -> Response:
    """The wire form of a problem, in the language of the request."""
    context = request_context.get()
    body = problem.render(
        language=context.language, instance=context.path, request_id=context.request_id
    )
    # A lone surrogate in an unknown field's name must not break its own error message.
    text = json.dumps(body, ensure_ascii=False, default=_as_json).encode("utf-8", "replace")
    headers = dict(problem.headers)
    if "retry_after" in problem.params:
        headers["Retry-After"] = str(problem.params["retry_after"])
    if problem.status == 401:
        headers["WWW-Authenticate"] = _challenge(problem)
    return Response(text, problem.status, headers, MEDIA_TYPE)


def _as_json(value: object) -> Any:
    """The rows of a schema that a problem shows."""
    assert isinstance(value, BaseModel)  # noqa: S101  # all else in a problem is JSON
    return value.model_dump(mode="json")


def _challenge(problem: Problem) -> str:
    """How to sign in: the codes of RFC 6750 only, and none where there was no token."""
    if problem.extra.get("error") == "invalid_client":
        return 'Basic realm="hoiso"'
    if problem.code == "invalid_token":
        return 'Bearer realm="hoiso", error="invalid_token"'
    return 'Bearer realm="hoiso"'


async def _on_problem(kept_of: KeptOf, request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101  # registered for Problem only
    if error.code == "not_found" and (kept := await _merged_into(request, kept_of)) is not None:
        old = request.path_params["member_id"]
        if request.method in ("GET", "HEAD"):
            # Not for ever (308): a merge can be undone.
            path = request.url.path.replace(str(old), str(kept))
            query = f"?{request.url.query}" if request.url.query else ""
            return Response(status_code=307, headers={"Location": path + query})
        error = Problem("member_merged", extra={"merged_into": str(kept)})
    _note_shown(request, error)
    return problem_answer(error)


def _note_shown(request: Request, problem: Problem) -> None:
    """A refusal shows what it names, and nothing of the answer that was not given."""
    request_context.get().shown = []
    for rows in problem.extra.values():
        for row in rows if isinstance(rows, list) else ():
            will_show(type(row), [row], ReadHow.list)
    note_answer(request)


async def _merged_into(request: Request, kept_of: KeptOf) -> UUID | None:
    """The record that the member in the address was merged into, if the caller may see it."""
    actor = request_context.get().actor
    try:
        member_id = UUID(str(request.path_params["member_id"]))
    except (KeyError, ValueError):
        return None
    if actor is None:
        return None
    database = server_of(request).database
    return await asyncio.to_thread(database.read_apart, lambda db: kept_of(db, actor, member_id))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for HTTPException only
    if error.status_code == 404:
        return problem_answer(Problem("not_found"))
    if error.status_code == 405:
        headers = {"Allow": ", ".join(_methods(request))}
        return problem_answer(Problem("method_not_allowed", method=request.method, headers=headers))
    if error.status_code == 413:
        limit = server_of(request).settings.max_body_bytes
        return problem_answer(Problem("body_too_large", limit=limit))
    if error.status_code < 500:
        return problem_answer(Problem("malformed_request", reason=str(error.detail)))
    return problem_answer(Problem("internal"))


def _methods(request: Request) -> list[str]:
    """What the address does take: starlette names the methods of the first route only."""
    found: set[str] = set()
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    literal = [route for route in routes if route.path == request.scope["path"]]
    for route in literal or routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= set(route.methods or ())
    return sorted(found)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for it only
    details = error.errors()
    if any(item["type"] == "json_invalid" for item in details):
        reason = str(details[0].get("ctx", {}).get("error", "JSON"))
        return problem_answer(Problem("malformed_request", reason=reason))
    if expected := _expected_media_type(request, error.body):
        return problem_answer(Problem("unsupported_media_type", expected=expected))
    fields = [field_error(item) for item in details[:50]]
    return problem_answer(Problem("validation_failed", errors=fields, count=len(details)))


def _expected_media_type(request: Request, body: Any) -> str | None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.url.path in ("/v1/auth/token", "/v1/auth/revoke"):
        forms = ("application/x-www-form-urlencoded", "multipart/form-data")
        return None if given in forms else forms[0]
    return "application/json" if isinstance(body, bytes) and body else None


def install(app: FastAPI, kept_of: KeptOf) -> None:
    app.add_exception_handler(Problem, partial(_on_problem, kept_of))
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
