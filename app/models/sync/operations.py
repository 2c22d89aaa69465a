"""What a phone wrote while it was offline: operations, and the verdict on each.

An operation is kept with its verdict, so that it is done once however often it is sent. What it says
is kept, sealed, only while it waits.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field as Constraint
from sqlmodel import Field, SQLModel

from app.models.base import (
    DeviceInstant,
    Input,
    ListQuery,
    Name,
    Names,
    Output,
    Page,
    Sealed,
    UnitId,
    Uuid,
    json_type,
    line,
    lines,
    new_id,
    str_enum,
)
from app.models.kernel.items import ALONE, Batch, ItemProblem
from app.models.kernel.sensitive import About, Logged
from app.models.kernel.units import UnitRef

MOST_OPERATIONS = 500
# Made by the phone, which may send what comes before it later.
OperationId = Annotated[UUID, Names("operation", anywhere=True)]


class OperationName(Name):
    """A kind of operation that a capability takes from phones."""


class OperationState(StrEnum):
    applied = "applied"
    merged = "merged"
    conflict = "conflict"
    refused = "refused"
    held = "held"


class OperationVerdict(StrEnum):
    """What became of an operation.

    `applied`: done. `merged`: done, and others had changed other fields meanwhile. `duplicate`: it was
    done when it came before. `conflict`: others changed the same field; an officer decides. `held`: it
    is kept until what it needs has come, or an officer accepts it. `refused`: for good.
    """

    applied = "applied"
    merged = "merged"
    duplicate = "duplicate"
    conflict = "conflict"
    refused = "refused"
    held = "held"


class WaitsFor(StrEnum):
    """What an operation waits for: an earlier one, an officer's decision, or to be tried again."""

    predecessor = "predecessor"
    decision = "decision"
    retry = "retry"


class OperationNext(StrEnum):
    """What the phone does: `nothing`; `pull` the record anew; `wait`: the server goes on by itself;
    `correct`: let the user write it anew, as another operation."""

    nothing = "nothing"
    pull = "pull"
    wait = "wait"
    correct = "correct"


class PushedOperation(SQLModel, table=True):
    """One operation of one account. `op_id` is the phone's: of another account it is another one.

    Of one that could not be read, what could not is null. `record_id` is the record it was sent for,
    `subject_id` the one it is about now. `digest` is of what
    was sent. `patch` is what it says, `told` what was answered (both languages). `waits_on` is what has
    to come first: the id of an operation, or of a record that another operation makes. `unit_id` is
    where an officer decides on it. `rescued_by`: the officer who handed it in for the account, as whom
    it is done.
    """

    __tablename__ = "pushed_operation"
    __table_args__ = (
        sa.UniqueConstraint("account_id", "op_id"),
        sa.Index("ix_pushed_operation_unit_id_waits_for", "unit_id", "waits_for"),
        # The few of all accounts that wait.
        sa.Index(
            "ix_pushed_operation_waiting",
            "waits_for",
            "received_at",
            sqlite_where=sa.text("waits_for IS NOT NULL"),
            postgresql_where=sa.text("waits_for IS NOT NULL"),
        ),
        sa.Index(
            "ix_pushed_operation_waits_on",
            "account_id",
            "waits_on",
            sqlite_where=sa.text("waits_on IS NOT NULL"),
            postgresql_where=sa.text("waits_on IS NOT NULL"),
        ),
        # Which changes of a record are a phone's own.
        sa.Index("ix_pushed_operation_subject_id_account_id", "subject_id", "account_id"),
        sa.Index("ix_pushed_operation_received_at", "received_at"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: UUID = Field(foreign_key="account.id", ondelete="CASCADE", sa_type=Uuid)
    op_id: UUID = Field(sa_type=Uuid)
    session_id: UUID = Field(sa_type=Uuid)
    # The device it came from: of one that is not enrolled, the session.
    phone_id: UUID = Field(sa_type=Uuid)
    kind: str | None = Field(default=None, max_length=40)
    record_id: UUID | None = Field(default=None, sa_type=Uuid)
    subject_id: UUID | None = Field(default=None, sa_type=Uuid)
    base_rev: int | None = Field(default=None, sa_type=sa.BigInteger)
    depends_on: list[str] = Field(sa_type=json_type)
    digest: int = Field(sa_type=sa.BigInteger)
    occurred_at: datetime | None = None
    sent_at: datetime | None = None
    received_at: datetime
    state: OperationState = Field(sa_type=str_enum(OperationState))
    code: str | None = Field(default=None, max_length=64)
    revision: int | None = None
    waits_for: WaitsFor | None = Field(default=None, sa_type=str_enum(WaitsFor))
    waits_on: UUID | None = Field(default=None, sa_type=Uuid)
    unit_id: int | None = Field(default=None, foreign_key="unit.id", ondelete="RESTRICT")
    patch: str | None = Field(default=None, sa_type=Sealed("operation_patch"))
    told: str | None = Field(default=None, sa_type=Sealed("operation_told"))
    rescued_by: UUID | None = Field(default=None, sa_type=Uuid)
    decided_by: UUID | None = Field(default=None, sa_type=Uuid)
    decided_at: datetime | None = None


# -- what clients send


class OperationItem(Input):
    """One thing that was written on a phone. `op_id` is made by the phone and never used twice; what
    was sent under it is never changed.

    `id`: the record; one that the operation creates has its id from the phone. `patch`: the body of the
    API's operation, without `id` and `occurred_at`. `base_rev`: the `revision` of the record that the
    user saw; null for one that an operation of her own creates. `depends_on`: operations of her own that have to
    be done before. `occurred_at`: by the phone's clock.
    """

    op_id: OperationId
    kind: OperationName
    id: UUID
    base_rev: Annotated[int, Constraint(ge=0, le=2**53)] | None = None
    depends_on: Annotated[list[OperationId], Constraint(max_length=50)] = []
    patch: dict[str, Any]
    occurred_at: DeviceInstant


class OperationBatch(Batch):
    """At most 500 operations, in the order they were written. `sent_at` is the phone's clock at the
    moment of sending: by it their times are put right. `cursor`: how far the phone had pulled when they were
    written; by it the server knows, once it was restored from a backup, which revisions the user saw. `for_device`: the phone of somebody else that wrote
    them and cannot send them any more; they are done with the rights of who sends them."""

    items: Annotated[list[Annotated[OperationItem, ALONE]], Constraint(min_length=1)]
    sent_at: DeviceInstant | None = None
    cursor: Annotated[str, Constraint(max_length=4_000)] | None = None
    for_device: Annotated[UUID, Names("device", anywhere=True)] | None = None


class InboxQuery(ListQuery):
    """The oldest first."""

    unit: UnitId | None = Constraint(
        default=None, description="Only what waits in this unit or below it."
    )


class InboxAccept(Input):
    """`fields`: those to be written as they were sent, all when left out. The others stay as they are."""

    fields: (
        Annotated[list[Annotated[str, *line(60)]], Constraint(min_length=1, max_length=60)] | None
    ) = None


class InboxDecline(Input):
    """Why the present values stay; who sent the others reads it."""

    reason: Annotated[str, *lines(500)]


class OperationQuery(ListQuery):
    """In the order they came."""

    verdict: OperationState | None = Constraint(default=None, description="Only this verdict.")


# -- what clients get


class OperationWarning(Output):
    """What looks wrong and was put right or stored all the same; `pointer` is into the operation."""

    pointer: str
    code: str
    detail: str


class OthersChange(Output):
    """Fields of the record that somebody else changed meanwhile. `account_id` is null where I may not
    read changes."""

    fields: list[str]
    account_id: UUID | None
    at: datetime


class OperationRead(Output):
    """What became of an operation. `op_id` and `kind` are null where none could be read.

    `merged_into`: the record that `id` has been merged into, on which it was done. `revision`: of the
    record after it. `others`: what was merged with. `fields`: those in conflict.
    `next`: what the phone does.
    """

    op_id: UUID | None
    kind: str | None
    verdict: OperationVerdict
    id: UUID | None
    merged_into: UUID | None
    revision: int | None
    waits_for: WaitsFor | None
    waits_on: UUID | None
    others: list[OthersChange]
    fields: list[str]
    warnings: list[OperationWarning]
    problem: ItemProblem | None
    next: OperationNext
    received_at: datetime | None


class OperationVerdicts(Output):
    """A verdict for each operation, in the order of the request."""

    items: list[OperationRead]


class OperationPage(Page):
    items: list[OperationRead]


class InboxItem(Output):
    """What somebody wrote while she was offline, and waits for a decision.

    `state`: `conflict`, others have changed the same `fields` since; `held`, who sent it no longer has
    the unit. `entity_id`: the `entity` it is about; `sent`: what was written, of a record of the kind
    `values_of`; `present`: what is recorded. Both are null in what is `masked`.
    `revision`: of the record `entity_id`, for `If-Match`.
    """

    about: ClassVar = About(None, ("entity_id",))

    id: UUID
    kind: str
    state: OperationState
    entity: str
    entity_id: UUID
    values_of: str
    record_id: UUID
    fields: list[str]
    sent: Annotated[dict[str, Any], Logged(named="values_of")]
    present: Annotated[dict[str, Any], Logged()]
    masked: list[str]
    revision: int
    unit: UnitRef
    account_id: UUID
    username: str
    occurred_at: datetime
    received_at: datetime


class InboxPage(Page):
    items: list[InboxItem]
