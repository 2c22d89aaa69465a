"""Merges (gộp): two records of one person become one, and may be told apart again for a time."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from sqlmodel import Field

from app.models.base import (
    Input,
    Output,
    Page,
    Revised,
    Sealed,
    Uuid,
    json_type,
    line,
    new_id,
    str_enum,
)


class MergeState(StrEnum):
    merged = "merged"
    undone = "undone"


class Side(StrEnum):
    kept = "kept"
    other = "other"


class Merge(Revised, table=True):
    """The record `gone_id` went into `kept_id`; its id finds the kept one for ever.

    `journal` holds every row the merge touched as it was and as it became, sealed; it is emptied
    once the merge can no longer be undone.
    """

    __tablename__ = "merge"
    __table_args__ = (
        sa.Index("ix_merge_kept_id", "kept_id"),
        sa.Index(
            "uq_merge_gone",
            "gone_id",
            unique=True,
            sqlite_where=sa.text("state = 'merged'"),
            postgresql_where=sa.text("state = 'merged'"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    kept_id: UUID = Field(sa_type=Uuid)
    gone_id: UUID = Field(sa_type=Uuid)
    reason: str = Field(max_length=500)
    fields: dict[str, Side] = Field(sa_type=json_type)
    state: MergeState = Field(default=MergeState.merged, sa_type=str_enum(MergeState))
    merged_by: UUID = Field(sa_type=Uuid)
    merged_at: datetime
    # The last day on which it can be undone.
    undo_until: date
    undone_by: UUID | None = Field(default=None, sa_type=Uuid)
    undone_at: datetime | None = None
    journal: str | None = Field(default=None, sa_type=Sealed("merge"))


# -- what clients send


class FieldChoices(Input):
    """Whose value stays, field by field; without a choice the kept one's, or the other's where the
    kept one has none. The days of membership follow from both (see the guide)."""

    full_name: Side | None = None
    birth_date: Side | None = None
    gender: Side | None = None
    kind: Side | None = None
    joined_on: Side | None = None
    core: Side | None = None
    phone: Side | None = None
    citizen_id: Side | None = None
    id_card: Side | None = None
    address: Side | None = None
    hometown: Side | None = None
    ethnicity: Side | None = None
    religion: Side | None = None
    party: Side | None = None
    party_joined_on: Side | None = None
    education: Side | None = None
    qualification: Side | None = None
    occupation: Side | None = None
    household_id: Side | None = None
    photo: Side | None = None


class MergeCreate(Input):
    """`other_id` is the record that goes; `reason` says why the two are one person."""

    other_id: UUID
    fields: FieldChoices = FieldChoices()
    reason: Annotated[str, *line(500)]


# -- what clients get


class MergeRead(Output):
    """`undo_until` is the last day on which it can be undone; null when it cannot any more."""

    id: UUID
    kept_id: UUID
    gone_id: UUID
    reason: str
    fields: dict[str, Side]
    state: MergeState
    merged_by: UUID
    merged_at: AwareDatetime
    undo_until: date | None
    undone_by: UUID | None
    undone_at: AwareDatetime | None
    revision: int


class MergePage(Page):
    items: list[MergeRead]
