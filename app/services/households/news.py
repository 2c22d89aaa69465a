"""What followers of the feed read of households."""

from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.models.households.households import Household, HouseholdPerson, HouseholdPersonState
from app.models.households.lists import HouseholdRead
from app.models.members.members import Member
from app.services.kernel.offers import News, NewsKind


def of_household(model: Any) -> dict[str, Any]:
    """Of a kind of rows that hang on a household: they stand where it does."""
    return {
        "place": Household,
        "joined": lambda rows: rows.join(Household, col(Household.id) == col(model.household_id)),
        "hangs_on": {"household_id": "household"},
        "stands_with": "household_id",
    }


NEWS = News(
    kinds=(
        NewsKind(
            entity="household",
            schema=HouseholdRead,
            place=Household,
            path=True,
            # The area is mostly that of the commune, which has it.
            derived=frozenset({"area_type"}),
            columns={"poverty_status": "poverty_class"},
        ),
        NewsKind(
            entity="household_person",
            schema=HouseholdPersonState,
            place=Household,
            joined=lambda rows: rows.join(
                Household, col(Household.id) == col(HouseholdPerson.household_id)
            ).outerjoin(Member, col(Member.id) == col(HouseholdPerson.member_id)),
            shared=sa.func.coalesce(~col(Member.restricted), sa.true()),
            exists=col(Member.erased_on).is_(None),
            hangs_on={"household_id": "household", "member_id": "member"},
            stands_with="household_id",
        ),
    ),
)
