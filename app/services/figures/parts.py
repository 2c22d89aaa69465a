"""What stands in a unit on a day, and in which part of it: the unit itself, or a unit directly below."""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.models.kernel.units import LEVELS_BUT_GROUP, Unit, UnitClosure, UnitLevel, UnitRef
from app.services.figures.periods import Days
from app.services.kernel.access import Db
from app.services.units.reading import standing

# The part of what is in the unit and in none below it; no unit has this id.
OWN = 0


def whole(unit_id: int, day: date) -> sa.CTE:
    """All units in the unit, itself included, as one part."""
    part = sa.literal(unit_id, sa.Integer).label("part_id")
    return _in((unit_id,), day).with_only_columns(_BELOW, part).distinct().cte()


def apart(unit_id: int, children: Sequence[int], day: date) -> sa.CTE:
    """The units in each of these children as a part of its own. What is in the unit and in none of
    them, the unit itself and the groups of a branch, is `OWN`."""
    below = _in(children, day).distinct()
    own = sa.literal(OWN, sa.Integer).label("part_id")
    elsewhere = (
        _in((unit_id,), day)
        .with_only_columns(_BELOW, own)
        .where(col(UnitClosure.descendant_id).not_in(_in(children, day).with_only_columns(_BELOW)))
        .distinct()
    )
    return below.union_all(elsewhere).cte()


_BELOW: sa.Label[int] = col(UnitClosure.descendant_id).label("id")


def _in(unit_ids: Sequence[int] | sa.Select[int], day: date) -> sa.Select[tuple[int, int]]:
    part: sa.Label[int] = col(UnitClosure.ancestor_id).label("part_id")
    standing_there = standing(UnitClosure, _BELOW, day, closed=True)
    return standing_there.add_columns(part).where(col(UnitClosure.ancestor_id).in_(unit_ids))


def inside(unit_ids: Sequence[int] | sa.Select[int], day: date) -> sa.CTE:
    """The units in each of these, itself included: `id`, and it as `part_id`."""
    return _in(unit_ids, day).distinct().cte()


def stands_in(unit_id: sa.ColumnElement[int], table: sa.CTE) -> sa.ColumnElement[bool]:
    """Whether a unit is in the same part, in the same tree."""
    same = sa.select(table.c.id, table.c.part_id, table.c.tree)
    return sa.tuple_(unit_id, table.c.part_id, table.c.tree).in_(same)


def children(db: Db, unit: Unit, days: Days) -> list[UnitRef]:
    """The units directly below it, by name; also those that closed in the period or later."""
    rows = db.execute(
        standing(UnitClosure, col(UnitClosure.descendant_id), days.tree, closed=True)
        .with_only_columns(
            col(_Child.id), col(_Child.level), col(_Child.name), col(_Child.sort_key)
        )
        .join(_Child, col(_Child.id) == col(UnitClosure.descendant_id))
        .where(
            col(UnitClosure.ancestor_id) == unit.id,
            col(UnitClosure.depth) == 1,
            col(_Child.level).in_(LEVELS_BUT_GROUP),
            sa.or_(col(_Child.closed_on).is_(None), col(_Child.closed_on) >= days.first),
        )
        .distinct()
        .order_by(col(_Child.sort_key), col(_Child.id))
    )
    return [UnitRef(id=row.id, level=UnitLevel(row.level), name=row.name) for row in rows]


_Child = aliased(Unit)
