"""Lists of what counts in units in a tree, by the same trees as figures (`hierarchy`).

A tree only says in which units a row counts. Who may see the row is decided as in every list: by
where it stands today.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today
from app.db import AnySelect
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitLevel
from app.services.kernel.access import Actor, Db, visible
from app.services.kernel.reach import Reach
from app.services.units import hierarchy
from app.services.units.hierarchy import UnitTree
from app.services.units.units import valid_on


class StaysOf(NamedTuple):
    """Dated rows of who is in which branch: the column that says who, and which of them count."""

    model: Any
    whose: Any
    counts: tuple[sa.ColumnElement[bool], ...] = ()


@dataclass(frozen=True, slots=True)
class CountedUnits:
    """The units that count in those a list is of; without a statement, all. `last`: the last day of
    what is listed."""

    tree: UnitTree
    last: date
    unit_ids: sa.Select[int] | None

    def have(self, unit_id: Any) -> sa.ColumnElement[bool]:
        """Rows that keep their unit."""
        return sa.true() if self.unit_ids is None else col(unit_id).in_(self.unit_ids)

    def had(self, stay: StaysOf, whose: Any, day: Any = None) -> sa.ColumnElement[bool]:
        """Rows of who was in one of these units on the day of the row, a column, but on the last day
        at the latest; without a column on the last day."""
        here = (self.have(stay.model.branch_id), *stay.counts)
        ids: AnySelect = sa.select(col(stay.whose))
        if day is None:
            return col(whose).in_(ids.where(*here, valid_on(stay.model, self.last)))
        on = sa.case((day < self.last, day), else_=self.last)
        then = sa.exists().where(col(stay.whose) == whose, *here, valid_on(stay.model, on))
        # Implied by the rest, to begin with those who were ever there.
        return sa.and_(col(whose).in_(ids.where(*here)), then)


class InTree(Protocol):
    """A query of a list in a tree."""

    @property
    def hierarchy(self) -> str | None: ...
    @property
    def last_day(self) -> date | None: ...


class OfUnit(InTree, Protocol):
    @property
    def unit(self) -> int | None: ...


def places(
    db: Db, actor: Actor, rights: Iterable[Right], units: Sequence[Reach], query: InTree
) -> CountedUnits | None:
    """None where the query asks for no tree. 403 where a tree of another day has units that are of
    others today."""
    if query.hierarchy is None:
        return None
    today = local_today()
    last = min(query.last_day or today, today)
    tree = hierarchy.chosen(query.hierarchy) or hierarchy.as_was(last)
    unit_ids = [unit_id for reach in units for unit_id in reach.unit_ids]
    for right in rights:
        hierarchy.ensure_held(db, actor, right, unit_ids, tree, last)
    if any(reach.level is UnitLevel.central for reach in units):
        return CountedUnits(tree, last, None)
    return CountedUnits(tree, last, sa.select(hierarchy.placed(unit_ids, tree).c.id))


def units_of_tree(
    db: Db, actor: Actor, right: Right, unit: Unit | None, query: InTree
) -> CountedUnits | None:
    """The same for one unit, or for all where the right is held."""
    reaches = actor.reach(right) if unit is None else (Reach(unit.level, unit.id),)
    return places(db, actor, [right], reaches, query)


def rows_of_units(
    db: Db,
    actor: Actor,
    right: Right,
    unit: Unit | None,
    query: InTree,
    standing: Callable[[Unit], sa.ColumnElement[bool]],
) -> list[sa.ColumnElement[bool]]:
    """The units of a list of what units have: where the right is held, in the unit of a filter. Where
    the query asks for no tree, `standing` says what stands in it."""
    here = [visible(Unit, actor, right)]
    found = units_of_tree(db, actor, right, unit, query)
    if found is not None:
        here.append(found.have(Unit.id))
    elif unit is not None:
        here.append(standing(unit))
    return here
