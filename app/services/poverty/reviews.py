"""A review of poverty in one act: assessments and decisions for the list of a commune.

Each household is a savepoint of its own: what is wrong with one keeps no other out.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from sqlmodel import Session

from app.errors import FieldError, Problem, invalid
from app.models.poverty.poverty import (
    AssessedClass,
    Assessment,
    DecisionTerms,
    PovertyStatus,
    StatusCreate,
)
from app.models.poverty.reviews import PovertyReview, Recognised, ReviewedHousehold, ReviewVerdict
from app.services.kernel.access import Actor
from app.services.poverty import assessments, statuses


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What became of one household of the list."""

    household_id: UUID
    verdict: ReviewVerdict
    assessment: Assessment | None = None
    decision: PovertyStatus | None = None
    problem: Problem | None = None

    @property
    def differs(self) -> bool:
        """The decision recognises another class than what was found."""
        if self.assessment is None or self.decision is None:
            return False
        found = self.assessment.poverty_class
        if found is AssessedClass.undetermined:
            return False
        below = (AssessedClass.poor.value, AssessedClass.near_poor.value)
        recognised = self.decision.poverty_class.value
        return found.value != recognised and (found.value in below or recognised in below)


def store(session: Session, actor: Actor, body: PovertyReview) -> list[Reviewed]:
    """Store what can be stored, household by household in the order of their ids, which is the order
    of locks; what became of each, in the order of the list."""
    _ensure_decision(body)
    order = sorted(range(len(body.items)), key=lambda at: body.items[at].household_id)
    found = {at: _one(session, actor, body.decision, body.items[at], at) for at in order}
    return [found[at] for at in range(len(body.items))]


def _ensure_decision(body: PovertyReview) -> None:
    """An item decides by the decision of the list; each household is on it once."""
    met: set[UUID] = set()
    for at, item in enumerate(body.items):
        if item.household_id in met:
            raise invalid("household_twice", f"/items/{at}/household_id")
        met.add(item.household_id)
        if item.recognised is not None and body.decision is None:
            raise invalid("required", "/decision")
        if item.recognised is None and item.assessment is None:
            expected = ("assessment", "recognised")
            raise invalid("one_of_needed", f"/items/{at}/assessment", expected=expected)


def _one(
    session: Session, actor: Actor, terms: DecisionTerms | None, item: ReviewedHousehold, at: int
) -> Reviewed:
    try:
        with session.begin_nested():
            return store_one(session, actor, terms, item)
    except Problem as problem:
        problem.errors = tuple(_within(error, at) for error in problem.errors)
        return Reviewed(item.household_id, ReviewVerdict.refused, problem=problem)


def store_one(
    session: Session, actor: Actor, terms: DecisionTerms | None, item: ReviewedHousehold
) -> Reviewed:
    assessment = decision = None
    news = []
    if item.assessment is not None:
        assessment, is_new = assessments.create(session, actor, item.household_id, item.assessment)
        news.append(is_new)
    if item.recognised is not None and terms is not None:
        own = item.recognised.model_dump(by_alias=True)
        if assessment is not None:
            own["assessment_id"] = assessment.id
        body = StatusCreate.model_validate(terms.model_dump() | own)
        decision, is_new = statuses.recognise(session, actor, item.household_id, body)
        news.append(is_new)
    verdict = ReviewVerdict.stored if any(news) else ReviewVerdict.same
    return Reviewed(item.household_id, verdict, assessment, decision)


def _within(error: FieldError, at: int) -> FieldError:
    """Where the list has what the form of one household has."""
    if error.place != "body":
        return error
    name = error.pointer.split("/")[1]
    if name in Recognised.model_fields:
        of = f"/items/{at}/recognised"
    else:
        of = "/decision" if name in DecisionTerms.model_fields else f"/items/{at}/assessment"
    return replace(error, pointer=f"{of}{error.pointer}")
