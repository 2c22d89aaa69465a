"""Which members a list or a count is about: what the actor may read, narrowed to the units asked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.errors import invalid
from app.models.base import table_of
from app.models.kernel.access import Right
from app.models.kernel.units import LEVELS_BUT_GROUP, Unit, UnitLevel
from app.models.members.members import Member
from app.models.members.spells import Membership
from app.services.kernel.access import Actor, Db, require_somewhere
from app.services.kernel.actors import reach_of
from app.services.kernel.reach import Reach, within
from app.services.units.in_tree import CountedUnits, OfUnit, StaysOf, places
from app.services.units.units import find_filter
from app.statements import UNITS, of_each


def held(db: Db, actor: Actor, rights: Iterable[Right]) -> tuple[Reach, ...]:
    """Where members may be read and all these rights are held; 403 when one is held nowhere."""
    scope = require_somewhere(db, actor, Right.members_read)
    for right in rights:
        scope = common(actor, scope, require_somewhere(db, actor, right))
    return scope


def asked(db: Db, actor: Actor, rights: Iterable[Right], unit_id: int | None) -> tuple[Reach, ...]:
    """Where all these rights are held, in the unit of a filter."""
    scope = held(db, actor, rights)
    return scope if unit_id is None else narrowed(db, actor, scope, unit_id, "/unit")


def rows(
    db: Db,
    actor: Actor,
    rights: Sequence[Right],
    query: OfUnit,
    model: type[Any],
    counted: Callable[[CountedUnits], sa.ColumnElement[bool]],
) -> sa.ColumnElement[bool]:
    """Rows of a model with level columns, where all these rights are held, in the unit of a filter:
    as it stands today, or in a tree, where `counted` says in which units a row counts."""
    every = (*rights, Right.members_read)
    return rows_within(db, actor, held(db, actor, rights), every, query, model, counted)


def rows_within(
    db: Db,
    actor: Actor,
    scope: tuple[Reach, ...],
    rights: Sequence[Right],
    query: OfUnit,
    model: type[Any],
    counted: Callable[[CountedUnits], sa.ColumnElement[bool]],
) -> sa.ColumnElement[bool]:
    """The same of rows that need no right to read members."""
    units = scope if query.unit is None else narrowed(db, actor, scope, query.unit, "/unit")
    found = places(db, actor, rights, units, query)
    if found is None:
        return within(model, units)
    return sa.and_(within(model, scope), counted(found))


def stood(places: CountedUnits, member_id: Any, day: Any = None) -> sa.ColumnElement[bool]:
    """Rows of members who were in these units on the day of the row."""
    return places.had(SPELLS, member_id, day)


SPELLS = StaysOf(Membership, Membership.member_id, (col(Membership.annulled_at).is_(None),))


def common(actor: Actor, one: Sequence[Reach], other: Sequence[Reach]) -> tuple[Reach, ...]:
    """The intersection of two reaches of the actor: of two nested units the inner one."""
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
        return (scope[0].without_former(),)
    unit = find_filter(db, actor, unit_id, pointer=pointer)
    if level is not None and unit.level is not level:
        raise invalid("unit_level_wrong", pointer, place="query", expected=level)
    if unit.level is UnitLevel.group:
        raise invalid("unit_level_wrong", pointer, place="query", expected=LEVELS_BUT_GROUP)
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


@dataclass(frozen=True, slots=True)
class Area:
    """The units that a scope is made of, by the column of their level; without any: everybody.

    `around`: the one that all of them lie in, as a column and a unit, as closely as is known.
    """

    units: Mapping[str, Sequence[int]]
    around: tuple[str | None, int]

    @property
    def is_one(self) -> bool:
        return sum(map(len, self.units.values())) == 1

    def bound(self) -> dict[str, Any]:
        """The units as `through` takes them."""
        if self.is_one:
            return {column: unit_ids[0] for column, unit_ids in self.units.items()}
        return {
            column: sa.bindparam(column, [*unit_ids], type_=UNITS, unique=True)
            for column, unit_ids in self.units.items()
        }


_EVERYBODY = (None, 0)


def area(scope: Iterable[Reach]) -> Area | None:
    """A scope as units of `member`: a district is its communes. None where nobody is in it."""
    reaches = [reach for reach in scope if reach.level is not UnitLevel.group]
    if any(reach.level is UnitLevel.central for reach in reaches):
        return Area({}, _EVERYBODY)
    units: dict[str, list[int]] = {}
    for reach in reaches:
        for column, unit_ids in reach.units(Member).items():
            units.setdefault(column, []).extend(unit_ids)
    places = [(column, unit_id) for column in sorted(units) for unit_id in units[column]]
    if len(places) <= 1:
        return Area(units, places[0]) if places else None
    if any(reach.former for reach in reaches):
        return Area(units, _EVERYBODY)
    provinces = {reach.province_id for reach in reaches}
    shared = provinces.pop() if len(provinces) == 1 else None
    return Area(units, _EVERYBODY if shared is None else ("province_id", shared))


# A list of members of one unit, by the column of its level, or of everybody: in the order of their
# names, and limited.
WalkOf = Callable[[str | None, Any], AnySelect]


def through(units: Mapping[str, Any], walk: WalkOf, *, is_one: bool, sqlite: bool) -> AnySelect:
    """The same of the units of an area, which are one or, for each column, a list (UNITS); to be
    limited once more where they are several."""
    if not units:
        return walk(None, None)
    if is_one:
        return walk(*next(iter(units.items())))
    key = table_of(Member).c.id
    parts = [
        of_each(each, partial(walk, column), key, sqlite=sqlite) for column, each in units.items()
    ]
    rows = (sa.union_all(*parts) if len(parts) > 1 else parts[0]).subquery()
    return sa.select(rows).order_by(rows.c.sort_key, rows.c.id)
