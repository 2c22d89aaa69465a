"""Notices of events: those invited get one when an event is announced, changed or cancelled.

They are sent by a durable job, so that an event of a province is announced at once. What a notice
tells is read from the event when it is read, by who may see the event then.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import AnySelect
from app.models.base import table_of
from app.models.events.events import Event, EventSession, EventState, EventUnit, SessionState
from app.models.events.reminders import EventJob, Reminder
from app.models.events.rsvps import Rsvp, RsvpAnswer
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account, AccountStatus
from app.services.events import rsvps
from app.services.events.scope import viewer
from app.services.kernel import jobs
from app.services.kernel.access import Actor, Db
from app.services.kernel.keyset import Key, Order
from app.services.kernel.notice_kinds import NoticeKind
from app.services.notices import inbox

_CHUNK = 500


class EventNotice(StrEnum):
    """What those invited read."""

    event_reminder = "event_reminder"
    event_announced = "event_announced"
    event_changed = "event_changed"
    event_cancelled = "event_cancelled"
    session_changed = "session_changed"
    session_cancelled = "session_cancelled"


# -- sending


def tell_of_event(session: Session, actor: Actor, event: Event, kind: EventNotice) -> None:
    """Tell those invited of an event that they know or are to know of."""
    if event.state is EventState.draft:
        return
    # Announced once, however often; changed as often as it was.
    occasion = "" if kind is not EventNotice.event_changed else utc_now().isoformat()
    _enqueue(session, actor, event.id, kind, event.id, occasion)


def tell_of_session(
    session: Session, actor: Actor, sitting: EventSession, event: Event, kind: EventNotice
) -> None:
    """The same of one session that is still to come."""
    if event.state is not EventState.draft and sitting.starts_at >= utc_now():
        _enqueue(session, actor, event.id, kind, sitting.id, utc_now().isoformat())


def _enqueue(
    session: Session,
    actor: Actor,
    event_id: UUID,
    kind: EventNotice,
    entity_id: UUID,
    occasion: str,
) -> None:
    args = {
        "event_id": str(event_id),
        "kind": kind.value,
        "entity_id": str(entity_id),
        "occasion": occasion,
    }
    jobs.enqueue(session, actor, kind=EventJob.notice, args=args)


def send(task: jobs.Task) -> dict[str, Any]:
    """Into the inbox of every invited member with an account, but of who has caused it."""
    kind, entity_id = EventNotice(task.args["kind"]), UUID(task.args["entity_id"])
    event_id = UUID(task.args["event_id"])
    author = task.actor().account_id

    def deliver(session: Session, ids: Sequence[UUID]) -> None:
        others = [each for each in ids if each != author]
        inbox.deliver(session, kind, entity_id, others, task.args["occasion"])

    with task.database.reading() as db:
        days = db.execute(
            sa.select(sa.func.min(col(EventSession.local_date))).where(
                col(EventSession.event_id) == event_id,
                col(EventSession.local_date) >= local_today(),
            )
        ).scalar_one_or_none()
    return {"sent": in_chunks(task, deliver, event_id, days or local_today())}


# A chunk is decided by the order of ids alone, so one that is done again is the same.
_BY_ACCOUNT = Order(col(Account.id))


def in_chunks(
    task: jobs.Task, deliver: Any, event_id: UUID, day: Any, session_id: UUID | None = None
) -> int:
    """Deliver to the accounts of all invited members, chunk by chunk; of a session, not to those
    who have declined. A restarted job adds only what is missing."""
    after: Key | None = None
    sent = 0
    while True:
        with task.writing() as session:
            walk = _BY_ACCOUNT.walk(_accounts(session, event_id, day, session_id))
            ids = session.execute(walk(after, _CHUNK)).scalars().all()
            deliver(session, ids)
            sent += len(ids)
            task.progress(sent, None, session)
        if len(ids) < _CHUNK:
            return sent
        after = (ids[-1],)


def _accounts(session: Session, event_id: UUID, day: Any, session_id: UUID | None) -> AnySelect:
    invited = rsvps.invited_members(session, event_id, min(day, local_today()))
    statement: AnySelect = sa.select(col(Account.id)).where(
        col(Account.member_id).in_(invited), col(Account.status) != AccountStatus.disabled
    )
    if session_id is None:
        return statement
    declined = sa.select(col(Rsvp.member_id)).where(
        col(Rsvp.session_id) == session_id, col(Rsvp.answer) == RsvpAnswer.no
    )
    return statement.where(col(Account.member_id).not_in(declined))


# -- what a notice tells


def of_events(db: Db, actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, Any]]:
    """Events, with the start of the next session to come."""
    next_at = (
        sa.select(sa.func.min(col(EventSession.starts_at)))
        .where(
            col(EventSession.event_id) == col(Event.id),
            col(EventSession.state) == SessionState.planned,
            col(EventSession.starts_at) >= utc_now(),
        )
        .scalar_subquery()
    )
    statement: AnySelect = sa.select(
        col(Event.id),
        col(Event.id).label("event_id"),
        sa.null().label("session_id"),
        next_at.label("starts_at"),
        col(Event.place),
        col(Event.state),
        col(Event.title),
        col(Event.state).label("event_state"),
    ).where(col(Event.id).in_(ids))
    return _seen(db, actor, db.execute(statement).all())


_SESSION: AnySelect = sa.select(
    col(EventSession.id),
    col(EventSession.event_id),
    col(EventSession.id).label("session_id"),
    col(EventSession.starts_at),
    sa.func.coalesce(col(EventSession.place), col(Event.place)).label("place"),
    col(EventSession.state),
    col(Event.title),
    col(Event.state).label("event_state"),
).join(Event, col(Event.id) == col(EventSession.event_id))


def of_sessions(db: Db, actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, Any]]:
    return _seen(db, actor, db.execute(_SESSION.where(col(EventSession.id).in_(ids))).all())


def of_reminders(db: Db, actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, Any]]:
    """Reminders with their own words, and the session as it is now."""
    statement = sa.select(col(Reminder.id), col(Reminder.session_id), col(Reminder.text))
    rows = db.execute(statement.where(col(Reminder.id).in_(ids))).all()
    sessions = of_sessions(db, actor, [row.session_id for row in rows])
    return {
        row.id: {**sessions[row.session_id], "text": row.text}
        for row in rows
        if row.session_id in sessions
    }


_TOLD = ("event_id", "session_id", "title", "starts_at", "place", "state")


def _seen(db: Db, actor: Actor, rows: Iterable[Any]) -> dict[UUID, dict[str, Any]]:
    """Those of events that the reader sees now."""
    if actor.member_id is None and not actor.reach(Right.events_read):
        return {}
    looking = viewer(db, actor)
    found = list(rows)
    units: dict[UUID, list[Any]] = {row.event_id: [] for row in found}
    of_these = sa.select(table_of(EventUnit)).where(col(EventUnit.event_id).in_(units))
    for unit in db.execute(of_these):
        units[unit.event_id].append(unit)
    return {
        row.id: {name: getattr(row, name) for name in _TOLD}
        for row in found
        if looking.sees(row.event_state, units[row.event_id])
    }


_EVENT_LINK, _SESSION_LINK = "/v1/events/{event_id}", "/v1/sessions/{session_id}"
KINDS = (
    NoticeKind(EventNotice.event_reminder, "Nhắc lịch", "A reminder", _SESSION_LINK, of_reminders),
    NoticeKind(
        EventNotice.event_announced,
        "Chị được mời dự",
        "You are invited",
        _EVENT_LINK,
        of_events,
    ),
    NoticeKind(
        EventNotice.event_changed,
        "Lịch sinh hoạt đã thay đổi",
        "The schedule has changed",
        _EVENT_LINK,
        of_events,
    ),
    NoticeKind(
        EventNotice.event_cancelled,
        "Sự kiện đã huỷ",
        "The event is cancelled",
        _EVENT_LINK,
        of_events,
    ),
    NoticeKind(
        EventNotice.session_changed,
        "Buổi sinh hoạt đã đổi giờ hoặc địa điểm",
        "The session has another time or place",
        _SESSION_LINK,
        of_sessions,
    ),
    NoticeKind(
        EventNotice.session_cancelled,
        "Buổi sinh hoạt đã huỷ",
        "The session is cancelled",
        _SESSION_LINK,
        of_sessions,
    ),
)
