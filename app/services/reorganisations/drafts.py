"""Drafts of reorganisations: made by one person, decided on by another, or by officers of all sides."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlmodel import Session

from app.clock import utc_now
from app.errors import FieldError, Problem, not_found
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.reorganisations.operations import OpenUnit, UnitChange
from app.models.reorganisations.reorganisations import (
    Agreement,
    Reorganisation,
    ReorganisationCreate,
    ReorganisationState,
    ReorganisationUpdate,
)
from app.services.kernel.access import (
    Actor,
    Db,
    Expected,
    ensure,
    ensure_revision,
    forbidden,
    require_somewhere,
)
from app.services.kernel.created_once import created_once, holds
from app.services.reorganisations import applying, sides
from app.services.reorganisations.planning import Plan, plan
from app.services.reorganisations.reading import operations_of, stored
from app.services.reorganisations.world import (
    World,
    load,
    lowest_over,
    named_units,
    placed_in,
    references,
)
from app.services.units.carrying import hold_for_change
from app.services.units.rows import find_many, unit_of

_STATE = ReorganisationState


def plan_of(db: Db, actor: Actor | None, row: Any) -> Plan:
    """What it would do today; without an actor, as the server itself sees it."""
    return applying.prepare(
        db,
        actor,
        operations_of(row),
        row.effective_on,
        row.decree,
        row.id,
        openly=row.agreement is not None,
    )


def plan_held(session: Session, actor: Actor | None, row: Reorganisation) -> Plan:
    """The same, of units that nobody else changes or puts something into until the commit."""
    hold_for_change(session, plan_of(session, actor, row).change.touched)
    return plan_of(session, actor, row)


def create(
    session: Session, actor: Actor, body: ReorganisationCreate
) -> tuple[Reorganisation, bool]:
    """A draft by who holds the right over all that it names, or over a side of it where nobody does.
    Nothing changes before it is applied."""
    require_somewhere(session, actor, Right.units_write)

    def make() -> Reorganisation:
        now = utc_now()
        unit_id, agreement = _placed(session, actor, body.operations, body.effective_on)
        return Reorganisation(
            unit_id=unit_id,
            agreement=agreement,
            state=_STATE.draft,
            effective_on=body.effective_on,
            decree=body.decree,
            note=body.note,
            operations=stored(body.operations),
            drafted_by=actor.account_id,
            created_at=now,
            updated_at=now,
        )

    sent = {
        "effective_on": body.effective_on,
        "decree": body.decree,
        "note": body.note,
        "operations": stored(body.operations),
        "drafted_by": actor.account_id,
    }
    row, is_new = created_once(session, Reorganisation, body.id, make, same=holds(sent))
    if is_new:
        applying.concern(session, row, named_units(body.operations))
        sides.enter(session, row)
    return row, is_new


def update(
    session: Session,
    actor: Actor,
    reorganisation_id: UUID,
    body: ReorganisationUpdate,
    expected: Expected,
) -> Reorganisation:
    """Change a draft. Who changes what would be done has drafted it, and another one decides; a note
    is no part of that."""
    row = lock(session, actor, reorganisation_id)
    ensure_revision(row.revision, expected)
    ensure_state(row, _STATE.draft)
    was, agreement = _act_of(row), row.agreement
    changed = body.model_dump(exclude_unset=True, exclude={"operations"})
    for name, value in changed.items():
        setattr(row, name, value)
    if "operations" in body.model_fields_set:
        operations: Any = body.operations
        row.operations = stored(operations)
        row.unit_id, agreement = _placed(session, actor, operations, row.effective_on)
        applying.concern(session, row, named_units(operations))
    if _act_of(row) != was:
        row.drafted_by = actor.account_id
        row.agreement = sides.unconfirmed(agreement)
        sides.enter(session, row)
    session.flush()
    return row


def _act_of(row: Reorganisation) -> tuple[Any, ...]:
    """What would be done by it."""
    return row.effective_on, row.decree, row.operations


def _placed(
    session: Session, actor: Actor, operations: Sequence[UnitChange], since: date
) -> tuple[int, dict[str, Any] | None]:
    """The lowest unit over all that the operations name, where the actor holds the right; where nobody
    does, with the sides that decide, of which the actor is one."""
    world = load(session, actor, operations, since)
    agreed = _agreement(session, actor, world, operations, since)
    if agreed is not None:
        world.hidden = sides.groups_of(world)
    unknown = list(_unknown(world, operations))
    if unknown:
        raise Problem("validation_failed", errors=unknown, count=len(unknown))
    if agreed is not None:
        return agreed.above or agreed.sides[0], agreed.model_dump(mode="json")
    named = named_units(operations)
    lowest = placed_in(world, named)
    for unit_id in (lowest, *sorted(named)):
        if not actor.covers(Right.units_write, unit_of(session, unit_id)):
            raise forbidden(session, actor, Right.units_write, unit_id)
    return lowest, None


def _agreement(
    session: Session, actor: Actor, world: World, operations: Sequence[UnitChange], since: date
) -> Agreement | None:
    named = named_units(operations)
    if not named or not named <= world.units.keys():
        return None
    above = lowest_over(world, named)
    if above is not None and sides.covered(session, actor, [above]):
        return None
    agreed = sides.of_plan(plan(replace(world, hidden=set()), operations, since), operations)
    own = sides.covered(session, actor, agreed.sides)
    return agreed if own and sides.decide(session, agreed) else None


def _unknown(world: World, operations: Sequence[UnitChange]) -> Iterator[FieldError]:
    """Units out of scope, and keys that no earlier operation opens a unit under."""
    keys: set[str] = set()
    for number, operation in enumerate(operations):
        for pointer, ref in references(operation):
            known = ref in keys if isinstance(ref, str) else ref in world.units
            if not known or ref in world.hidden:
                yield FieldError("body", f"/operations/{number}{pointer}", "unit_unknown")
        if isinstance(operation, OpenUnit):
            keys.add(operation.key)


def lock(session: Session, actor: Actor, reorganisation_id: UUID) -> Reorganisation:
    """It, held; 404 out of scope, 403 without the right over its unit or one of its sides."""
    row = session.get(Reorganisation, reorganisation_id, with_for_update=True)
    if row is None:
        require_somewhere(session, actor, Right.units_read)
        raise not_found()
    if not sides.speaks(session, actor, row):
        unit = unit_of(session, row.unit_id)
        ensure(session, actor, Right.units_write, unit, seen_with=Right.units_read)
    return row


def ensure_over_all(session: Session, actor: Actor, row: Reorganisation) -> None:
    """404 and 403 by each unit that it names: since it was drafted one may have gone elsewhere."""
    for unit in _named_by(session, row):
        ensure(session, actor, Right.units_write, unit, seen_with=Right.units_read)


def is_over_all(session: Session, actor: Actor, row: Reorganisation) -> bool:
    return all(actor.covers(Right.units_write, unit) for unit in _named_by(session, row))


def _named_by(session: Session, row: Reorganisation) -> Sequence[Unit]:
    return find_many(session, {row.unit_id, *named_units(operations_of(row))})


def ensure_state(row: Reorganisation, *allowed: ReorganisationState) -> None:
    if row.state not in allowed:
        raise Problem("reorganisation_state", status=row.state)
