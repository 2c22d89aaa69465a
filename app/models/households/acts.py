"""What happens to households and their people, as it is asked for."""

from typing import Annotated
from uuid import UUID

from pydantic import Field as Constraint

from app.models.base import (
    HouseholdId,
    Input,
    Names,
    OwnBranch,
)
from app.models.households.households import (
    Address,
    HouseholdCode,
    Note,
    PersonEnd,
    PersonInput,
    Relation,
)
from app.models.kernel.units import AreaType
from app.models.members.fields import PastDay

PersonOfHousehold = Annotated[UUID, Names("person", of_parent=True)]


class PersonAdd(PersonInput):
    """`effective_on`: the first day in the household; default today."""

    effective_on: PastDay | None = None


class PersonAddNote(PersonAdd):
    """Who comes into this household, sent as an operation of its own. `id`: her `person_id`, where she is
    no member and was in no household before."""

    id: UUID
    household_id: HouseholdId


class PersonLeave(Input):
    """`effective_on` is the first day away; default today."""

    reason: PersonEnd = PersonEnd.moved_out
    effective_on: PastDay | None = None


class PersonLeaveNote(PersonLeave):
    """Who leaves this household, sent as an operation of its own."""

    household_id: HouseholdId


class NewRole(Input):
    person_id: PersonOfHousehold
    relation: Relation


Roles = Annotated[list[NewRole], Constraint(max_length=40)]


class HeadChange(Input):
    """`head_id` heads it from `effective_on`.

    `relations`: what others are to her; people not named keep their relation, and the old head
    becomes `other`.
    """

    head_id: PersonOfHousehold
    relations: Roles = []
    effective_on: PastDay | None = None
    note: Note | None = None


class HouseholdSplit(Input):
    """These people leave and form a household of their own under `head_id`."""

    id: UUID | None = None
    head_id: PersonOfHousehold
    people: Annotated[list[NewRole], Constraint(min_length=1, max_length=40)]
    code: HouseholdCode | None = None
    address: Address | None = None
    effective_on: PastDay | None = None
    note: Note | None = None


class HouseholdJoin(Input):
    """The household closes and its people go into `into_id`."""

    into_id: HouseholdId
    relations: Roles = []
    effective_on: PastDay | None = None
    note: Note | None = None


class HouseholdMove(Input):
    branch_id: OwnBranch = None
    address: Address | None = None
    area_type: AreaType | None = None
    effective_on: PastDay | None = None
    note: Note | None = None


class HouseholdClose(Input):
    """`effective_on` is the first day the household is no more; default today."""

    effective_on: PastDay | None = None
    note: Note | None = None
