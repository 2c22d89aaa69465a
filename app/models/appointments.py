"""Appointments of cadres (cán bộ): who holds which post of which unit, since when and until when."""

from datetime import date
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from app.models.access import Role
from app.models.base import Revised, Uuid, new_id, str_enum
from app.models.units import UnitLevel


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


class Basis(StrEnum):
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
    """Where a post exists, whether it has one holder at a time, and what it lets her do.

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
    UnitLevel.province: Role.province_officer,
    UnitLevel.district: Role.district_officer,
    UnitLevel.commune: Role.commune_officer,
    UnitLevel.branch: Role.branch_head,
}


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
    province_id: int | None = None
    post: Post = Field(sa_type=str_enum(Post))
    title: str | None = Field(default=None, max_length=120)
    basis: Basis = Field(sa_type=str_enum(Basis))
    acting: bool = False
    payment: Payment = Field(default=Payment.none, sa_type=str_enum(Payment))
    decision_number: str | None = Field(default=None, max_length=60)
    decided_on: date | None = None
    congress_number: int | None = None
    term_from: date | None = None
    term_to: date | None = None
    valid_from: date
    valid_to: date | None = None
    ended_reason: EndReason | None = Field(default=None, sa_type=str_enum(EndReason))
    ended_note: str | None = Field(default=None, max_length=500)
