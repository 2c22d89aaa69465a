"""The facts that follow from captures: one row for each session and person, made by inserting or
doing nothing, so that phones that know nothing of each other never contradict each other.

Facts are written in the order of the members' ids: two batches cannot wait for each other.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import AnySelect, insert_new
from app.models.attendance.attendance import (
    Attendance,
    AttendanceMode,
    Capture,
    CaptureKind,
    CaptureState,
)
from app.models.base import uuid8
from app.models.events.events import Event, EventSession, EventState, SessionState, UnitRole
from app.services.attendance.figure_rows import HOSTED
from app.services.events.scope import units_of
from app.services.figures import stale
from app.services.kernel import changes
from app.services.kernel.access import Db
from app.services.kernel.tracking import Row
from app.services.units.rows import locked_is_409

Values = dict[str, Any]
# Where somebody stood on the day of a session, for the counts of units.
ABOVE = ("province_id", "district_id", "commune_id")
PLACE = (*ABOVE, "branch_id", "on_roster")
MODES = {
    CaptureKind.qr: AttendanceMode.in_person,
    CaptureKind.roster: AttendanceMode.in_person,
    CaptureKind.paper: AttendanceMode.in_person,
    CaptureKind.online: AttendanceMode.online,
    CaptureKind.proxy: AttendanceMode.proxy,
}


# -- the session


@dataclass(frozen=True, slots=True)
class Sitting:
    """A session with what captures ask of it; `units` are its hosts and whom it invites."""

    id: UUID
    event_id: UUID
    event_state: EventState
    host_id: int
    province_id: int
    local_date: date
    starts_at: datetime
    ends_at: datetime
    state: SessionState
    closed_at: datetime | None
    late_after: int | None
    online_minutes: int | None
    units: tuple[Any, ...]

    @property
    def invited(self) -> list[int]:
        return [unit.unit_id for unit in self.units if unit.role is UnitRole.invited]

    @property
    def hosts(self) -> list[Any]:
        return [unit for unit in self.units if unit.role is UnitRole.host]


_SITTING: AnySelect = (
    sa.select(
        col(EventSession.id),
        col(EventSession.event_id),
        col(Event.state).label("event_state"),
        col(EventSession.host_id),
        col(EventSession.province_id),
        col(EventSession.local_date),
        col(EventSession.starts_at),
        col(EventSession.ends_at),
        col(EventSession.state),
        col(EventSession.closed_at),
        col(EventSession.late_after),
        col(EventSession.online_minutes),
    )
    .join(Event, col(Event.id) == col(EventSession.event_id))
    .where(col(EventSession.id) == sa.bindparam("session_id"))
)
# It is not closed between our reading that it is open and our commit. KEY SHARE would not do: it
# does not wait for a closing under way, and reads what was.
_HELD_OPEN = _SITTING.with_for_update(read=True, of=EventSession)


def find_sitting(db: Db, session_id: UUID) -> Sitting | None:
    """The session, in a transaction kept from being changed meanwhile; 409 where a reorganisation has
    it and is not done within seconds."""
    statement = _HELD_OPEN if isinstance(db, Session) else _SITTING
    with locked_is_409():
        row = db.execute(statement, {"session_id": session_id}).one_or_none()
    return None if row is None else Sitting(**row._mapping, units=tuple(units_of(db, row.event_id)))


# -- writing


def fact_id(session_id: UUID, member_id: UUID) -> UUID:
    """The same for the same session and person, whoever made the fact first. It begins as the id of
    the session does: facts of one meeting stand together in an index, and on a phone."""
    both = session_id.bytes + member_id.bytes
    return uuid8(session_id.bytes[:8] + hashlib.blake2b(both, digest_size=8).digest())


def add(session: Session, facts: Iterable[Values]) -> tuple[set[UUID], dict[UUID, datetime]]:
    """Insert what is new; of what was there, the earliest time wins.

    At most one fact a member. Returns who is new, and since when each counts as present.
    """
    rows = sorted(facts, key=lambda row: row["member_id"].bytes)
    if not rows:
        return set(), {}
    new = insert_new(session, Attendance, rows, returning="member_id")
    seen = {row["member_id"]: row["attended_at"] for row in rows}
    _log_created(session, [row for row in rows if row["member_id"] in new])
    there = [row for row in rows if row["member_id"] not in new]
    if there:
        seen |= _bring_forward(session, there)
    return new, seen


def _log_created(session: Session, rows: Sequence[Values]) -> None:
    changes.record_created(session, Attendance, rows)
    if rows:
        _mark_host(session, rows[0]["session_id"])


def _mark_host(session: Session, session_id: UUID) -> None:
    """The log has a fact where its member was; figures of the unit that held the session change too."""
    host = sa.select(col(EventSession.host_id)).where(col(EventSession.id) == session_id)
    stale.mark_selected(session, HOSTED, host.scalar_subquery())


_TOLD = ("mode", "room_id", "attended_at", "capture_id")


def _bring_forward(session: Session, rows: Sequence[Values]) -> dict[UUID, datetime]:
    """Facts that are there already, made earlier where these are."""
    existing = stored(session, rows[0]["session_id"], [row["member_id"] for row in rows])
    earlier = [row for row in rows if _order(row) < _order(existing[row["member_id"]])]
    _revise(session, [(existing[row["member_id"]], row) for row in earlier])
    return {
        row["member_id"]: min(row["attended_at"], existing[row["member_id"]]["attended_at"])
        for row in rows
    }


def _order(row: Mapping[str, Any]) -> tuple[datetime, UUID]:
    """Of two captures at one moment the same one wins on every database, in any order."""
    return row["attended_at"], row["capture_id"]


def stored(session: Session, session_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, Values]:
    """Facts of a session as they are, locked."""
    rows = session.execute(
        sa.select(*(getattr(Attendance, name) for name in Attendance.model_fields))
        .where(col(Attendance.session_id) == session_id, col(Attendance.member_id).in_(member_ids))
        .order_by(col(Attendance.member_id))
        .with_for_update()
    )
    return {row.member_id: dict(row._mapping) for row in rows}


def _revise(
    session: Session, pairs: Sequence[tuple[Row, Row]], columns: Sequence[str] = _TOLD
) -> None:
    if not pairs:
        return
    revised = [
        {**old, **{name: new[name] for name in columns}, "revision": old["revision"] + 1}
        for old, new in pairs
    ]
    session.connection().execute(
        sa.update(Attendance)
        .where(
            col(Attendance.session_id) == sa.bindparam("of_session"),
            col(Attendance.member_id) == sa.bindparam("of_member"),
        )
        .values({name: sa.bindparam(f"new_{name}") for name in (*columns, "revision")}),
        [
            {"of_session": row["session_id"], "of_member": row["member_id"]}
            | {f"new_{name}": row[name] for name in (*columns, "revision")}
            for row in revised
        ],
    )
    before = [old for old, _ in pairs]
    changes.record_updated(session, Attendance, zip(before, revised, strict=True))
    _mark_host(session, revised[0]["session_id"])


def derive(session: Session, sitting: Sitting, member_id: UUID, place: Values | None) -> bool:
    """Derive the fact of one person from her captures; whether she attended.

    `place` holds her units of that day, for a fact that does not exist yet.
    """
    best = _best(session, sitting, member_id)
    old = stored(session, sitting.id, [member_id]).get(member_id)
    if best is None:
        if old is not None:
            _remove(session, old)
        return False
    told = {
        "mode": MODES[best.kind],
        "room_id": best.room_id,
        "attended_at": best.happened_at,
        "capture_id": best.id,
    }
    if old is not None:
        if any(old[name] != value for name, value in told.items()):
            _revise(session, [(old, told)])
    elif place is not None:
        add(session, [fact(sitting, member_id, place, told)])
    return True


def place(session: Session, sitting: Sitting, member_id: UUID, units: Values) -> None:
    """Put the fact of one person into these units: only an undo does, to where it was."""
    fact_ = stored(session, sitting.id, [member_id])[member_id]
    if any(fact_[name] != units[name] for name in PLACE):
        move(session, [(fact_, units)])


def move(session: Session, pairs: Sequence[tuple[Row, Row]]) -> None:
    """Put facts into other units."""
    by_session: dict[UUID, list[tuple[Row, Row]]] = defaultdict(list)
    for old, new in pairs:
        by_session[old["session_id"]].append((old, new))
    for of_session in by_session.values():
        _revise(session, of_session, PLACE)


def fact(sitting: Sitting, member_id: UUID, place: Values, told: Values) -> Values:
    return {
        "session_id": sitting.id,
        "member_id": member_id,
        "local_date": sitting.local_date,
        "revision": 1,
        "id": fact_id(sitting.id, member_id),
        **place,
        **told,
    }


def _best(session: Session, sitting: Sitting, member_id: UUID) -> Any:
    """The earliest capture that counts; those of a short stay online count when together they are
    long enough."""
    rows = session.execute(
        sa.select(
            col(Capture.id),
            col(Capture.kind),
            col(Capture.room_id),
            col(Capture.happened_at),
            col(Capture.minutes),
        )
        .where(
            col(Capture.session_id) == sitting.id,
            col(Capture.member_id) == member_id,
            col(Capture.state) == CaptureState.stored,
        )
        .order_by(col(Capture.happened_at), col(Capture.id))
    ).all()
    online = [row for row in rows if row.kind is CaptureKind.online]
    enough = online_enough(sitting, [row.minutes for row in online])
    return next((row for row in rows if row.kind is not CaptureKind.online or enough), None)


def online_enough(sitting: Sitting, minutes: Sequence[int | None]) -> bool:
    """Whether somebody was online long enough by the session's rule; unknown times are believed."""
    if sitting.online_minutes is None or None in minutes:
        return True
    return sum(each or 0 for each in minutes) >= sitting.online_minutes


def _remove(session: Session, old: Values) -> None:
    session.connection().execute(
        sa.delete(Attendance).where(
            col(Attendance.session_id) == old["session_id"],
            col(Attendance.member_id) == old["member_id"],
        )
    )
    changes.record_deleted(session, Attendance, [old])
    _mark_host(session, old["session_id"])
