"""Sessions of units that close: who goes on with the unit hosts those of the day and after it.

Past ones stay, also of the same event, which is led by the heir then. In the place of a unit that
closes an event invites what stood in it: the others in the larger unit were not asked.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col, select

from app.db import chunks
from app.errors import Problem
from app.models.events.events import (
    Event,
    EventSession,
    EventSessionUnit,
    EventState,
    EventUnit,
    SessionState,
    UnitRole,
)
from app.models.kernel.units import Unit, UnitEdge, UnitLevel
from app.services.events import withdrawals
from app.services.events.figure_rows import mark_hosts
from app.services.kernel.access import Db
from app.services.kernel.tracking import PATH
from app.services.units.followers import Inheritance, Refusals, TreeDraft, changed_since
from app.services.units.tree import DAY

_OPEN = (EventState.draft, EventState.announced)
# Of so many sessions that nobody takes, the first are named.
_MOST_NAMED = 5
Named = tuple[UnitRole, int]


def ensure_taken(db: Db, draft: TreeDraft) -> Refusals:
    """A unit does not close with sessions after its last day unless there is one that takes them."""
    without = [unit_id for unit_id in draft.closed if len(draft.heirs.get(unit_id, ())) != 1]
    for chunk in chunks(without):
        planned = (
            sa.select(col(Unit.id), col(Unit.name), col(Event.title), col(EventSession.local_date))
            .join(EventSessionUnit, col(EventSessionUnit.unit_id) == col(Unit.id))
            .join(EventSession, col(EventSession.id) == col(EventSessionUnit.session_id))
            .join(Event, col(Event.id) == col(EventSession.event_id))
            .where(
                col(Unit.id).in_(chunk),
                col(EventSessionUnit.role) == UnitRole.host,
                col(EventSession.state) != SessionState.cancelled,
                col(EventSession.local_date) > draft.last_day,
            )
            .order_by(col(EventSession.starts_at), col(EventSession.id))
        )
        by_unit: dict[tuple[int, str], list[str]] = defaultdict(list)
        for unit_id, name, title, day in db.execute(planned):
            by_unit[unit_id, name].append(f"{title} ({day:%d/%m/%Y})")
        for (unit_id, name), sessions in by_unit.items():
            shown = "; ".join(sessions[:_MOST_NAMED])
            yield (
                unit_id,
                Problem("sessions_to_come", unit=name, count=len(sessions), sessions=shown),
            )


# -- taking them on


def inherit(session: Session, inheritance: Inheritance) -> list[dict[str, Any]]:
    """Hosts and invited units of what is to come are the heirs; returns what it was, by event."""
    kept: list[dict[str, Any]] = []
    invite = _stood_in(session, inheritance)
    for event in _concerned(session, inheritance):
        sittings = _sessions(session, event.id)
        to_come = [each for each in sittings if each.local_date >= inheritance.since]
        named = _units_of(session, EventUnit, "event_id", [event.id])[event.id]
        of_sessions = _units_of(
            session, EventSessionUnit, "session_id", [each.id for each in to_come]
        )
        kept.append(_kept(event, sittings, to_come, named, of_sessions))
        hosts = [(UnitRole.host, each) for each in event.host_unit_ids]
        invited = [(UnitRole.invited, each) for each in event.invited_unit_ids]
        event.host_unit_ids = [each for _, each in _after(hosts, inheritance, invite)]
        event.invited_unit_ids = [each for _, each in _after(invited, inheritance, invite)]
        event.host_id = event.host_unit_ids[0]
        for each in to_come:
            each.host_id = inheritance.taker(each.host_id)
        stays = named if len(to_come) < len(sittings) else []
        _name(session, event, dict.fromkeys([*stays, *_after(named, inheritance, invite)]))
        for each in to_come:
            _name_for(session, each, _after(of_sessions[each.id], inheritance, invite))
    session.flush()
    return kept


def _concerned(session: Session, inheritance: Inheritance) -> list[Event]:
    """Events that name a unit that closes and have a session to come, or are open; held."""
    found: dict[UUID, Event] = {}
    later = sa.select(col(EventSession.event_id)).where(
        col(EventSession.event_id) == col(Event.id),
        col(EventSession.local_date) >= inheritance.since,
    )
    for chunk in chunks(sorted(inheritance.heirs)):
        naming = sa.select(col(EventUnit.event_id)).where(col(EventUnit.unit_id).in_(chunk))
        statement = (
            select(Event)
            .where(col(Event.id).in_(naming), sa.or_(later.exists(), col(Event.state).in_(_OPEN)))
            .order_by(col(Event.id))
            .with_for_update(key_share=True)
        )
        found |= {event.id: event for event in session.exec(statement)}
    return list(found.values())


def _stood_in(session: Session, inheritance: Inheritance) -> Mapping[int, Sequence[int]]:
    """What stood directly in each unit on its last day, but for groups; its heirs where none did."""
    found: dict[int, list[int]] = defaultdict(list)
    for chunk in chunks(sorted(inheritance.heirs)):
        rows = session.execute(
            sa.select(col(UnitEdge.parent_id), col(UnitEdge.unit_id))
            .join(Unit, col(Unit.id) == col(UnitEdge.unit_id))
            .where(
                col(UnitEdge.parent_id).in_(chunk),
                col(UnitEdge.valid_to) == inheritance.since - DAY,
                col(Unit.level) != UnitLevel.group,
            )
            .order_by(col(UnitEdge.unit_id))
        )
        for parent_id, unit_id in rows:
            found[parent_id].append(unit_id)
    return {
        unit_id: found[unit_id] or heirs or [unit_id]
        for unit_id, heirs in inheritance.heirs.items()
    }


def _sessions(session: Session, event_id: UUID) -> Sequence[EventSession]:
    of_event = select(EventSession).where(col(EventSession.event_id) == event_id)
    return session.exec(
        of_event.order_by(col(EventSession.id)).with_for_update(key_share=True)
    ).all()


def _after(
    named: Iterable[Named], inheritance: Inheritance, invite: Mapping[int, Sequence[int]]
) -> list[Named]:
    """Each once."""
    found: dict[Named, None] = {}
    for role, unit_id in named:
        if role is UnitRole.host:
            found[role, inheritance.taker(unit_id)] = None
        else:
            found |= dict.fromkeys((role, each) for each in invite.get(unit_id, (unit_id,)))
    return list(found)


def _kept(
    event: Event,
    sittings: Sequence[EventSession],
    to_come: Sequence[EventSession],
    named: Iterable[Named],
    of_sessions: Mapping[UUID, Iterable[Named]],
) -> dict[str, Any]:
    return {
        "id": str(event.id),
        "host_unit_ids": event.host_unit_ids,
        "invited_unit_ids": event.invited_unit_ids,
        "units": [*named],
        "stay": [str(each.id) for each in sittings if each not in to_come],
        "sessions": {
            str(each.id): {
                "host_id": each.host_id,
                "state": each.state,
                "units": [*of_sessions[each.id]],
            }
            for each in to_come
        },
    }


# -- and back


def give_back(session: Session, kept: Sequence[Mapping[str, Any]]) -> None:
    """As it was; 409 once a session was held or made since."""
    for each in kept:
        event = session.get(Event, UUID(each["id"]), with_for_update={"key_share": True})
        if event is None:
            continue
        sittings = _sessions(session, event.id)
        known = {*each["stay"], *each["sessions"]}
        if any(str(sitting.id) not in known for sitting in sittings):
            raise changed_since("event")
        event.host_unit_ids = each["host_unit_ids"]
        event.invited_unit_ids = each["invited_unit_ids"]
        event.host_id = event.host_unit_ids[0]
        _name(session, event, _typed(each["units"]))
        for sitting in sittings:
            before = each["sessions"].get(str(sitting.id))
            if before is None:
                continue
            if sitting.state != before["state"]:
                raise changed_since("event_session")
            sitting.host_id = before["host_id"]
            _name_for(session, sitting, _typed(before["units"]))
    session.flush()


def _typed(named: Iterable[Sequence[Any]]) -> list[Named]:
    return [(UnitRole(role), unit_id) for role, unit_id in named]


# -- the rows that name units


def _units_of(
    session: Session, model: type[Any], key: str, ids: Sequence[UUID]
) -> dict[UUID, list[Named]]:
    found: dict[UUID, list[Named]] = {each: [] for each in ids}
    owner = getattr(model, key)
    for chunk in chunks(ids):
        rows = session.execute(
            sa.select(owner, col(model.role), col(model.unit_id))
            .where(owner.in_(chunk))
            .order_by(owner, col(model.role), col(model.unit_id))
        )
        for row in rows:
            found[row[0]].append((row.role, row.unit_id))
    return found


def _name(session: Session, event: Event, named: Iterable[Named]) -> None:
    named = [*named]
    mark_hosts(session, event.id)
    withdrawals.keep(session, event, named)
    _rewrite(session, EventUnit, event, named, event_id=event.id)
    mark_hosts(session, event.id)


def _name_for(session: Session, sitting: EventSession, named: Iterable[Named]) -> None:
    own = {"session_id": sitting.id, "starts_at": sitting.starts_at}
    _rewrite(session, EventSessionUnit, sitting, named, **own)


def _rewrite(
    session: Session,
    model: type[SQLModel],
    row: Event | EventSession,
    named: Iterable[Named],
    **own: Any,
) -> None:
    """The units of the row, with their paths of now; the row itself has that of its host."""
    units = [*named]
    paths = _paths(session, {row.host_id, *(unit_id for _, unit_id in units)})
    for name, value in paths[row.host_id].items():
        setattr(row, name, value)
    key, value = next(iter(own.items()))
    session.execute(sa.delete(model).where(getattr(model, key) == value))
    session.execute(
        sa.insert(model),
        [{**own, "role": role, "unit_id": unit_id, **paths[unit_id]} for role, unit_id in units],
    )


def _paths(session: Session, unit_ids: Collection[int]) -> dict[int, dict[str, int | None]]:
    columns = [getattr(Unit, name) for name in PATH]
    rows = session.connection().execute(
        sa.select(col(Unit.id), *columns).where(col(Unit.id).in_(unit_ids))
    )
    return {row.id: {name: getattr(row, name) for name in PATH} for row in rows}
