"""Rooms (điểm cầu) of a session: people who follow it together, behind one connection."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.errors import Problem, invalid, not_found
from app.models.events.events import EventSession, Room, SessionState
from app.models.events.sessions import RoomCreate, RoomRead, RoomUpdate
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.services.events.scope import access_session, see_session, viewer
from app.services.kernel.access import Actor, Db, Expected, ensure_revision
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.keyset import Order, Pages, pages
from app.services.units.rows import hold_units
from app.services.units.units import ensure_open

_COLUMNS = [getattr(Room, name) for name in RoomRead.model_fields]
MOST_ROOMS = 500


def of_session(db: Db, session_id: UUID) -> list[dict[str, Any]]:
    statement = sa.select(*_COLUMNS).where(col(Room.session_id) == session_id)
    return [dict(row._mapping) for row in db.execute(statement.order_by(col(Room.id)))]


def list_rooms(db: Db, actor: Actor, session_id: UUID) -> Pages:
    """Those of one session, in the order they were entered."""
    see_session(db, actor, session_id)
    statement = sa.select(*_COLUMNS).where(col(Room.session_id) == session_id)
    return pages(statement, Order(col(Room.id)))


def create(session: Session, actor: Actor, session_id: UUID, body: RoomCreate) -> tuple[Room, bool]:
    """A room of a session that is not over. The same id and content again is no second one."""
    sitting, _ = access_session(session, actor, session_id)
    _ensure_open(sitting)
    unit = _unit(session, actor, body.unit_id)
    if unit is not None:
        ensure_open(unit, sitting.local_date, pointer="/unit_id")
    if body.name is None and unit is None:
        raise invalid("required", "/name")
    values = {
        "session_id": sitting.id,
        "unit_id": body.unit_id,
        "name": body.name or (unit.name if unit else ""),
        "place": body.place,
        "device_note": body.device_note,
    }
    return created_once(
        session, Room, body.id, partial(_made, session, sitting, values), same=holds(values)
    )


def _made(session: Session, sitting: EventSession, values: Mapping[str, Any]) -> Room:
    if len(of_session(session, sitting.id)) >= MOST_ROOMS:
        raise invalid("too_large", "", max=MOST_ROOMS)
    now = utc_now()
    return Room(**values, province_id=sitting.province_id, created_at=now, updated_at=now)


def _unit(session: Session, actor: Actor, unit_id: int | None) -> Unit | None:
    if unit_id is None:
        return None
    held = hold_units(session, [unit_id])
    if not held or not actor.covers(Right.units_read, held[0]):
        raise invalid("unit_unknown", "/unit_id")
    return held[0]


def update(
    session: Session, actor: Actor, room_id: UUID, body: RoomUpdate, expected: Expected
) -> Room:
    """Correct a room, or enter its head count, until its session is closed."""
    room, sitting = _access(session, actor, room_id)
    ensure_revision(room.revision, expected)
    _ensure_open(sitting)
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(room, name, value)
    session.flush()
    return room


def delete(session: Session, actor: Actor, room_id: UUID) -> None:
    """Remove a room entered by mistake, until its session was held."""
    room, sitting = _access(session, actor, room_id)
    if sitting.state is not SessionState.planned:
        raise Problem("session_state", status=sitting.state)
    session.delete(room)
    session.flush()


def forget(session: Session, session_ids: Sequence[UUID]) -> None:
    """These sessions are gone, with their rooms."""
    for room in session.exec(select(Room).where(col(Room.session_id).in_(session_ids))).all():
        session.delete(room)
    session.flush()


def _access(session: Session, actor: Actor, room_id: UUID) -> tuple[Room, EventSession]:
    """The room of a session whose hosts the actor writes for; locked with its session."""
    room = session.get(Room, room_id)
    if room is None:
        viewer(session, actor)
        raise not_found()
    sitting, _ = access_session(session, actor, room.session_id)
    held = session.get(Room, room_id, populate_existing=True)
    if held is None:  # deleted while this waited for the lock
        raise not_found()
    return held, sitting


def _ensure_open(sitting: EventSession) -> None:
    if sitting.state in (SessionState.closed, SessionState.cancelled):
        raise Problem("session_state", status=sitting.state)


def read(room: Room) -> dict[str, Any]:
    return {name: getattr(room, name) for name in RoomRead.model_fields}
