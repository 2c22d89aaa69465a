"""What figures count of poverty: the stays of households in a class, as the flow tables count them."""

from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.households.households import Household
from app.models.kernel.access import Right
from app.models.poverty.flows import PovertyStay
from app.services.kernel.offers import Day, FigureRows
from app.services.units.units import valid_on
from app.statements import DayBefore


def _stays(day: Any) -> AnySelect:
    return sa.select(
        col(PovertyStay.branch_id).label("unit_id"),
        col(PovertyStay.household_id).label("key"),
        col(PovertyStay.id).label("row_id"),
        col(day).label("day"),
        col(Household.head_name).label("title"),
        col(PovertyStay.poverty_class),
        col(PovertyStay.people),
        col(PovertyStay.entered),
        col(PovertyStay.left_by),
    ).join(Household, col(Household.id) == col(PovertyStay.household_id))


def _standing(_: Day, last: Day) -> AnySelect:
    return _stays(PovertyStay.valid_from).where(valid_on(PovertyStay, last))


def _entries(first: Day, last: Day) -> AnySelect:
    entered = _stays(PovertyStay.valid_from)
    return entered.where(col(PovertyStay.valid_from).between(first, last))


def _exits(first: Day, last: Day) -> AnySelect:
    """Who is out of the class on a day of the period was last in it the day before."""
    left = _stays(PovertyStay.valid_to)
    return left.where(col(PovertyStay.valid_to).between(DayBefore(first), DayBefore(last)))


FIGURES: Final = (
    FigureRows(
        name="standing",
        entity="household",
        right=Right.poverty_read,
        reveals=Right.poverty_read,
        select=_standing,
        rolled_up={"poverty_stay": None, "household": None},
        once=True,
    ),
    *(
        FigureRows(
            name=name,
            entity="household",
            right=Right.poverty_read,
            reveals=Right.poverty_read,
            select=select,
            rolled_up={"poverty_stay": None, "household": None},
        )
        for name, select in (("entries", _entries), ("exits", _exits))
    ),
)
