"""The problem of one item of a bulk request, in the language of the request."""

from collections.abc import Mapping
from typing import Any

from app.api.http.context import request_context
from app.errors import Problem


def item_problem(problem: Problem) -> Mapping[str, Any]:
    """As ItemProblem."""
    language = request_context.get().language
    body = problem.render(language=language, instance="", request_id="")
    errors = [
        {name: error[name] for name in ("pointer", "code", "detail")}
        for error in body.get("errors", ())
    ]
    return {"code": problem.code, "detail": body["detail"], "errors": errors}
