"""Memberships: the dated spells of a member in branches, from which every count of any day comes."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING, AwareDatetime, ConfigDict
from pydantic import Field as Constraint
from sqlmodel import Field

from app.models.base import (
    Day,
    Filed,
    Input,
    Output,
    OwnBranch,
    Page,
    Revised,
    Uuid,
    lines,
    new_id,
    str_enum,
)
from app.models.kernel.hierarchy import InHierarchy, PeriodQuery
from app.models.kernel.units import UnitRef
from app.models.members.fields import PartialDate, PastDay, PersonName


class Joined(StrEnum):
    """How a spell began."""

    admission = "admission"
    transfer = "transfer"
    readmission = "readmission"
    # Her branch was merged or split: she goes on in another one, which is no transfer.
    reorganisation = "reorganisation"


class Left(StrEnum):
    """How a spell ended."""

    transfer = "transfer"
    departure = "departure"
    death = "death"
    # Her branch was merged or split.
    reorganisation = "reorganisation"


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
    """One spell of one member in one branch; it keeps its branch whatever happens later.

    `valid_from` is her first day, `valid_to` her last (inclusive). A spell that ended on the very
    day it began has no day at all: `valid_to` is then the day before `valid_from`. An annulled
    spell never was: it counts nowhere.
    """

    __tablename__ = "membership"
    __table_args__ = (
        sa.Index("ix_membership_member_id_valid_from", "member_id", "valid_from"),
        # Covers all columns of a count on a day, for index-only scans.
        sa.Index(
            "ix_membership_branch_id_valid_from",
            "branch_id",
            "valid_from",
            "valid_to",
            "annulled_at",
            "counted_from",
        ),
        sa.Index("ix_membership_branch_id_valid_to", "branch_id", "valid_to"),
        # Comings and goings of a whole province in some months.
        sa.Index(
            "ix_membership_ended",
            "valid_to",
            sqlite_where=sa.text("valid_to IS NOT NULL"),
            postgresql_where=sa.text("valid_to IS NOT NULL"),
        ),
        sa.Index(
            "ix_membership_moved_in",
            "valid_from",
            sqlite_where=sa.text("joined_by IN ('transfer', 'reorganisation')"),
            postgresql_where=sa.text("joined_by IN ('transfer', 'reorganisation')"),
        ),
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
    # Of the branch, wherever it moves: rows of a province stay together.
    province_id: int
    valid_from: date
    valid_to: date | None = None
    joined_by: Joined = Field(sa_type=str_enum(Joined))
    left_by: Left | None = Field(default=None, sa_type=str_enum(Left))
    # The other branch of a transfer or reorganisation, on both its spells: what is inside a unit is no
    # movement of it.
    from_branch_id: int | None = Field(default=None, foreign_key="unit.id", ondelete="RESTRICT")
    to_branch_id: int | None = Field(default=None, foreign_key="unit.id", ondelete="RESTRICT")
    # The transfer it began with.
    transfer_id: UUID | None = Field(default=None, sa_type=Uuid)
    reason: DepartureReason | None = Field(default=None, sa_type=str_enum(DepartureReason))
    note: str | None = Field(default=None, max_length=500)
    annulled_at: datetime | None = None
    # When nobody knows the day she joined, counts have her from this day on, not from `valid_from`:
    # what is entered late moves no figure of the past. The same on all spells of a member.
    counted_from: date | None = None


# -- what clients send


Note = Annotated[str, *lines(500)]


class Introduction(Input):
    """Identifies a member, from an officer who knows her but may not see her record.

    Both are needed then, and must be right, the date as exact as it is recorded; otherwise the
    member does not exist for the officer.
    """

    full_name: PersonName | None = None
    birth_date: PartialDate | None = None

    @property
    def is_complete(self) -> bool:
        return self.full_name is not None and self.birth_date is not None


class DepartureCreate(Input):
    """`effective_on` is the first day she is no longer a member; default today."""

    reason: DepartureReason
    effective_on: PastDay | None = None
    note: Note | None = None


class DeathCreate(Input):
    died_on: PastDay
    note: Note | None = None


class ReadmissionCreate(Introduction):
    """`effective_on` is her first day in the branch; default today."""

    branch_id: OwnBranch = None
    effective_on: PastDay | None = None
    note: Note | None = None


class MembershipUpdate(Input):
    """A correction of what was entered wrongly. `valid_to` null: she never left, nor died."""

    valid_from: PastDay | MISSING = MISSING
    valid_to: PastDay | None | MISSING = MISSING
    reason: DepartureReason | MISSING = MISSING
    note: Note | None | MISSING = MISSING


class MembershipAnnul(Input):
    """`note` gives the reason of the annulment."""

    note: Note


class MovementBy(StrEnum):
    branch = "branch"
    commune = "commune"


class MovementQuery(Filed, InHierarchy):
    """Both days belong to the period."""

    from_: Day = Field(alias="from", description="The first day of the period.")
    to: Day | None = Field(
        default=None, description="The last day of the period; today by default."
    )
    by: MovementBy | None = Field(
        default=None, description="Also of each branch or commune in the unit."
    )


# -- what clients get


class MembershipRead(Output):
    """One spell in one branch, from its first to its last day; `valid_to` null = it lasts.

    `from_branch_id` and `to_branch_id` are the other branches of the transfers, or of the
    reorganisations, that began and ended it. An annulled one never was. Counts have a member whose day of joining is unknown from
    `counted_from` on, the day she was entered; it is null when her days are known.
    """

    id: UUID
    member_id: UUID
    branch_id: int
    branch_name: str
    valid_from: date
    valid_to: date | None
    joined_by: Joined
    left_by: Left | None
    from_branch_id: int | None
    to_branch_id: int | None
    transfer_id: UUID | None
    reason: DepartureReason | None
    note: str | None
    annulled_at: AwareDatetime | None
    counted_from: date | None
    revision: int


class MembershipPage(Page):
    items: list[MembershipRead]


class MembershipQuery(PeriodQuery):
    """Spells of a day in the period, by their first day; without a period those of today."""

    joined_by: Joined | None = Field(default=None, description="Only begun in this way.")
    left_by: Left | None = Field(default=None, description="Only ended in this way.")


class MembershipItem(MembershipRead):
    """With the member's name."""

    full_name: str


class MembershipItemPage(Page):
    items: list[MembershipItem]


class Honorary(Output):
    opening: int
    closing: int


class MovementFigures(Output):
    """Members over a period, in people:
    closing = opening + admitted + entered_undated + transferred_in + reorganised_in
    - transferred_out - reorganised_out - left - died.

    `reorganised_in` and `reorganised_out` are people whose branch was made part of one elsewhere,
    which is no transfer. `readmitted` are among `admitted`, `by_reason` are those who left, `of_which_honorary` are those
    who are honorary members today; `transferred_within` stayed in the unit. `entered_undated` were
    entered in this period, and nobody knows when they joined.
    """

    opening: int
    admitted: int
    readmitted: int
    entered_undated: int
    transferred_in: int
    transferred_out: int
    reorganised_in: int
    reorganised_out: int
    left: int
    died: int
    closing: int
    transferred_within: int
    by_reason: dict[DepartureReason, int]
    of_which_honorary: Honorary


class MovementPart(MovementFigures):
    """Of a branch or commune in the unit. `unit` is null for branches that stand in no commune."""

    unit: UnitRef | None


class MembershipMovement(MovementFigures):
    """Members of a unit over a period, and with `by` also of each part of it, by name.

    The unit is that of one tree, on every day of the period (`hierarchy`; as it was on the last day,
    by default): that it has other branches since is no movement.
    What is `transferred_within` the unit may be a transfer between two of its parts.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    unit: UnitRef
    from_: date = Constraint(alias="from")
    to: date
    by: MovementBy | None
    items: list[MovementPart]


class MovementRow(MovementFigures):
    """A line of a file of movements: the unit, or with `by` each part of it."""

    unit_id: int | None
    unit_name: str | None
    first_day: date
    last_day: date
