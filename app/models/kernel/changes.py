"""The change log: what changed (`change`), waiting for its place (`outbox`), in order (`feed`)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import AfterValidator
from sqlmodel import Field, SQLModel

from app.models.base import (
    Output,
    Parameters,
    UnitId,
    Uuid,
    json_type,
    new_id,
    str_enum,
)
from app.models.kernel.following import EntityName, Followed, FollowQuery
from app.models.kernel.sensitive import About, Logged


class Operation(StrEnum):
    created = "created"
    updated = "updated"
    moved = "moved"
    deleted = "deleted"
    left_scope = "left_scope"
    entered_scope = "entered_scope"
    # The operation that makes every copy of the entity forget the person's identity.
    erased = "erased"


class ChangeSource(StrEnum):
    api = "api"
    cli = "cli"
    demo = "demo"
    job = "job"
    sync = "sync"
    import_ = "import"


class Change(SQLModel, table=True):
    """One create, update, move or delete of one entity. Insert-only.

    `before` and `after` hold the changed fields only: all of them on create (`before` null)
    and on delete (`after` null).
    """

    __tablename__ = "change"
    __table_args__ = (sa.Index("ix_change_entity_entity_id_id", "entity", "entity_id", "id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    at: datetime
    account_id: UUID | None = Field(default=None, sa_type=Uuid)
    session_id: UUID | None = Field(default=None, sa_type=Uuid)
    device: str | None = Field(default=None, max_length=120)
    request_id: str | None = Field(default=None, max_length=64)
    source: ChangeSource = Field(sa_type=str_enum(ChangeSource))
    source_ref: str | None = Field(default=None, max_length=200)
    entity: str = Field(max_length=32)
    entity_id: str = Field(max_length=36)
    operation: Operation = Field(sa_type=str_enum(Operation))
    revision: int
    before: dict[str, Any] | None = Field(default=None, sa_type=json_type)
    after: dict[str, Any] | None = Field(default=None, sa_type=json_type)


class _Placed(SQLModel):
    """Whose change it is: the entity's units at that moment, so readers filter without joins."""

    change_id: UUID = Field(sa_type=Uuid)
    operation: Operation = Field(sa_type=str_enum(Operation))
    entity: str = Field(max_length=32)
    entity_id: str = Field(max_length=36)
    unit_id: int | None = None
    province_id: int | None = None
    district_id: int | None = None
    commune_id: int | None = None
    branch_id: int | None = None


class Outbox(_Placed, table=True):
    """Committed changes not yet numbered (PostgreSQL only: SQLite's one writer needs no queue)."""

    __tablename__ = "outbox"

    id: int | None = Field(default=None, primary_key=True, sa_type=sa.BigInteger)


class Feed(_Placed, table=True):
    """The gapless order of all committed changes."""

    __tablename__ = "feed"
    __table_args__ = (
        sa.Index("ix_feed_change_id", "change_id"),
        sa.Index("ix_feed_branch_id_seq", "branch_id", "seq"),
        sa.Index("ix_feed_commune_id_seq", "commune_id", "seq"),
        sa.Index("ix_feed_entity_entity_id_seq", "entity", "entity_id", "seq"),
    )

    seq: int = Field(
        primary_key=True, sa_type=sa.BigInteger, sa_column_kwargs={"autoincrement": False}
    )


class FeedHead(SQLModel, table=True):
    """One row: the last number given. Locking it makes a sequencer the only one at work.

    `epoch` names this run of numbers (`Epoch`): after a restore the numbers above the backup's last
    one are given a second time.
    """

    __tablename__ = "feed_head"

    id: int = Field(primary_key=True)
    seq: int = Field(sa_type=sa.BigInteger)
    epoch: UUID = Field(sa_type=Uuid)


def _entity_id(value: str) -> str:
    """As ids are written in the log: a UUID in lower case with hyphens, a unit's number."""
    try:
        return str(UUID(value)) if len(value) >= 32 else str(int(value))
    except ValueError:
        return value


EntityId = Annotated[str, Field(max_length=36), AfterValidator(_entity_id)]


class ChangeQuery(FollowQuery):
    """`unit`: of this unit and all below it."""

    entity_id: EntityId | None = Field(default=None, description="Id of the entity.")
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    account: UUID | None = Field(default=None, description="Only changes made by this account.")


class HistoryQuery(Parameters):
    entity: EntityName = Field(description="The kind of entity.")
    entity_id: EntityId = Field(description="Id of the entity.")


class ChangeRead(Output):
    """`before`/`after` hold the changed fields; those in `masked` are null to this caller."""

    about: ClassVar = About(None, ("entity_id",))

    seq: int
    at: datetime
    operation: Operation
    entity: str
    entity_id: str
    revision: int
    unit_id: int | None
    account_id: UUID | None
    device: str | None
    request_id: str | None
    source: ChangeSource
    source_ref: str | None
    before: Annotated[dict[str, Any] | None, Logged()]
    after: Annotated[dict[str, Any] | None, Logged()]
    masked: list[str]


class ChangePage(Followed):
    """In order of `seq`."""

    items: list[ChangeRead]


class FieldValue(Output):
    seq: int
    at: datetime
    account_id: UUID | None
    value: Any


class FieldHistory(Output):
    field: str
    values: list[FieldValue]


def _every_value(fields: Sequence[FieldHistory]) -> Iterable[tuple[str, Any]]:
    return ((field.field, each.value) for field in fields for each in field.values)


class EntityHistory(Output):
    """Every value every field of one entity ever had, oldest first."""

    about: ClassVar = About(None, ("entity_id",))

    entity: str
    entity_id: str
    revision: int
    fields: Annotated[list[FieldHistory], Logged(pairs=_every_value)]
    masked: list[str]
