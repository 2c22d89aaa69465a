"""Pledges: what members promise to a festival of their branch, and the letters of thanks."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field as Constraint
from sqlmodel import Field, SQLModel

from app.models.base import (
    Day,
    Input,
    ListQuery,
    MemberId,
    Names,
    Output,
    Page,
    Revised,
    Sealed,
    UnitId,
    Uuid,
    line,
    new_id,
)
from app.models.kernel.access import Right
from app.models.kernel.jobs import Jobs
from app.models.kernel.sensitive import About, Sensitive


class PledgeJob(Jobs):
    total = "pledge_total"


class Pledge(Revised, table=True):
    """What a member promises; the note is sealed at rest, `note_digest` is what finds it."""

    __tablename__ = "pledge"
    __table_args__ = (sa.Index("ix_pledge_branch_id", "branch_id", "id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    commune_id: int | None = Field(default=None, foreign_key="unit.id", ondelete="RESTRICT")
    branch_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    goods: str = Field(max_length=60)
    giver: str = Field(max_length=120)
    note: str | None = Field(default=None, sa_type=Sealed("pledge_note"))
    note_digest: int | None = Field(default=None, sa_type=sa.BigInteger)
    valid_from: date
    valid_to: date | None = None


class PledgeGoods(SQLModel, table=True):
    """What may be pledged."""

    __tablename__ = "pledge_goods"

    name: str = Field(primary_key=True, max_length=60)


class PledgeLetter(SQLModel, table=True):
    """A letter of thanks, which may name anybody."""

    __tablename__ = "pledge_letter"

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    text: str = Field(max_length=500)


class PledgeThanks(SQLModel, table=True):
    """What was said at the festival, sealed: each row is opened to see of whom it speaks."""

    __tablename__ = "pledge_thanks"

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    text: str = Field(sa_type=Sealed("pledge_thanks"))


class PledgeCreate(Input):
    """`renews_id`: an earlier pledge, which ends with this one."""

    id: UUID | None = None
    renews_id: Annotated[UUID, Names("pledge")] | None = None
    goods: Annotated[str, *line(60)]
    giver: Annotated[str, *line(120)]
    note: Annotated[str, *line(200)] | None = None
    valid_from: Day


class PledgeNote(PledgeCreate):
    """A pledge of this member, sent as an operation of its own."""

    member_id: MemberId


class PledgeQuery(ListQuery):
    goods: Annotated[str, Constraint(max_length=60)] | None = Field(
        default=None, description="Only what was pledged of these goods."
    )


class PledgeTotalCreate(Input):
    unit_id: UnitId


class PledgeRead(Output):
    about: ClassVar = About("member", ("member_id",))

    id: UUID
    member_id: UUID
    branch_id: int
    goods: str
    giver: str
    note: Annotated[str | None, Sensitive(Right.members_religion)]
    valid_from: date
    valid_to: date | None
    revision: int


class PledgePage(Page):
    items: list[PledgeRead]
