"""The events of a unit that goes on in another: from that day on the other holds them.

An event has one set of units. One with sessions before the day and after it stays where it is, and
a unit that hosts such an event does not close before the last of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypedDict
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.models.events.events import (
    Event,
    EventSession,
    EventState,
    EventUnit,
    SessionState,
    UnitRole,
)
from app.models.kernel.units import UnitEdge
from app.services.events import events
from app.services.kernel.access import Db
from app.services.units.followers import Closing, Handover, changed_since
from app.services.units.rows import find_many
from app.services.units.tree import DAY


class KeptEvent(TypedDict):
    """The units of an event, as they were and as they became."""

    id: str
    was: dict[str, list[int]]
    became: dict[str, list[int]]


def last_day_in(db: Db, closing: Closing) -> date | None:
    """The last day of what the unit hosts, planned or held, and nobody takes over."""
    last = (
        sa.select(sa.func.max(col(EventSession.local_date)))
        .join(EventUnit, col(EventUnit.event_id) == col(EventSession.event_id))
        .where(
            col(EventUnit.unit_id) == closing.unit.id,
            col(EventUnit.role) == UnitRole.host,
            col(EventSession.state) != SessionState.cancelled,
        )
    )
    if closing.goes_on:
        last = last.where(_has_sessions(col(EventSession.event_id), until=closing.last_day))
    return db.execute(last).scalar()


def hand_over(session: Session, handover: Handover) -> list[KeptEvent]:
    """Who holds an event is the other; who was invited still is: the units that stood in the one
    that closes, and the other itself where none did."""
    stood_in = _stood_in(session, handover)
    to_come = sa.select(col(EventUnit.event_id)).where(
        col(EventUnit.unit_id).in_(handover.from_ids),
        ~_has_sessions(col(EventUnit.event_id), until=handover.since - DAY),
        sa.or_(
            _has_sessions(col(EventUnit.event_id), since=handover.since),
            col(Event.state).in_((EventState.draft, EventState.announced)),
        ),
    )
    statement = to_come.join(Event, col(Event.id) == col(EventUnit.event_id))
    kept = []
    for event in session.exec(
        select(Event).where(col(Event.id).in_(statement)).order_by(col(Event.id)).with_for_update()
    ).all():
        was = _units(event)
        hosts = {unit_id: [handover.to_id] for unit_id in handover.from_ids}
        event.host_unit_ids = _replaced(event.host_unit_ids, hosts)
        event.invited_unit_ids = _replaced(event.invited_unit_ids, stood_in)
        _follow(session, event)
        kept.append(KeptEvent(id=str(event.id), was=was, became=_units(event)))
    return kept


def hand_back(session: Session, _: Handover, kept: Sequence[KeptEvent]) -> None:
    """They have the units they had; 409 when one of them was given others since."""
    for each in kept:
        event = session.get(Event, UUID(each["id"]), with_for_update=True)
        if event is None or _units(event) != each["became"]:
            raise changed_since("event")
        event.host_unit_ids = each["was"]["host"]
        event.invited_unit_ids = each["was"]["invited"]
        _follow(session, event)


def _follow(session: Session, event: Event) -> None:
    units = find_many(session, {*event.host_unit_ids, *event.invited_unit_ids})
    events.set_units(session, event, {unit.id: unit for unit in units})
    session.flush()


def _units(event: Event) -> dict[str, list[int]]:
    return {"host": [*event.host_unit_ids], "invited": [*event.invited_unit_ids]}


def _replaced(unit_ids: Iterable[int], by: Mapping[int, Sequence[int]]) -> list[int]:
    """Each once, in their order."""
    return list(dict.fromkeys(new for each in unit_ids for new in by.get(each, (each,))))


def _stood_in(db: Db, handover: Handover) -> dict[int, Sequence[int]]:
    """What stood directly in each of the units on their last day."""
    rows = db.execute(
        sa.select(col(UnitEdge.parent_id), col(UnitEdge.unit_id))
        .where(
            col(UnitEdge.parent_id).in_(handover.from_ids),
            col(UnitEdge.valid_to) == handover.since - DAY,
        )
        .order_by(col(UnitEdge.unit_id))
    )
    found: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        found[row.parent_id].append(row.unit_id)
    return {unit_id: found[unit_id] or [handover.to_id] for unit_id in handover.from_ids}


def _has_sessions(
    event_id: Any, *, since: date = date.min, until: date = date.max
) -> sa.ColumnElement[bool]:
    """The event has a session on one of these days."""
    other = sa.orm.aliased(EventSession)
    return sa.exists().where(
        col(other.event_id) == event_id, col(other.local_date).between(since, until)
    )
