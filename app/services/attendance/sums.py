"""The sums that counts are made of: who came, and who was only counted."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.attendance.attendance import (
    Attendance,
    AttendanceMode,
    Capture,
    CaptureKind,
    CaptureState,
)
from app.models.attendance.counts import RoomCount
from app.models.events.events import Room
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.spells import Membership
from app.services.attendance.facts import Sitting
from app.services.attendance.people import in_invited_group, in_spell, invited_on
from app.services.kernel.access import Db

# What is counted of it: all, or the units of the caller's own in it.
Scope = sa.ColumnElement[bool] | None


@dataclass(slots=True)
class People:
    members: int = 0
    of_roster: int = 0
    non_members: int = 0
    by_mode: Counter[AttendanceMode] = field(default_factory=Counter)
    by_branch: Counter[int] = field(default_factory=Counter)
    roster_by_branch: Counter[int] = field(default_factory=Counter)
    # In the hall (None) or a room, themselves or represented: those a head count has counted too.
    by_room: Counter[UUID | None] = field(default_factory=Counter)

    @classmethod
    def read(cls, db: Db, sitting: Sitting, scope: Scope) -> "People":
        found = cls()
        statement = _PEOPLE if scope is None else _PEOPLE.where(scope)
        for row in db.execute(statement, {"session_id": sitting.id}):
            if row.mode is not AttendanceMode.online or row.room_id is not None:
                found.by_room[row.room_id] += row.people
            if row.branch_id is None:
                found.non_members += row.people
                continue
            found.members += row.people
            found.by_mode[row.mode] += row.people
            found.by_branch[row.branch_id] += row.people
            if row.on_roster:
                found.of_roster += row.people
                found.roster_by_branch[row.branch_id] += row.people
        return found


_GROUPS = tuple(
    col(getattr(Attendance, name)) for name in ("branch_id", "mode", "room_id", "on_roster")
)


_PEOPLE = (
    sa.select(*_GROUPS, sa.func.count().label("people"))
    .where(col(Attendance.session_id) == sa.bindparam("session_id"))
    .group_by(*_GROUPS)
)


def roster_sizes(db: Db, sitting: Sitting, units: Scope = None) -> dict[int, int]:
    """Members invited, by the branch they were in on the day of the session."""
    invited: sa.ColumnElement[bool] = col(Membership.branch_id).in_(invited_on(sitting))
    if any(unit.level is UnitLevel.group for unit in sitting.units):
        invited = sa.or_(invited, in_invited_group(sitting, col(Membership.member_id)))
    statement = sa.select(col(Membership.branch_id), sa.func.count()).where(
        in_spell(sitting.local_date), invited
    )
    if units is not None:
        statement = statement.where(
            col(Membership.branch_id).in_(sa.select(col(Unit.id)).where(units))
        )
    return {
        int(branch_id): size
        for branch_id, size in db.execute(statement.group_by(col(Membership.branch_id)))
    }


@dataclass(slots=True)
class Nameless:
    head_counts: dict[UUID | None, int] = field(default_factory=dict)
    named_guests: dict[UUID | None, int] = field(default_factory=dict)
    # Counted among the heads, or by their names where these are more.
    guests_of: dict[UUID | None, int] = field(default_factory=dict)
    pending: int = 0

    @property
    def head_count(self) -> int | None:
        return sum(self.head_counts.values()) if self.head_counts else None

    @property
    def guests(self) -> int:
        return sum(self.guests_of.values())

    @classmethod
    def read(cls, db: Db, sitting: Sitting, rooms: Sequence[Any]) -> "Nameless":
        found = cls()
        names: dict[UUID | None, set[str]] = defaultdict(set)
        counted: dict[UUID | None, int] = {}
        for row in db.execute(_NAMELESS, {"session_id": sitting.id}):
            if row.kind is CaptureKind.head_count:
                found.head_counts[row.room_id] = row.heads
                counted[row.room_id] = row.guests or 0
            elif row.is_guest:
                names[row.room_id].add(row.name_key)
        for room in rooms:
            if room.head_count is not None:
                found.head_counts.setdefault(room.id, room.head_count)
        found.named_guests = {room_id: len(each) for room_id, each in names.items()}
        found.guests_of = {
            room_id: max(counted.get(room_id, 0), found.named_guests.get(room_id, 0))
            for room_id in {*counted, *names}
        }
        found.pending = db.execute(_PENDING, {"session_id": sitting.id}).scalar_one()
        return found


# Head counts in their order: the last one of a room holds.
_NAMELESS: AnySelect = (
    sa.select(
        col(Capture.kind),
        col(Capture.room_id),
        col(Capture.is_guest),
        col(Capture.name_key),
        col(Capture.count).label("heads"),
        col(Capture.guests),
    )
    .where(
        col(Capture.session_id) == sa.bindparam("session_id"),
        col(Capture.member_id).is_(None),
        col(Capture.state) == CaptureState.stored,
    )
    .order_by(col(Capture.happened_at), col(Capture.id))
)


_PENDING = sa.select(sa.func.count()).where(
    col(Capture.session_id) == sa.bindparam("session_id"),
    # Written out, as it is in the index that holds them alone.
    sa.text("state IN ('held', 'pending_identity')"),
    col(Capture.state) == CaptureState.pending_identity,
)


def rooms_of(db: Db, sitting: Sitting) -> Sequence[Any]:
    """With the head counts that were entered with them."""
    return db.execute(_ROOMS, {"session_id": sitting.id}).all()


def by_room(rooms: Sequence[Any], people: People, nameless: Nameless) -> list[RoomCount]:
    """The hall, if anything was noted in it, and every room of the session."""
    found: list[RoomCount] = []
    for room_id, name in [(None, None), *((room.id, room.name) for room in rooms)]:
        here = people.by_room[room_id]
        guests = nameless.guests_of.get(room_id, 0)
        heads = nameless.head_counts.get(room_id)
        if room_id is None and not here and not guests and heads is None:
            continue
        beyond = None if heads is None else heads - here - guests
        found.append(
            RoomCount(
                room_id=room_id,
                name=name,
                people=here,
                named_guests=nameless.named_guests.get(room_id, 0),
                guests=guests,
                head_count=heads,
                unnamed_gap=None if beyond is None else max(0, beyond),
                over_named=max(0, -(beyond or 0)),
            )
        )
    return found


_ROOMS = (
    sa.select(col(Room.id), col(Room.name), col(Room.head_count))
    .where(col(Room.session_id) == sa.bindparam("session_id"))
    .order_by(col(Room.name), col(Room.id))
)
