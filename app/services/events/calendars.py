"""Calendars for phones (iCalendar, RFC 5545): of one event, of a unit, of a member.

A feed is read without signing in, by the secret in its address: so it contains times and places,
and nothing about people. It is rendered with the present rights of its owner.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import AnySelect
from app.errors import not_found
from app.models.events.calendar_links import CalendarLink, CalendarLinkCreate, CalendarLinkRead
from app.models.events.events import Event, EventSession, EventSessionUnit, EventState, SessionState
from app.models.kernel.access import Right
from app.models.members.members import Member
from app.security.secret_texts import digest
from app.services.events import agenda
from app.services.events.scope import Walk, calendar_of, ensure_sees, units_of, viewer
from app.services.kernel.access import Actor, Db, require_somewhere
from app.services.kernel.actors import load_actor_of_job
from app.services.kernel.keyset import Order, Pages, pages
from app.services.members import own
from app.services.units.units import ensure_open, find_target, find_visible

if TYPE_CHECKING:
    from icalendar import Event as Entry

_COLUMNS = [getattr(CalendarLink, name) for name in CalendarLinkRead.model_fields]
# What comes is shown first, then as much of the past months as there is room for.
_PAST = timedelta(days=180)
MOST_ENTRIES = 1_000
_NEWEST = Order(col(CalendarLink.id).desc())

# -- links


def create(session: Session, actor: Actor, body: CalendarLinkCreate) -> tuple[CalendarLink, str]:
    """Create a link; its secret is returned only this once."""
    if body.unit_id is None:
        own.own_id(actor)
    else:
        require_somewhere(session, actor, Right.events_read)
        unit = find_target(session, actor, body.unit_id, Right.events_read, pointer="/unit_id")
        ensure_open(unit, local_today(), pointer="/unit_id")
    token = secrets.token_urlsafe(32)
    now = utc_now()
    link = CalendarLink(
        account_id=actor.account_id,
        unit_id=body.unit_id,
        token_digest=digest(token),
        created_at=now,
        updated_at=now,
    )
    session.add(link)
    session.flush()
    return link, token


def list_links(actor: Actor) -> Pages:
    """Mine, the newest first."""
    statement = sa.select(*_COLUMNS).where(col(CalendarLink.account_id) == actor.account_id)
    return pages(statement, _NEWEST)


def revoke(session: Session, actor: Actor, link_id: UUID) -> None:
    """It opens nothing any more; 404 for those of others."""
    link = session.get(CalendarLink, link_id, with_for_update=True)
    if link is None or link.account_id != actor.account_id:
        raise not_found()
    link.revoked_at = link.revoked_at or utc_now()
    session.flush()


def read(link: CalendarLink) -> dict[str, Any]:
    return {name: getattr(link, name) for name in CalendarLinkRead.model_fields}


# -- feeds


def feed(db: Db, token: str) -> bytes:
    """The calendar behind a link.

    404 for an unknown or revoked link, and when the owner's account is disabled or has lost the
    unit.
    """
    link = db.execute(_LINK, {"digest": digest(token)}).one_or_none()
    if link is None:
        raise not_found()
    actor = load_actor_of_job(db, link.account_id, link.id, None)
    if actor is None:
        raise not_found()
    of, name = _of_link(db, actor, link.unit_id)
    now = utc_now()
    starts = col(EventSessionUnit.starts_at)
    ids = _found(db, of, [starts >= now], agenda.BY_TIME, MOST_ENTRIES)
    past = [starts < now, starts >= now - _PAST]
    ids += _found(db, of, past, agenda.LATEST_FIRST, MOST_ENTRIES - len(ids))
    rows = db.execute(_ENTRY.where(col(EventSession.id).in_(ids)).order_by(*_ORDER))
    return _calendar(name, rows)


def _found(
    db: Db, of: list[Walk], when: list[sa.ColumnElement[bool]], order: Order, limit: int
) -> list[UUID]:
    announced = col(Event.state) != EventState.draft
    walks = agenda.calendar(db, of, [announced, *when], order)
    rows = db.execute(order.merged(walks, None, limit)) if walks and limit else ()
    return [row.session_id for row in rows]


_LINK = sa.select(
    col(CalendarLink.id), col(CalendarLink.account_id), col(CalendarLink.unit_id)
).where(
    col(CalendarLink.token_digest) == sa.bindparam("digest"),
    col(CalendarLink.revoked_at).is_(None),
)


def _of_link(db: Db, actor: Actor, unit_id: int | None) -> tuple[list[Walk], str]:
    """The parts of the calendar, and its name: without one clients show its secret address."""
    if unit_id is not None:
        unit = find_visible(db, actor, unit_id)
        if unit is None or not actor.covers(Right.events_read, unit):
            raise not_found()
        return calendar_of(unit), unit.name
    if actor.member_id is None:
        return [], _OWN
    statement = sa.select(col(Member.full_name)).where(col(Member.id) == actor.member_id)
    name = db.execute(statement).scalar_one_or_none()
    return viewer(db, actor).own_walks(), name or _OWN


_OWN = "Lịch sinh hoạt"
_ORDER = (col(EventSession.starts_at), col(EventSession.id))
_ENTRY: AnySelect = sa.select(
    col(EventSession.id),
    col(EventSession.title).label("session_title"),
    col(EventSession.starts_at),
    col(EventSession.ends_at),
    col(EventSession.state),
    col(EventSession.revision),
    col(EventSession.created_at),
    col(EventSession.updated_at),
    col(Event.title),
    col(Event.state).label("event_state"),
    col(Event.updated_at).label("event_updated_at"),
    col(Event.revision).label("event_revision"),
    sa.func.coalesce(col(EventSession.place), col(Event.place)).label("place"),
).join(Event, col(Event.id) == col(EventSession.event_id))


def of_event(db: Db, actor: Actor, event_id: UUID) -> bytes:
    """All sessions of one event in scope."""
    columns = sa.select(col(Event.state), col(Event.title)).where(col(Event.id) == event_id)
    event = db.execute(columns).one_or_none()
    ensure_sees(db, actor, None if event is None else event.state, units_of(db, event_id))
    assert event is not None  # noqa: S101  # it is seen
    rows = db.execute(_ENTRY.where(col(Event.id) == event_id).order_by(*_ORDER))
    return _calendar(event.title, rows)


def _calendar(name: str, rows: Iterable[Any]) -> bytes:
    from icalendar import Calendar

    calendar = Calendar()
    calendar.add("prodid", "-//Hoi So//Events//VI")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("x-wr-timezone", "Asia/Ho_Chi_Minh")
    for row in rows:
        calendar.add_component(_entry(row))
    body: bytes = calendar.to_ical()
    return body


def _entry(row: Any) -> Entry:
    """Its stamps are those of the rows, so that the same calendar is the same bytes."""
    from icalendar import Event as Entry

    entry = Entry()
    entry.add("uid", f"{row.id}@hoiso")
    changed: datetime = max(row.updated_at, row.event_updated_at)
    entry.add("dtstamp", changed)
    entry.add("created", row.created_at)
    entry.add("last-modified", changed)
    entry.add("sequence", row.revision + row.event_revision - 2)
    entry.add("dtstart", row.starts_at)
    entry.add("dtend", row.ends_at)
    title = row.title if row.session_title is None else f"{row.title}: {row.session_title}"
    entry.add("summary", title)
    if row.place is not None:
        entry.add("location", row.place)
    cancelled = row.state is SessionState.cancelled
    draft = row.event_state is EventState.draft
    status = "CANCELLED" if cancelled else "TENTATIVE" if draft else "CONFIRMED"
    entry.add("status", status)
    return entry
