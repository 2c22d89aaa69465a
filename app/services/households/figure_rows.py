"""What figures count of households: where each lives on a day."""

from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.households.households import Household, HouseholdPlace
from app.models.kernel.access import Right
from app.services.kernel.offers import FigureRows
from app.services.units.units import valid_on


def _living(_: date, last: date) -> AnySelect:
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


FIGURES: Final = (
    FigureRows(name="households", entity="household", right=Right.members_read, select=_living),
)
