"""Which units bear a code or a name on a day: those on record, and those that a list opens."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.db import chunks
from app.models.kernel.access import Right
from app.models.kernel.units import (
    AreaType,
    IdentifierScheme,
    Unit,
    UnitEdge,
    UnitIdentifier,
    UnitLevel,
)
from app.services.kernel.access import Actor, Db
from app.services.kernel.actors import reach_of
from app.services.units.handing import Ref
from app.services.units.tree import DAY
from app.text import clean, name_key


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedNames:
    codes: Collection[str]
    names: Collection[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalledUnit:
    """A unit as it was called from `since` until `until`; `code` is None of one that has none.

    Of one on record also its days, its area type, and its `edges`: what it stood under, from, until.
    """

    ref: Ref
    level: UnitLevel
    name: str
    code: str | None
    since: date
    until: date | None
    opened_on: date | None = None
    closed_on: date | None = None
    area_type: AreaType | None = None
    edges: Sequence[tuple[int, date, date | None]] = ()

    def on(self, day: date) -> bool:
        return _holds(self.since, self.until, day)

    def parent_on(self, day: date) -> int | None:
        return next((over for over, first, last in self.edges if _holds(first, last, day)), None)

    @property
    def shown(self) -> str:
        return f"{self.name} ({self.code})" if self.code else self.name


def _holds(since: date, until: date | None, day: date) -> bool:
    return since <= day and (until is None or day <= until)


class CalledUnits:
    """Those on record in a unit, as far as the actor may open units under them, and what is added.

    Names are compared with their tone marks: Văn Bán is not Vân Bán.
    """

    def __init__(self, db: Db, actor: Actor, unit: Unit, asked: AskedNames) -> None:
        self._by_code: dict[str, list[CalledUnit]] = defaultdict(list)
        self._by_name: dict[str, list[CalledUnit]] = defaultdict(list)
        for each in _on_record(db, actor, unit, asked):
            self.add(each)

    def add(self, named: CalledUnit) -> None:
        if named.code is not None:
            self._by_code[named.code].append(named)
        self._by_name[_spoken(named.name)].append(named)

    def of(self, code: str | None, name: str | None, day: date) -> list[CalledUnit]:
        """Those that had the code, and the name, on the day; each once."""
        found = self._by_code[code] if code is not None else self._by_name[_spoken(name or "")]
        fitting = (
            each
            for each in found
            if each.on(day) and (name is None or _spoken(each.name) == _spoken(name))
        )
        return list({each.ref: each for each in fitting}.values())


def _spoken(name: str) -> str:
    return clean(name).casefold()


def _on_record(db: Db, actor: Actor, unit: Unit, asked: AskedNames) -> Iterator[CalledUnit]:
    """One for each period in which a unit had one name and one code."""
    within = reach_of(db, unit).predicate(Unit)
    rows: dict[int, Any] = {}
    wanted = (
        (UnitIdentifier.value, IdentifierScheme.gso, asked.codes),
        (UnitIdentifier.value_key, IdentifierScheme.name, {name_key(each) for each in asked.names}),
    )
    for column, scheme, values in wanted:
        for chunk in chunks(sorted(values)):
            bearing = sa.select(col(UnitIdentifier.unit_id)).where(
                col(UnitIdentifier.scheme) == scheme, col(column).in_(chunk)
            )
            found = db.execute(_UNITS.where(col(Unit.id).in_(bearing), within))
            rows |= {row.id: row for row in found if actor.covers(Right.units_write, row)}
    called: dict[tuple[int, IdentifierScheme], list[Any]] = defaultdict(list)
    edges: dict[int, list[tuple[int, date, date | None]]] = defaultdict(list)
    for ids in chunks(sorted(rows)):
        for each in db.execute(_CALLED.where(col(UnitIdentifier.unit_id).in_(ids))):
            called[each.unit_id, each.scheme].append(each)
        for each in db.execute(_EDGES.where(col(UnitEdge.unit_id).in_(ids))):
            edges[each.unit_id].append((each.parent_id, each.valid_from, each.valid_to))
    for unit_id, row in rows.items():
        names = called[unit_id, IdentifierScheme.name]
        codes = called[unit_id, IdentifierScheme.gso]
        yield from _periods(row, edges[unit_id], names, codes)


def _periods(
    row: Any, edges: Sequence[Any], names: Collection[Any], codes: Collection[Any]
) -> Iterator[CalledUnit]:
    known: dict[str, Any] = {"ref": row.id, "level": row.level, "edges": edges}
    known |= {name: getattr(row, name) for name in ("opened_on", "closed_on", "area_type")}
    firsts = sorted({each.valid_from for each in (*names, *codes)})
    for place, first in enumerate(firsts):
        name, code = _then(names, first), _then(codes, first)
        ends = [each.valid_to for each in (name, code) if each is not None and each.valid_to]
        ends += [day - DAY for day in firsts[place + 1 : place + 2]]
        if name is not None:
            yield CalledUnit(
                **known,
                name=name.value,
                code=None if code is None else code.value,
                since=first,
                until=min(ends, default=None),
            )


def _then(called: Collection[Any], day: date) -> Any:
    return next(
        (each for each in called if _holds(each.valid_from, each.valid_to, day)),
        None,
    )


_UNITS = sa.select(*(getattr(Unit, name) for name in Unit.model_fields))
_CALLED = sa.select(
    col(UnitIdentifier.unit_id),
    col(UnitIdentifier.scheme),
    col(UnitIdentifier.value),
    col(UnitIdentifier.valid_from),
    col(UnitIdentifier.valid_to),
)
_EDGES = sa.select(
    col(UnitEdge.unit_id),
    col(UnitEdge.parent_id),
    col(UnitEdge.valid_from),
    col(UnitEdge.valid_to),
)
