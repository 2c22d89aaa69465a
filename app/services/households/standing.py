"""The units of the household of a row."""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.households.households import Household, HouseholdPlace
from app.services.kernel.tracking import Row, Units, in_branch
from app.services.units.in_tree import CountedUnits, StaysOf

_PATH = sa.select(
    col(Household.province_id), col(Household.commune_id), col(Household.branch_id)
).where(col(Household.id) == sa.bindparam("id"))


def of_household(session: Session, row: Row) -> Units:
    """The units of the household that the row names, for the change log."""
    known: dict[Any, dict[str, Any]] = session.info.get("household_paths", {})
    if (path := known.get(row["household_id"])) is not None:
        return in_branch(session, path)
    found = session.connection().execute(_PATH, {"id": row["household_id"]}).one()
    return in_branch(session, dict(found._mapping))


def lived(places: CountedUnits, household_id: Any, day: Any = None) -> sa.ColumnElement[bool]:
    """Rows of households that lived in these units on the day of the row."""
    return places.had(STAYS, household_id, day)


STAYS = StaysOf(HouseholdPlace, HouseholdPlace.household_id)
