"""Sessions as they are read: the calendar of a unit in order of time, those of one event, one of them."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.clock import VIETNAM
from app.db import AnySelect, on_sqlite
from app.errors import invalid
from app.models.events.events import (
    Event,
    EventSession,
    EventSessionUnit,
)
from app.models.events.sessions import (
    AgendaQuery,
    SessionQuery,
    SessionRead,
)
from app.services.events import rooms
from app.services.events.scope import (
    Viewer,
    Walk,
    ensure_sees,
    in_tree,
    see_session,
    units_of,
    viewer,
    walks,
)
from app.services.kernel import keyset
from app.services.kernel.access import Actor, Db
from app.services.kernel.keyset import Order, Pages, each, merged, pages
from app.services.kernel.tracking import PATH

_OF_EVENT = {
    "event_title": col(Event.title),
    "kind": col(Event.kind),
    "event_state": col(Event.state),
    "tag": col(Event.tag),
    "place": sa.func.coalesce(col(EventSession.place), col(Event.place)),
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
    of_session = col(_Counted.session_id) == col(EventSession.id)
    filters = [*_filters(query), *in_tree(db, looking, query, _Counted, of_session)]
    of = walks(db, looking, query)
    return merged(calendar(db, of, filters), BY_TIME, partial(_read, looking))


_Counted = aliased(EventSessionUnit)


def own_agenda(db: Db, actor: Actor, query: AgendaQuery) -> Pages:
    """Sessions of the actor's own branch and groups, or inviting a unit above them."""
    looking = viewer(db, actor)
    of = looking.own_walks()
    return merged(calendar(db, of, _filters(query)), BY_TIME, partial(_read, looking))


def _filters(query: AgendaQuery) -> list[sa.ColumnElement[bool]]:
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
    """The first instant of a day in Vietnam."""
    return datetime.combine(day, time(), VIETNAM)


BY_TIME = Order(col(EventSessionUnit.starts_at), col(EventSessionUnit.session_id))
LATEST_FIRST = Order(
    col(EventSessionUnit.starts_at).desc(), col(EventSessionUnit.session_id).desc()
)


def calendar(
    db: Db,
    of: Iterable[Walk],
    filters: Sequence[sa.ColumnElement[bool]],
    order: Order = BY_TIME,
) -> list[keyset.Walk]:
    """The sessions of each of these walks; one session may be in many."""
    session_id = col(EventSessionUnit.session_id)
    statement: AnySelect = (
        sa.select(col(EventSessionUnit.starts_at), session_id)
        .distinct()
        .join(EventSession, col(EventSession.id) == session_id)
        .join(Event, col(Event.id) == col(EventSession.event_id))
        .where(*filters)
    )
    sqlite = on_sqlite(db)
    return [
        walk.rows(order, statement, EventSessionUnit, "session_id", sqlite=sqlite) for walk in of
    ]


def _read(looking: Viewer, db: Db, found: Sequence[Any]) -> list[dict[str, Any] | None]:
    statement = _READ.where(col(EventSession.id).in_([each.session_id for each in found]))
    rows = {row.id: _shown(looking, row) for row in db.execute(statement)}
    return [rows.get(each.session_id) for each in found]


def of_ids(db: Db, actor: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Sessions as lists have them, in no order; the caller knows that the actor sees them."""
    looking = viewer(db, actor)
    rows = db.execute(_READ.where(col(EventSession.id).in_(ids)))
    return [_shown(looking, row) for row in rows]


def _shown(looking: Viewer, row: Any) -> dict[str, Any]:
    masked = [] if row.join_url is None or looking.may_join(row) else ["join_url"]
    values = {**row._mapping, **dict.fromkeys(masked), "masked": masked}
    return {name: values[name] for name in SessionRead.model_fields}


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
    """A session the actor may read, as SessionDetail."""
    row = db.execute(_READ.where(col(EventSession.id) == session_id)).one()
    return {**_shown(viewer(db, actor), row), "rooms": rooms.of_session(db, session_id)}
