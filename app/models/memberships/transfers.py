"""Transfers (chuyển sinh hoạt): requested, consented to by the source, accepted by the target."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from pydantic import Field as Constraint
from sqlmodel import Field

from app.models.base import (
    AnyUnitId,
    Input,
    ListQuery,
    Output,
    Page,
    Revised,
    UnitId,
    Uuid,
    new_id,
    str_enum,
)
from app.models.kernel.hierarchy import ListInHierarchy
from app.models.members.fields import PastDay
from app.models.members.spells import Introduction, Note


class TransferState(StrEnum):
    requested = "requested"
    consented = "consented"
    accepted = "accepted"
    refused = "refused"
    cancelled = "cancelled"


class TransferSide(StrEnum):
    source = "source"
    target = "target"


class Transfer(Revised, table=True):
    """One way of one member from branch to branch.

    Until it is accepted she stays in the source branch and counts there only. `effective_on` is
    her first day in the target branch; null until then = the day of acceptance.
    """

    __tablename__ = "transfer"
    __table_args__ = (
        sa.Index("ix_transfer_from_branch_id_state", "from_branch_id", "state"),
        sa.Index("ix_transfer_to_branch_id_state", "to_branch_id", "state"),
        sa.Index("ix_transfer_state_due_on", "state", "due_on"),
        sa.Index("ix_transfer_member_id", "member_id"),
        # A second one while the first is under way is refused by the database itself.
        sa.Index(
            "uq_transfer_under_way",
            "member_id",
            unique=True,
            sqlite_where=sa.text("state IN ('requested', 'consented')"),
            postgresql_where=sa.text("state IN ('requested', 'consented')"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid)
    # The member's name and year of birth at the closing; until then those on record are shown.
    full_name: str = Field(max_length=120)
    birth_year: int
    province_id: int
    from_branch_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    to_branch_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    reason: str | None = Field(default=None, max_length=500)
    effective_on: date | None = None
    state: TransferState = Field(sa_type=str_enum(TransferState))
    # The side that asked, and alone may cancel.
    requested_side: TransferSide = Field(sa_type=str_enum(TransferSide))
    requested_by: UUID | None = Field(default=None, sa_type=Uuid)
    requested_at: datetime
    # The accounts that agreed, and when; null with a time: tacit approval.
    consented_by: UUID | None = Field(default=None, sa_type=Uuid)
    consented_at: datetime | None = None
    accepted_by: UUID | None = Field(default=None, sa_type=Uuid)
    accepted_at: datetime | None = None
    # The day from which silence is consent; null = it waits for ever, or is over.
    due_on: date | None = None
    # Null with a reason: refused by no side but by the job, because it could no longer be done.
    refused_side: TransferSide | None = Field(default=None, sa_type=str_enum(TransferSide))
    refusal_reason: str | None = Field(default=None, max_length=500)
    closed_by: UUID | None = Field(default=None, sa_type=Uuid)
    closed_at: datetime | None = None


UNDER_WAY = (TransferState.requested, TransferState.consented)


# -- what clients send


class Direction(StrEnum):
    """As seen from the unit asked about, or from my own."""

    in_ = "in"
    out = "out"


class TransferQuery(ListQuery, ListInHierarchy):
    """Newest first. `direction`: into or out of `unit`, or of my own units."""

    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    state: TransferState | None = Field(default=None, description="Only this state.")
    direction: Direction | None = Field(
        default=None, description="Only into (`in`) or out of (`out`) the unit, or my own units."
    )


class TransferCreate(Introduction):
    """`effective_on` is her first day in the target branch; without it, the day of acceptance."""

    id: UUID | None = None
    to_branch_id: AnyUnitId
    reason: Note | None = None
    effective_on: PastDay | None = None


class TransferTargetQuery(ListQuery):
    """`q`: words in the name of the branch or of its commune."""

    q: Annotated[str, Constraint(max_length=200)] | None = Field(
        default=None,
        description="Words in the name, in any order, with or without tone marks.",
    )
    commune: UnitId | None = Field(default=None, description="Only what stands in this commune.")


class TransferRefuse(Input):
    reason: Note


# -- what clients get


class TransferRead(Output):
    """What both sides see: of the member only what identifies her.

    Once it is closed, a side that does not see the member gets her name and year of birth as of
    then. The communes are those in which the branches stand today. `consented_by` or `accepted_by` null beside a time: nobody answered in time (tacit
    approval).
    """

    id: UUID
    member_id: UUID
    full_name: str
    birth_year: int
    from_branch_id: int
    from_branch_name: str
    from_commune_id: int | None
    from_commune_name: str | None
    to_branch_id: int
    to_branch_name: str
    to_commune_id: int | None
    to_commune_name: str | None
    reason: str | None
    effective_on: date | None
    state: TransferState
    requested_side: TransferSide
    requested_at: AwareDatetime
    consented_by: UUID | None
    consented_at: AwareDatetime | None
    accepted_by: UUID | None
    accepted_at: AwareDatetime | None
    due_on: date | None
    refused_side: TransferSide | None
    refusal_reason: str | None
    closed_at: AwareDatetime | None
    revision: int


class TransferPage(Page):
    items: list[TransferRead]


class TransferTarget(Output):
    """A branch that takes members: what is public of it."""

    id: int
    name: str
    commune_id: int | None
    commune_name: str | None
    province_name: str


class TransferTargetPage(Page):
    items: list[TransferTarget]
