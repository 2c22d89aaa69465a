"""Events and sessions as phones keep them: those that units of the phone host.

What invites them from above is read online (`GET /v1/sessions`): the change log has a session in the
units of its host.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.models.events.events import Event, EventRead, EventSession
from app.models.events.rsvps import Rsvp, RsvpRead
from app.models.events.sessions import SessionRead
from app.models.kernel.access import Right
from app.models.members.members import Member
from app.services.events import agenda, events, rsvps
from app.services.kernel.access import Actor
from app.services.kernel.offers import DAYS_ON_A_PHONE, Follows, SyncKind


def _events(db: Connection, _: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return events.of_ids(db, ids)


def _sessions(db: Connection, actor: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return agenda.of_ids(db, actor, ids)


def _answers(db: Connection, _: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return rsvps.of_ids(db, ids)


def _of_sessions(column: Any, condition: Any) -> Any:
    return sa.select(column).where(condition)


_LAST_DAY = (
    sa.select(sa.func.max(col(EventSession.local_date)))
    .where(col(EventSession.event_id) == col(Event.id))
    .correlate(Event)
    .scalar_subquery()
)
EVENTS = SyncKind(
    name="event",
    entity="event",
    right=Right.events_read,
    schema=EventRead,
    model=Event,
    place=Event,
    rows=_events,
    # The phone has the sessions, and its own clock.
    derived=frozenset({"sessions", "starts_at", "next_at"}),
    parents={"unit": "host_unit_ids"},
    follows=(
        Follows(
            entity="event_session",
            of=lambda ids: _of_sessions(EventSession.event_id, col(EventSession.id).in_(ids)),
            key_in_log="event_id",
        ),
    ),
    day=sa.func.coalesce(_LAST_DAY, date.max),
    days=DAYS_ON_A_PHONE,
)
SESSIONS = SyncKind(
    name="session",
    entity="event_session",
    right=Right.events_read,
    schema=SessionRead,
    model=EventSession,
    place=EventSession,
    rows=_sessions,
    # Numbers follow from the order of the sessions; to join is to be online.
    derived=frozenset({"number", "join_url", "masked"}),
    parents={"event": "event_id"},
    follows=(
        Follows(
            entity="event",
            of=lambda ids: _of_sessions(EventSession.id, col(EventSession.event_id).in_(ids)),
        ),
    ),
    day=col(EventSession.local_date),
    days=DAYS_ON_A_PHONE,
)
ANSWERS = SyncKind(
    name="rsvp",
    entity="rsvp",
    right=Right.members_read,
    schema=RsvpRead,
    model=Rsvp,
    place=Member,
    joined=lambda rows: rows.join(Member, col(Member.id) == col(Rsvp.member_id)).join(
        EventSession, col(EventSession.id) == col(Rsvp.session_id)
    ),
    rows=_answers,
    kept=sa.and_(col(Member.erased_on).is_(None), ~col(Member.restricted)),
    # Of a session that a unit above hosts, too, which the phone does not have.
    parents={"member": "member_id"},
    follows=(
        Follows(
            entity="member",
            of=lambda ids: sa.select(col(Rsvp.id)).where(col(Rsvp.member_id).in_(ids)),
        ),
        Follows(
            entity="event_session",
            of=lambda ids: sa.select(col(Rsvp.id)).where(col(Rsvp.session_id).in_(ids)),
        ),
    ),
    names={"event_session": col(Rsvp.session_id)},
    day=col(EventSession.local_date),
    days=DAYS_ON_A_PHONE,
)
SYNC = (EVENTS, SESSIONS, ANSWERS)
