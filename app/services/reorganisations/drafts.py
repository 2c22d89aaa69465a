"""Drafts of reorganisations: made by one person, decided on by another."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import AnySelect
from app.errors import FieldError, Problem, not_found
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.reorganisations.operations import OpenUnit, UnitChange
from app.models.reorganisations.reorganisations import (
    Reorganisation,
    ReorganisationCreate,
    ReorganisationItem,
    ReorganisationQuery,
    ReorganisationRead,
    ReorganisationState,
    ReorganisationUpdate,
    ReorganisedUnit,
)
from app.services.kernel.access import (
    Actor,
    Db,
    Expected,
    ensure,
    ensure_revision,
    forbidden,
    require_somewhere,
    visible,
)
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.keyset import Order, Pages, pages
from app.services.reorganisations import applying
from app.services.reorganisations.planning import Plan
from app.services.reorganisations.world import World, load, named_units, references
from app.services.units.carrying import hold_for_change
from app.services.units.rows import find_many, unit_of
from app.services.units.units import find_filter

_OPERATIONS: TypeAdapter[list[UnitChange]] = TypeAdapter(list[UnitChange])
_STATE = ReorganisationState


def operations_of(row: Any) -> list[UnitChange]:
    return _OPERATIONS.validate_python(row.operations)


def stored(operations: Sequence[UnitChange]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _OPERATIONS.dump_python(list(operations), mode="json")
    return found


# -- reading


def _columns(model: type[Any]) -> AnySelect:
    return sa.select(
        *(
            col(Unit.name).label(name) if name == "unit_name" else getattr(Reorganisation, name)
            for name in model.model_fields
        )
    ).join(Unit, col(Unit.id) == col(Reorganisation.unit_id))


_ITEM, _WHOLE = _columns(ReorganisationItem), _columns(ReorganisationRead)


def list_reorganisations(db: Db, actor: Actor, query: ReorganisationQuery) -> Pages:
    """Those of units in my scope, the newest first."""
    require_somewhere(db, actor, Right.units_read)
    statement = _ITEM.where(visible(Unit, actor, Right.units_read))
    if query.unit is not None:
        find_filter(db, actor, query.unit, pointer="/unit")
        about = sa.select(col(ReorganisedUnit.reorganisation_id)).where(
            col(ReorganisedUnit.unit_id) == query.unit
        )
        statement = statement.where(col(Reorganisation.id).in_(about))
    if query.state is not None:
        statement = statement.where(col(Reorganisation.state) == query.state)
    return pages(statement, Order(col(Reorganisation.id).desc()))


def get(db: Db, actor: Actor, reorganisation_id: UUID) -> ReorganisationRead:
    """One over a unit in my scope."""
    row = db.execute(
        _WHOLE.where(
            col(Reorganisation.id) == reorganisation_id, visible(Unit, actor, Right.units_read)
        )
    ).one_or_none()
    if row is None:
        require_somewhere(db, actor, Right.units_read)
        raise not_found()
    return ReorganisationRead.model_validate(row)


def plan_of(db: Db, actor: Actor | None, row: Any) -> Plan:
    """What it would do today; without an actor, as the server itself sees it."""
    return applying.prepare(db, actor, operations_of(row), row.effective_on, row.decree, row.id)


def plan_held(session: Session, actor: Actor | None, row: Reorganisation) -> Plan:
    """The same, of units that nobody else changes or puts something into until the commit."""
    hold_for_change(session, plan_of(session, actor, row).change.touched)
    return plan_of(session, actor, row)


# -- drafting


def create(
    session: Session, actor: Actor, body: ReorganisationCreate
) -> tuple[Reorganisation, bool]:
    """A draft by who holds the right over all that it names. Nothing changes before it is applied."""
    require_somewhere(session, actor, Right.units_write)

    def make() -> Reorganisation:
        now = utc_now()
        return Reorganisation(
            unit_id=_common(session, actor, body.operations, body.effective_on),
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
    was = _act_of(row)
    changed = body.model_dump(exclude_unset=True, exclude={"operations"})
    for name, value in changed.items():
        setattr(row, name, value)
    if "operations" in body.model_fields_set:
        operations: Any = body.operations
        row.operations = stored(operations)
        row.unit_id = _common(session, actor, operations, row.effective_on)
        applying.concern(session, row, named_units(operations))
    if _act_of(row) != was:
        row.drafted_by = actor.account_id
    session.flush()
    return row


def _act_of(row: Reorganisation) -> tuple[Any, ...]:
    """What would be done by it."""
    return row.effective_on, row.decree, row.operations


def _common(session: Session, actor: Actor, operations: Sequence[UnitChange], since: date) -> int:
    """The lowest unit over all that the operations name, where the actor holds the right."""
    world = load(session, actor, operations, since)
    unknown = list(_unknown(world, operations))
    if unknown:
        raise Problem("validation_failed", errors=unknown, count=len(unknown))
    named = named_units(operations)
    lowest = lowest_over(world, named)
    for unit_id in (lowest, *sorted(named)):
        if not actor.covers(Right.units_write, unit_of(session, unit_id)):
            raise forbidden(session, actor, Right.units_write, unit_id)
    return lowest


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


def lowest_over(world: World, unit_ids: set[int]) -> int:
    """The lowest unit that stands over all of these, or is one of them."""
    lines = [world.line(unit_id) for unit_id in unit_ids]
    common = set(lines[0]).intersection(*lines[1:])
    over = [ref for ref in lines[0] if ref in common and isinstance(ref, int)]
    return over[0] if over else min(unit_ids)  # of two trees, which meet nowhere


def lock(session: Session, actor: Actor, reorganisation_id: UUID) -> Reorganisation:
    """It, held; 404 out of scope, 403 without the right over its unit."""
    row = session.get(Reorganisation, reorganisation_id, with_for_update=True)
    if row is None:
        require_somewhere(session, actor, Right.units_read)
        raise not_found()
    unit = unit_of(session, row.unit_id)
    ensure(session, actor, Right.units_write, unit, seen_with=Right.units_read)
    return row


def ensure_over_all(session: Session, actor: Actor, row: Reorganisation) -> None:
    """404 and 403 by each unit that it names: since it was drafted one may have gone elsewhere."""
    for unit in find_many(session, named_units(operations_of(row))):
        ensure(session, actor, Right.units_write, unit, seen_with=Right.units_read)


def ensure_state(row: Reorganisation, *allowed: ReorganisationState) -> None:
    if row.state not in allowed:
        raise Problem("reorganisation_state", status=row.state)
