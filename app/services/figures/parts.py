"""The parts of a unit in a tree: the unit as one, or the units directly below it."""

from collections.abc import Sequence

import sqlalchemy as sa

from app.services.units.hierarchy import UnitTree, placed

# The part of what is in the unit and in none below it; no unit has this id.
OWN = 0


def apart(unit_id: int, children: Sequence[int], tree: UnitTree) -> sa.CTE:
    """The units in each of these children as a part of its own. What is in the unit and in none of
    them, the unit itself and the groups of a branch, is `OWN`."""
    every, below = placed([unit_id], tree), placed(children, tree)
    part_id = sa.func.coalesce(below.c.part_id, OWN).label("part_id")
    return (
        sa.select(every.c.id, part_id)
        .select_from(every.outerjoin(below, below.c.id == every.c.id))
        .cte()
    )


def stands_in(unit_id: sa.ColumnElement[int], table: sa.CTE) -> sa.ColumnElement[bool]:
    """Whether a unit is in the same part, in the same tree."""
    same = sa.select(table.c.id, table.c.part_id, table.c.tree)
    return sa.tuple_(unit_id, table.c.part_id, table.c.tree).in_(same)
