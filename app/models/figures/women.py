"""Women of 18 and over in the area of a branch, as the village counts them: members or not."""

from datetime import date
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING
from pydantic import Field as Constraint
from sqlmodel import Field

from app.models.base import (
    Day,
    Input,
    ListQuery,
    Output,
    OwnBranch,
    Page,
    Revised,
    UnitId,
    Uuid,
    line,
    new_id,
)
from app.models.kernel.hierarchy import ListInHierarchy


class WomenCount(Revised, table=True):
    """How many women of 18 and over lived in the area of a branch on a day."""

    __tablename__ = "women_count"
    __table_args__ = (
        sa.UniqueConstraint("branch_id", "as_of", name="uq_women_count_branch_id_as_of"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    branch_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    as_of: date
    women: int
    source: str | None = Field(default=None, max_length=200)


# -- what clients send

Women = Annotated[int, Constraint(ge=0, le=1_000_000, strict=True)]
Source = Annotated[str, *line(200)]


class WomenCountCreate(Input):
    """`source`: who counted, for example the list of residents of the village."""

    id: UUID | None = None
    branch_id: OwnBranch = None
    as_of: Day
    women: Women
    source: Source | None = None


class WomenCountUpdate(Input):
    """A JSON merge patch: a number that was wrong."""

    women: Women | MISSING = MISSING
    source: Source | None | MISSING = MISSING


class WomenCountQuery(ListQuery, ListInHierarchy):
    """The newest day first."""

    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )


# -- what clients get


class WomenCountRead(Output):
    id: UUID
    branch_id: int
    as_of: date
    women: int
    source: str | None
    revision: int


class WomenCountPage(Page):
    items: list[WomenCountRead]
