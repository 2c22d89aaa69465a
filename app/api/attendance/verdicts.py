"""Verdicts on captures on the wire, in the language of the request."""

from collections.abc import Mapping
from typing import Any

from app.api.http.context import request_context
from app.errors import Problem
from app.services.attendance.drafts import Answer


def verdict(answer: Answer) -> Mapping[str, Any]:
    """As CaptureVerdict."""
    return {
        "id": answer.id,
        "verdict": answer.verdict,
        "attendance": answer.attendance,
        "member_id": answer.member_id,
        "first_seen_at": answer.first_seen_at,
        "flags": list(answer.flags),
        "problem": answer.problem and _told(answer.problem),
    }


def _told(problem: Problem) -> Mapping[str, Any]:
    language = request_context.get().language
    body = problem.render(language=language, instance="", request_id="")
    errors = [
        {name: error[name] for name in ("pointer", "code", "detail")}
        for error in body.get("errors", ())
    ]
    return {"code": problem.code, "detail": body["detail"], "errors": errors}
