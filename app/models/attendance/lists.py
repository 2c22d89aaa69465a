"""Who attended what: the attendance of all members of a unit."""

from datetime import date
from uuid import UUID

from sqlmodel import Field

from app.models.attendance.attendance import AttendanceMode, AttendeeRead
from app.models.base import Page
from app.models.kernel.hierarchy import PeriodQuery


class AttendanceQuery(PeriodQuery):
    """By day. The unit is that of the member's branch on the day."""

    mode: AttendanceMode | None = Field(default=None, description="Only attended in this way.")
    event: UUID | None = Field(default=None, description="Only of the sessions of this event.")


class AttendanceItem(AttendeeRead):
    """Somebody who attended, and what."""

    session_id: UUID
    event_id: UUID
    title: str
    local_date: date


class AttendanceItemPage(Page):
    items: list[AttendanceItem]
