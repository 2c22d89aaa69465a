"""Sessions of events: when and where people meet, what state that is in, and the calendar of a
unit in order of time.

Whoever writes a session holds the lock of its event (`event_scope.access_event`), so that an
event's state always follows from its sessions.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import VIETNAM, local_day, local_today, utc_now
from app.db import AnySelect
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
    Generated,
    Recurrence,
    SessionQuery,
    SessionRead,
    SessionUpdate,
)
from app.services.events import recurrence, rooms
from app.services.events.followers import OfSessions
from app.services.events.scope import (
    PATH,
    Viewer,
    Walk,
    access_event,
    access_session,
    ensure_sees,
    see_session,
    units_of,
    viewer,
    walks,
)
from app.services.kernel import keyset
from app.services.kernel.access import Actor, Db, ensure_revision
from app.services.kernel.created_once import created_once, holds, insert
from app.services.kernel.keyset import Order, Pages, each, merged, pages
from app.services.kernel.manifest import manifest
from app.services.units.rows import find_many
from app.services.units.units import ensure_open

# A congress sits for days, but each sitting ends; longer is a typing error.
LONGEST = timedelta(hours=72)
MOST_SESSIONS = 200

# -- reading

_OF_EVENT = {
    "event_title": col(Event.title),
    "kind": col(Event.kind),
    "event_state": col(Event.state),
    "tag": col(Event.tag),
    "host_unit_ids": col(Event.host_unit_ids),
    "invited_unit_ids": col(Event.invited_unit_ids),
}
_READ: AnySelect = sa.select(
    *(
        _OF_EVENT[name].label(name) if name in _OF_EVENT else getattr(EventSession, name)
        for name in SessionRead.model_fields
        if name != "masked"
    ),
    *(getattr(EventSession, name) for name in PATH),
).join(Event, col(Event.id) == col(EventSession.event_id))


def list_sessions(db: Db, actor: Actor, query: SessionQuery) -> Pages:
    """Sessions that my units host or are invited to, in order of time."""
    looking = viewer(db, actor)
    of = walks(db, looking, query.unit, mine=query.mine)
    return merged(calendar(of, _filters(query)), BY_TIME, partial(_read, looking))


def own_agenda(db: Db, actor: Actor, query: SessionQuery) -> Pages:
    """Sessions of the actor's own branch and groups, or inviting a unit above them."""
    looking = viewer(db, actor)
    of = looking.own_walks()
    return merged(calendar(of, _filters(query)), BY_TIME, partial(_read, looking))


def _filters(query: SessionQuery) -> list[sa.ColumnElement[bool]]:
    if query.from_ and query.to and query.to < query.from_:
        raise invalid("dates_reversed", "/to", place="query")
    unit_start = col(EventSessionUnit.starts_at)
    filters = []
    if query.from_ is not None:
        filters.append(unit_start >= day_begins(query.from_))
    if query.to is not None:
        filters.append(unit_start < day_begins(query.to) + timedelta(days=1))
    for column, value in (
        (EventSession.event_id, query.event),
        (EventSession.state, query.state),
        (EventSession.mode, query.mode),
        (Event.kind, query.kind),
        (Event.tag, query.tag),
    ):
        if value is not None:
            filters.append(col(column) == value)
    return filters


def day_begins(day: date) -> datetime:
    """The first instant of a day in Vietnam; of a day beyond all meetings, of the nearest to it."""
    return datetime.combine(min(max(day, _FIRST_DAY), _LAST_DAY), time(), VIETNAM)


# What databases and time zones can still count with.
_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(2200, 1, 1)


BY_TIME = Order(col(EventSessionUnit.starts_at), col(EventSessionUnit.session_id))


def calendar(of: Iterable[Walk], filters: Sequence[sa.ColumnElement[bool]]) -> list[keyset.Walk]:
    """The sessions of each of these walks; one session may be in many."""
    session_id = col(EventSessionUnit.session_id)
    return [
        BY_TIME.walk(
            sa.select(col(EventSessionUnit.starts_at), session_id)
            .distinct()
            .join(EventSession, col(EventSession.id) == session_id)
            .join(Event, col(Event.id) == col(EventSession.event_id))
            .where(walk.predicate(EventSessionUnit), *filters)
        )
        for walk in of
    ]


def _read(looking: Viewer, db: Db, found: Sequence[Any]) -> list[dict[str, Any] | None]:
    statement = _READ.where(col(EventSession.id).in_([each.session_id for each in found]))
    rows = {row.id: _shown(looking, row) for row in db.execute(statement)}
    return [rows.get(each.session_id) for each in found]


def _shown(looking: Viewer, row: Any) -> dict[str, Any]:
    shown = {name: value for name, value in row._mapping.items() if name not in PATH}
    hidden = row.join_url is not None and not looking.may_join(row)
    if hidden:
        shown["join_url"] = None
    return shown | {"masked": ["join_url"] if hidden else []}


def list_of_event(db: Db, actor: Actor, event_id: UUID) -> Pages:
    """All sessions of one event, in order of time."""
    state = db.execute(sa.select(col(Event.state)).where(col(Event.id) == event_id)).scalar()
    ensure_sees(db, actor, state, units_of(db, event_id))
    statement = _READ.where(col(EventSession.event_id) == event_id)
    return pages(statement, _OF_EVENT_BY_TIME, each(partial(_shown, viewer(db, actor))))


_OF_EVENT_BY_TIME = Order(col(EventSession.starts_at), col(EventSession.id))


def get(db: Db, actor: Actor, session_id: UUID) -> dict[str, Any]:
    """One session as SessionDetail."""
    see_session(db, actor, session_id)
    return read(db, actor, session_id)


def read(db: Db, actor: Actor, session_id: UUID) -> dict[str, Any]:
    """A session whoever asks may read, as SessionDetail."""
    row = db.execute(_READ.where(col(EventSession.id) == session_id)).one()
    return {**_shown(viewer(db, actor), row), "rooms": rooms.of_session(db, session_id)}


def of_event(session: Session, event_id: UUID, *states: SessionState) -> Sequence[EventSession]:
    """The sessions of an event in these states, or all of them, in order of time."""
    statement = select(EventSession).where(col(EventSession.event_id) == event_id)
    if states:
        statement = statement.where(col(EventSession.state).in_(states))
    return session.exec(statement.order_by(col(EventSession.starts_at), col(EventSession.id))).all()


# -- adding


def create(
    session: Session, actor: Actor, event_id: UUID, body: SessionCreate
) -> tuple[UUID, bool]:
    """One more session of an event that is not over."""
    event = access_event(session, actor, event_id)

    def made() -> EventSession:
        _ensure_open(event)
        sitting = _made(event, body, "")
        _ensure_room(session, event, [sitting], "")
        return sitting

    sitting, is_new = created_once(
        session, EventSession, body.id, made, same=partial(_is_same, event, body)
    )
    if is_new:
        _settle(session, event, [sitting])
    return sitting.id, is_new


def add_all(
    session: Session, event: Event, given: Sequence[SessionCreate], *, pointer: str
) -> None:
    """`pointer`: of the list in the request that they came in."""
    if given:
        _ensure_open(event)
        made = [_made(event, body, f"{pointer}/{n}") for n, body in enumerate(given)]
        _insert(session, event, made, pointer)


def _ensure_open(event: Event) -> None:
    if event.state in (EventState.closed, EventState.cancelled):
        raise Problem("event_state", status=event.state)


def _made(event: Event, body: SessionCreate, pointer: str) -> EventSession:
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


def _insert(session: Session, event: Event, made: Sequence[EventSession], pointer: str) -> None:
    _ensure_room(session, event, made, pointer)
    insert(session, made, {"pk_event_session": Problem("id_taken")})
    _settle(session, event, made)


def _ensure_room(
    session: Session, event: Event, made: Sequence[EventSession], pointer: str
) -> None:
    there = len(of_event(session, event.id))
    if there + len(made) > MOST_SESSIONS:
        raise _too_many(pointer)
    _ensure_units_open(session, event, [sitting.local_date for sitting in made])


def _settle(session: Session, event: Event, made: Sequence[EventSession]) -> None:
    """What follows from new sessions of an event."""
    _keep_units(session, event, made)
    _number(session, event.id)
    for sitting in made:
        for follower in manifest().followers(OfSessions):
            follower.made(session, sitting.id)


def _too_many(pointer: str) -> Problem:
    return invalid("sessions_too_many", pointer, max=MOST_SESSIONS, years=recurrence.HORIZON_YEARS)


def _ensure_units_open(session: Session, event: Event, days: Sequence[date]) -> None:
    """Its units exist on the days of the sessions, as far as is known today."""
    ids = {*event.host_unit_ids, *event.invited_unit_ids}
    for unit in find_many(session, ids):
        for day in (min(days), max(days)):
            ensure_open(unit, day, pointer="/starts_at")


def _keep_units(session: Session, event: Event, sittings: Sequence[EventSession]) -> None:
    """The units of the event beside each session, for calendars to walk."""
    units = session.execute(
        sa.select(
            col(EventUnit.role),
            col(EventUnit.unit_id),
            *(getattr(EventUnit, name) for name in PATH),
        ).where(col(EventUnit.event_id) == event.id)
    ).all()
    rows = [
        {**unit._mapping, "session_id": sitting.id, "starts_at": sitting.starts_at}
        for sitting in sittings
        for unit in units
    ]
    if rows:
        session.execute(sa.insert(EventSessionUnit), rows)


def _number(session: Session, event_id: UUID) -> None:
    counted = [s for s in of_event(session, event_id) if s.state is not SessionState.cancelled]
    for number, sitting in enumerate(counted, 1):
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


# -- recurrence


def repeat(session: Session, actor: Actor, event_id: UUID, body: Recurrence) -> Generated:
    """Make the sessions a rule gives. Of an earlier rule, those to come that the new one does not
    give go: out of a draft without a trace, else as cancelled. The same rule again changes
    nothing."""
    event = access_event(session, actor, event_id)
    _ensure_open(event)
    starts = recurrence.starts(body.rule, body.starts_at)
    if len(starts) > MOST_SESSIONS:
        raise _too_many("/rule")
    lasts = body.ends_at - body.starts_at
    shared = body.model_dump(include={"mode", "place", "join_url", "late_after", "online_minutes"})
    there = {
        sitting.generated_for: sitting
        for sitting in of_event(session, event.id)
        if sitting.generated_for is not None
    }
    gone = [sitting for start, sitting in there.items() if start not in set(starts)]
    removed, cancelled = _drop(session, event, gone)
    new = [start for start in starts if start not in there]
    made = [
        _made(
            event,
            SessionCreate.model_construct(
                id=None, title=None, starts_at=start, ends_at=start + lasts, **shared
            ),
            "",
        )
        for start in new
    ]
    for sitting in made:
        sitting.generated_for = sitting.starts_at
    if made:
        _insert(session, event, made, "/rule")
    else:
        _number(session, event.id)
    event.recurrence = body.model_dump(mode="json")
    session.flush()
    return Generated(
        rule=body.rule,
        created=len(made),
        kept=len(starts) - len(made),
        removed=removed,
        cancelled=cancelled,
    )


def _drop(session: Session, event: Event, gone: Sequence[EventSession]) -> tuple[int, int]:
    now, removed, cancelled = utc_now(), 0, 0
    for sitting in gone:
        if sitting.state is not SessionState.planned or sitting.starts_at < now:
            continue
        if event.state is EventState.draft:
            session.delete(sitting)
            removed += 1
        else:
            sitting.state = SessionState.cancelled
            sitting.cancelled_reason = "Đổi lịch lặp lại"
            cancelled += 1
    session.flush()
    return removed, cancelled


# -- changing


def update(
    session: Session, actor: Actor, session_id: UUID, body: SessionUpdate, expected: int | None
) -> None:
    """Planned: all of it. Held: times may be put right, within the day of its roster. Closed or
    cancelled: nothing."""
    sitting, event = access_session(session, actor, session_id)
    ensure_revision(sitting.revision, expected)
    if sitting.state in (SessionState.closed, SessionState.cancelled):
        raise Problem("session_state", status=sitting.state)
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(sitting, name, value)
    _ensure_times(sitting)
    day = local_day(sitting.starts_at)
    if day != sitting.local_date:
        if sitting.state is SessionState.held:
            was = sitting.local_date.isoformat()
            raise Problem(
                "session_state",
                status=sitting.state,
                errors=[FieldError("body", "/starts_at", "other_day", {"date": was})],
            )
        _ensure_units_open(session, event, [day])
        sitting.local_date = day
    session.flush()
    session.execute(
        sa.update(EventSessionUnit)
        .where(col(EventSessionUnit.session_id) == sitting.id)
        .values(starts_at=sitting.starts_at)
    )
    _number(session, event.id)


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
    sitting.state = SessionState.cancelled
    sitting.cancelled_reason = body.reason
    session.flush()
    left = of_event(session, event.id, SessionState.planned)
    if not left and event.state is EventState.announced:
        event.state = EventState.cancelled
        event.cancelled_reason = body.reason
    _close_event(session, event)
    _number(session, event.id)
