"""Events of units (sự kiện): what a session is part of, who hosts it and whom it invites.

draft > announced > held > closed, and cancelled before it was held. A draft is its hosts' own: all
of it may change. Announced, it keeps its hosts. Once a session was held, what was done stays as it
was: hosts, invited units and kind. Closed (all its sessions are) or cancelled, nothing changes.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import AnySelect, on_sqlite
from app.errors import FieldError, Problem, invalid
from app.models.events.events import (
    Cancellation,
    Event,
    EventCreate,
    EventDetail,
    EventRead,
    EventSession,
    EventState,
    EventUnit,
    EventUpdate,
    SessionState,
    UnitRole,
)
from app.models.events.lists import EventQuery
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitLevel
from app.services.events import notices, pictures, sessions, withdrawals
from app.services.events.agenda import day_begins
from app.services.events.notices import EventNotice
from app.services.events.scope import (
    access_event,
    ensure_sees,
    in_tree,
    refs,
    units_of,
    viewer,
    walks,
)
from app.services.kernel.access import Actor, Db, Expected, ensure_revision, forbidden
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.keyset import Key, Order, Pages, in_memory, paged
from app.services.kernel.tracking import PATH
from app.services.units.rows import hold_units
from app.text import name_key

_FROZEN = {
    EventState.announced: {"host_unit_ids"},
    EventState.held: {"host_unit_ids", "invited_unit_ids", "kind"},
}

# -- reading


def _of_sessions(*conditions: sa.ColumnElement[bool], what: Any) -> Any:
    return (
        sa.select(what)
        .where(
            col(EventSession.event_id) == col(Event.id),
            col(EventSession.state) != SessionState.cancelled,
            *conditions,
        )
        .scalar_subquery()
    )


def _columns(schema: type[EventRead]) -> list[Any]:
    starts = col(EventSession.starts_at)
    derived = {
        "sessions": _of_sessions(what=sa.func.count()),
        "starts_at": _of_sessions(what=sa.func.min(starts)),
        "next_at": _of_sessions(
            starts > sa.bindparam("now", callable_=utc_now), what=sa.func.min(starts)
        ),
        "rule": col(Event.recurrence),
    }
    left_out = {"hosts", "invited", "pictures"}
    return [
        derived[name].label(name) if name in derived else getattr(Event, name)
        for name in schema.model_fields
        if name not in left_out
    ]


_READ: AnySelect = sa.select(*_columns(EventRead))
_DETAIL: AnySelect = sa.select(*_columns(EventDetail)).where(
    col(Event.id) == sa.bindparam("event_id")
)


_Counted = aliased(EventUnit)
_OF_UNITS, _NEWEST = Order(col(EventUnit.event_id).desc()), Order(col(Event.id).desc())


def list_events(db: Db, actor: Actor, query: EventQuery) -> Pages:
    """Events that my units host or are invited to, by id: the newest first."""
    event_id = col(EventUnit.event_id)
    looking = viewer(db, actor)
    of_event = col(_Counted.event_id) == col(Event.id)
    statement: AnySelect = (
        sa.select(event_id)
        .distinct()
        .join(Event, col(Event.id) == event_id)
        .where(*_filters(query), *in_tree(db, looking, query, _Counted, of_event))
    )
    sqlite = on_sqlite(db)
    of_units = [
        walk.rows(_OF_UNITS, statement, EventUnit, "event_id", sqlite=sqlite)
        for walk in walks(db, looking, query)
    ]
    if not of_units:
        return in_memory(())

    def read(after: Key | None, limit: int) -> AnySelect:
        found = sa.select(_OF_UNITS.merged(of_units, after, limit).subquery())
        return _READ.where(col(Event.id).in_(found)).order_by(col(Event.id).desc())

    return paged(read, _NEWEST)


def of_ids(db: Db, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Events as lists have them, in no order; the caller knows that the actor sees them."""
    return [dict(row._mapping) for row in db.execute(_READ.where(col(Event.id).in_(ids)))]


def _filters(query: EventQuery) -> list[sa.ColumnElement[bool]]:
    if query.from_ and query.to and query.to < query.from_:
        raise invalid("dates_reversed", "/to", place="query")
    filters: list[sa.ColumnElement[bool]] = [
        col(column) == value
        for column, value in (
            (Event.kind, query.kind),
            (Event.state, query.state),
            (Event.tag, query.tag),
        )
        if value is not None
    ]
    words = name_key(query.q or "").split()
    filters += [col(Event.title_key).contains(word, autoescape=True) for word in words]
    starts = col(EventSession.starts_at)
    days = []
    if query.from_ is not None:
        days.append(starts >= day_begins(query.from_))
    if query.to is not None:
        days.append(starts < day_begins(query.to) + timedelta(days=1))
    if days:
        of_event = col(EventSession.event_id) == col(Event.id)
        filters.append(sa.select(col(EventSession.id)).where(of_event, *days).exists())
    return filters


def get(db: Db, actor: Actor, event_id: UUID) -> dict[str, Any]:
    """One event as EventDetail; 404 out of scope."""
    row = db.execute(_DETAIL, {"event_id": event_id}).one_or_none()
    units = () if row is None else units_of(db, event_id)
    ensure_sees(db, actor, None if row is None else row.state, units)
    return _told(db, row, units)


def read(session: Session, event_id: UUID) -> dict[str, Any]:
    """An event just written, as EventDetail."""
    row = session.execute(_DETAIL, {"event_id": event_id}).one()
    return _told(session, row, units_of(session, event_id))


def _told(db: Db, row: Any, units: Sequence[Any]) -> dict[str, Any]:
    values = {
        **row._mapping,
        "pictures": pictures.of_event(db, row.id),
        "rule": row.rule and row.rule["rule"],
        "hosts": refs(units, UnitRole.host, row.host_unit_ids),
        "invited": refs(units, UnitRole.invited, row.invited_unit_ids),
    }
    return {name: values[name] for name in EventDetail.model_fields}


# -- creating


def create(session: Session, actor: Actor, body: EventCreate) -> tuple[UUID, bool]:
    """An event with its sessions. The same id with the same content again is no second one."""
    hosts = _hosts(actor, body.host_unit_ids)
    invited = body.invited_unit_ids or hosts
    hosts, invited = list(dict.fromkeys(hosts)), list(dict.fromkeys(invited))
    units = _units(session, actor, hosts, invited)
    first = units[hosts[0]]
    now = utc_now()
    made = Event(
        **body.model_dump(exclude={"id", "host_unit_ids", "invited_unit_ids", "sessions"}),
        **{name: getattr(first, name) for name in PATH},
        title_key=name_key(body.title),
        host_id=first.id,
        host_unit_ids=hosts,
        invited_unit_ids=invited,
        created_at=now,
        updated_at=now,
    )
    event, is_new = created_once(
        session, Event, body.id, lambda: made, same=partial(_is_same, session, made, body)
    )
    if is_new:
        _keep_units(session, event, units)
        if body.sessions:
            sessions.add_all(session, event, body.sessions, pointer="/sessions")
        else:
            sessions.ensure_units_open(session, event, ())
    return event.id, is_new


def _hosts(actor: Actor, given: list[int] | None) -> list[int]:
    if given:
        return given
    mine = [grant.unit_id for grant in actor.grants if Right.events_write in grant.rights]
    if len(set(mine)) != 1:
        raise invalid("host_not_yours", "/host_unit_ids")
    return mine[:1]


def _units(
    session: Session, actor: Actor, hosts: Sequence[int], invited: Sequence[int]
) -> dict[int, Unit]:
    """Hosts I write events for, and invited units I see; locked against being moved or closed."""
    held = hold_units(session, {*hosts, *invited})
    seen = {unit.id: unit for unit in held if actor.covers(Right.units_read, unit)}
    errors = [
        FieldError("body", f"/{name}/{place}", "unit_unknown")
        for name, ids, known in (
            ("host_unit_ids", hosts, seen),
            ("invited_unit_ids", invited, {*seen, *hosts}),
        )
        for place, unit_id in enumerate(ids)
        if unit_id not in known
    ]
    for place, unit_id in enumerate(hosts):
        unit = seen.get(unit_id)
        if unit is None:
            continue
        if unit.province_id is None:
            pointer = f"/host_unit_ids/{place}"
            params = {"expected": UnitLevel.province}
            errors.append(FieldError("body", pointer, "unit_level_wrong", params))
        elif not actor.covers(Right.events_write, unit):
            raise forbidden(session, actor, Right.events_write, unit.id)
    if errors:
        raise Problem("validation_failed", errors=errors, count=len(errors))
    return seen


def _is_same(session: Session, made: Event, body: EventCreate, existing: Event) -> bool:
    names = body.model_fields_set - {"id", "sessions"} | {"host_unit_ids", "invited_unit_ids"}
    same = holds({name: getattr(made, name) for name in names})
    return same(existing) and sessions.has_all(session, existing, body.sessions)


def _keep_units(session: Session, event: Event, units: Mapping[int, Unit]) -> None:
    """The units of the event as rows, with their paths; the same for each session of it."""
    named = [(UnitRole.host, each) for each in event.host_unit_ids]
    named += [(UnitRole.invited, each) for each in event.invited_unit_ids]
    withdrawals.keep(session, event, named)
    session.execute(sa.delete(EventUnit).where(col(EventUnit.event_id) == event.id))
    session.execute(
        sa.insert(EventUnit),
        [
            {"event_id": event.id, "role": role, "unit_id": unit_id}
            | {name: getattr(units[unit_id], name) for name in PATH}
            for role, unit_id in named
        ],
    )


# -- changing


def update(
    session: Session, actor: Actor, event_id: UUID, body: EventUpdate, expected: Expected
) -> None:
    """Change what the state lets change (see above); units are checked as for a new event."""
    event = access_event(session, actor, event_id)
    ensure_revision(event.revision, expected)
    changed = body.model_dump(exclude_unset=True)
    if event.state in (EventState.closed, EventState.cancelled):
        raise Problem("event_state", status=event.state)
    given = {name: value for name, value in changed.items() if value != getattr(event, name)}
    frozen = sorted(_FROZEN.get(event.state, set()) & given.keys())
    if frozen:
        raise Problem(
            "event_state",
            status=event.state,
            errors=[
                FieldError("body", f"/{name}", "frozen_field", {"status": event.state})
                for name in frozen
            ],
        )
    for name in ("host_unit_ids", "invited_unit_ids"):
        if name in given:
            given[name] = list(dict.fromkeys(given[name]))
    for name, value in given.items():
        setattr(event, name, value)
    if "title" in given:
        event.title_key = name_key(event.title)
    if given.keys() & {"host_unit_ids", "invited_unit_ids"}:
        _change_units(session, actor, event)
    session.flush()
    if "place" in given:
        notices.tell_of_event(session, actor, event, EventNotice.event_changed)
    if "invited_unit_ids" in given:
        notices.tell_of_event(session, actor, event, EventNotice.event_announced)


def _change_units(session: Session, actor: Actor, event: Event) -> None:
    units = _units(session, actor, event.host_unit_ids, event.invited_unit_ids)
    first = units[event.host_unit_ids[0]]
    event.host_id = first.id
    for name in PATH:
        setattr(event, name, getattr(first, name))
    _keep_units(session, event, units)
    sessions.follow(session, event)


def announce(session: Session, actor: Actor, event_id: UUID) -> None:
    """The invited units see it from now on. Announced already: nothing happens."""
    event = access_event(session, actor, event_id)
    if event.state is EventState.announced:
        return
    if event.state is not EventState.draft:
        raise Problem("event_state", status=event.state)
    if not sessions.of_event(session, event.id, SessionState.planned):
        raise Problem("event_without_sessions")
    event.state = EventState.announced
    session.flush()
    notices.tell_of_event(session, actor, event, EventNotice.event_announced)


def cancel(session: Session, actor: Actor, event_id: UUID, body: Cancellation) -> None:
    """It will not take place, nor any of its sessions. Once one was held it is too late: cancel
    the others one by one."""
    event = access_event(session, actor, event_id)
    if event.state is EventState.cancelled:
        return
    if event.state not in (EventState.draft, EventState.announced):
        raise Problem("event_state", status=event.state)
    notices.tell_of_event(session, actor, event, EventNotice.event_cancelled)
    event.state = EventState.cancelled
    event.reason = body.reason
    for sitting in sessions.of_event(session, event.id, SessionState.planned):
        sitting.state = SessionState.cancelled
        sitting.reason = body.reason
    session.flush()
