"""How many came: the counts of a session, live and as they were frozen at its closing."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime
from sqlmodel import Field, SQLModel

from app.models.attendance.attendance import AttendanceMode
from app.models.base import (
    Output,
    Parameters,
    Uuid,
)
from app.models.kernel.units import UnitRef


class FrozenCount(SQLModel, table=True):
    """The counts of a session on the day it was closed (`number` 0), and after each day on which
    something that came later has corrected them."""

    __tablename__ = "attendance_count"

    session_id: UUID = Field(
        foreign_key="event_session.id", ondelete="CASCADE", primary_key=True, sa_type=Uuid
    )
    number: int = Field(primary_key=True)
    on: date
    counted_at: datetime
    captures: int
    people: int
    non_members: int
    guests: int
    head_count: int | None
    roster_size: int


class CountLevel(StrEnum):
    branch = "branch"
    commune = "commune"
    district = "district"


class SessionCountQuery(Parameters):
    """`level`: the level of the units the people are counted by."""

    level: CountLevel = Field(
        default=CountLevel.branch, description="The level of the units that are counted apart."
    )


class ModeCount(Output):
    mode: AttendanceMode
    people: int


class UnitCount(Output):
    """`of_roster` are those of `people` who were on the roster; `rate` is their part of it."""

    unit: UnitRef
    people: int
    of_roster: int
    roster_size: int
    rate: float | None


class RoomCount(Output):
    """`room_id` null: the hall itself.

    `people` are those captured there, online ones not; `guests` are counted among the heads, or by
    name where these are more. The gap is the head count less people and guests; `over_named` is
    what they are beyond it.
    """

    room_id: UUID | None
    name: str | None
    people: int
    named_guests: int
    guests: int
    head_count: int | None
    unnamed_gap: int | None
    over_named: int


class FrozenRead(Output):
    """Counts as they stood at a closing, or after a day's correction of it."""

    number: int
    on: date
    counted_at: AwareDatetime
    captures: int
    distinct_people: int
    non_members: int
    guests: int
    head_count: int | None
    roster_size: int


class SessionCounts(Output):
    """The counts of one session, as they are now.

    `distinct_people` were members of some branch that day (người); `participations` is how often
    they took part (lượt): the same here, more over several sessions. `visitors` are those of them
    who were not on the roster, `non_members` people of the register who were in no branch that
    day, `guests` the others: the named ones, or more where a head count says so.

    `rate` = those of the roster who came / `roster_size`. `head_count` sums the last head count of
    the hall and of each room; `unnamed_gap` is the head count less the names and the guests counted
    with it, `over_named` what these are beyond it. `scope` is `units` for a caller who sees only some of the units.
    `frozen` since it was closed: the first item is the closing, each further one a dated
    correction.
    """

    session_id: UUID
    local_date: date
    scope: str
    distinct_people: int
    participations: int
    visitors: int
    non_members: int
    guests: int
    pending_identity: int
    roster_size: int
    rate: float | None
    head_count: int | None
    unnamed_gap: int | None
    over_named: int
    by_mode: list[ModeCount]
    by_unit: list[UnitCount]
    rooms: list[RoomCount]
    frozen: list[FrozenRead]
