"""Appointments of cadres (cán bộ): who holds which post of which unit, since when and until when."""

from datetime import date
from enum import StrEnum
from typing import Annotated, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING, StringConstraints
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
    line,
    lines,
    new_id,
    str_enum,
)
from app.models.kernel.access import Role
from app.models.kernel.hierarchy import ListInHierarchy
from app.models.kernel.units import UnitLevel, UnitRef


class Post(StrEnum):
    """The posts of domain facts 1.1; the charter XIV may change them."""

    chair = "chair"
    vice_chair = "vice_chair"
    standing_member = "standing_member"
    committee_member = "committee_member"
    branch_head = "branch_head"
    branch_deputy = "branch_deputy"
    team_head = "team_head"
    team_deputy = "team_deputy"
    staff = "staff"


class AppointmentBasis(StrEnum):
    elected = "elected"
    appointed = "appointed"


class Payment(StrEnum):
    """Chuyên trách, không chuyên trách, or a branch's allowance."""

    salaried = "salaried"
    part_time = "part_time"
    allowance = "allowance"
    none = "none"


class EndReason(StrEnum):
    term_ended = "term_ended"
    resigned = "resigned"
    dismissed = "dismissed"
    transferred = "transferred"
    reorganised = "reorganised"
    retired = "retired"
    left_union = "left_union"
    deceased = "deceased"
    mistake = "mistake"


class PostFacts(NamedTuple):
    """Levels at which a post exists, whether it has one holder at a time, and its role.

    `role` is granted over the unit for as long as the post is held, where the level has one.
    """

    vi: str
    en: str
    levels: frozenset[UnitLevel]
    single: bool
    # The radar reports it when nobody holds it.
    expected: bool
    leads: bool


_COMMITTEE = frozenset(
    {UnitLevel.central, UnitLevel.province, UnitLevel.district, UnitLevel.commune}
)
_BRANCH = frozenset({UnitLevel.branch})
_GROUP = frozenset({UnitLevel.group})

POSTS: dict[Post, PostFacts] = {
    Post.chair: PostFacts("Chủ tịch", "Chair", _COMMITTEE, True, True, True),
    Post.vice_chair: PostFacts("Phó Chủ tịch", "Vice chair", _COMMITTEE, False, True, True),
    Post.standing_member: PostFacts(
        "Uỷ viên Ban Thường vụ", "Member of the standing committee", _COMMITTEE, False, False, False
    ),
    Post.committee_member: PostFacts(
        "Uỷ viên Ban Chấp hành",
        "Member of the executive committee",
        _COMMITTEE,
        False,
        False,
        False,
    ),
    Post.branch_head: PostFacts("Chi hội trưởng", "Branch head", _BRANCH, True, True, True),
    Post.branch_deputy: PostFacts(
        "Chi hội phó", "Deputy branch head", _BRANCH, False, False, False
    ),
    Post.team_head: PostFacts("Tổ trưởng", "Group leader", _GROUP, True, True, False),
    Post.team_deputy: PostFacts("Tổ phó", "Deputy group leader", _GROUP, False, False, False),
    Post.staff: PostFacts("Cán bộ chuyên môn", "Staff", _COMMITTEE, False, False, False),
}

# The role that follows a leading post, by the level of its unit.
ROLE_OF_LEADER: dict[UnitLevel, Role] = {
    UnitLevel.central: Role.central_officer,
    UnitLevel.province: Role.province_officer,
    UnitLevel.district: Role.district_officer,
    UnitLevel.commune: Role.commune_officer,
    UnitLevel.branch: Role.branch_head,
}
# Roles of officers and heads; some hold one by hand, for a post that is not on record.
ROLES_OF_POSTS = frozenset(ROLE_OF_LEADER.values())


def role_of(post: Post, level: UnitLevel) -> Role | None:
    """The role that comes with a post at a level; None when it brings none."""
    return ROLE_OF_LEADER.get(level) if POSTS[post].leads else None


class Appointment(Revised, table=True):
    """A post of a unit held by a member. In force from `valid_from` to `valid_to`, both inclusive.

    `valid_to` is the end of the term (or null) until the post really ends.
    """

    __tablename__ = "appointment"
    __table_args__ = (
        sa.Index("ix_appointment_unit_id_valid_to", "unit_id", "valid_to"),
        sa.Index("ix_appointment_member_id", "member_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid)
    unit_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    # The member's: a post of the centre too is held by somebody of a province.
    province_id: int
    post: Post = Field(sa_type=str_enum(Post))
    title: str | None = Field(default=None, max_length=120)
    basis: AppointmentBasis = Field(sa_type=str_enum(AppointmentBasis))
    acting: bool = False
    payment: Payment = Field(default=Payment.none, sa_type=str_enum(Payment))
    decision_number: str | None = Field(default=None, max_length=60)
    decided_on: date | None = None
    congress_number: int | None = None
    term_from: date | None = None
    term_to: date | None = None
    valid_from: date
    valid_to: date | None = None
    reason: EndReason | None = Field(default=None, sa_type=str_enum(EndReason))
    ended_note: str | None = Field(default=None, max_length=500)


# -- field types

CongressNumber = Annotated[int, Field(ge=1, le=999)]
Title = Annotated[str, *line(120)]
DecisionNumber = Annotated[str, *line(60)]
Note = Annotated[str, *lines(500)]
# "90d": so many days from today.
WithinDays = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}d$")]


# -- what clients send


class _Filters(ListQuery, ListInHierarchy):
    """Posts in force today; on another day with `in_force_on`; with `all`, whenever.

    `expiring_within`: of those in force the ones that end, or whose term ends or has ended, within
    so many days (`90d`).
    """

    post: Post | None = Field(default=None, description="Only this post.")
    member: UUID | None = Field(default=None, description="Only of this member.")
    payment: Payment | None = Field(default=None, description="Only posts paid in this way.")
    in_force_on: Day | None = Field(
        default=None, description="The day asked about; today by default."
    )
    all: bool = Field(default=False, description="Those of every day, not of one.")
    expiring_within: WithinDays | None = Field(
        default=None, description="Only what is in force and ends within so many days: `90d`."
    )

    @property
    def last_day(self) -> date | None:
        return self.in_force_on


class AppointmentQuery(_Filters):
    """`unit`: posts of this unit and of all below it."""

    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )


class UnitAppointmentQuery(_Filters):
    """`vacant`: instead of who holds a post, the expected posts that nobody holds today."""

    vacant: bool = Field(
        default=False,
        description="The expected posts that nobody holds today, instead of those held.",
    )


class TermCreate(Input):
    """The term of a congress, which is the unit's own (domain facts, 1.1)."""

    congress_number: CongressNumber
    starts_on: Day
    ends_on: Day


class AppointmentCreate(Input):
    """`valid_from` is today unless given, `valid_to` the end of the term unless given."""

    id: UUID | None = None
    member_id: MemberId
    unit_id: UnitId
    post: Post
    title: Title | None = None
    basis: AppointmentBasis
    acting: bool = False
    payment: Payment = Payment.none
    decision_number: DecisionNumber | None = None
    decided_on: Day | None = None
    term: TermCreate | None = None
    valid_from: Day | None = None
    valid_to: Day | None | MISSING = MISSING


class TermUpdate(Input):
    congress_number: CongressNumber | MISSING = MISSING
    starts_on: Day | MISSING = MISSING
    ends_on: Day | MISSING = MISSING


class AppointmentUpdate(Input):
    """A JSON merge patch. A post that was to end with its term follows the term's new end."""

    title: Title | None | MISSING = MISSING
    basis: AppointmentBasis | MISSING = MISSING
    payment: Payment | MISSING = MISSING
    decision_number: DecisionNumber | None | MISSING = MISSING
    decided_on: Day | None | MISSING = MISSING
    term: TermUpdate | None | MISSING = MISSING
    valid_from: Day | MISSING = MISSING
    valid_to: Day | None | MISSING = MISSING


class AppointmentEnd(Input):
    """`effective_on` is the first day without the post: today unless given.

    While it is to come, an earlier day may still be sent.
    """

    effective_on: Day | None = None
    reason: EndReason
    note: Note | None = None


# -- what clients get


class PostRead(Output):
    """`single`: one holder at a time. `expected`: listed as vacant when nobody holds it."""

    post: Post
    name_vi: str
    name_en: str
    levels: list[UnitLevel]
    single: bool
    expected: bool
    roles: dict[UnitLevel, Role]


class PostList(Output):
    items: list[PostRead]


class Holder(Output):
    """`branch` is the holder's branch today; null where the caller may not read it."""

    id: UUID
    full_name: str
    branch: UnitRef | None


class Term(Output):
    congress_number: int
    starts_on: date
    ends_on: date


class AppointmentRead(Output):
    """A post with its holder; or, `vacant`, one that nobody holds, which has a unit and a post only.

    `ended_on` is the last day in the post, once it was really ended. `vacant_since` is
    the day after its last holder's last; null when nobody is known to have held it.
    """

    id: UUID | None
    unit: UnitRef
    post: Post
    member: Holder | None
    title: str | None
    basis: AppointmentBasis | None
    acting: bool
    payment: Payment | None
    decision_number: str | None
    decided_on: date | None
    term: Term | None
    valid_from: date | None
    valid_to: date | None
    ended_on: date | None
    reason: EndReason | None
    ended_note: str | None
    vacant: bool
    vacant_since: date | None
    revision: int | None


class AppointmentState(Output):
    """What the row itself says; unit and holder are named by their ids."""

    id: UUID
    unit_id: int
    member_id: UUID
    post: Post
    title: str | None
    basis: AppointmentBasis
    acting: bool
    payment: Payment
    decision_number: str | None
    decided_on: date | None
    congress_number: int | None
    term_from: date | None
    term_to: date | None
    valid_from: date
    valid_to: date | None
    reason: EndReason | None
    ended_note: str | None


class AppointmentPage(Page):
    items: list[AppointmentRead]
