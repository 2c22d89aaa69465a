"""Sessions of events: when and where people meet, and what state that is in.

Every function that writes a session holds the lock of its event (`scope.access_event`), so that an
event's state always follows from its sessions.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import partial
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_day, local_today, utc_now
from app.errors import FieldError, Problem, invalid
from app.models.events.events import (
    Cancellation,
    Event,
    EventSession,
    EventSessionUnit,
    EventState,
    EventUnit,
    SessionCreate,
    SessionState,
)
from app.models.events.sessions import (
    SessionUpdate,
)
from app.services.events import notices
from app.services.events.followers import OfSessions
from app.services.events.notices import EventNotice
from app.services.events.recurrence import MOST_SESSIONS, too_many
from app.services.events.scope import (
    access_event,
    access_session,
)
from app.services.kernel.access import Actor, Expected, ensure_revision
from app.services.kernel.created_once import created_once, holds, insert
from app.services.kernel.manifest import manifest
from app.services.kernel.tracking import PATH
from app.services.units.rows import find_many
from app.services.units.units import ensure_open

# A congress lasts days, but each sitting ends; a longer one is a typing error.
LONGEST = timedelta(hours=72)


def of_event(session: Session, event_id: UUID, *states: SessionState) -> Sequence[EventSession]:
    """The sessions of an event in these states, or all of them, in order of time."""
    statement = select(EventSession).where(col(EventSession.event_id) == event_id)
    if states:
        statement = statement.where(col(EventSession.state).in_(states))
    return session.exec(statement.order_by(col(EventSession.starts_at), col(EventSession.id))).all()


def counted(sittings: Iterable[EventSession]) -> list[EventSession]:
    """Those that take place: cancelled ones have no number and do not fill the event."""
    return [sitting for sitting in sittings if sitting.state is not SessionState.cancelled]


# -- adding


def create(
    session: Session, actor: Actor, event_id: UUID, body: SessionCreate
) -> tuple[UUID, bool]:
    """One more session of an event that is not over."""
    event = access_event(session, actor, event_id)

    def made() -> EventSession:
        ensure_not_over(event)
        sitting = new_session(event, body, "")
        _ensure_room(session, event, [sitting], "")
        return sitting

    sitting, is_new = created_once(
        session, EventSession, body.id, made, same=partial(_is_same, event, body)
    )
    if is_new:
        _settle(session, event, [sitting])
        notices.tell_of_event(session, actor, event, EventNotice.event_changed)
    return sitting.id, is_new


def add_all(
    session: Session, event: Event, given: Sequence[SessionCreate], *, pointer: str
) -> None:
    """`pointer` is the JSON pointer of the list in the request."""
    if given:
        ensure_not_over(event)
        made = [new_session(event, body, f"{pointer}/{n}") for n, body in enumerate(given)]
        add_made(session, event, made, pointer)


def ensure_not_over(event: Event) -> None:
    if event.state in (EventState.closed, EventState.cancelled):
        raise Problem("event_state", status=event.state)


def new_session(event: Event, body: SessionCreate, pointer: str) -> EventSession:
    now = utc_now()
    sitting = EventSession(
        **body.model_dump(exclude={"id"}),
        **{name: getattr(event, name) for name in PATH},
        event_id=event.id,
        host_id=event.host_id,
        local_date=local_day(body.starts_at),
        created_at=now,
        updated_at=now,
    )
    if body.id is not None:
        sitting.id = body.id
    _ensure_times(sitting, pointer)
    return sitting


def _ensure_times(sitting: EventSession, pointer: str = "") -> None:
    if sitting.ends_at <= sitting.starts_at:
        raise invalid("ends_before_start", f"{pointer}/ends_at")
    if sitting.ends_at - sitting.starts_at > LONGEST:
        hours = int(LONGEST.total_seconds() // 3600)
        raise invalid("session_too_long", f"{pointer}/ends_at", max=hours)


def add_made(session: Session, event: Event, made: Sequence[EventSession], pointer: str) -> None:
    _ensure_room(session, event, made, pointer)
    insert(session, made, {"pk_event_session": Problem("id_taken")})
    _settle(session, event, made)


def _ensure_room(
    session: Session, event: Event, made: Sequence[EventSession], pointer: str
) -> None:
    there = counted(of_event(session, event.id))
    if len(there) + len(made) > MOST_SESSIONS:
        raise too_many(pointer)
    ensure_units_open(session, event, [sitting.local_date for sitting in made])


def _settle(session: Session, event: Event, made: Sequence[EventSession]) -> None:
    """What follows from new sessions of an event."""
    _keep_units(session, event, made)
    renumber(session, event.id)
    for sitting in made:
        for follower in manifest().followers(OfSessions):
            follower.made(session, sitting.id)


def ensure_units_open(session: Session, event: Event, days: Sequence[date]) -> None:
    """Its units exist on the days of the sessions, as far as is known today; today where there is
    none yet.
    """
    ids = {*event.host_unit_ids, *event.invited_unit_ids}
    pointer = "/starts_at" if days else None
    first_and_last = (min(days), max(days)) if days else (local_today(),)
    for unit in find_many(session, ids):
        for day in first_and_last:
            ensure_open(unit, day, pointer=pointer)


def _keep_units(session: Session, event: Event, sittings: Sequence[EventSession]) -> None:
    """The units of the event beside each session, for calendars to walk."""
    units = session.execute(
        sa.select(
            col(EventUnit.role),
            col(EventUnit.unit_id),
            *(getattr(EventUnit, name) for name in PATH),
        ).where(col(EventUnit.event_id) == event.id)
    ).all()
    # Not those that closed after they had hosted some.
    now = {*event.host_unit_ids, *event.invited_unit_ids}
    rows = [
        {**unit._mapping, "session_id": sitting.id, "starts_at": sitting.starts_at}
        for sitting in sittings
        for unit in units
        if unit.unit_id in now
    ]
    if rows:
        session.execute(sa.insert(EventSessionUnit), rows)


def renumber(session: Session, event_id: UUID) -> None:
    for number, sitting in enumerate(counted(of_event(session, event_id)), 1):
        sitting.number = number
    session.flush()


def has_all(session: Session, event: Event, given: Iterable[SessionCreate]) -> bool:
    """Whether the event has these sessions, as far as they were sent with an id."""
    for body in given:
        if body.id is None:
            continue
        existing = session.get(EventSession, body.id)
        if existing is None or not _is_same(event, body, existing):
            return False
    return True


def _is_same(event: Event, body: SessionCreate, existing: EventSession) -> bool:
    sent = body.model_dump(exclude={"id"}, exclude_unset=True)
    return holds(sent | {"event_id": event.id})(existing)


def follow(session: Session, event: Event) -> None:
    """The units of the event have changed: they are its sessions' too."""
    sittings = of_event(session, event.id)
    ensure_units_open(session, event, [sitting.local_date for sitting in sittings])
    for sitting in sittings:
        sitting.host_id = event.host_id
        for name in PATH:
            setattr(sitting, name, getattr(event, name))
    session.flush()
    of_these = sa.select(col(EventSession.id)).where(col(EventSession.event_id) == event.id)
    session.execute(
        sa.delete(EventSessionUnit).where(col(EventSessionUnit.session_id).in_(of_these))
    )
    _keep_units(session, event, sittings)


# -- changing


def update(
    session: Session, actor: Actor, session_id: UUID, body: SessionUpdate, expected: Expected
) -> None:
    """Planned: all of it. Held: times may be put right, within the day of its roster. Closed or
    cancelled: nothing."""
    sitting, event = access_session(session, actor, session_id)
    ensure_revision(sitting.revision, expected)
    if sitting.state in (SessionState.closed, SessionState.cancelled):
        raise Problem("session_state", status=sitting.state)
    was = _announced_as(sitting)
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(sitting, name, value)
    _ensure_times(sitting)
    day = local_day(sitting.starts_at)
    if day != sitting.local_date:
        if sitting.state is SessionState.held:
            recorded = sitting.local_date.isoformat()
            raise Problem(
                "session_state",
                status=sitting.state,
                errors=[FieldError("body", "/starts_at", "other_day", {"date": recorded})],
            )
        sitting.local_date = day
    follow_times(session, event, [sitting])
    renumber(session, event.id)
    if _announced_as(sitting) != was and sitting.state is SessionState.planned:
        changed = EventNotice.session_changed
        notices.tell_of_session(session, actor, sitting, event, changed)


def _announced_as(sitting: EventSession) -> tuple[object, ...]:
    """What those invited have read of it."""
    return sitting.starts_at, sitting.ends_at, sitting.place, sitting.mode, sitting.join_url


def follow_times(session: Session, event: Event, moved: Sequence[EventSession]) -> None:
    """What follows from new times of sessions."""
    session.flush()
    if moved:
        ensure_units_open(session, event, [sitting.local_date for sitting in moved])
    for sitting in moved:
        session.execute(
            sa.update(EventSessionUnit)
            .where(col(EventSessionUnit.session_id) == sitting.id)
            .values(starts_at=sitting.starts_at)
        )


def hold(session: Session, actor: Actor, session_id: UUID) -> None:
    """It takes place, or has: on its day or after it. Held already: nothing happens."""
    sitting, event = access_session(session, actor, session_id)
    if sitting.state is SessionState.held:
        return
    if sitting.state is not SessionState.planned:
        raise Problem("session_state", status=sitting.state)
    _hold(sitting, event)
    session.flush()


def _hold(sitting: EventSession, event: Event) -> None:
    if event.state is EventState.draft:
        raise Problem("event_state", status=event.state)
    if sitting.local_date > local_today():
        raise Problem("session_not_yet", date=sitting.local_date.isoformat())
    sitting.state = SessionState.held
    sitting.held_at = utc_now()
    event.state = EventState.held


def close(session: Session, actor: Actor, session_id: UUID) -> None:
    """Nothing more is to come in: its figures are frozen. The last one closes the event. Closed
    already: nothing happens."""
    sitting, event = access_session(session, actor, session_id)
    if sitting.state is SessionState.closed:
        return
    if sitting.state is SessionState.cancelled:
        raise Problem("session_state", status=sitting.state)
    if sitting.state is SessionState.planned:
        _hold(sitting, event)
    sitting.state = SessionState.closed
    sitting.closed_at = utc_now()
    session.flush()
    for follower in manifest().followers(OfSessions):
        follower.closed(session, sitting.id)
    _close_event(session, event)


def _close_event(session: Session, event: Event) -> None:
    """An event some of which was held is over when nothing of it is to come or under way."""
    open_ = of_event(session, event.id, SessionState.planned, SessionState.held)
    if not open_ and event.state is EventState.held:
        event.state = EventState.closed
    session.flush()


def cancel(session: Session, actor: Actor, session_id: UUID, body: Cancellation) -> None:
    """It does not take place; the others of its event do. The last one cancels the event."""
    sitting, event = access_session(session, actor, session_id)
    if sitting.state is SessionState.cancelled:
        return
    if sitting.state is not SessionState.planned:
        raise Problem("session_state", status=sitting.state)
    cancelled = EventNotice.session_cancelled
    notices.tell_of_session(session, actor, sitting, event, cancelled)
    sitting.state = SessionState.cancelled
    sitting.reason = body.reason
    session.flush()
    left = of_event(session, event.id, SessionState.planned)
    if not left and event.state is EventState.announced:
        event.state = EventState.cancelled
        event.reason = body.reason
    _close_event(session, event)
    renumber(session, event.id)
