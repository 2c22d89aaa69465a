"""Figures of loans, as banks report them by group."""

from datetime import date
from typing import Annotated
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
    UnitId,
    Uuid,
    line,
    new_id,
    str_enum,
)
from app.models.kernel.hierarchy import ListInHierarchy
from app.models.members.fields import PastDay
from app.models.poverty.poverty import Money
from app.models.support.support import Count, LoanScheme, Source


class LoanFigure(Revised, table=True):
    """What a bank or fund reports of a unit or of one of its groups at the end of a day."""

    __tablename__ = "loan_figure"
    __table_args__ = (
        sa.UniqueConstraint(
            "unit_id", "scheme", "group_name", "as_of", name="uq_loan_figure_as_of"
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    unit_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    province_id: int | None = None
    scheme: LoanScheme = Field(sa_type=str_enum(LoanScheme))
    # Empty: all groups of the unit together. Not null, so that the constraint holds.
    group_name: str = Field(max_length=120)
    as_of: date
    source: str = Field(max_length=200)
    groups: int
    borrowers: int
    outstanding_vnd: int = Field(sa_type=sa.BigInteger)
    overdue_vnd: int = Field(sa_type=sa.BigInteger)
    savings_vnd: int = Field(sa_type=sa.BigInteger)


class LoanFigureCreate(Input):
    id: UUID | None = None
    unit_id: UnitId
    scheme: LoanScheme
    group_name: Annotated[str, *line(120, 0)] = ""
    as_of: PastDay
    source: Source
    groups: Count
    borrowers: Count
    outstanding_vnd: Money
    overdue_vnd: Money = 0
    savings_vnd: Money = 0


class LoanFigureUpdate(Input):
    """A JSON merge patch: a figure that was wrong."""

    source: Source | MISSING = MISSING
    groups: Count | MISSING = MISSING
    borrowers: Count | MISSING = MISSING
    outstanding_vnd: Money | MISSING = MISSING
    overdue_vnd: Money | MISSING = MISSING
    savings_vnd: Money | MISSING = MISSING


class LoanQuery(ListQuery, ListInHierarchy):
    """The newest day first."""

    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    scheme: LoanScheme | None = Field(default=None, description="Only of this bank or fund.")


class LoanFigureRead(Output):
    """`overdue_rate`: overdue of a hundred đồng outstanding; null where nothing is."""

    id: UUID
    unit_id: int
    scheme: LoanScheme
    group_name: str
    as_of: date
    source: str
    groups: int
    borrowers: int
    outstanding_vnd: int
    overdue_vnd: int
    savings_vnd: int
    overdue_rate: float | None
    revision: int


class LoanFigurePage(Page):
    items: list[LoanFigureRead]
