"""Published editions: the figures of poverty for readers who may not see a family's status."""

from datetime import date
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field as Constraint
from sqlmodel import Field, SQLModel

from app.models.base import Input, ListQuery, Output, Page, Revised, UnitId, Uuid, new_id, str_enum
from app.models.poverty.flows import FlowTable


class PublishedBy(StrEnum):
    """What published tables are divided by; the total is the sum of the areas."""

    area = "area"
    female_head = "female_head"
    cause = "cause"


class PovertyEdition(Revised, table=True):
    """The flow tables of a province, rounded and frozen: all years up to `last_year`."""

    __tablename__ = "poverty_edition"
    __table_args__ = (sa.UniqueConstraint("province_id", "number"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    province_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    number: int
    first_year: int
    last_year: int
    published_on: date


class PublishedFigure(SQLModel, table=True):
    """One rounded figure of a year. `name`: a kind of flow, or `closing` for the last day.

    Zeros are left out. The closing of the year before `first_year` is the first opening.
    """

    __tablename__ = "poverty_published"
    __table_args__ = {"sqlite_with_rowid": False}  # as SQLAlchemy declares it

    edition_id: UUID = Field(
        primary_key=True, foreign_key="poverty_edition.id", ondelete="CASCADE", sa_type=Uuid
    )
    by: PublishedBy = Field(primary_key=True, sa_type=str_enum(PublishedBy))
    year: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    poverty_class: FlowTable = Field(primary_key=True, sa_type=str_enum(FlowTable))
    name: str = Field(primary_key=True, max_length=20)
    part: str = Field(primary_key=True, max_length=40)
    households: int
    people: int


class EditionCreate(Input):
    unit_id: UnitId = Field(description="The province.")
    last_year: int | None = Constraint(
        default=None, ge=1994, le=2200, description="Last year by default; a year that has ended."
    )


class EditionQuery(ListQuery):
    unit: UnitId | None = Field(default=None, description="Only those of this province.")


class EditionRead(Output):
    """An edition of a province's figures: whole years, rounded to multiples of 5, and frozen."""

    id: UUID
    unit_id: int
    number: int
    first_year: int
    last_year: int
    published_on: date
    revision: int


class EditionPage(Page):
    items: list[EditionRead]
