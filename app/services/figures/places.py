"""The parts of a unit in several periods at once: what one statement counts by."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.kernel.units import Unit, UnitLevel, UnitRef
from app.services.figures.moments import Moment
from app.services.figures.periods import Days
from app.services.units import hierarchy
from app.services.units.hierarchy import UnitTree
from app.statements import NotByIndex

# Units that have thousands in them, or more.
_WIDE = (UnitLevel.central, UnitLevel.province, UnitLevel.district)
# The part of what is in the unit and in none below it; no unit has this id.
OWN = 0
UnitIds = Sequence[int] | AnySelect


@dataclass(frozen=True, slots=True)
class Parts:
    """A unit as one part; or each of these children as one, and as `OWN` what is in none of them: the
    unit itself and the groups of a branch."""

    unit: Unit | UnitRef
    children: tuple[UnitRef, ...] | None = None

    @property
    def ids(self) -> list[int]:
        if self.children is None:
            return [self.unit.id]
        return [*(each.id for each in self.children), OWN]

    def at(self, levels: Collection[UnitLevel]) -> list[int]:
        """Those that are units of these levels."""
        units = [self.unit] if self.children is None else self.children
        return [each.id for each in units if each.level in levels]

    def in_tree(self, tree: UnitTree, only: Collection[int]) -> AnySelect:
        """The units of these parts: `id` and `part_id`."""
        units = [id_ for id_ in self.ids if id_ in only and id_ != OWN]
        below = hierarchy.placed(units, tree)
        if OWN not in only:
            return sa.select(below)
        beside = hierarchy.placed_beside(self.unit.id, self._children, tree)
        own = sa.select(beside.c.id, sa.literal(OWN))
        every = sa.select(below.c.id, below.c.part_id).union_all(own).subquery()
        return sa.select(every.c.id, every.c.part_id)

    def of_units(self, unit_ids: UnitIds, tree: UnitTree) -> AnySelect:
        """The same of these units alone."""
        every = hierarchy.placed_of(unit_ids, [self.unit.id], tree)
        if self.children is None:
            return sa.select(every)
        below = hierarchy.placed_of(unit_ids, self._children, tree)
        part_id = sa.func.coalesce(below.c.part_id, OWN).label("part_id")
        apart = every.outerjoin(below, below.c.id == every.c.id)
        return sa.select(every.c.id, part_id).select_from(apart)

    @property
    def _children(self) -> list[int]:
        return [each.id for each in self.children or ()]


@dataclass(frozen=True, slots=True)
class PeriodPlaces:
    """`periods`: `no`, `first`, `last` and `tree` of each; `parts`: the units of each part (`id`,
    `part_id`) in each `tree`. Periods between which nothing moved have one tree."""

    periods: sa.CTE
    parts: sa.CTE
    part_ids: Sequence[int]
    # Of each period the number of its tree.
    trees: Sequence[int]
    asked: Parts | None = None
    in_trees: Sequence[UnitTree] = ()

    @property
    def is_wide(self) -> bool:
        return self.asked is not None and self.asked.unit.level in _WIDE

    def of(self, unit_ids: UnitIds) -> "PeriodPlaces":
        """The same, of these units alone."""
        if self.asked is None:
            parts = sa.select(self.parts).where(self.parts.c.id.in_(unit_ids))
        else:
            parts = _numbered(self.asked.of_units(unit_ids, tree) for tree in self.in_trees)
        return replace(self, parts=parts.cte("some_parts"))

    def only(self, part_ids: Collection[int]) -> "PeriodPlaces":
        """The same, of these parts alone."""
        assert self.asked is not None  # noqa: S101  # units that are each a part of their own
        parts = _numbered(self.asked.in_tree(tree, part_ids) for tree in self.in_trees)
        return replace(self, parts=parts.cte("parts"), part_ids=[*part_ids])

    def stand_at(self, rows: sa.Subquery | sa.CTE) -> sa.Join:
        """The rows with the part that each stands in."""
        same = sa.and_(self.parts.c.id == rows.c.unit_id, self.parts.c.tree == rows.c.tree)
        return rows.join(self.parts, same)


def places(moment: Moment, asked: Parts, stretches: Sequence[Days]) -> PeriodPlaces:
    """Of these periods, numbered in their order from 0."""
    trees = _trees(moment, stretches)
    in_trees = [*dict.fromkeys(trees)]
    numbers = [in_trees.index(tree) for tree in trees]
    return PeriodPlaces(
        _periods(stretches, numbers),
        _numbered(asked.in_tree(tree, asked.ids) for tree in in_trees).cte("parts"),
        asked.ids,
        numbers,
        asked,
        in_trees,
    )


def _numbered(selects: Iterable[AnySelect]) -> AnySelect:
    """The units and parts of several trees, each with the number of its tree."""
    parts = [
        sa.select(of_tree.c.id, of_tree.c.part_id, sa.literal(number, sa.Integer).label("tree"))
        for number, select in enumerate(selects)
        for of_tree in [select.subquery()]
    ]
    return cast(AnySelect, _all(parts))


def alone(unit_ids: Sequence[int] | None, stretches: Sequence[Days]) -> PeriodPlaces:
    """Each of these units, or of all, as a part of its own."""
    units: AnySelect = sa.select(
        NotByIndex(col(Unit.id)).label("id"),
        col(Unit.id).label("part_id"),
        sa.literal(0).label("tree"),
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


def _trees(moment: Moment, stretches: Sequence[Days]) -> list[UnitTree]:
    """The tree of each period; where nothing moved since, that of a later one."""
    days = [each.tree.day for each in stretches if not each.tree.followed]
    moves = moment.moves(min(days), max(days)) if days else []
    latest: dict[int, UnitTree] = {}
    since = [sum(move <= each.tree.day for move in moves) for each in stretches]
    for each, number in zip(stretches, since, strict=True):
        if not each.tree.followed:
            latest[number] = max(latest.get(number, each.tree), each.tree)
    return [
        each.tree if each.tree.followed else latest[number]
        for each, number in zip(stretches, since, strict=True)
    ]
