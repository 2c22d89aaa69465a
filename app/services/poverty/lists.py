"""Assessments and decisions of all households of a unit, over a period."""

from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.households.households import Household
from app.models.kernel.access import Right
from app.models.kernel.hierarchy import PeriodQuery
from app.models.poverty.lists import AssessmentQuery, DecisionItem, DecisionQuery
from app.models.poverty.poverty import Assessment, PovertyStatus
from app.services.households.standing import lived
from app.services.kernel.access import Actor, Db
from app.services.kernel.keyset import Order, Pages, each, fields_of, pages
from app.services.kernel.periods import happened
from app.services.members import scope
from app.services.poverty import assessments, statuses

_PLACE = (col(Household.head_name), col(Household.branch_id), col(Household.commune_id))


def _with_household(statement: AnySelect, household_id: Any) -> AnySelect:
    return statement.add_columns(*_PLACE).join(Household, col(Household.id) == household_id)


_ASSESSMENT = _with_household(assessments.READ, col(Assessment.household_id))
_DECISION = _with_household(statuses.READ, col(PovertyStatus.household_id))
_NEWEST_ASSESSED = Order(col(Assessment.assessed_on).desc(), col(Assessment.id).desc())
_NEWEST_DECIDED = Order(col(PovertyStatus.valid_from).desc(), col(PovertyStatus.id).desc())


def _in_scope(
    db: Db, actor: Actor, query: PeriodQuery, household_id: Any, day: Any
) -> sa.ColumnElement[bool]:
    """Of households that stand in the unit today, or in a tree that lived in it on the day, where the
    actor reads their poverty."""
    return scope.rows(
        db,
        actor,
        [Right.poverty_read],
        query,
        Household,
        lambda places: lived(places, household_id, col(day)),
    )


def list_assessments(db: Db, actor: Actor, query: AssessmentQuery) -> Pages:
    """What was found at the households; what was corrected is named so."""
    statement = _ASSESSMENT.where(
        _in_scope(db, actor, query, col(Assessment.household_id), Assessment.assessed_on),
        happened(Assessment.assessed_on, query),
        *_equal((Assessment.poverty_class, query.class_), (Assessment.source, query.source)),
    )
    return pages(statement, _NEWEST_ASSESSED, each(assessments.shown))


def list_decisions(db: Db, actor: Actor, query: DecisionQuery) -> Pages:
    """What was decided on the households, annulled ones too."""
    statement = _DECISION.where(
        _in_scope(db, actor, query, col(PovertyStatus.household_id), PovertyStatus.valid_from),
        happened(PovertyStatus.valid_from, query),
        *_equal(
            (PovertyStatus.poverty_class, query.class_),
            (PovertyStatus.change, query.change),
            (PovertyStatus.decision_number, query.decision_number),
        ),
    )
    return pages(statement, _NEWEST_DECIDED, fields_of(DecisionItem))


def _equal(*filters: tuple[Any, Any]) -> list[sa.ColumnElement[bool]]:
    return [col(column) == value for column, value in filters if value is not None]
