"""One line of a result list that comes in as a file: a decision, and the official totals found."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.db import chunks
from app.errors import Problem, invalid
from app.models.households.households import Household
from app.models.kernel.access import Right
from app.models.poverty.poverty import (
    Assessment,
    AssessmentSource,
    DecisionTerms,
    PovertyStatus,
)
from app.models.poverty.reviews import ReviewedHousehold, ReviewRow, ReviewRowUpdate
from app.services.households import households
from app.services.kernel.access import Actor, Db, Expected, ensure_revision
from app.services.poverty import assessments, statuses
from app.services.poverty.reviews import store_one


def enter(session: Session, actor: Actor, row: ReviewRow) -> PovertyStatus:
    """Record the decision of a line, with the totals that were found."""
    found = None
    if row.assessed_on is not None:
        found = {"assessed_on": row.assessed_on, "source": AssessmentSource.official_survey}
        found |= {"income_points": row.income_points, "b2_points": row.b2_points, "answers": {}}
    item = ReviewedHousehold.model_validate(
        {
            "household_id": row.household_id,
            "assessment": found,
            "recognised": {"id": row.id, "class": row.class_, "note": row.note},
        }
    )
    terms = DecisionTerms.model_validate(row.model_dump(include=set(DecisionTerms.model_fields)))
    decision = store_one(session, actor, terms, item).decision
    assert decision is not None  # noqa: S101  # something is recognised
    return decision


def ensure_possible(db: Db, row: ReviewRow) -> None:
    """What `enter` would refuse of the decision, without writing anything."""
    days = sa.select(col(Household.opened_on), col(Household.closed_on))
    opened_on, closed_on = db.execute(days.where(col(Household.id) == row.household_id)).one()
    for name in ("decided_on", "valid_from", "assessed_on"):
        day = getattr(row, name)
        if day is not None and day < opened_on:
            raise invalid("before_household", f"/{name}", date=opened_on.isoformat())
        if day is not None and closed_on is not None and day > closed_on:
            raise Problem("household_closed", closed_on=closed_on.isoformat())
    statuses.ensure_room(db, row.household_id, row.valid_from)


def withdraw(session: Session, actor: Actor, decision_id: UUID) -> None:
    """Take back what a line has entered: the decision, and what was found with it."""
    assessment_id = statuses.withdraw(session, actor, decision_id)
    if assessment_id is not None:
        assessments.withdraw(session, assessment_id)


def hold(session: Session, decision_ids: Sequence[UUID]) -> None:
    """These decisions, with all others of their households, are written by nobody else before the
    commit."""
    found: set[UUID] = set()
    for chunk in chunks(decision_ids):
        of_these = sa.select(col(PovertyStatus.household_id)).where(
            col(PovertyStatus.id).in_(chunk)
        )
        found.update(session.execute(of_these).scalars())
    households.hold_many(session, found)


def in_use(db: Db, decision_ids: Sequence[UUID]) -> set[UUID]:
    """Those of these decisions that another has ended or that were annulled, or whose assessment
    another corrects or rests on."""
    other, correction = aliased(PovertyStatus), aliased(Assessment)
    statement = sa.select(col(PovertyStatus.id)).where(
        col(PovertyStatus.id).in_(decision_ids),
        sa.or_(
            col(PovertyStatus.ended_by_id).is_not(None),
            col(PovertyStatus.annulled_on).is_not(None),
            sa.exists().where(col(correction.corrects_id) == col(PovertyStatus.assessment_id)),
            sa.exists().where(
                col(other.assessment_id) == col(PovertyStatus.assessment_id),
                col(other.id) != col(PovertyStatus.id),
            ),
        ),
    )
    return set(db.execute(statement).scalars())


def correct(
    session: Session, actor: Actor, decision_id: UUID, body: ReviewRowUpdate, expected: Expected
) -> None:
    """Change the note: nothing else of a decision is corrected."""
    status = session.get_one(PovertyStatus, decision_id)
    households.lock(session, actor, status.household_id, Right.poverty_recognise)
    ensure_revision(status.revision, expected)
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(status, name, value)
    session.flush()


def restore(session: Session, actor: Actor, decision_id: UUID, before: Mapping[str, Any]) -> None:
    """Undo a correction: the note is as the change log has it."""
    correct(session, actor, decision_id, ReviewRowUpdate.model_validate(before), None)
