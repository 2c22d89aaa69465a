"""Attendance over time: of a unit and a period, of one member, of an event of several sessions."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict
from pydantic import Field as Constraint

from app.models.attendance.attendance import AttendanceMode
from app.models.base import Day, Output, Page
from app.models.kernel.code_lists import EventKind
from app.models.kernel.hierarchy import InHierarchy
from app.models.kernel.units import UnitRef

# -- what clients send


class AttendanceCountBy(StrEnum):
    branch = "branch"
    commune = "commune"
    month = "month"


class AttendanceCountQuery(InHierarchy):
    """Both days belong to the period; `to` is today by default. `kind`: of events of this kind,
    `meeting` for the participation rate (tỷ lệ tham gia sinh hoạt) of regular meetings. As it was
    (`as_was`): each day in the units of that day."""

    from_: Day = Constraint(alias="from", description="The first day of the period.")
    to: Day | None = Constraint(
        default=None, description="The last day of the period; today by default."
    )
    kind: EventKind | None = Constraint(default=None, description="Only this kind.")
    by: AttendanceCountBy | None = Constraint(default=None, description="What to count apart.")


# -- what clients get


class AttendanceCountItem(Output):
    """One branch, commune or month (`2026-11`); `unit` is null for a month."""

    value: str
    unit: UnitRef | None
    distinct_people: int
    participations: int
    invitations: int
    rate: float | None


class AttendanceCounts(Output):
    """Attendance of a unit's members over a period, each in her unit of the day.

    `distinct_people` (người) are counted once each, `participations` (lượt) once a session: the people of
    the items do not add up. `invitations` sums the roster of each session held; `rate` = those of
    the rosters who came / `invitations`. `loading`: past meetings are still being entered, the
    figures will grow.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    unit: UnitRef
    from_: date = Constraint(alias="from")
    to: date
    kind: str | None
    sessions: int
    distinct_people: int
    participations: int
    invitations: int
    rate: float | None
    loading: bool
    items: list[AttendanceCountItem]


class MemberAttendanceRead(Output):
    """That she attended a session; `branch_id` is her branch of that day."""

    session_id: UUID
    event_id: UUID
    title: str
    kind: str
    local_date: date
    branch_id: int | None
    mode: AttendanceMode
    attended_at: AwareDatetime


class MemberAttendancePage(Page):
    items: list[MemberAttendanceRead]


class EventCounts(Output):
    """All sessions of an event: each person once (`distinct_people`), and once a session
    (`participations`). `scope` as for one session."""

    event_id: UUID
    scope: str
    sessions: int
    distinct_people: int
    participations: int
    non_members: int
