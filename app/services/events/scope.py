"""Who sees which events and sessions: those hosted in her units, and those they are invited to.

An invitation of a commune is one of all its branches: so besides events of a unit and of those
below it, its calendar has those that invite a unit above it. Only the hosts' side sees a draft.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today
from app.db import AnySelect
from app.errors import invalid, not_found
from app.models.events.events import (
    Event,
    EventSession,
    EventSessionUnit,
    EventState,
    EventUnit,
    EventWithdrawal,
    SessionState,
    UnitRole,
)
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitClosure, UnitLevel, UnitRef
from app.services.groups import groups
from app.services.kernel import keyset
from app.services.kernel.access import Actor, Db, forbidden, require_somewhere
from app.services.kernel.tracking import PATH
from app.services.members import persons
from app.services.units.followers import Concerned, count_of
from app.services.units.in_tree import OfUnit, units_of_tree
from app.services.units.rows import locked_is_409
from app.services.units.units import find_filter, find_unit, valid_on


@dataclass(frozen=True, slots=True)
class Walk:
    """Rows of event_unit or event_session_unit whose `column` is one of these units; without a
    column, all. A draft is there for the hosts' side alone; `announced_only`: not at all."""

    column: str | None
    unit_ids: Sequence[int] = ()
    invited_only: bool = False
    announced_only: bool = False

    def rows(
        self, order: keyset.Order, statement: AnySelect, model: type[Any], key: str, *, sqlite: bool
    ) -> keyset.Walk:
        """Those a statement finds, in this order. The statement joins the event; `key` is the
        column of the model that it tells rows apart by."""
        statement = statement.where(self._predicate(model))
        if self.column is None:
            return order.walk(statement)
        column = col(getattr(model, self.column))
        return order.of_each(
            self.unit_ids,
            lambda unit: statement.where(column == unit),
            model.__table__.columns[key],
            sqlite=sqlite,
        )

    def _predicate(self, model: type[Any]) -> sa.ColumnElement[bool]:
        invites = col(model.role) == UnitRole.invited
        announced = col(Event.state) != EventState.draft
        told = announced if self.announced_only else sa.or_(sa.not_(invites), announced)
        return sa.and_(told, invites) if self.invited_only else told


@dataclass(frozen=True, slots=True)
class Viewer:
    """The reader of events.

    `own` are the branch and the groups the reader is a member of, `above` the units over these and
    over those where the reader may read events.
    """

    actor: Actor
    own: frozenset[int]
    above: frozenset[int]

    @property
    def circle(self) -> frozenset[int]:
        """The units whose invitations include a unit of the reader."""
        return self.own | self.above | {grant.unit_id for grant in _reading(self.actor)}

    def walks(self, *, mine: bool = False) -> list[Walk]:
        """Everything the reader sees; `mine`: only of units in which the reader has a role or is a
        member.
        """
        if mine:
            held = {grant.unit_id for grant in _reading(self.actor)}
            return _some(Walk("unit_id", sorted(held)), *self.own_walks())
        reaches = self.actor.reach(Right.events_read)
        return [
            *_below(
                (each.level, unit_id)
                for each in reaches
                if each.level is not UnitLevel.group
                for unit_id in each.unit_ids
            ),
            *self.own_walks(),
        ]

    def own_walks(self) -> list[Walk]:
        return _some(
            Walk("unit_id", sorted(self.own), announced_only=True),
            Walk("unit_id", sorted(self.above), invited_only=True),
        )

    def sees(self, state: EventState, units: Iterable[Any]) -> bool:
        """The same as the walks, of one event: `units` as `units_of` gives them."""
        announced = state is not EventState.draft
        for unit in units:
            invited = unit.role is UnitRole.invited
            if self.actor.covers(Right.events_read, unit) and (announced or not invited):
                return True
            if announced and unit.unit_id in (self.own | self.above if invited else self.own):
                return True
        return False

    def may_join(self, row: Any) -> bool:
        """Whether the reader gets the join link of a session: invited, or allowed to change it."""
        return self.actor.covers(Right.events_write, row) or not self.circle.isdisjoint(
            [*row.host_unit_ids, *row.invited_unit_ids]
        )


def viewer(db: Db, actor: Actor) -> Viewer:
    """403 for an account without a right to events and without a member's record."""
    own: set[int] = set()
    above: set[int | None] = set()
    if actor.member_id is None:
        require_somewhere(db, actor, Right.events_read)
    elif (person := persons.find(db, actor.member_id)) is not None:
        own = {person.branch_id, *groups.ids_of_member(db, actor.member_id, local_today())}
        own = own if person.status in persons.IN_UNION else set()
        above = {person.province_id, person.commune_id} if own else set()
    for grant in _reading(actor):
        above |= _path(grant) - {grant.unit_id}
    return Viewer(
        actor, frozenset(own), frozenset({each for each in above if each is not None} - own)
    )


def _reading(actor: Actor) -> list[Any]:
    """The actor's grants, but for those over groups, which hold no events."""
    return [
        grant
        for grant in actor.grants
        if Right.events_read in grant.rights and grant.level is not UnitLevel.group
    ]


class CalendarQuery(OfUnit, Protocol):
    @property
    def mine(self) -> bool: ...


def walks(db: Db, looking: Viewer, query: CalendarQuery) -> list[Walk]:
    """The parts of the calendar of a unit as it stands today, or of all units of the reader; each in
    order. In a tree: all of the reader's, of which `in_tree` says what counts in the unit."""
    if query.unit is None:
        return looking.walks(mine=query.mine)
    unit = find_filter(db, looking.actor, query.unit, pointer="/unit")
    if not looking.actor.covers(Right.events_read, unit):
        raise invalid("unit_unknown", "/unit", place="query")
    return calendar_of(unit) if query.hierarchy is None else looking.walks()


def in_tree(
    db: Db, looking: Viewer, query: CalendarQuery, model: type[Any], *same: sa.ColumnElement[bool]
) -> list[sa.ColumnElement[bool]]:
    """What the units in a unit host or are invited to in a tree, with what invites a unit that stood
    above it. `same`: the row of event_unit or event_session_unit is one of what is listed."""
    if query.hierarchy is None:
        return []
    unit = find_unit(db, looking.actor, query.unit)
    found = units_of_tree(db, looking.actor, Right.events_read, unit, query)
    if found is None or unit is None:
        return []
    above = sa.select(col(UnitClosure.ancestor_id)).where(
        col(UnitClosure.descendant_id) == unit.id, valid_on(UnitClosure, found.tree.day)
    )
    invited = col(model.role) == UnitRole.invited
    counts = sa.or_(found.have(model.unit_id), sa.and_(invited, col(model.unit_id).in_(above)))
    told = sa.or_(sa.not_(invited), col(Event.state) != EventState.draft)
    return [sa.exists().where(*same, told, counts)]


def calendar_of(unit: Any) -> list[Walk]:
    """What a unit and those below it host or are invited to, with what invites a unit above it."""
    above = _path(unit) - {unit.id}
    return [
        *_below([(unit.level, unit.id)]),
        *_some(Walk("unit_id", sorted(above), invited_only=True)),
    ]


def _below(units: Iterable[tuple[UnitLevel, int]]) -> list[Walk]:
    """Through what stands in these units or below them: a walk for each level."""
    of_level: dict[UnitLevel, list[int]] = defaultdict(list)
    for level, unit_id in units:
        of_level[level].append(unit_id)
    if UnitLevel.central in of_level:
        return [Walk(None)]
    return [
        Walk("unit_id" if level is UnitLevel.group else f"{level.value}_id", unit_ids)
        for level, unit_ids in sorted(of_level.items())
    ]


def _some(*walks: Walk) -> list[Walk]:
    return [walk for walk in walks if walk.unit_ids]


def _path(place: Any) -> set[int]:
    ids = (getattr(place, name) for name in PATH)
    return {unit_id for unit_id in ids if unit_id is not None}


# -- one event, with the check


def units_of(db: Db, event_id: UUID) -> Sequence[Any]:
    """The hosts and the invited units, with their paths: (role, unit_id, level, name, path)."""
    return db.execute(_UNITS, {"event_id": event_id}).all()


def units_of_session(db: Db, session_id: UUID) -> Sequence[Any]:
    """The same of the event of a session."""
    return units_of(db, db.execute(_EVENT_OF, {"session_id": session_id}).scalar_one())


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


def ensure_sees(db: Db, actor: Actor, state: EventState | None, units: Sequence[Any]) -> None:
    """404 when it is out of scope, or is not there at all (`state` None)."""
    if not viewer(db, actor).sees(state or EventState.draft, units):
        raise not_found()


def access_event(session: Session, actor: Actor, event_id: UUID) -> Event:
    """The event, locked, for an actor who may write for one of its hosts: 404 out of scope, else
    403.
    """
    with locked_is_409():
        event = session.get(Event, event_id, with_for_update={"key_share": True})
    units = [] if event is None else units_of(session, event.id)
    ensure_sees(session, actor, None if event is None else event.state, units)
    assert event is not None  # noqa: S101  # it is seen
    ensure_writes(session, actor, event, units)
    return event


def ensure_writes(session: Session, actor: Actor, event: Event, units: Sequence[Any]) -> None:
    if not writes(actor, units):
        raise forbidden(session, actor, Right.events_write, event.host_id)


def writes(actor: Actor, units: Sequence[Any]) -> bool:
    """The actor may write for one of the hosts."""
    hosts = (unit for unit in units if unit.role is UnitRole.host)
    return any(actor.covers(Right.events_write, unit) for unit in hosts)


def access_session(session: Session, actor: Actor, session_id: UUID) -> tuple[EventSession, Event]:
    """The session and its event, both locked (the event first), for an actor who may write for a
    host.
    """
    event_id = session.execute(_EVENT_OF, {"session_id": session_id}).scalar_one_or_none()
    if event_id is None:
        viewer(session, actor)
        raise not_found()
    event = access_event(session, actor, event_id)
    with locked_is_409():
        sitting = session.get_one(EventSession, session_id, with_for_update={"key_share": True})
    return sitting, event


_EVENT_OF = sa.select(col(EventSession.event_id)).where(
    col(EventSession.id) == sa.bindparam("session_id")
)
_SEEN: AnySelect = (
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
    """A session as a row, for an actor who may read it: `id, event_id, host_id, province_id,
    local_date, starts_at, state, event_state`; 404 when it is out of scope.
    """
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


def counts_in(db: Db, concerned: Concerned) -> dict[str, int]:
    """Sessions to come that units host which go elsewhere or close."""
    to_come = sa.and_(
        col(EventSession.state) != SessionState.cancelled,
        col(EventSession.local_date) >= local_today(),
    )
    units = [*concerned.moved, *concerned.closed]
    return {"sessions_to_come": count_of(db, EventSession.host_id, units, to_come)}


def carry(session: Session, unit_ids: Sequence[int], columns: Mapping[str, int | None]) -> None:
    """Follow units that moved: update the paths of their events and invitations."""
    moved = {name: value for name, value in columns.items() if name in PATH}
    if not moved:
        return
    for model, unit in (
        (Event, Event.host_id),
        (EventUnit, EventUnit.unit_id),
        (EventWithdrawal, EventWithdrawal.unit_id),
        (EventSession, EventSession.host_id),
        (EventSessionUnit, EventSessionUnit.unit_id),
    ):
        session.execute(
            sa.update(model).where(col(unit).in_(unit_ids)).values(**moved),
            execution_options={"synchronize_session": False},
        )
