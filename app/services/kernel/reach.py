"""Within reach of a unit: its whole subtree, as a rule for one row and as a condition for many."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import sqlalchemy as sa

from app.models.kernel.units import UnitLevel

_LEVEL_COLUMN = {
    UnitLevel.province: "province_id",
    UnitLevel.district: "district_id",
    UnitLevel.commune: "commune_id",
    UnitLevel.branch: "branch_id",
}


class Placed(Protocol):
    """Any object that carries the ids of the units it belongs to today."""

    @property
    def province_id(self) -> int | None: ...
    @property
    def commune_id(self) -> int | None: ...
    @property
    def branch_id(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Reach:
    """One unit whose whole subtree is within reach.

    Members carry no district (the level ended on 2025-06-30): a district reaches them through
    the communes it has today.
    """

    level: UnitLevel
    unit_id: int
    communes: tuple[int, ...] = ()
    # The id of its province; None for the central unit.
    province_id: int | None = field(default=None, compare=False)
    # Units that were merged into it whole: they are closed, so what is in them is of the days before.
    former: tuple[int, ...] = ()

    @property
    def unit_ids(self) -> tuple[int, ...]:
        """The unit, and what was merged into it."""
        return (self.unit_id, *self.former)

    def without_former(self) -> "Reach":
        """The unit as a filter means it: what stands in it, on the day asked."""
        return replace(self, former=()) if self.former else self

    def contains(self, row: Placed) -> bool:
        if self.level is UnitLevel.central:
            return True
        if self.level not in _LEVEL_COLUMN:
            return False  # people and facts belong to branches: none belong to a group
        if self.level is UnitLevel.district:
            # Most rows have no district: to ask for it costs more than all the rest.
            return (
                row.commune_id in self.communes
                or getattr(row, "district_id", None) in self.unit_ids
            )
        found = getattr(row, _LEVEL_COLUMN[self.level])
        return bool(found == self.unit_id or found in self.former)

    def units(self, model: type[Any]) -> dict[str, tuple[int, ...]]:
        """The level columns of a model, and the units in each, by which its rows are in reach."""
        if self.level not in _LEVEL_COLUMN:
            return {}
        found: dict[str, tuple[int, ...]] = {}
        if self.level is UnitLevel.district:
            found["commune_id"] = self.communes
        if hasattr(model, _LEVEL_COLUMN[self.level]):
            found[_LEVEL_COLUMN[self.level]] = self.unit_ids
        return found

    def predicate(self, model: type[Any]) -> sa.ColumnElement[bool]:
        return within(model, (self,))


def within(model: type[Any], reaches: Iterable[Reach]) -> sa.ColumnElement[bool]:
    """Rows of a model with level columns that one of these reaches: a condition for each column,
    however many units there are."""
    units: dict[str, list[int]] = {}
    for reach in reaches:
        if reach.level is UnitLevel.central:
            return sa.true()
        for column, unit_ids in reach.units(model).items():
            units.setdefault(column, []).extend(unit_ids)
    return sa.or_(
        sa.false(), *(one_of(getattr(model, column), units[column]) for column in sorted(units))
    )


def one_of(column: Any, unit_ids: Sequence[int]) -> sa.ColumnElement[bool]:
    found: sa.ColumnElement[bool] = (
        column == unit_ids[0] if len(unit_ids) == 1 else column.in_(unit_ids)
    )
    return found
