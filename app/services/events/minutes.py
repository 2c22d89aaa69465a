"""Minutes (biên bản) of sessions: written by those who write for a host, signed off by its head."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_day, utc_now
from app.errors import Problem, not_found
from app.models.events.events import EventSession, SessionState
from app.models.events.minutes import MinutesRead, MinutesUpdate, SessionMinutes
from app.models.kernel.access import Right
from app.services.events.scope import access_session, see_session
from app.services.kernel.access import Actor, Db, Expected, ensure_revision, forbidden

_COLUMNS = [getattr(SessionMinutes, name) for name in MinutesRead.model_fields]


def get(db: Db, actor: Actor, session_id: UUID) -> dict[str, Any]:
    """The minutes of a session in scope; 404 before anything was written."""
    see_session(db, actor, session_id)
    statement = sa.select(*_COLUMNS).where(col(SessionMinutes.session_id) == session_id)
    row = db.execute(statement).one_or_none()
    if row is None:
        raise not_found()
    return dict(row._mapping)


def of_ids(db: Db, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Minutes as they are read one by one; the caller knows that the actor sees them."""
    found = db.execute(sa.select(*_COLUMNS).where(col(SessionMinutes.id).in_(ids)))
    return [dict(row._mapping) for row in found]


def update(
    session: Session, actor: Actor, session_id: UUID, body: MinutesUpdate, expected: Expected
) -> dict[str, Any]:
    """Begin them, or change them until they are signed; also after the session was closed, since
    they are written afterwards. Not of a session that was cancelled."""
    sitting, _ = access_session(session, actor, session_id)
    if sitting.state is SessionState.cancelled:
        raise Problem("session_state", status=sitting.state)
    minutes, is_new = _find(session, sitting)
    ensure_revision(0 if is_new else minutes.revision, expected)
    _ensure_unsigned(minutes)
    for name, value in body.model_dump(mode="json").items():
        setattr(minutes, name, value)
    session.add(minutes)
    session.flush()
    return read(minutes)


def id_of(db: Db, session_id: UUID) -> UUID | None:
    """The minutes of a session, once somebody has begun them."""
    statement = sa.select(col(SessionMinutes.id)).where(
        col(SessionMinutes.session_id) == session_id
    )
    return db.execute(statement).scalar_one_or_none()


def _find(session: Session, sitting: EventSession) -> tuple[SessionMinutes, bool]:
    """The minutes, and whether they are new. The lock of the event is held: nobody begins them twice."""
    found = session.exec(
        select(SessionMinutes).where(col(SessionMinutes.session_id) == sitting.id)
    ).one_or_none()
    if found is not None:
        return found, False
    now = utc_now()
    new = SessionMinutes(
        session_id=sitting.id, province_id=sitting.province_id, created_at=now, updated_at=now
    )
    return new, True


def sign(session: Session, actor: Actor, session_id: UUID, expected: Expected) -> dict[str, Any]:
    """The head signs: for good. Not by delegation, and not before the session was held."""
    sitting, _ = access_session(session, actor, session_id)
    if not actor.owns(Right.events_write, sitting):
        raise forbidden(session, actor, Right.events_write, sitting.host_id)
    minutes = session.exec(
        select(SessionMinutes).where(col(SessionMinutes.session_id) == sitting.id)
    ).one_or_none()
    if minutes is None:
        raise not_found()
    ensure_revision(minutes.revision, expected)
    if minutes.signed_by == actor.account_id:
        return read(minutes)
    _ensure_unsigned(minutes)
    if sitting.state not in (SessionState.held, SessionState.closed):
        raise Problem("session_state", status=sitting.state)
    minutes.signed_by = actor.account_id
    minutes.signed_at = utc_now()
    session.flush()
    return read(minutes)


def _ensure_unsigned(minutes: SessionMinutes) -> None:
    if minutes.signed_at is not None:
        raise Problem("minutes_signed", date=local_day(minutes.signed_at).isoformat())


def read(minutes: SessionMinutes) -> dict[str, Any]:
    return {name: getattr(minutes, name) for name in MinutesRead.model_fields}
