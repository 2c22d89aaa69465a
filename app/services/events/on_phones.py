"""Events, sessions and their minutes as phones keep them: those that units of the phone host or are invited to.

The change log has them in the units of their first host. So what others host is looked up in the log
by its id; and a draft is on phones of its first host alone, where the log has what becomes of it.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.db import AnySelect
from app.models.events.events import (
    Event,
    EventRead,
    EventSession,
    EventSessionUnit,
    EventState,
    EventUnit,
    EventWithdrawal,
    UnitRole,
)
from app.models.events.minutes import MinutesRead, SessionMinutes
from app.models.events.rsvps import Rsvp, RsvpRead
from app.models.events.sessions import SessionRead
from app.models.kernel.access import Right
from app.models.members.members import Member
from app.services.events import agenda, events, minutes, rsvps
from app.services.kernel.access import Actor
from app.services.kernel.offers import DAYS_ON_A_PHONE, Circle, Follows, Invites, SyncKind
from app.services.kernel.reach import within


def _events(db: Connection, _: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return events.of_ids(db, ids)


def _sessions(db: Connection, actor: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return agenda.of_ids(db, actor, ids)


def _answers(db: Connection, _: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return rsvps.of_ids(db, ids)


def _minutes(db: Connection, _: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return minutes.of_ids(db, ids)


def _of_sessions(column: Any, condition: Any) -> Any:
    return sa.select(column).where(condition)


_Told = aliased(Event)
_Sitting = aliased(EventSession)


def _seen(model: Any, key: Any, circle: Circle) -> AnySelect:
    """What the units are in, and what invites a unit above them. The rest of the statement joins the
    event."""
    announced = col(_Told.state) != EventState.draft
    first = sa.and_(col(model.role) == UnitRole.host, col(model.unit_id) == col(_Told.host_id))
    below = sa.and_(within(model, circle.reaches), sa.or_(announced, first))
    above = sa.and_(
        col(model.unit_id).in_(sorted(circle.above)), col(model.role) == UnitRole.invited, announced
    )
    return sa.select(key).where(sa.or_(below, above) if circle.above else below)


def _seen_events(circle: Circle) -> sa.ColumnElement[bool]:
    event_id = col(EventUnit.event_id)
    seen = _seen(EventUnit, event_id, circle).join(_Told, col(_Told.id) == event_id)
    return col(Event.id).in_(seen)


def _seen_sessions(circle: Circle) -> sa.ColumnElement[bool]:
    session_id = col(EventSessionUnit.session_id)
    seen = (
        _seen(EventSessionUnit, session_id, circle)
        .join(_Sitting, col(_Sitting.id) == session_id)
        .join(_Told, col(_Told.id) == col(_Sitting.event_id))
    )
    return col(EventSession.id).in_(seen)


def _minutes_of_others(circle: Circle) -> AnySelect:
    """Minutes of sessions that the units see, and others host: their changes stand with the hosts."""
    return (
        sa.select(col(SessionMinutes.id))
        .join(EventSession, col(EventSession.id) == col(SessionMinutes.session_id))
        .where(_seen_sessions(circle), within(EventSession, circle.reaches).is_not(sa.true()))
    )


def _withdrawn(circle: Circle) -> AnySelect:
    """Events that the units were in, or that invited a unit above them."""
    of_above = col(EventWithdrawal.unit_id).in_(sorted(circle.above))
    return (
        sa.select(col(EventWithdrawal.event_id))
        .distinct()
        .where(sa.or_(within(EventWithdrawal, circle.reaches), of_above))
    )


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
    invites=Invites(of=_seen_events, elsewhere={"event": _withdrawn}),
    names={"event": col(Event.id)},
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
    invites=Invites(of=_seen_sessions, elsewhere={"event": _withdrawn}),
    names={"event_session": col(EventSession.id), "event": col(EventSession.event_id)},
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
    # The account may hold no right to events, and then the phone does not have the session.
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
MINUTES = SyncKind(
    name="minutes",
    entity="minutes",
    right=Right.events_read,
    schema=MinutesRead,
    model=SessionMinutes,
    place=EventSession,
    joined=lambda rows: rows.join(
        EventSession, col(EventSession.id) == col(SessionMinutes.session_id)
    ),
    rows=_minutes,
    parents={"session": "session_id"},
    follows=(
        Follows(
            entity="event_session",
            of=lambda ids: sa.select(col(SessionMinutes.id)).where(
                col(SessionMinutes.session_id).in_(ids)
            ),
        ),
        Follows(
            entity="event",
            of=lambda ids: (
                sa.select(col(SessionMinutes.id))
                .join(EventSession, col(EventSession.id) == col(SessionMinutes.session_id))
                .where(col(EventSession.event_id).in_(ids))
            ),
        ),
    ),
    invites=Invites(
        of=_seen_sessions, elsewhere={"event": _withdrawn, "minutes": _minutes_of_others}
    ),
    names={"event_session": col(SessionMinutes.session_id), "event": col(EventSession.event_id)},
    day=col(EventSession.local_date),
    days=DAYS_ON_A_PHONE,
)
SYNC = (EVENTS, SESSIONS, ANSWERS, MINUTES)
