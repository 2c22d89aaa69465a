"""Who attended: by session, by member, and the ledger behind it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.attendance.attendance import (
    Attendance,
    AttendeeQuery,
    AttendeeRead,
    Capture,
    CaptureQuery,
    CaptureRead,
)
from app.models.attendance.lists import AttendanceItem, AttendanceQuery
from app.models.events.events import Event, EventSession
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.services.attendance.counts import see
from app.services.kernel.access import Actor, Db, require_somewhere, visible
from app.services.kernel.keyset import Order, Pages, each, fields_of, pages
from app.services.kernel.periods import happened
from app.services.members.scope import rows_within

_ATTENDEE: AnySelect = (
    sa.select(
        col(Attendance.id),
        col(Attendance.member_id),
        col(Member.full_name),
        col(Member.kind),
        col(Attendance.branch_id),
        col(Unit.name).label("branch_name"),
        col(Attendance.on_roster),
        col(Attendance.mode),
        col(Attendance.room_id),
        col(Attendance.attended_at),
        col(Member.sort_key),
    )
    .join(Member, col(Member.id) == col(Attendance.member_id))
    .outerjoin(Unit, col(Unit.id) == col(Attendance.branch_id))
)
_BY_NAME = Order(col(Member.sort_key), col(Attendance.member_id))


def list_attendees(db: Db, actor: Actor, session_id: UUID, query: AttendeeQuery) -> Pages:
    """Who attended, by name: those who on that day were members where the actor may read."""
    see(db, actor, session_id)
    statement = _ATTENDEE.where(
        col(Attendance.session_id) == session_id,
        visible(Attendance, actor, Right.attendance_read),
    )
    if query.mode is not None:
        statement = statement.where(col(Attendance.mode) == query.mode)
    if query.room is not None:
        statement = statement.where(col(Attendance.room_id) == query.room)
    return pages(statement, _BY_NAME, fields_of(AttendeeRead))


_ATTENDED: AnySelect = (
    _ATTENDEE.add_columns(
        col(Attendance.session_id),
        col(Attendance.local_date),
        col(EventSession.event_id),
        sa.func.coalesce(col(EventSession.title), col(Event.title)).label("title"),
    )
    .join(EventSession, col(EventSession.id) == col(Attendance.session_id))
    .join(Event, col(Event.id) == col(EventSession.event_id))
)


def of_ids(db: Db, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Attendance as lists have it, in no order; the caller knows that the actor sees it."""
    return [dict(row._mapping) for row in db.execute(_ATTENDED.where(col(Attendance.id).in_(ids)))]


_BY_DAY = Order(col(Attendance.local_date), col(Attendance.session_id), col(Attendance.member_id))


def list_attendance(db: Db, actor: Actor, query: AttendanceQuery) -> Pages:
    """Who attended what, by day, of those who were members where the actor may read."""
    here = rows_within(
        db,
        actor,
        require_somewhere(db, actor, Right.attendance_read),
        [Right.attendance_read],
        query,
        Attendance,
        lambda places: places.have(Attendance.branch_id),
    )
    statement = _ATTENDED.where(here, happened(Attendance.local_date, query))
    if query.mode is not None:
        statement = statement.where(col(Attendance.mode) == query.mode)
    if query.event is not None:
        statement = statement.where(col(EventSession.event_id) == query.event)
    return pages(statement, _BY_DAY, fields_of(AttendanceItem))


_CAPTURE: AnySelect = sa.select(
    *(
        getattr(Capture, name)
        for name in CaptureRead.model_fields
        if name not in ("attendance", "member_id")
    ),
    col(Capture.outcome).label("attendance"),
)


def list_captures(db: Db, actor: Actor, session_id: UUID, query: CaptureQuery) -> Pages:
    """The ledger of a session by id: all of it for its hosts, for others what concerns their own.

    Ids are made by the phones in the order of time, each by its own clock.
    """
    _, whole = see(db, actor, session_id)
    hers = visible(Attendance, actor, Right.attendance_read)
    known = sa.case((hers, col(Capture.member_id))).label("member_id")
    statement = _CAPTURE.add_columns(known).outerjoin(
        Attendance,
        sa.and_(
            col(Attendance.session_id) == col(Capture.session_id),
            col(Attendance.member_id) == col(Capture.member_id),
        ),
    )
    statement = statement.where(col(Capture.session_id) == session_id)
    if not whole:
        statement = statement.where(sa.or_(hers, col(Capture.account_id) == actor.account_id))
    for column, value in (
        (Capture.state, query.state),
        (Capture.kind, query.kind),
        (Capture.member_id, query.member),
    ):
        if value is not None:
            statement = statement.where(col(column) == value)
    if query.member is not None:
        statement = statement.where(hers)
    return pages(statement, Order(col(Capture.id)), each(capture_item))


def capture_item(row: Any) -> dict[str, Any]:
    """A row of the ledger as CaptureRead."""
    return {name: row._mapping[name] for name in CaptureRead.model_fields}
