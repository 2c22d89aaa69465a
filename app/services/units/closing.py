"""Close a unit: it must hold nothing, and later days take no records."""

from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today
from app.errors import Problem, invalid
from app.models.kernel.access import Right
from app.models.kernel.units import (
    SuccessionKind,
    Unit,
    UnitClose,
    UnitClosure,
    UnitEdge,
    UnitIdentifier,
    UnitSuccession,
)
from app.services.kernel.access import Actor
from app.services.units import followers
from app.services.units.identifiers import date_conflict
from app.services.units.reading import member_counts
from app.services.units.tree import DAY, lock_tree, set_paths
from app.services.units.units import access_unit, ensure_open, find_target


def close(session: Session, actor: Actor, unit_id: int, body: UnitClose) -> Unit:
    """Close a unit after its last day, and record its successors."""
    lock_tree(session)
    unit = access_unit(session, actor, unit_id, Right.units_write, for_update=True)
    last = body.effective_on - DAY
    ensure_open(unit, last)
    if unit.closed_on is not None:
        raise Problem("unit_closed", unit=unit.name, closed_on=unit.closed_on.isoformat())
    if last > local_today():
        raise invalid("date_in_future", "/effective_on")
    _ensure_empty(session, actor, unit)
    followers.preview(session, followers.Closing(unit, last))
    _ensure_nothing_after(session, actor, unit, last)
    if body.kind is not SuccessionKind.abolish and not body.successor_ids:
        raise invalid("required", "/successor_ids")
    for place, successor_id in enumerate(body.successor_ids):
        pointer = f"/successor_ids/{place}"
        if successor_id in (unit.id, *body.successor_ids[:place]):
            raise invalid("invalid", pointer)
        successor = find_target(session, actor, successor_id, Right.units_write, pointer=pointer)
        ensure_open(successor, body.effective_on)
    followers.ended(session, unit.id, body.effective_on)
    _end(session, UnitEdge, col(UnitEdge.unit_id) == unit.id, last)
    _end(session, UnitIdentifier, col(UnitIdentifier.unit_id) == unit.id, last)
    # What is above may have moved since: those rows never were.
    line = col(UnitClosure.descendant_id) == unit.id
    session.execute(sa.delete(UnitClosure).where(line, col(UnitClosure.valid_from) > last))
    _end(session, UnitClosure, line, last)
    successors: list[int | None] = [*body.successor_ids] or [None]
    session.add_all(
        UnitSuccession(
            from_unit_id=unit.id,
            to_unit_id=successor,
            kind=body.kind,
            effective_on=body.effective_on,
            decree=body.decree,
            inferred=body.inferred,
        )
        for successor in successors
    )
    unit.closed_on = last
    session.flush()
    set_paths(session, unit, last)
    session.flush()
    return unit


def _ensure_empty(session: Session, actor: Actor, unit: Unit) -> None:
    children = session.execute(
        sa.select(sa.func.count())
        .select_from(Unit)
        .where(col(Unit.parent_id) == unit.id, col(Unit.closed_on).is_(None))
    ).scalar_one()
    members = member_counts(session, [unit]).get(unit.id, 0)
    if children or members:
        told = members if actor.covers(Right.members_read, unit) else "…"
        raise Problem("unit_in_use", unit=unit.name, children=children, members=told)


def _ensure_nothing_after(session: Session, actor: Actor, unit: Unit, closed_on: date) -> None:
    """Closing in the past must not cut off what is recorded of the days after."""
    recorded: list[tuple[Any, sa.ColumnElement[bool]]] = [
        (UnitEdge.valid_from, col(UnitEdge.unit_id) == unit.id),
        (UnitEdge.valid_to, col(UnitEdge.parent_id) == unit.id),
        (UnitIdentifier.valid_from, col(UnitIdentifier.unit_id) == unit.id),
        (UnitSuccession.effective_on, col(UnitSuccession.to_unit_id) == unit.id),
    ]
    for day, which in recorded:
        last = session.execute(sa.select(sa.func.max(day)).where(which)).scalar_one()
        if last is not None and last > closed_on:
            raise date_conflict(closed_on, last)
    of_people = followers.last_day(session, unit.id)
    if of_people is not None and of_people > closed_on:
        existing = of_people.isoformat() if actor.covers(Right.members_read, unit) else "…"
        raise Problem("unit_date_conflict", date=closed_on.isoformat(), existing=existing)


def _end(session: Session, model: type[Any], which: sa.ColumnElement[bool], day: date) -> None:
    open_or_later = sa.or_(col(model.valid_to).is_(None), col(model.valid_to) > day)
    session.execute(sa.update(model).where(which, open_or_later).values(valid_to=day))
