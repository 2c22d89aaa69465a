"""Corrections a member asks for of her own record, decided by an officer."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING
from sqlmodel import Field

from app.models.base import (
    Input,
    ListQuery,
    Output,
    Page,
    Revised,
    Sealed,
    UnitId,
    Uuid,
    lines,
    new_id,
    str_enum,
)
from app.models.kernel.sensitive import About, Logged
from app.models.members.fields import Phone, Place
from app.models.members.members import MemberUpdate
from app.problem_texts import HintCode


class CorrectionState(StrEnum):
    pending = "pending"
    approved = "approved"
    refused = "refused"
    cancelled = "cancelled"


class CorrectionRequest(Revised, table=True):
    """`asked` holds the fields she wants changed as JSON, `before` what the record held of them
    when she asked; both sealed: they may be identifiers."""

    __tablename__ = "correction_request"
    __table_args__ = (
        sa.Index("ix_correction_request_member_id", "member_id"),
        sa.Index("ix_correction_request_state_province_id", "state", "province_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    asked: str = Field(sa_type=Sealed("correction"))
    before: str = Field(sa_type=Sealed("correction"))
    note: str | None = Field(default=None, max_length=500)
    state: CorrectionState = Field(sa_type=str_enum(CorrectionState))
    requested_by: UUID = Field(sa_type=Uuid)
    decided_by: UUID | None = Field(default=None, sa_type=Uuid)
    decided_at: datetime | None = None
    answer: str | None = Field(default=None, max_length=500)


# -- what clients send


class OwnUpdate(Input):
    """What a member corrects herself, at once; all else she asks for as a correction."""

    elsewhere: ClassVar[Mapping[str, HintCode]] = dict.fromkeys(
        MemberUpdate.model_fields, "changed_by_correction"
    )

    phone: Phone | None | MISSING = MISSING
    address: Place | None | MISSING = MISSING


class CorrectionCreate(Input):
    """`changes`: the fields as they should be, at least one."""

    id: UUID | None = None
    changes: MemberUpdate
    note: Annotated[str, *lines(500)] | None = None


class CorrectionQuery(ListQuery):
    """`unit`: of members in this unit or below it."""

    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    state: CorrectionState | None = Field(default=None, description="Only this state.")


class CorrectionRefuse(Input):
    """`answer` is shown to the member."""

    answer: Annotated[str, *lines(500)]


# -- what clients get


class CorrectionRead(Output):
    """`changes` are the fields as she wants them; those in `masked` are null to this caller, who
    cannot approve them either.
    """

    about: ClassVar = About("member", ("member_id",))

    id: UUID
    member_id: UUID
    full_name: str
    branch_id: int
    changes: Annotated[dict[str, Any], Logged("member")]
    note: str | None
    state: CorrectionState
    requested_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    answer: str | None
    revision: int
    masked: list[str]


class CorrectionPage(Page):
    items: list[CorrectionRead]
