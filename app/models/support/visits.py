"""Visits of households."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field as Constraint
from sqlmodel import Field

from app.models.base import (
    Day,
    HouseholdId,
    Input,
    Output,
    Page,
    Revised,
    Sealed,
    Uuid,
    json_type,
    line,
    lines,
    new_id,
)
from app.models.kernel.access import Right
from app.models.kernel.sensitive import About
from app.models.members.fields import PastDay
from app.models.poverty.poverty import IndicatorCode


class HouseholdVisit(Revised, table=True):
    """A visit to a household (nhật ký thăm hộ). What was seen there is sealed at rest."""

    __tablename__ = "household_visit"
    __table_args__ = (
        sa.Index("ix_household_visit_household_id", "household_id", "visited_on", "id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    household_id: UUID = Field(foreign_key="household.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    visited_on: date
    visitors: list[str] = Field(sa_type=json_type)
    needs: list[str] = Field(sa_type=json_type)
    note: str | None = Field(default=None, sa_type=Sealed("visit_note"))
    next_on: date | None = None
    account_id: UUID | None = Field(default=None, sa_type=Uuid)


class VisitCreate(Input):
    """`needs`: indicators where help is missing; `note` is sealed at rest."""

    id: UUID | None = None
    visited_on: PastDay
    visitors: Annotated[list[Annotated[str, *line(120)]], Constraint(min_length=1, max_length=20)]
    needs: Annotated[list[IndicatorCode], Constraint(max_length=20)] = []
    note: Annotated[str, *lines(2000)] | None = None
    next_on: Day | None = None


class VisitNote(VisitCreate):
    """A visit of this household, sent as an operation of its own."""

    household_id: HouseholdId


class VisitRead(Output):
    about: ClassVar = About("household", ("household_id",), row=Right.poverty_read)

    id: UUID
    household_id: UUID
    visited_on: date
    visitors: list[str]
    needs: list[str]
    note: str | None
    next_on: date | None
    account_id: UUID | None
    revision: int


class VisitPage(Page):
    items: list[VisitRead]
