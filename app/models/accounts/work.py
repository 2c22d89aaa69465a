"""What waits for somebody to act: one inbox of all kinds of work."""

from datetime import date

from sqlmodel import Field

from app.models.base import ListQuery, Name, Output, Page, Parameters, UnitId
from app.models.kernel.units import UnitRef


class WorkKind(Name):
    """A kind of work that a capability offers."""


class WorkQuery(ListQuery):
    """By kind, in each the oldest first."""

    kind: WorkKind | None = Field(default=None, description="Only this kind.")
    unit: UnitId | None = Field(
        default=None, description="Only what is about this unit or one below it."
    )


class WorkCountQuery(Parameters):
    unit: UnitId | None = Field(
        default=None, description="Only what is about this unit or one below it."
    )


class WorkItem(Output):
    """`since` is the day it came, or for what has a deadline the day it is due: `age_days` is below
    0 until then. `link` reads it."""

    kind: str
    id: str
    since: date
    age_days: int
    unit: UnitRef
    link: str


class WorkPage(Page):
    items: list[WorkItem]


class WorkCountItem(Output):
    kind: str
    count: int


class WorkCount(Output):
    """`total` for a badge; `items` has the kinds of which something waits."""

    total: int
    items: list[WorkCountItem]
