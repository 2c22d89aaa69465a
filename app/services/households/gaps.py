"""Which households lack what, and were given nothing against it: filters of their list."""

from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.clock import local_today
from app.models.households.households import Household
from app.models.households.lists import HouseholdQuery
from app.models.kernel.access import Right
from app.models.poverty.poverty import Assessment
from app.models.support.support import Support, SupportState


def rights(query: HouseholdQuery) -> set[Right]:
    """What has to be held to filter by these."""
    needed = set()
    if query.deprived is not None:
        needed.add(Right.poverty_read)
    if query.without_support is not None:
        needed.add(Right.support_read)
    return needed


def filters(query: HouseholdQuery) -> list[sa.ColumnElement[bool]]:
    wanted = []
    if query.deprived is not None:
        wanted.append(_deprived(query.deprived))
    if query.without_support is not None:
        deprivation, _, days = query.without_support.partition(":")
        since = local_today() - timedelta(days=int(days.removesuffix("d")))
        wanted.append(~_given_since(deprivation, since))
    return wanted


def _deprived(indicator: str) -> sa.ColumnElement[bool]:
    """Found when it was last assessed; an assessment that another corrects does not count."""
    later, correction = aliased(Assessment), aliased(Assessment)
    last = (
        sa.select(col(later.id))
        .where(
            col(later.household_id) == col(Household.id),
            ~sa.exists().where(col(correction.corrects_id) == col(later.id)),
        )
        .order_by(col(later.assessed_on).desc(), col(later.id).desc())
        .limit(1)
        .correlate(Household)
        .scalar_subquery()
    )
    # A list of codes as JSON: each stands in quotes, on both databases.
    as_text = sa.cast(col(Assessment.deprived), sa.Text)
    return sa.exists().where(
        col(Assessment.id) == last, as_text.contains(f'"{indicator}"', autoescape=True)
    )


def _given_since(deprivation: str, since: date) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        col(Support.household_id) == col(Household.id),
        col(Support.deprivation) == deprivation,
        col(Support.state) == SupportState.approved,
        col(Support.given_on) >= since,
    )
