"""Groups beside branches: tổ phụ nữ, clubs and others. A group is a unit of level `group`; what is
here is who takes part in one, when. One member may take part in many at once."""

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from app.models.base import (
    Day,
    Input,
    ListQuery,
    MemberId,
    Output,
    Page,
    Revised,
    UnitId,
    Uuid,
    new_id,
)
from app.models.kernel.hierarchy import ListInHierarchy, PeriodQuery
from app.models.kernel.units import GroupKind, UnitRef


class Participation(Revised, table=True):
    """A member in a group from one day to another, both inclusive."""

    __tablename__ = "participation"
    __table_args__ = (
        sa.Index("ix_participation_group_id_valid_to", "group_id", "valid_to"),
        sa.Index("ix_participation_member_id", "member_id"),
        sa.Index(
            "uq_participation_open",
            "group_id",
            "member_id",
            unique=True,
            sqlite_where=sa.text("valid_to IS NULL"),
            postgresql_where=sa.text("valid_to IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    group_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    valid_from: date
    valid_to: date | None = None


# -- what clients send


class GroupQuery(ListQuery, ListInHierarchy):
    """By name. `unit`: groups in this unit or below it. `as_of`: the groups of that day."""

    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    kind: GroupKind | None = Field(default=None, description="Only this kind.")
    q: Annotated[str, Field(max_length=200)] | None = Field(
        default=None,
        description="Words in the name, in any order, with or without tone marks.",
    )
    as_of: Day | None = Field(default=None, description="The day asked about; today by default.")

    @property
    def last_day(self) -> date | None:
        return self.as_of


class GroupCountBy(StrEnum):
    kind = "kind"


class GroupCountQuery(ListInHierarchy):
    """`by`: what to count separately; without it, the totals alone."""

    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    by: GroupCountBy | None = Field(default=None, description="What to count apart.")
    as_of: Day | None = Field(default=None, description="The day asked about; today by default.")

    @property
    def last_day(self) -> date | None:
        return self.as_of


class ParticipationQuery(ListQuery):
    """Those of the day `as_of`, today by default; `all`: of any day."""

    as_of: Day | None = Field(default=None, description="The day asked about; today by default.")
    all: bool = Field(default=False, description="Those of every day, not of one.")


class ParticipationCreate(Input):
    """`valid_from` is her first day in the group, today by default."""

    id: UUID | None = None
    member_id: MemberId
    valid_from: Day | None = None


class ParticipationEnd(Input):
    """`effective_on` is the first day without the group, today by default."""

    effective_on: Day | None = None


# -- what clients get


class GroupHead(Output):
    member_id: UUID
    full_name: str


class GroupRead(Output):
    """A group on the day asked. `people` takes part in it that day, wherever they are members;
    `head` is who holds its post `team_head`, null where the caller may not read appointments."""

    id: int
    name: str
    kind: GroupKind
    parent: UnitRef
    opened_on: date
    closed_on: date | None
    people: int
    head: GroupHead | None
    revision: int


class GroupPage(Page):
    items: list[GroupRead]


class ParticipationRead(Output):
    """`valid_to` is her last day in the group, null while she takes part. One that ends before it
    begins was a mistake: it counts nowhere."""

    id: UUID
    group: UnitRef
    kind: GroupKind
    member_id: UUID
    full_name: str
    branch_id: int
    valid_from: date
    valid_to: date | None
    revision: int


class ParticipationState(Output):
    """What the row itself says; group and member are named by their ids."""

    id: UUID
    group_id: int
    member_id: UUID
    valid_from: date
    valid_to: date | None


class UnitParticipationQuery(PeriodQuery):
    """Of members of a unit, on a day of the period, by their first day; without a period, today."""

    kind: GroupKind | None = Field(default=None, description="Only in groups of this kind.")


class ParticipationPage(Page):
    items: list[ParticipationRead]


class GroupCountItem(Output):
    value: str
    people: int
    participations: int


class GroupCount(Output):
    """`participations` counts each member once a group, `people` each member once at all: somebody
    in a team and a club is one of the people and two participations, and one of the people of
    each kind, so the people of the items do not add up to `people`."""

    unit: UnitRef | None
    as_of: date
    people: int
    participations: int
    items: list[GroupCountItem]
