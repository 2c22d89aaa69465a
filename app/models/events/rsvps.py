"""Answers to an invitation (RSVP): an intention. Attendance is independent of it."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from pydantic import Field as Constraint
from sqlmodel import Field

from app.models.base import (
    Input,
    ListQuery,
    MemberId,
    Output,
    Page,
    Revised,
    Uuid,
    lines,
    new_id,
    str_enum,
)


class RsvpAnswer(StrEnum):
    yes = "yes"
    no = "no"
    maybe = "maybe"


class Rsvp(Revised, table=True):
    """One answer of one member to one session, the last she gave.

    Her units are those of the moment of the answer.
    """

    __tablename__ = "rsvp"
    __table_args__ = (
        sa.UniqueConstraint("session_id", "member_id", name="uq_rsvp_session_id_member_id"),
        sa.Index("ix_rsvp_member_id", "member_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    session_id: UUID = Field(foreign_key="event_session.id", ondelete="CASCADE", sa_type=Uuid)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    commune_id: int | None = None
    branch_id: int
    answer: RsvpAnswer = Field(sa_type=str_enum(RsvpAnswer))
    reason: str | None = Field(default=None, max_length=300)
    # Given by the member herself, not entered by a cadre.
    by_herself: bool
    answered_at: datetime


# -- what clients send


class OwnRsvp(Input):
    """Sending it again changes the answer."""

    answer: RsvpAnswer
    reason: Annotated[str, *lines(300)] | None = None


class RsvpSet(OwnRsvp):
    """The answer of a member, entered by the head of her branch."""

    member_id: MemberId


class RsvpQuery(ListQuery):
    answer: RsvpAnswer | None = Field(default=None, description="Only this answer.")
    branch: Annotated[int, Constraint(ge=1, le=2**31 - 1)] | None = Field(
        default=None, description="Only members of this branch."
    )


# -- what clients get


class RsvpRead(Output):
    id: UUID
    session_id: UUID
    member_id: UUID
    full_name: str
    branch_id: int
    answer: RsvpAnswer
    reason: str | None
    by_herself: bool
    answered_at: AwareDatetime
    revision: int


class RsvpPage(Page):
    items: list[RsvpRead]


class RsvpCount(Output):
    """What was answered by members of my scope.

    `invited` are the members of the invited units on the day of the session, or today if that is to
    come. It does not show who attended.
    """

    session_id: UUID
    local_date: date
    yes: int
    no: int
    maybe: int
    unanswered: int
    invited: int


class OwnRsvpRead(Output):
    session_id: UUID
    answer: RsvpAnswer
    reason: str | None
    by_herself: bool
    answered_at: AwareDatetime
    revision: int
