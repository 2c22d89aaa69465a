"""What limits what may be done with a person's data: restrictions, objections, legal holds."""

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
    Names,
    Output,
    Page,
    Revised,
    Uuid,
    line,
    lines,
    new_id,
    str_enum,
)
from app.models.privacy.consents import PurposeCode


class LimitKind(StrEnum):
    """`restriction`: kept and shown, neither changed nor exported. `objection`: not used for one
    purpose. `legal_hold`: not erased."""

    restriction = "restriction"
    objection = "objection"
    legal_hold = "legal_hold"


class ProcessingLimit(Revised, table=True):
    """One limit from one day to another, both inclusive; `valid_to` null = until it is lifted."""

    __tablename__ = "processing_limit"
    __table_args__ = (sa.Index("ix_processing_limit_member_id", "member_id", "kind"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    kind: LimitKind = Field(sa_type=str_enum(LimitKind))
    purpose: str | None = Field(default=None, max_length=32)
    request_id: UUID | None = Field(
        default=None, foreign_key="privacy_request.id", ondelete="RESTRICT", sa_type=Uuid
    )
    reference: str | None = Field(default=None, max_length=120)
    note: str | None = Field(default=None, max_length=500)
    valid_from: date
    valid_to: date | None = None
    set_by: UUID = Field(sa_type=Uuid)
    lifted_by: UUID | None = Field(default=None, sa_type=Uuid)
    lifted_note: str | None = Field(default=None, max_length=500)


# -- what clients send

Reference = Annotated[str, *line(120)]
Note = Annotated[str, *lines(500)]


class RestrictionCreate(Input):
    """`purpose` is needed for an objection. `request_id`: what she asked for in the register."""

    id: UUID | None = None
    kind: Annotated[LimitKind, Field(description="restriction or objection")]
    purpose: PurposeCode | None = None
    request_id: Annotated[UUID, Names("privacy_request", of_parent=True)] | None = None
    note: Note | None = None


class LegalHoldCreate(Input):
    """`reference`: the case or decision; `valid_to`: the last day it holds, if that is known."""

    id: UUID | None = None
    reference: Reference
    note: Note | None = None
    valid_to: Day | None = None


class LimitLift(Input):
    """`note` gives the reason."""

    note: Note


class LimitQuery(ListQuery):
    """Oldest first. `in_force`: those of today, or those that are over."""

    kind: LimitKind | None = Field(default=None, description="Only this kind.")
    in_force: bool | None = Field(
        default=None, description="Only what is in force today, or only what is over."
    )


# -- what clients get


class LimitRead(Output):
    id: UUID
    member_id: UUID
    kind: LimitKind
    purpose: str | None
    request_id: UUID | None
    reference: str | None
    note: str | None
    valid_from: date
    valid_to: date | None
    in_force: bool
    lifted_note: str | None
    revision: int


class LimitPage(Page):
    items: list[LimitRead]
