"""Pictures of sessions: added by those who write for a host, seen by all who see the session."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.errors import Problem, invalid, not_found
from app.models.base import new_id
from app.models.events.events import EventSession, SessionState
from app.models.events.pictures import PictureCreate, PictureRead, PictureUpdate, SessionPicture
from app.models.files.files import FileSize
from app.services.events.scope import access_session, see_session, viewer
from app.services.files import stored
from app.services.files.stored import Content
from app.services.kernel.access import Actor, Db, Expected, ensure_revision
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.keyset import Order, Pages, pages

ENTITY = "session_picture"
# Of one event: its record lists them all.
MOST_PICTURES = 50
_COLUMNS = [getattr(SessionPicture, name) for name in PictureRead.model_fields]
_IN_ORDER = (col(SessionPicture.position), col(SessionPicture.id))


def list_pictures(db: Db, actor: Actor, session_id: UUID) -> Pages:
    """Those of one session, in their order."""
    see_session(db, actor, session_id)
    statement = sa.select(*_COLUMNS).where(col(SessionPicture.session_id) == session_id)
    return pages(statement, Order(*_IN_ORDER))


def of_event(db: Db, event_id: UUID) -> list[dict[str, Any]]:
    """Those of all its sessions, as PictureRead, in the order of the sessions and their own."""
    statement = (
        sa.select(*_COLUMNS)
        .join(EventSession, col(EventSession.id) == col(SessionPicture.session_id))
        .where(col(EventSession.event_id) == event_id)
        .order_by(col(EventSession.starts_at), col(EventSession.id), *_IN_ORDER)
    )
    return [dict(row._mapping) for row in db.execute(statement)]


def create(
    session: Session, actor: Actor, session_id: UUID, body: PictureCreate
) -> tuple[SessionPicture, bool]:
    """One more picture, also of a session that is closed. The same id and content again is no second
    one."""
    sitting = _open(session, actor, session_id)
    values = body.model_dump(exclude={"id", "file"}, exclude_none=True)
    values |= {"session_id": sitting.id, "file_id": stored.referred(body.file)}
    made = partial(_made, session, actor, sitting, body)
    return created_once(session, SessionPicture, body.id, made, same=holds(values))


def _open(session: Session, actor: Actor, session_id: UUID) -> EventSession:
    """A session of which pictures may be added and changed; locked with its event."""
    sitting, _ = access_session(session, actor, session_id)
    if sitting.state is SessionState.cancelled:
        raise Problem("session_state", status=sitting.state)
    return sitting


def _made(
    session: Session, actor: Actor, sitting: EventSession, body: PictureCreate
) -> SessionPicture:
    there = of_event(session, sitting.event_id)
    if len(there) >= MOST_PICTURES:
        raise invalid("too_large", "", max=MOST_PICTURES)
    picture_id, file_id = body.id or new_id(), stored.referred(body.file)
    if file_id is None or not stored.have(session, actor, file_id, ENTITY, picture_id):
        raise invalid("file_unknown", "/file")
    last = max((each["position"] for each in there if each["session_id"] == sitting.id), default=0)
    now = utc_now()
    return SessionPicture(
        id=picture_id,
        session_id=sitting.id,
        file_id=file_id,
        position=body.position or last + 1,
        caption=body.caption,
        taken_by=body.taken_by,
        created_at=now,
        updated_at=now,
    )


def update(
    session: Session, actor: Actor, picture_id: UUID, body: PictureUpdate, expected: Expected
) -> SessionPicture:
    """Another place or caption."""
    picture = _access(session, actor, picture_id)
    ensure_revision(picture.revision, expected)
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(picture, name, value)
    session.flush()
    return picture


def delete(session: Session, actor: Actor, picture_id: UUID) -> None:
    """The picture and its file are gone."""
    _remove(session, _access(session, actor, picture_id))


def forget(session: Session, session_ids: Sequence[UUID]) -> None:
    """These sessions are gone, with their pictures and the files of those."""
    theirs = select(SessionPicture).where(col(SessionPicture.session_id).in_(session_ids))
    for picture in session.exec(theirs).all():
        _remove(session, picture)


def _remove(session: Session, picture: SessionPicture) -> None:
    session.delete(picture)
    session.flush()
    stored.give_up(session, picture.file_id, ENTITY, picture.id)


def _access(session: Session, actor: Actor, picture_id: UUID) -> SessionPicture:
    """The picture of a session whose hosts the actor writes for; locked with its session."""
    picture = session.get(SessionPicture, picture_id)
    if picture is None:
        viewer(session, actor)
        raise not_found()
    access_session(session, actor, picture.session_id)
    held = session.get(SessionPicture, picture_id, populate_existing=True)
    if held is None:  # deleted while this waited for the lock
        raise not_found()
    return held


def content(db: Db, actor: Actor, picture_id: UUID, size: FileSize) -> Content:
    """Its bytes, for who may read the session."""
    statement = sa.select(col(SessionPicture.session_id), col(SessionPicture.file_id))
    row = db.execute(statement.where(col(SessionPicture.id) == picture_id)).one_or_none()
    if row is None:
        viewer(db, actor)
        raise not_found()
    see_session(db, actor, row.session_id)
    return stored.of_record(db, row.file_id, ENTITY, picture_id, size)


def read(picture: SessionPicture) -> dict[str, Any]:
    return {name: getattr(picture, name) for name in PictureRead.model_fields}
