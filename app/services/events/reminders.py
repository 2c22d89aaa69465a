"""Reminders of sessions.

A reminder is sent by a durable job, at once or when its time has come (housekeeping looks every
hour, `hoiso worker` too). It reaches the inbox of invited members who have an account.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.db import Database
from app.errors import Problem, not_found
from app.models.events.events import Event, EventSession, EventState, SessionState
from app.models.events.reminders import EventJob, Reminder, ReminderCreate, ReminderRead
from app.models.kernel.changes import ChangeSource
from app.services.events import notices
from app.services.events.notices import EventNotice
from app.services.events.scope import (
    access_session,
    see_session,
    units_of_session,
    viewer,
    writes,
)
from app.services.kernel import changes, due, jobs
from app.services.kernel.access import Actor, Db
from app.services.kernel.actors import load_actor_of_job
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.due import Due
from app.services.kernel.keyset import Order, Pages, pages
from app.services.notices import inbox

_COLUMNS = [getattr(Reminder, name) for name in ReminderRead.model_fields]
_DUE_AT_ONCE = 200

# -- asking for one


def create(
    session: Session, actor: Actor, session_id: UUID, body: ReminderCreate
) -> tuple[Reminder, bool]:
    """Remind those invited of an announced session, at once or at a time before it ends."""
    sitting, event = access_session(session, actor, session_id)
    given = {"text"} if body.send_at is None else {"text", "send_at"}
    sent = body.model_dump(include=given) | {"session_id": sitting.id}
    reminder, is_new = created_once(
        session, Reminder, body.id, partial(_made, actor, sitting, event, body), same=holds(sent)
    )
    if is_new and reminder.send_at <= utc_now():
        _hand_over(session, actor, reminder)
    return reminder, is_new


def _made(actor: Actor, sitting: EventSession, event: Event, body: ReminderCreate) -> Reminder:
    if event.state not in (EventState.announced, EventState.held):
        raise Problem("event_state", status=event.state)
    if sitting.state is not SessionState.planned:
        raise Problem("session_state", status=sitting.state)
    now = utc_now()
    return Reminder(
        session_id=sitting.id,
        province_id=sitting.province_id,
        send_at=body.send_at or now,
        text=body.text,
        account_id=actor.account_id,
        sign_in_id=actor.session_id,
        created_at=now,
        updated_at=now,
    )


def _hand_over(session: Session, actor: Actor, reminder: Reminder) -> None:
    args = {"reminder_id": str(reminder.id)}
    reminder.job_id = jobs.enqueue(session, actor, kind=EventJob.reminder, args=args).id
    session.flush()


def list_reminders(db: Db, actor: Actor, session_id: UUID) -> Pages:
    """Those of one session, in the order they were asked for."""
    see_session(db, actor, session_id)
    statement = sa.select(*_COLUMNS).where(col(Reminder.session_id) == session_id)
    return pages(statement, Order(col(Reminder.id)))


def delete(session: Session, actor: Actor, reminder_id: UUID) -> None:
    """Take back one that was not sent off yet."""
    found = session.get(Reminder, reminder_id)
    if found is None:
        viewer(session, actor)
        raise not_found()
    access_session(session, actor, found.session_id)
    reminder = session.get(Reminder, reminder_id, populate_existing=True, with_for_update=True)
    if reminder is None:  # deleted while this waited for the lock
        raise not_found()
    if reminder.job_id is not None:
        raise Problem("reminder_sent")
    session.delete(reminder)
    session.flush()


def read(reminder: Reminder) -> dict[str, Any]:
    return {name: getattr(reminder, name) for name in ReminderRead.model_fields}


# -- sending


def send_due(database: Database) -> int:
    """Start a job for each reminder that is due, in the name of the account that asked for it;
    returns how many. One of an account that has been disabled, or may no longer write for a host of the
    event, is never sent.
    """
    with database.reading() as db:
        after_restore = due.after_restore(db, col(Reminder.send_at), by=lambda until: until)
        found = db.execute(
            sa.select(col(Reminder.id))
            .where(_unsent_by(utc_now()), after_restore)
            .order_by(col(Reminder.send_at))
            .limit(_DUE_AT_ONCE)
        ).scalars()
        ids = list(found)
    for reminder_id in ids:
        with database.writing() as session:
            reminder = session.get(Reminder, reminder_id, with_for_update=True)
            if reminder is None or reminder.job_id is not None:
                continue
            changes.attribute(
                session, changes.Origin(ChangeSource.job, account_id=reminder.account_id)
            )
            actor = load_actor_of_job(session, reminder.account_id, reminder.sign_in_id, None)
            if actor is None or not writes(actor, units_of_session(session, reminder.session_id)):
                session.delete(reminder)
            else:
                _hand_over(session, actor, reminder)
    return len(ids)


def _unsent_by(instant: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(col(Reminder.job_id).is_(None), col(Reminder.send_at) <= instant)


def _count_due(db: Db, until: datetime) -> int:
    return int(db.execute(sa.select(sa.func.count()).where(_unsent_by(until))).scalar_one())


def _drop_due(session: Session, until: datetime) -> None:
    for reminder in session.exec(select(Reminder).where(_unsent_by(until))):
        session.delete(reminder)


DUE = Due("reminder", "reminders of sessions", _count_due, drop=_drop_due)


def send(task: jobs.Task) -> dict[str, Any]:
    """Put the reminder into the inbox of every invited member with an account who has not declined.

    A restarted job adds only what is missing.
    """
    reminder_id = UUID(task.args["reminder_id"])
    with task.database.reading() as db:
        told = db.execute(
            sa.select(
                col(Reminder.session_id),
                col(EventSession.event_id),
                col(EventSession.local_date),
                col(EventSession.state),
            )
            .join(EventSession, col(EventSession.id) == col(Reminder.session_id))
            .where(col(Reminder.id) == reminder_id)
        ).one_or_none()
    if told is None or told.state is SessionState.cancelled:
        return {"sent": 0}

    def deliver(session: Session, ids: Sequence[UUID]) -> None:
        inbox.deliver(session, EventNotice.event_reminder, reminder_id, ids)

    return {
        "sent": notices.in_chunks(task, deliver, told.event_id, told.local_date, told.session_id)
    }
