"""Roll-ups: what has been counted of units on days that are asked about again and again."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.base import Uuid, json_type, new_id


class FigureDay(SQLModel, table=True):
    """The figures of the same rows (`capability.rows`) in a unit, by code and version: a stock of the
    day, a flow of its month up to the day. What is zero is left out. Where people are counted once,
    the rows are named with the months of a flow's period: `capability.rows/12` is of the year.

    `whole`: in the unit and in all below it, in the tree of the day; else in the unit alone. Counted
    when the change log had reached `FigureFold.seq` or later.
    """

    __tablename__ = "figure_day"
    # Kept in the order of its key on SQLite: a day lies together.
    __table_args__ = {"sqlite_with_rowid": False}  # as SQLAlchemy declares it

    rows: str = Field(primary_key=True, max_length=80)
    day: date = Field(primary_key=True)
    whole: bool = Field(primary_key=True)
    unit_id: int = Field(
        primary_key=True, foreign_key="unit.id", ondelete="CASCADE", sa_type=sa.Integer
    )
    figures: dict[str, int] = Field(sa_type=json_type)


class FigureKept(SQLModel, table=True):
    """Rows and a day that are counted in all units: one that is not stored has none of them."""

    __tablename__ = "figure_kept"

    rows: str = Field(primary_key=True, max_length=80)
    day: date = Field(primary_key=True)
    # The figures that were counted, by code and version.
    figures: list[str] = Field(sa_type=json_type)


class FigureShared(SQLModel, table=True):
    """That a figure counts a key, a person or a household, in this unit and in others too: in what is
    above them it is counted once."""

    __tablename__ = "figure_shared"
    __table_args__ = {"sqlite_with_rowid": False}  # as SQLAlchemy declares it

    rows: str = Field(primary_key=True, max_length=80)
    day: date = Field(primary_key=True)
    figure: str = Field(primary_key=True, max_length=80)
    key: UUID = Field(primary_key=True, sa_type=Uuid)
    unit_id: int = Field(
        primary_key=True, foreign_key="unit.id", ondelete="CASCADE", sa_type=sa.Integer
    )


class FigureStale(SQLModel, table=True):
    """A unit whose rows have changed, where the change log has no row for each: derived ones
    (`entity`). Written with the change; the fold that has counted the unit deletes it."""

    __tablename__ = "figure_stale"

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    entity: str = Field(max_length=32)
    unit_id: int = Field(foreign_key="unit.id", ondelete="CASCADE", sa_type=sa.Integer)


class FigureFold(SQLModel, table=True):
    """One row: the place of the change log up to which every stored figure is right."""

    __tablename__ = "figure_fold"

    id: int = Field(primary_key=True)
    seq: int = Field(sa_type=sa.BigInteger)
