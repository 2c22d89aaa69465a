"""Errors on the wire: application/problem+json (RFC 9457), and how the contract documents them."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Response
from pydantic import MISSING, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app.api.http.context import request_context
from app.errors import FIELD_ERRORS, PROBLEMS, Problem

MEDIA_TYPE = "application/problem+json"
_HAS_IT: dict[int | str, dict[str, Any]] = {
    304: {"description": "Nothing has changed since the ETag of If-None-Match."}
}


def _one_of(codes: Mapping[str, object]) -> Callable[[JsonDict], None]:
    """The codes as they are when the contract is made, after the texts were installed."""

    def describe(schema: JsonDict) -> None:
        schema["enum"] = [*sorted(codes)]

    return describe


class FieldProblem(BaseModel):
    """One wrong field: a JSON pointer (RFC 6901) into the part of the request named by `in`.

    `allowed`: the values it may have, where there is a list of them."""

    in_: str = Field(alias="in", json_schema_extra={"enum": ["body", "query", "path", "header"]})
    pointer: str
    code: str = Field(json_schema_extra=_one_of(FIELD_ERRORS))
    detail: str
    hint: str | MISSING = MISSING
    allowed: list[str] | MISSING = MISSING


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
    errors: list[FieldProblem] | MISSING = MISSING
    reason: str | MISSING = MISSING
    required_right: str | MISSING = MISSING
    units: list[dict[str, Any]] | MISSING = MISSING


def documented(
    *, public: bool, method: str, writes: bool, if_match: bool, refuses_old_apps: bool
) -> dict[int | str, dict[str, Any]]:
    """The answers of a route besides its own, from what kind of route it is."""
    statuses = {400, 422, 429, 500, 503} | (set() if public else {401, 403, 404})
    if method != "GET":
        statuses |= {413, 415}
    if writes:
        statuses |= {409}
    if if_match:
        statuses |= {412}
    if refuses_old_apps:
        statuses |= {426}
    errors: dict[int | str, dict[str, Any]] = {
        status: problem_response() for status in sorted(statuses)
    }
    return _HAS_IT | errors if method == "GET" else errors


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
    if problem.code in ("invalid_token", "device_revoked"):
        return 'Bearer realm="hoiso", error="invalid_token"'
    return 'Bearer realm="hoiso"'
