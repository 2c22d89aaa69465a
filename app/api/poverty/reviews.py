"""Reviews of poverty in one act."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Response
from sqlmodel import Session

from app.api.http.deps import ActorDep
from app.api.http.items import item_problem
from app.api.http.noting import will_show
from app.api.http.routing import Router
from app.json_values import json_bytes
from app.models.kernel.access_log import ReadHow
from app.models.poverty.reviews import (
    PovertyReview,
    ReviewOutcome,
    ReviewOutcomes,
    ReviewVerdict,
)
from app.services.poverty import reviews
from app.services.poverty.reviews import Reviewed

router = Router(prefix="/v1", tags=["poverty"])


@router.post("/poverty-reviews", response_model=ReviewOutcomes)
def store_poverty_review(session: Session, actor: ActorDep, body: PovertyReview) -> Response:
    """What was found at the households of a list, up to 500, and the one decision that covers them:
    an outcome for each, in their order. Of one household all is stored, or nothing.

    With ids of the client's own (`assessment.id`, `recognised.id`) it can be sent again safely.
    """
    outcomes = _outcomes(reviews.store(session, actor, body))
    will_show(ReviewOutcome, outcomes["items"], ReadHow.detail)
    return Response(json_bytes(outcomes), media_type="application/json")


def _outcomes(found: Sequence[Reviewed]) -> dict[str, Any]:
    numbers = {each.value: 0 for each in ReviewVerdict}
    for each in found:
        numbers[each.verdict.value] += 1
    return numbers | {"items": [_outcome(each) for each in found]}


def _outcome(each: Reviewed) -> Mapping[str, Any]:
    assessment, decision = each.assessment, each.decision
    return {
        "household_id": each.household_id,
        "verdict": each.verdict,
        "assessment_id": None if assessment is None else assessment.id,
        "assessed_class": None if assessment is None else assessment.poverty_class,
        "decision_id": None if decision is None else decision.id,
        "change": None if decision is None else decision.change,
        "differs": each.differs,
        "problem": None if each.problem is None else item_problem(each.problem),
    }
