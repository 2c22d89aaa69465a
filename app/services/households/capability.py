"""Households: who lives in them, where they live, and what happened to them."""

from app.models.households.households import (
    Household,
    HouseholdEvent,
    HouseholdPerson,
    HouseholdPlace,
)
from app.models.kernel.access import Right
from app.services.households.standing import of_household
from app.services.kernel.manifest import Capability
from app.services.kernel.tracking import DERIVED, Tracked, in_branch

_OF_POVERTY = (
    *("no_labour_capacity", "merit", "poverty_class", "poverty_since"),
    *("union_label", "union_label_on"),
)

CAPABILITY = Capability(
    module=__name__,
    owned=(Household, HouseholdPerson, HouseholdPlace, HouseholdEvent),
    tracked={
        Household: Tracked(
            entity="household",
            units=in_branch,
            read_right=Right.members_read,
            left_out=DERIVED | {"id", "sort_key", "search_key", "assessed_on", "assessed_class"},
            masks={
                "ethnic_minority": Right.members_ethnicity,
                **dict.fromkeys(_OF_POVERTY, Right.poverty_read),
            },
            moved_by="branch_id",
        ),
        HouseholdPerson: Tracked(
            entity="household_person",
            units=of_household,
            read_right=Right.members_read,
            left_out=DERIVED | {"id", "province_id"},
        ),
    },
    problems=("households.yaml",),
)
