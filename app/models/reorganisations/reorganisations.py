"""Reorganisations: drafts of operations on units, and what was done by them."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING, AwareDatetime
from pydantic import Field as Constraint
from sqlmodel import Field, SQLModel

from app.models.base import (
    Day,
    Input,
    ListQuery,
    Output,
    Page,
    Revised,
    UnitId,
    Uuid,
    json_type,
    line,
    lines,
    new_id,
    str_enum,
)
from app.models.kernel.jobs import Jobs
from app.models.kernel.units import UnitLevel, UnitRef
from app.models.reorganisations.operations import UnitChange


class ReorganisationState(StrEnum):
    """`scheduled`: decided on, and done by itself on its day."""

    draft = "draft"
    scheduled = "scheduled"
    applied = "applied"
    reverted = "reverted"
    withdrawn = "withdrawn"


class ReorganisationJob(Jobs):
    apply = "reorganisation_apply"
    revert = "reorganisation_revert"


class ReturnedBecause(StrEnum):
    """Why what had been decided for a day was not done on it: who decided no longer holds the right over
    all its units, or something in them prevents it."""

    right_lost = "right_lost"
    prevented = "prevented"


class Reorganisation(Revised, table=True):
    """Operations on units that take effect on one day. `unit_id`: the lowest unit over them all.

    `undo` is what the tree was before, for as long as it can be taken back. `agreement` is an
    `Agreement`, where the officers of all sides decide.
    """

    __tablename__ = "reorganisation"
    __table_args__ = (
        sa.Index("ix_reorganisation_unit_id", "unit_id"),
        sa.Index("ix_reorganisation_state_effective_on", "state", "effective_on"),
        sa.Index(
            "ix_reorganisation_behind",
            "id",
            sqlite_where=sa.text("behind IS NOT NULL"),
            postgresql_where=sa.text("behind IS NOT NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    unit_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    state: ReorganisationState = Field(sa_type=str_enum(ReorganisationState))
    effective_on: date
    decree: str | None = Field(default=None, max_length=200)
    note: str | None = Field(default=None, max_length=500)
    operations: list[dict[str, Any]] = Field(sa_type=json_type)
    # The ids of the units it opened, by key.
    opened: dict[str, int] | None = Field(default=None, sa_type=json_type)
    undo: dict[str, Any] | None = Field(default=None, sa_type=json_type)
    # Branches of another province now, whose rows without a place of their own have not followed yet.
    behind: list[int] | None = Field(default=None, sa_type=json_type)
    agreement: dict[str, Any] | None = Field(default=None, sa_type=json_type)
    drafted_by: UUID = Field(sa_type=Uuid)
    decided_by: UUID | None = Field(default=None, sa_type=Uuid)
    decided_at: datetime | None = None
    # Of a draft whose day came in vain, until it is decided on again.
    returned_because: ReturnedBecause | None = Field(
        default=None, sa_type=str_enum(ReturnedBecause)
    )
    applied_at: datetime | None = None
    reverted_by: UUID | None = Field(default=None, sa_type=Uuid)
    reverted_at: datetime | None = None


class ReorganisedUnit(SQLModel, table=True):
    """A unit that a reorganisation changes, closes or opens; of a draft, each it names."""

    __tablename__ = "reorganised_unit"
    __table_args__ = (sa.Index("ix_reorganised_unit_unit_id", "unit_id"),)

    reorganisation_id: UUID = Field(
        foreign_key="reorganisation.id", primary_key=True, ondelete="CASCADE", sa_type=Uuid
    )
    unit_id: int = Field(foreign_key="unit.id", primary_key=True, ondelete="RESTRICT")


class ReorganisationSide(SQLModel, table=True):
    """A unit whose officers decide together with others (`Agreement.sides`), or that was opened so."""

    __tablename__ = "reorganisation_side"
    __table_args__ = (sa.Index("ix_reorganisation_side_unit_id", "unit_id"),)

    reorganisation_id: UUID = Field(
        foreign_key="reorganisation.id", primary_key=True, ondelete="CASCADE", sa_type=Uuid
    )
    unit_id: int = Field(foreign_key="unit.id", primary_key=True, ondelete="CASCADE")


# -- who agrees, where nobody holds the right over all units concerned


class ConfirmedAct(StrEnum):
    apply = "apply"
    revert = "revert"


class Confirmation(SQLModel):
    """An officer of some sides agrees: to what the preview of this `digest` showed, or to take back
    what was done (no `digest`)."""

    act: ConfirmedAct
    account_id: UUID
    unit_ids: list[int]
    digest: str | None
    confirmed_at: AwareDatetime


class Agreement(SQLModel):
    """`above`: the lowest unit over all sides, where nobody holds the right; None of units that meet
    nowhere."""

    above: int | None
    sides: list[int]
    confirmations: list[Confirmation] = []


# -- what clients send

MOST_OPERATIONS: Final = 2_000
Operations = Annotated[list[UnitChange], Constraint(min_length=1, max_length=MOST_OPERATIONS)]


class ReorganisationCreate(Input):
    """`effective_on` is the first day of what is new: past, today or to come."""

    id: UUID | None = None
    effective_on: Day
    decree: Annotated[str, *line(200)] | None = None
    note: Annotated[str, *lines(500)] | None = None
    operations: Operations


class ReorganisationUpdate(Input):
    """Of a draft. `operations` replaces all of them."""

    effective_on: Day | MISSING = MISSING
    decree: Annotated[str, *line(200)] | None | MISSING = MISSING
    note: Annotated[str, *lines(500)] | None | MISSING = MISSING
    operations: Operations | MISSING = MISSING


class ReorganisationApply(Input):
    """`digest` of the preview that was read: what has changed since is refused."""

    digest: Annotated[str, *line(64)]


class ReorganisationQuery(ListQuery):
    unit: UnitId | None = Constraint(
        default=None, description="Only those that change this unit, or name it in a draft."
    )
    state: ReorganisationState | None = Constraint(
        default=None, description="Only those in this state."
    )


# -- what clients get


class ReorganisationItem(Output):
    """`returned_because`: it was decided on for a day, was not done on it, and is a draft again."""

    id: UUID
    unit_id: int
    unit_name: str
    state: ReorganisationState
    effective_on: date
    decree: str | None
    note: str | None
    drafted_by: UUID
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    returned_because: ReturnedBecause | None
    applied_at: AwareDatetime | None
    reverted_by: UUID | None
    reverted_at: AwareDatetime | None
    created_at: AwareDatetime
    revision: int


class SideRead(Output):
    """`confirmed`: an officer of the unit agrees that it is done."""

    unit: UnitRef
    confirmed: bool


class ConfirmationRead(Output):
    """`unit_ids`: the sides that the account spoke for. One of another `digest` than that of the
    preview does not count any more."""

    act: ConfirmedAct
    account_id: UUID
    unit_ids: list[int]
    digest: str | None
    confirmed_at: AwareDatetime


class ReorganisationRead(ReorganisationItem):
    """With its operations as they were sent; `opened`: the ids of the units it opened, by key.

    `sides` are the units whose officers decide, where nobody above them holds the right; null where
    somebody does. `masked` are JSON pointers of what the caller may not see (it is null): people and
    households of a branch of another side.
    """

    operations: list[dict[str, Any]]
    opened: dict[str, int] | None
    sides: list[SideRead] | None
    confirmations: list[ConfirmationRead]
    masked: list[str]


class ReorganisationPage(Page):
    items: list[ReorganisationItem]


class OperationTrouble(Output):
    """Why the operation of this number (from 0) may not be done; `pointer` is into the operation."""

    operation: int
    code: str
    title: str
    detail: str
    pointer: str | None


class UnitFacts(Output):
    """`parent` is the id of a unit, or the key of one that the draft opens."""

    name: str
    code: str | None
    area_type: str | None
    parent: int | str | None
    closed_on: date | None


class UnitEffect(Output):
    """What becomes of one unit: `was` is null when it opens."""

    unit: int | str
    level: UnitLevel
    operation: int
    was: UnitFacts | None
    becomes: UnitFacts


class MemberTotal(Output):
    """People in a unit and below it, before and after."""

    unit: int | str
    name: str
    was: int
    becomes: int


class NameClash(Output):
    """Units with one name under one parent; `proposed` are names that tell them apart, by id."""

    name: str
    parent: int | str
    units: list[int | str]
    proposed: dict[str, str]


class ReorganisationPreview(Output):
    """All that follows. `problems` prevent it. `consequences` counts what the units take with them
    and what ends, by kind, and `totals` people before and after: both are null where the caller may
    not count members. `overlaps` are other drafts about the same units, as far as the caller sees them.

    Of another side, groups below its branches and the details of `problems` are left out."""

    digest: str
    effective_on: date
    problems: list[OperationTrouble]
    units: list[UnitEffect]
    consequences: dict[str, int] | None
    name_clashes: list[NameClash]
    totals: list[MemberTotal] | None
    overlaps: list[UUID]
