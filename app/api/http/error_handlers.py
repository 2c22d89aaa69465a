"""Turn every error that a request raises into a problem document (RFC 9457)."""

import asyncio
from collections.abc import Callable
from functools import partial
from traceback import clear_frames
from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from app.api.http.context import request_context
from app.api.http.noting import note_answer, will_show
from app.api.http.outages import busy_is_503
from app.api.http.problems import problem_answer
from app.api.http.routing import route_of
from app.api.http.server import server_of
from app.errors import Problem, field_error, malformed
from app.models.kernel.access_log import ReadHow
from app.services.kernel.access import Actor, Db

# The record that a member's record was merged into, for an actor who may see it.
KeptOf = Callable[[Db, Actor, UUID], UUID | None]


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
    with busy_is_503():
        return await asyncio.to_thread(
            database.read_apart, lambda db: kept_of(db, actor, member_id)
        )


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for HTTPException only
    if error.status_code == 404:
        return problem_answer(Problem("not_found"))
    if error.status_code == 405:
        headers = {"Allow": ", ".join(_methods(request))}
        return problem_answer(Problem("method_not_allowed", method=request.method, headers=headers))
    if error.status_code < 500:
        return problem_answer(malformed(str(error.detail)))
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
    # FastAPI's frame holds the error whose traceback holds the frame, and the body with it: freed
    # now, where the collector would leave it for thousands of requests.
    clear_frames(error.__traceback__)
    details = error.errors()
    if any(item["type"] == "json_invalid" for item in details):
        reason = str(details[0].get("ctx", {}).get("error", "JSON"))
        return problem_answer(malformed(reason))
    of_body = any(item["loc"][0] == "body" for item in details)
    if of_body and (expected := _expected_media_type(request, error.body)):
        return problem_answer(Problem("unsupported_media_type", expected=expected))
    elsewhere = route_of(request).elsewhere
    fields = [field_error(item, elsewhere) for item in details[:50]]
    return problem_answer(Problem("validation_failed", errors=fields, count=len(details)))


def _expected_media_type(request: Request, body: Any) -> str | None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if route_of(request).takes_form:
        forms = ("application/x-www-form-urlencoded", "multipart/form-data")
        return None if given in forms else forms[0]
    return "application/json" if isinstance(body, bytes) and body else None


def install(app: FastAPI, kept_of: KeptOf) -> None:
    app.add_exception_handler(Problem, partial(_on_problem, kept_of))
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
