"""Roll-ups: what has been counted of branches on days that are asked about again and again."""

from datetime import date

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.base import json_type


class FigureDay(SQLModel, table=True):
    """The figures of the same rows (`capability.rows`) of a branch on a day, by code and version.

    Counted when the change log had reached `FigureFold.seq` or later; what has changed since is
    counted anew.
    """

    __tablename__ = "figure_day"
    # Kept in the order of its key on SQLite: a day lies together.
    __table_args__ = {"sqlite_with_rowid": False}  # as SQLAlchemy declares it

    rows: str = Field(primary_key=True, max_length=80)
    day: date = Field(primary_key=True)
    branch_id: int = Field(
        primary_key=True, foreign_key="unit.id", ondelete="CASCADE", sa_type=sa.Integer
    )
    figures: dict[str, int] = Field(sa_type=json_type)


class FigureFold(SQLModel, table=True):
    """One row: the place of the change log up to which every stored figure is right."""

    __tablename__ = "figure_fold"

    id: int = Field(primary_key=True)
    seq: int = Field(sa_type=sa.BigInteger)
