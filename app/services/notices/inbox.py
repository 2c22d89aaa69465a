"""The inbox of each account: what is delivered into it, and what its owner reads there."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.errors import not_found
from app.models.base import new_id
from app.models.events.events import Event, EventSession
from app.models.events.reminders import Reminder
from app.models.notices.notifications import (
    Notification,
    NotificationKind,
    NotificationQuery,
    NotificationRead,
)
from app.services.kernel.access import Actor
from app.services.kernel.keyset import Order, Pages, pages

_NEWEST = Order(col(Notification.id).desc())


def deliver_reminder(
    session: Session, reminder_id: UUID, session_id: UUID, account_ids: Sequence[UUID]
) -> None:
    """Put a reminder into these inboxes, where it is not there already."""
    there = set(
        session.execute(
            sa.select(col(Notification.account_id)).where(
                col(Notification.reminder_id) == reminder_id,
                col(Notification.account_id).in_(account_ids),
            )
        ).scalars()
    )
    now = utc_now()
    rows = [
        {
            "id": new_id(),
            "account_id": account_id,
            "kind": NotificationKind.event_reminder,
            "reminder_id": reminder_id,
            "session_id": session_id,
            "created_at": now,
        }
        for account_id in account_ids
        if account_id not in there
    ]
    if rows:
        session.execute(sa.insert(Notification), rows)


_TOLD = {
    "event_id": col(EventSession.event_id),
    "title": col(Event.title),
    "text": col(Reminder.text),
    "starts_at": col(EventSession.starts_at),
    "place": sa.func.coalesce(col(EventSession.place), col(Event.place)),
    "state": col(EventSession.state),
}


def list_notifications(actor: Actor, query: NotificationQuery) -> Pages:
    """Mine, the newest first; each shows its session as it is now."""
    statement = (
        sa.select(
            *(
                _TOLD[name].label(name) if name in _TOLD else getattr(Notification, name)
                for name in NotificationRead.model_fields
            )
        )
        .join(Reminder, col(Reminder.id) == col(Notification.reminder_id))
        .join(EventSession, col(EventSession.id) == col(Notification.session_id))
        .join(Event, col(Event.id) == col(EventSession.event_id))
        .where(col(Notification.account_id) == actor.account_id)
    )
    if query.unread:
        statement = statement.where(col(Notification.read_at).is_(None))
    return pages(statement, _NEWEST)


def mark_read(session: Session, actor: Actor, notification_id: UUID) -> None:
    """The owner has read it; 404 for a notification of another account."""
    found = session.exec(
        select(Notification).where(
            col(Notification.id) == notification_id,
            col(Notification.account_id) == actor.account_id,
        )
    ).one_or_none()
    if found is None:
        raise not_found()
    found.read_at = found.read_at or utc_now()
    session.flush()
