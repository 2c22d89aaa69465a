"""Which members a list or a count is about: what the actor may read, narrowed to the units asked."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlmodel import col

from app.errors import invalid
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitLevel
from app.services.kernel.access import Actor, Db, Reach, require_somewhere
from app.services.kernel.actors import reach_of
from app.services.units.units import find_filter

# A level column of `member` and the unit in it; no column: everybody.
Walk = tuple[str | None, int]


def held(db: Db, actor: Actor, rights: Iterable[Right]) -> tuple[Reach, ...]:
    """Where members may be read and all these rights are held; 403 when one is held nowhere."""
    scope = require_somewhere(db, actor, Right.members_read)
    for right in rights:
        scope = common(actor, scope, require_somewhere(db, actor, right))
    return scope


def common(actor: Actor, one: Sequence[Reach], other: Sequence[Reach]) -> tuple[Reach, ...]:
    """What two reaches of the actor have in common: of two nested units the inner one."""
    places = {grant.unit_id: grant for grant in actor.grants}
    inner = []
    for a in one:
        for b in other:
            if a.contains(places[b.unit_id]):
                inner.append(b)
            elif b.contains(places[a.unit_id]):
                inner.append(a)
    return tuple(inner)


def narrowed(
    db: Db,
    actor: Actor,
    scope: tuple[Reach, ...],
    unit_id: int,
    pointer: str,
    level: UnitLevel | None = None,
) -> tuple[Reach, ...]:
    """What the scope and one unit of a filter have in common."""
    if len(scope) == 1 and scope[0].unit_id == unit_id and level in (None, scope[0].level):
        return scope
    unit = find_filter(db, actor, unit_id, pointer=pointer)
    if level is not None and unit.level is not level:
        raise invalid("unit_level_wrong", pointer, place="query", expected=level.value)
    if unit.level is UnitLevel.group:
        expected = "central, province, district, commune, branch"
        raise invalid("unit_level_wrong", pointer, place="query", expected=expected)
    wanted = reach_of(db, unit)
    if any(reach.contains(unit) for reach in scope):
        return (wanted,)
    return tuple(reach for reach in scope if _contains(db, wanted, reach))


def _contains(db: Db, outer: Reach, inner: Reach) -> bool:
    row = db.execute(_UNIT_PATH, {"unit_id": inner.unit_id}).one()
    return outer.contains(row)


_UNIT_PATH = sa.select(
    col(Unit.province_id), col(Unit.district_id), col(Unit.commune_id), col(Unit.branch_id)
).where(col(Unit.id) == sa.bindparam("unit_id"))


def walks(scope: Iterable[Reach]) -> list[Walk]:
    """The (level column, unit) pairs that make up a scope: a district is its communes."""
    return [walk for reach in scope for walk in _walks(reach)]


def _walks(reach: Reach) -> list[Walk]:
    if reach.level is UnitLevel.central:
        return [(None, 0)]
    if reach.level is UnitLevel.district:
        return [("commune_id", commune) for commune in reach.communes]
    if reach.level is UnitLevel.group:
        return []
    return [(f"{reach.level.value}_id", reach.unit_id)]
