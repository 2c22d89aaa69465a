"""The units of the household of a row, for the change log of tables that name a household."""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.households.households import Household
from app.services.kernel.tracking import Row, Units, in_branch

_PATH = sa.select(
    col(Household.province_id), col(Household.commune_id), col(Household.branch_id)
).where(col(Household.id) == sa.bindparam("id"))


def of_household(session: Session, row: Row) -> Units:
    """The units of the household that the row names."""
    known: dict[Any, dict[str, Any]] = session.info.get("household_paths", {})
    if (path := known.get(row["household_id"])) is not None:
        return in_branch(session, path)
    found = session.connection().execute(_PATH, {"id": row["household_id"]}).one()
    return in_branch(session, dict(found._mapping))
