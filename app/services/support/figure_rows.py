"""What figures count of support: what households were given, and the loans that banks report."""

from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.db import AnySelect
from app.models.households.households import Household
from app.models.kernel.access import Right
from app.models.poverty.flows import PovertyStay
from app.models.support.loans import LoanFigure
from app.models.support.support import Support, SupportState
from app.models.support.visits import HouseholdVisit
from app.services.kernel.offers import Day, FigureRows
from app.services.units.units import valid_on
from app.statements import DaysBetween


def _support(first: Day, last: Day) -> AnySelect:
    return (
        sa.select(
            col(Support.branch_id).label("unit_id"),
            col(Support.household_id).label("key"),
            col(Support.id).label("row_id"),
            col(Support.given_on).label("day"),
            col(Household.head_name).label("title"),
            col(Support.kind),
            col(Support.value_vnd),
        )
        .join(Household, col(Household.id) == col(Support.household_id))
        .where(
            col(Support.state) == SupportState.approved,
            col(Support.given_on).between(first, last),
        )
    )


def _undecided(first: date, last: date) -> AnySelect:
    """What was proposed and is not approved, by its state."""
    return sa.select(
        col(Support.branch_id).label("unit_id"),
        sa.cast(col(Support.state), sa.String).label("reason"),
    ).where(col(Support.state) != SupportState.approved, col(Support.given_on).between(first, last))


def _loans(_: Day, last: Day) -> AnySelect:
    """The last report of each scheme and group of a unit; of all its groups together, where there is
    one, in place of the groups'."""
    of_all = aliased(LoanFigure)
    later = aliased(LoanFigure)
    same = (
        col(later.unit_id) == col(LoanFigure.unit_id),
        col(later.scheme) == col(LoanFigure.scheme),
        col(later.group_name) == col(LoanFigure.group_name),
        col(later.as_of) > col(LoanFigure.as_of),
        col(later.as_of) <= last,
    )
    together = (
        col(of_all.unit_id) == col(LoanFigure.unit_id),
        col(of_all.scheme) == col(LoanFigure.scheme),
        col(of_all.group_name) == "",
        col(of_all.as_of) <= last,
    )
    return sa.select(
        col(LoanFigure.unit_id),
        col(LoanFigure.id).label("key"),
        col(LoanFigure.id).label("row_id"),
        col(LoanFigure.as_of).label("day"),
        col(LoanFigure.group_name).label("title"),
        col(LoanFigure.scheme),
        col(LoanFigure.groups),
        col(LoanFigure.borrowers),
        col(LoanFigure.outstanding_vnd),
        col(LoanFigure.savings_vnd),
    ).where(
        col(LoanFigure.as_of) <= last,
        ~sa.exists().where(*same),
        sa.or_(col(LoanFigure.group_name) == "", ~sa.exists().where(*together)),
    )


def _poor(_: Day, last: Day) -> AnySelect:
    """Households in a class of poverty on the day, with the days since the last visit: since they are
    in the class, where there was none."""
    visited = (
        sa.select(sa.func.max(col(HouseholdVisit.visited_on)))
        .where(
            col(HouseholdVisit.household_id) == col(PovertyStay.household_id),
            col(HouseholdVisit.visited_on) <= last,
        )
        .scalar_subquery()
    )
    since = sa.func.coalesce(visited, col(PovertyStay.valid_from))
    return (
        sa.select(
            col(PovertyStay.branch_id).label("unit_id"),
            col(PovertyStay.household_id).label("key"),
            col(PovertyStay.id).label("row_id"),
            visited.label("day"),
            col(Household.head_name).label("title"),
            DaysBetween(last, since).label("days_without"),
        )
        .join(Household, col(Household.id) == col(PovertyStay.household_id))
        .where(valid_on(PovertyStay, last))
    )


def _branches_visited(visit_ids: Sequence[UUID]) -> AnySelect:
    """Where the households of these visits were ever in a class."""
    branches: AnySelect = sa.select(col(PovertyStay.branch_id)).distinct()
    return branches.join(
        HouseholdVisit, col(HouseholdVisit.household_id) == col(PovertyStay.household_id)
    ).where(col(HouseholdVisit.id).in_(visit_ids))


def _branches_of(support_ids: Sequence[UUID]) -> AnySelect:
    branches: AnySelect = sa.select(col(Support.branch_id)).distinct()
    return branches.where(col(Support.id).in_(support_ids))


FIGURES: Final = (
    FigureRows(
        name="poor",
        entity="household",
        right=Right.poverty_read,
        reveals=Right.poverty_read,
        select=_poor,
        rolled_up={"poverty_stay": None, "household": None, "household_visit": _branches_visited},
        once=True,
    ),
    FigureRows(
        name="support",
        entity="household",
        right=Right.support_read,
        reveals=Right.support_read,
        select=_support,
        excluded=_undecided,
        rolled_up={"support": _branches_of, "household": None},
    ),
    FigureRows(
        name="loans",
        entity="loan_figure",
        right=Right.support_read,
        select=_loans,
        rolled_up={"loan_figure": None},
    ),
)
