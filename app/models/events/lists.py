"""Lists of events."""

from datetime import date
from typing import Annotated

from pydantic import Field as Constraint
from sqlmodel import Field

from app.models.base import (
    Day,
    ListQuery,
    Page,
    UnitId,
)
from app.models.events.events import EventRead, EventState
from app.models.kernel.code_lists import EventKind
from app.models.kernel.hierarchy import ListInHierarchy


class EventQuery(ListQuery, ListInHierarchy):
    """Newest first. `unit`: hosted by it or anything below it, or inviting them. `from`, `to`: with
    a session on one of these days (of Vietnam). `mine`: hosted by, or inviting, a unit I have a
    role or am a member in."""

    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    from_: Day | None = Field(
        alias="from", default=None, description="The first day of the period."
    )
    to: Day | None = Field(
        default=None, description="The last day of the period; today by default."
    )
    kind: EventKind | None = Field(default=None, description="Only this kind.")
    state: EventState | None = Field(default=None, description="Only this state.")
    tag: Annotated[str, Constraint(max_length=60)] | None = Field(
        default=None, description="Only of this programme or campaign."
    )
    q: Annotated[str, Constraint(max_length=200)] | None = Field(
        default=None,
        description="Words in the name, in any order, with or without tone marks.",
    )
    mine: bool = Field(
        default=False, description="Only of the units I have a role or am a member in."
    )

    @property
    def last_day(self) -> date | None:
        return self.to


class EventPage(Page):
    items: list[EventRead]
