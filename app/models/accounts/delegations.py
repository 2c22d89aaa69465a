"""Delegations: some of one's rights over a unit, handed on to a deputy for a time."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.models.base import Day, Input, ListQuery, MemberId, Output, Page, UnitId
from app.models.kernel.access import Right
from app.models.kernel.units import UnitRef

# A year, and a leap day.
MAX_DAYS = 366


class DelegationCreate(Input):
    """`valid_from` is today unless given; both ends inclusive."""

    id: UUID | None = None
    member_id: MemberId
    unit_id: UnitId
    rights: Annotated[list[Right], Field(min_length=1, max_length=len(Right))]
    valid_from: Day | None = None
    valid_to: Day


class DelegationQuery(ListQuery):
    """Given by me or to me, in force today or coming."""


class Party(Output):
    """Who gives or gets; `member_id` is null for an account that is no member's."""

    account_id: UUID
    member_id: UUID | None
    name: str


class DelegationRead(Output):
    """`in_force`: today, by its own days, those of the grant it draws on and the giver's account."""

    id: UUID
    unit: UnitRef
    rights: list[Right]
    giver: Party
    deputy: Party
    valid_from: date
    valid_to: date
    in_force: bool
    revision: int


class DelegationPage(Page):
    items: list[DelegationRead]
