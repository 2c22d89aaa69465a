"""Memberships: the dated spells of a member in branches, from which every count of any day comes."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from app.models.base import Revised, Uuid, new_id, str_enum


class Joined(StrEnum):
    """How a spell began."""

    admission = "admission"
    transfer = "transfer"
    readmission = "readmission"


class Left(StrEnum):
    """How a spell ended."""

    transfer = "transfer"
    departure = "departure"
    death = "death"


class DepartureReason(StrEnum):
    """Why a member left the union (domain facts, 1.2); the charter's own list is unconfirmed."""

    works_far_away = "works_far_away"
    moved_away = "moved_away"
    married_away = "married_away"
    resigned = "resigned"
    inactive = "inactive"
    expelled = "expelled"
    other = "other"


class Membership(Revised, table=True):
    """One spell of one member in one branch; it keeps its branch whatever becomes of her.

    `valid_from` is her first day, `valid_to` her last (inclusive). A spell that ended on the very
    day it began has no day at all: `valid_to` is then the day before `valid_from`. An annulled
    spell never was: it counts nowhere.
    """

    __tablename__ = "membership"
    __table_args__ = (
        sa.Index("ix_membership_member_id_valid_from", "member_id", "valid_from"),
        sa.Index("ix_membership_branch_id_valid_from", "branch_id", "valid_from"),
        sa.Index("ix_membership_branch_id_valid_to", "branch_id", "valid_to"),
        # At most one open spell a member: the database itself keeps anyone from counting twice.
        sa.Index(
            "uq_membership_open",
            "member_id",
            unique=True,
            sqlite_where=sa.text("valid_to IS NULL AND annulled_at IS NULL"),
            postgresql_where=sa.text("valid_to IS NULL AND annulled_at IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid)
    branch_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    # Of the branch when the spell was written: rows of a province stay together.
    province_id: int
    valid_from: date
    valid_to: date | None = None
    joined_by: Joined = Field(sa_type=str_enum(Joined))
    left_by: Left | None = Field(default=None, sa_type=str_enum(Left))
    # The other branch of a transfer, on both its spells: what is inside a unit is no movement of it.
    from_branch_id: int | None = Field(default=None, foreign_key="unit.id", ondelete="RESTRICT")
    to_branch_id: int | None = Field(default=None, foreign_key="unit.id", ondelete="RESTRICT")
    transfer_id: UUID | None = Field(default=None, sa_type=Uuid)
    reason: DepartureReason | None = Field(default=None, sa_type=str_enum(DepartureReason))
    note: str | None = Field(default=None, max_length=500)
    annulled_at: datetime | None = None
