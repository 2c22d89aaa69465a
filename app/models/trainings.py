"""Training and qualifications of cadres: courses, degrees, certificates."""

from datetime import date
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from app.models.base import Revised, Uuid, new_id, str_enum


class TrainingKind(StrEnum):
    """What a cadre's file asks for (domain facts, 1.3)."""

    union_work = "union_work"
    professional = "professional"
    political_theory = "political_theory"
    state_management = "state_management"
    language = "language"
    informatics = "informatics"
    other = "other"


class Training(Revised, table=True):
    __tablename__ = "training"
    __table_args__ = (sa.Index("ix_training_member_id", "member_id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    kind: TrainingKind = Field(sa_type=str_enum(TrainingKind))
    name: str = Field(max_length=200)
    level: str | None = Field(default=None, max_length=120)
    institution: str | None = Field(default=None, max_length=200)
    started_on: date | None = None
    completed_on: date | None = None
    certificate_number: str | None = Field(default=None, max_length=60)
