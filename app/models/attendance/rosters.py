"""Who was invited and whether she came: the roster of a session, and who stays away."""

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime
from pydantic import Field as Constraint

from app.models.attendance.attendance import AttendanceMode
from app.models.base import ListQuery, Output, Page, Parameters, UnitId
from app.models.events.rsvps import RsvpAnswer
from app.models.kernel.code_lists import EventKind

# -- what clients send


class RosterState(StrEnum):
    """Nobody is absent from a session that was not held yet: then all others are `invited`."""

    attended = "attended"
    absent = "absent"
    invited = "invited"


class RosterQuery(ListQuery):
    """By name."""

    state: RosterState | None = Constraint(default=None, description="Only this state.")
    branch: UnitId | None = Constraint(default=None, description="Only members of this branch.")


class SheetQuery(Parameters):
    """`branch`: its members alone; a long roster is printed branch by branch."""

    branch: UnitId | None = Constraint(default=None, description="Only members of this branch.")


class AbsenteeQuery(ListQuery):
    """Members of today who missed the last `meetings` they were invited to, all of them."""

    meetings: Annotated[int, Constraint(ge=1, le=24)] = Constraint(
        default=3, description="How many meetings in succession."
    )
    kind: EventKind | None = Constraint(default=None, description="Only this kind.")


# -- what clients get


class RosterRead(Output):
    """Somebody on the roster of a session; `branch_id` is her branch on that day. `mode` and
    `attended_at` are null unless she attended, `answer` (RSVP) unless she gave one."""

    member_id: UUID
    full_name: str
    branch_id: int
    branch_name: str
    state: RosterState
    mode: AttendanceMode | None
    attended_at: AwareDatetime | None
    answer: RsvpAnswer | None


class RosterPage(Page):
    items: list[RosterRead]


class AbsenteeRead(Output):
    """`missed` meetings in succession, up to today, in two years at most; `last_attended_on` is null
    for who was never noted anywhere."""

    member_id: UUID
    full_name: str
    branch_id: int
    branch_name: str
    missed: int
    last_attended_on: date | None


class AbsenteePage(Page):
    items: list[AbsenteeRead]
