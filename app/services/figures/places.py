"""The parts of a unit in several periods at once: what one statement counts by."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, cast

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.kernel.units import Unit, UnitEdge
from app.services.figures import parts
from app.services.figures.periods import Days
from app.services.kernel.access import Db
from app.services.units.hierarchy import UnitTree, placed


@dataclass(frozen=True, slots=True)
class Parts:
    """A unit as one part; or each of these children as one, and what is in none of them."""

    unit_id: int
    children: tuple[int, ...] | None = None

    @property
    def ids(self) -> list[int]:
        return [self.unit_id] if self.children is None else [*self.children, parts.OWN]

    def in_tree(self, tree: UnitTree) -> sa.CTE:
        """The units of each part: `id` and `part_id`."""
        if self.children is None:
            return placed([self.unit_id], tree)
        return parts.apart(self.unit_id, self.children, tree)


@dataclass(frozen=True, slots=True)
class PeriodPlaces:
    """`periods`: `no`, `first`, `last` and `tree` of each; `parts`: the units of each part (`id`,
    `part_id`) in each `tree`. Periods between which nothing moved have one tree."""

    periods: sa.CTE
    parts: sa.CTE
    part_ids: Sequence[int]
    # Of each period the number of its tree.
    trees: Sequence[int]

    def of(self, unit_ids: Sequence[int]) -> "PeriodPlaces":
        """The same, of these units alone."""
        some = sa.select(self.parts).where(self.parts.c.id.in_(unit_ids)).cte("some_parts")
        return replace(self, parts=some)

    def stand_at(self, rows: sa.Subquery) -> sa.Join:
        """The rows with the part that each stands in."""
        same = sa.and_(self.parts.c.id == rows.c.unit_id, self.parts.c.tree == rows.c.tree)
        return rows.join(self.parts, same)


def places(db: Db, asked: Parts, stretches: Sequence[Days]) -> PeriodPlaces:
    """Of these periods, numbered in their order from 0."""
    trees = _trees(db, stretches)
    numbers = {tree: number for number, tree in enumerate(dict.fromkeys(trees))}
    in_trees = [
        sa.select(table.c.id, table.c.part_id, sa.literal(number, sa.Integer).label("tree"))
        for tree, number in numbers.items()
        for table in [asked.in_tree(tree)]
    ]
    return PeriodPlaces(
        _periods(stretches, [numbers[tree] for tree in trees]),
        _all(in_trees).cte("parts"),
        asked.ids,
        [numbers[tree] for tree in trees],
    )


def alone(unit_ids: Sequence[int] | None, stretches: Sequence[Days]) -> PeriodPlaces:
    """Each of these units, or of all, as a part of its own."""
    units: AnySelect = sa.select(
        col(Unit.id).label("id"), col(Unit.id).label("part_id"), sa.literal(0).label("tree")
    )
    if unit_ids is not None:
        units = units.where(col(Unit.id).in_(unit_ids))
    none = [0] * len(stretches)
    return PeriodPlaces(_periods(stretches, none), units.cte("parts"), unit_ids or (), none)


def _periods(stretches: Sequence[Days], trees: Sequence[int]) -> sa.CTE:
    periods = [
        sa.select(
            sa.literal(number, sa.Integer).label("no"),
            sa.literal(days.first, sa.Date).label("first"),
            sa.literal(days.last, sa.Date).label("last"),
            sa.literal(tree, sa.Integer).label("tree"),
        )
        for number, (days, tree) in enumerate(zip(stretches, trees, strict=True))
    ]
    return cast(sa.CTE, _all(periods).cte("periods"))


def _all(selects: Sequence[Any]) -> Any:
    first, *others = selects
    return first.union_all(*others) if others else first


def _trees(db: Db, stretches: Sequence[Days]) -> list[UnitTree]:
    """The tree of each period; where nothing moved since, that of a later one."""
    if len(stretches) == 1 or stretches[0].fixed is not None:
        return [days.tree for days in stretches]
    moves = moved(db, min(days.last for days in stretches), max(days.last for days in stretches))
    since = [sum(move <= days.last for move in moves) for days in stretches]
    last = {number: days.tree for number, days in zip(since, stretches, strict=True)}
    return [last[number] for number in since]


def moved(db: Db, after: date, until: date) -> list[date]:
    """The days in between on which a unit came under another."""
    began = col(UnitEdge.valid_from)
    rows = db.execute(
        sa.select(began)
        .distinct()
        .join(Unit, col(Unit.id) == col(UnitEdge.unit_id))
        .where(began > after, began <= until, began > col(Unit.opened_on))
    )
    return sorted(rows.scalars())
