"""Who sees which events and sessions: those hosted in her units, and those they are invited to.

An invitation of a commune is one of all its branches: so besides what stands in a unit or below
it, its calendar has what invites a unit above it. A draft is seen by its hosts' side alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.errors import invalid, not_found
from app.models.access import Right
from app.models.events import Event, EventSession, EventState, EventUnit, UnitRole
from app.models.units import Unit, UnitLevel, UnitRef
from app.services.access import Actor, Db, forbidden, require_somewhere
from app.services.units import find_filter


@dataclass(frozen=True, slots=True)
class Walk:
    """Rows whose `column` is this unit: of an event_unit or an event_session_unit."""

    column: str | None
    unit_id: int
    invited_only: bool = False

    def predicate(self, model: type[Any]) -> sa.ColumnElement[bool]:
        if self.column is None:
            return sa.true()
        here = col(getattr(model, self.column)) == self.unit_id
        return sa.and_(here, col(model.role) == UnitRole.invited) if self.invited_only else here


def walks(db: Db, actor: Actor, unit_id: int | None) -> list[Walk]:
    """What makes up the calendar of a unit, or of all the caller's units; each in time order."""
    reaches = require_somewhere(db, actor, Right.events_read)
    if unit_id is not None:
        unit = find_filter(db, actor, unit_id, pointer="/unit")
        if not actor.covers(Right.events_read, unit):
            raise invalid("unit_unknown", "/unit", place="query")
        return calendar_of(unit)
    below = [_below(reach.level, reach.unit_id) for reach in reaches]
    return below + [Walk("unit_id", above, invited_only=True) for above in sorted(_above(actor))]


def calendar_of(unit: Any) -> list[Walk]:
    """What a unit and those below it host or are invited to, with what invites a unit above it."""
    above = _path(unit) - {unit.id}
    return [
        _below(unit.level, unit.id),
        *(Walk("unit_id", each, invited_only=True) for each in sorted(above)),
    ]


def _below(level: UnitLevel, unit_id: int) -> Walk:
    if level is UnitLevel.central:
        return Walk(None, 0)
    if level is UnitLevel.group:
        return Walk("unit_id", unit_id)
    return Walk(f"{level.value}_id", unit_id)


def _path(place: Any) -> set[int]:
    ids = (place.province_id, place.district_id, place.commune_id, place.branch_id)
    return {unit_id for unit_id in ids if unit_id is not None}


def _above(actor: Actor) -> set[int]:
    """The units above those where she may read events."""
    above: set[int] = set()
    for grant in actor.grants:
        if Right.events_read in grant.rights:
            above |= _path(grant) - {grant.unit_id}
    return above


# -- one event, with the check


def units_of(db: Db, event_id: UUID) -> Sequence[Any]:
    """Its hosts and whom it invites, with where they stand: (role, unit_id, level, name, path)."""
    return db.execute(_UNITS, {"event_id": event_id}).all()


_UNITS = (
    sa.select(
        col(EventUnit.role),
        col(EventUnit.unit_id),
        col(Unit.level),
        col(Unit.name),
        col(EventUnit.province_id),
        col(EventUnit.district_id),
        col(EventUnit.commune_id),
        col(EventUnit.branch_id),
    )
    .join(Unit, col(Unit.id) == col(EventUnit.unit_id))
    .where(col(EventUnit.event_id) == sa.bindparam("event_id"))
)


def sees(actor: Actor, state: EventState, units: Iterable[Any]) -> bool:
    above = _above(actor)
    for unit in units:
        if unit.role is UnitRole.host:
            if actor.covers(Right.events_read, unit):
                return True
        elif state is not EventState.draft and (
            actor.covers(Right.events_read, unit) or unit.unit_id in above
        ):
            return True
    return False


def ensure_sees(db: Db, actor: Actor, state: EventState | None, units: Sequence[Any]) -> None:
    """404 when it is out of sight, or is not there at all (`state` None)."""
    if state is None or not sees(actor, state, units):
        require_somewhere(db, actor, Right.events_read)
        raise not_found()


def access_event(session: Session, actor: Actor, event_id: UUID) -> Event:
    """The event, locked, for whoever writes for one of its hosts: 404 out of sight, else 403."""
    event = session.get(Event, event_id, with_for_update={"key_share": True})
    units = [] if event is None else units_of(session, event.id)
    ensure_sees(session, actor, None if event is None else event.state, units)
    assert event is not None  # noqa: S101  # it is seen
    ensure_writes(session, actor, event, units)
    return event


def ensure_writes(session: Session, actor: Actor, event: Event, units: Sequence[Any]) -> None:
    hosts = [unit for unit in units if unit.role is UnitRole.host]
    if not any(actor.covers(Right.events_write, unit) for unit in hosts):
        raise forbidden(session, actor, Right.events_write, event.host_id)


def access_session(session: Session, actor: Actor, session_id: UUID) -> tuple[EventSession, Event]:
    """The session and its event, both locked (the event first), for whoever writes for a host."""
    event_id = session.execute(_EVENT_OF, {"session_id": session_id}).scalar_one_or_none()
    if event_id is None:
        ensure_sees(session, actor, None, ())
    event = access_event(session, actor, event_id)
    sitting = session.get_one(EventSession, session_id, with_for_update={"key_share": True})
    return sitting, event


_EVENT_OF = sa.select(col(EventSession.event_id)).where(
    col(EventSession.id) == sa.bindparam("session_id")
)
_SEEN = (
    sa.select(
        col(EventSession.id),
        col(EventSession.event_id),
        col(EventSession.host_id),
        col(EventSession.province_id),
        col(EventSession.local_date),
        col(EventSession.starts_at),
        col(EventSession.state),
        col(Event.state).label("event_state"),
    )
    .join(Event, col(Event.id) == col(EventSession.event_id))
    .where(col(EventSession.id) == sa.bindparam("session_id"))
)


def see_session(db: Db, actor: Actor, session_id: UUID) -> Any:
    """A session as a row, for whoever may read it: `id, event_id, host_id, province_id,
    local_date, starts_at, state, event_state`; 404 when it is out of sight."""
    row = db.execute(_SEEN, {"session_id": session_id}).one_or_none()
    units = () if row is None else units_of(db, row.event_id)
    ensure_sees(db, actor, None if row is None else row.event_state, units)
    return row


def refs(rows: Iterable[Any], role: UnitRole, order: Sequence[int]) -> list[Mapping[str, Any]]:
    """The units of a role as UnitRef, in the order they were named."""
    found = {
        row.unit_id: UnitRef(id=row.unit_id, level=row.level, name=row.name).model_dump()
        for row in rows
        if row.role is role
    }
    return [found[unit_id] for unit_id in order]
