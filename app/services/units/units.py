"""Getting a unit, with the check that the actor may."""

from collections.abc import Collection
from datetime import date
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.errors import FieldError, Problem, invalid, not_found
from app.models.base import str_enum
from app.models.kernel.access import Right
from app.models.kernel.units import (
    AreaType,
    IdentifierScheme,
    Unit,
    UnitClosure,
    UnitIdentifier,
    UnitLevel,
)
from app.models.members.members import MemberStatus
from app.models.members.spells import Membership
from app.services.kernel.access import Actor, Db, ensure, require_somewhere
from app.services.kernel.named import seen_rows
from app.services.units.rows import find, locked_is_409

CURRENT_MEMBERS = (MemberStatus.active, MemberStatus.transferring)


def valid_on(model: type[Any], day: Any) -> sa.ColumnElement[bool]:
    """Both ends inclusive, as decrees count days."""
    return sa.and_(
        col(model.valid_from) <= day,
        sa.or_(col(model.valid_to).is_(None), col(model.valid_to) >= day),
    )


def area_on(day: Any) -> sa.ColumnElement[Any]:
    """The area type of a unit on a day; of most units it never changed."""
    dated = aliased(UnitIdentifier)
    then = sa.select(col(dated.value)).where(
        col(dated.unit_id) == col(Unit.id),
        col(dated.scheme) == IdentifierScheme.area_type,
        valid_on(dated, day),
    )
    stored = sa.cast(col(Unit.area_type), sa.String)
    found = sa.func.coalesce(then.correlate(Unit).scalar_subquery(), stored)
    return sa.type_coerce(found, str_enum(AreaType))


def province_on(db: Db, unit_id: int, day: date) -> int | None:
    """The province a unit stood in on a day."""
    found: int | None = db.execute(
        sa.select(col(UnitClosure.ancestor_id))
        .join(Unit, col(Unit.id) == col(UnitClosure.ancestor_id))
        .where(
            col(UnitClosure.descendant_id) == unit_id,
            col(Unit.level) == UnitLevel.province,
            valid_on(UnitClosure, day),
        )
    ).scalar()
    return found


def counts_on(day: Any) -> sa.ColumnElement[bool]:
    """Spells that counts of a day have."""
    return sa.and_(valid_on(Membership, day), begun_by(day))


def begun_by(day: Any) -> sa.ColumnElement[bool]:
    """Spells that counts of a day have, or of a day before it."""
    counted_from = col(Membership.counted_from)
    return sa.and_(
        col(Membership.valid_from) <= day,
        sa.or_(counted_from.is_(None), counted_from <= day),
        col(Membership.annulled_at).is_(None),
    )


def access_unit(
    session: Session, actor: Actor, unit_id: int, right: Right, *, for_update: bool = False
) -> Unit:
    """The unit, or 404 when it is out of scope, 403 when the right is missing.

    `for_update` keeps out other changes of the unit and new facts in it (`find_target`), but not
    the foreign keys of facts it has: waiting for those would be a deadlock.
    """
    if for_update:
        with locked_is_409():
            unit = session.get(Unit, unit_id, with_for_update={"key_share": True})
    else:
        unit = session.get(Unit, unit_id)
    if unit is None:
        require_somewhere(session, actor, Right.units_read)
        raise not_found()
    ensure(session, actor, right, unit, seen_with=Right.units_read)
    return unit


def own_branch(db: Db, actor: Actor, right: Right, *, pointer: str) -> int:
    """The branch that a body may leave out: the only unit where the actor holds the right."""
    reach = require_somewhere(db, actor, right)
    if len(reach) == 1 and reach[0].level is UnitLevel.branch:
        return reach[0].unit_id
    raise invalid("required", pointer)


def find_target(
    db: Db,
    actor: Actor,
    unit_id: int | None,
    right: Right,
    *,
    pointer: str,
    level: UnitLevel | None = None,
    alone: bool = False,
) -> Unit:
    """A unit named in a request body: 422 when it is out of scope, 403 without the right.

    A body that names none means the actor's own branch.
    In a session it is locked against being closed or moved before the new fact is committed, and,
    `alone`, against every other new fact as well.
    """
    if unit_id is None:
        unit_id = own_branch(db, actor, right, pointer=pointer)
    if isinstance(db, Session):
        with locked_is_409():
            unit = db.get(Unit, unit_id, with_for_update={"key_share" if alone else "read": True})
    else:
        unit = find(db, unit_id)
    if unit is None or not actor.covers(Right.units_read, unit):
        raise invalid("unit_unknown", pointer)
    ensure(db, actor, right, unit, seen_with=Right.units_read)
    if level is not None and unit.level is not level:
        raise invalid("unit_level_wrong", pointer, expected=level)
    return unit


def seen(db: Db, actor: Actor, unit_ids: Collection[int]) -> set[int]:
    """Those of these ids that are of a unit the actor sees."""
    return seen_rows(db, actor, Unit, Right.units_read, unit_ids)


def find_visible(db: Db, actor: Actor, unit_id: int) -> Unit | None:
    """A unit the actor may see, or None."""
    unit = find(db, unit_id)
    return unit if unit is not None and actor.covers(Right.units_read, unit) else None


def find_filter(db: Db, actor: Actor, unit_id: int, *, pointer: str) -> Unit:
    """A unit named in a query: 422 when it is out of scope, as if it did not exist."""
    unit = find_visible(db, actor, unit_id)
    if unit is None:
        raise invalid("unit_unknown", pointer, place="query")
    return unit


def find_unit(db: Db, actor: Actor, unit_id: int | None) -> Unit | None:
    """The unit of a list that may be of one; 422 when it is out of scope."""
    return None if unit_id is None else find_filter(db, actor, unit_id, pointer="/unit")


class Lasting(Protocol):
    """A unit, or what is known of one."""

    @property
    def name(self) -> str: ...
    @property
    def opened_on(self) -> date: ...
    @property
    def closed_on(self) -> date | None: ...


def ensure_open(unit: Lasting, on: date, *, pointer: str | None = None) -> None:
    """A fact dated `on` may be recorded in the unit: it was open on that day."""
    if unit.closed_on is not None and on > unit.closed_on:
        raise closed(unit, unit.closed_on, pointer)
    if on < unit.opened_on:
        raise Problem(
            "unit_not_open_yet",
            unit=unit.name,
            opened_on=unit.opened_on.isoformat(),
            errors=_not_open(pointer),
        )


def closed(unit: Lasting, closed_on: date, pointer: str | None = None) -> Problem:
    return Problem(
        "unit_closed",
        unit=unit.name,
        closed_on=closed_on.isoformat(),
        errors=_not_open(pointer),
    )


def _not_open(pointer: str | None) -> list[FieldError]:
    return [FieldError("body", pointer, "unit_not_open")] if pointer else []
