"""Training and qualifications of cadres: courses, degrees, certificates."""

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING
from sqlmodel import Field

from app.models.base import (
    Day,
    Input,
    ListQuery,
    Output,
    Page,
    Revised,
    Uuid,
    line,
    new_id,
    str_enum,
)
from app.models.kernel.hierarchy import PeriodQuery


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


CourseName = Annotated[str, *line(200)]
TrainingLevel = Annotated[str, *line(120)]
CertificateNumber = Annotated[str, *line(60)]


class TrainingQuery(ListQuery):
    """In the order they were entered."""

    kind: TrainingKind | None = Field(default=None, description="Only this kind.")


class TrainingCreate(Input):
    """`level` is the degree or grade; a course under way has no `completed_on`."""

    id: UUID | None = None
    kind: TrainingKind
    name: CourseName
    level: TrainingLevel | None = None
    institution: CourseName | None = None
    started_on: Day | None = None
    completed_on: Day | None = None
    certificate_number: CertificateNumber | None = None


class TrainingUpdate(Input):
    """A JSON merge patch: null empties a field, and only where the field may be empty."""

    kind: TrainingKind | MISSING = MISSING
    name: CourseName | MISSING = MISSING
    level: TrainingLevel | None | MISSING = MISSING
    institution: CourseName | None | MISSING = MISSING
    started_on: Day | None | MISSING = MISSING
    completed_on: Day | None | MISSING = MISSING
    certificate_number: CertificateNumber | None | MISSING = MISSING


class TrainingRead(Output):
    id: UUID
    member_id: UUID
    kind: TrainingKind
    name: str
    level: str | None
    institution: str | None
    started_on: date | None
    completed_on: date | None
    certificate_number: str | None
    revision: int


class UnitTrainingQuery(PeriodQuery):
    """Of members of a unit, by when they were entered. A period leaves out what ended before it or
    began after it; what has no days is listed. In a tree (`hierarchy`): of members of the last day."""

    kind: TrainingKind | None = Field(default=None, description="Only this kind.")


class TrainingItem(TrainingRead):
    """With the member and her branch of today."""

    full_name: str
    branch_id: int
    branch_name: str


class TrainingItemPage(Page):
    items: list[TrainingItem]


class TrainingPage(Page):
    items: list[TrainingRead]
