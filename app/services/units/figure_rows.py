"""What figures count of units: the branches that stand on a day."""

from typing import Final

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitLevel
from app.services.kernel.offers import Day, FigureRows


def _branches(_: Day, last: Day) -> AnySelect:
    return sa.select(
        col(Unit.id).label("unit_id"),
        col(Unit.id).label("key"),
        col(Unit.id).label("row_id"),
        col(Unit.opened_on).label("day"),
        col(Unit.name).label("title"),
    ).where(
        col(Unit.level) == UnitLevel.branch,
        col(Unit.opened_on) <= last,
        sa.or_(col(Unit.closed_on).is_(None), col(Unit.closed_on) >= last),
    )


FIGURES: Final = (
    FigureRows(
        name="branches",
        entity="unit",
        right=Right.units_read,
        select=_branches,
        rolled_up={"unit": None},
        once=True,
    ),
)
