"""Corrections a member asks for of her own record, decided by an officer."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from app.models.base import Revised, Sealed, Uuid, new_id, str_enum


class CorrectionState(StrEnum):
    pending = "pending"
    approved = "approved"
    refused = "refused"
    cancelled = "cancelled"


class CorrectionRequest(Revised, table=True):
    """`asked` holds the fields she wants changed as JSON, sealed: they may be identifiers."""

    __tablename__ = "correction_request"
    __table_args__ = (
        sa.Index("ix_correction_request_member_id", "member_id"),
        sa.Index("ix_correction_request_state_province_id", "state", "province_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    asked: str = Field(sa_type=Sealed("correction"))
    note: str | None = Field(default=None, max_length=500)
    state: CorrectionState = Field(sa_type=str_enum(CorrectionState))
    requested_by: UUID = Field(sa_type=Uuid)
    decided_by: UUID | None = Field(default=None, sa_type=Uuid)
    decided_at: datetime | None = None
    answer: str | None = Field(default=None, max_length=500)
