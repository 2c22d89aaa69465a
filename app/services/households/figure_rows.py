"""What figures count of households: where each lives on a day."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.households.households import Household, HouseholdPlace
from app.models.kernel.access import Right
from app.services.kernel.offers import Day, FigureRows
from app.services.units.units import valid_on


def _living(_: Day, last: Day) -> AnySelect:
    return (
        sa.select(
            col(HouseholdPlace.branch_id).label("unit_id"),
            col(HouseholdPlace.household_id).label("key"),
            col(HouseholdPlace.household_id).label("row_id"),
            col(HouseholdPlace.valid_from).label("day"),
            col(Household.head_name).label("title"),
        )
        .join(Household, col(Household.id) == col(HouseholdPlace.household_id))
        .where(valid_on(HouseholdPlace, last))
    )


def _branches_of(household_ids: Sequence[UUID]) -> AnySelect:
    """Where any of them ever was."""
    branches: AnySelect = sa.select(col(HouseholdPlace.branch_id)).distinct()
    return branches.where(col(HouseholdPlace.household_id).in_(household_ids))


FIGURES: Final = (
    FigureRows(
        name="households",
        entity="household",
        right=Right.members_read,
        select=_living,
        rolled_up={"household": _branches_of},
        once=True,
    ),
)
