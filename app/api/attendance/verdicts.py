"""Verdicts on captures on the wire, in the language of the request."""

from collections.abc import Mapping
from typing import Any

from app.api.http.items import item_problem
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
        "problem": answer.problem and item_problem(answer.problem),
    }
