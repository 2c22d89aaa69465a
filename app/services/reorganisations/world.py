"""The units that a reorganisation is about, as they are before it: what its plan is made from."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.db import chunks
from app.models.kernel.access import Right
from app.models.kernel.units import (
    AreaType,
    GroupKind,
    IdentifierScheme,
    Unit,
    UnitClosure,
    UnitEdge,
    UnitIdentifier,
    UnitLevel,
    UnitSuccession,
)
from app.models.reorganisations.operations import (
    CloseUnit,
    MergeUnits,
    RetireLevel,
    SplitUnit,
    TransferPart,
    UnitChange,
)
from app.services.kernel.access import Actor, Db
from app.services.reorganisations import residents
from app.services.reorganisations.residents import Residents
from app.services.units.handing import Ref
from app.services.units.identifiers import code_holders
from app.services.units.reading import member_counts
from app.services.units.units import valid_on


@dataclass(slots=True, kw_only=True)
class Known:
    """A unit. `moved_on` and `named_on` are the first days of its last parent and of its last name,
    code and area type: nothing before them is changed. `latest` is the last day recorded of it in
    the tree: it does not close before that."""

    ref: Ref
    level: UnitLevel
    name: str
    code: str | None
    area_type: AreaType | None
    group_kind: GroupKind | None
    parent: Ref | None
    in_province: bool
    opened_on: date
    closed_on: date | None = None
    moved_on: date | None = None
    named_on: dict[IdentifierScheme, date] = field(default_factory=dict)
    latest: date | None = None
    # People in it and below it; `shown` only to those who may count them.
    members: int = 0
    members_shown: bool = True


@dataclass(frozen=True, slots=True)
class CodeHolder:
    """A unit has the code on these days."""

    unit: Ref
    valid_from: date
    valid_to: date | None

    def overlaps(self, other: "CodeHolder") -> bool:
        first, second = sorted((self, other), key=lambda each: each.valid_from)
        return first.valid_to is None or second.valid_from <= first.valid_to


@dataclass(slots=True)
class World:
    units: dict[Ref, Known]
    holders: dict[str, list[CodeHolder]] = field(default_factory=dict)
    # Named by an operation, and out of the scope of whoever plans: as if they did not exist.
    hidden: set[Ref] = field(default_factory=set)
    # Of branches whose people are shared out.
    residents: dict[Ref, Residents] = field(default_factory=dict)

    def line(self, ref: Ref) -> list[Ref]:
        """The unit and all above it, upwards."""
        found = [ref]
        while (parent := self.units[found[-1]].parent) is not None:
            found.append(parent)
        return found

    def children(self, ref: Ref) -> list[Known]:
        """The units directly below that are open."""
        return [
            unit for unit in self.units.values() if unit.parent == ref and unit.closed_on is None
        ]


def references(operation: UnitChange) -> Iterator[tuple[str, Ref]]:
    """All units that an operation names, each with its JSON pointer."""
    for name in type(operation).model_fields:
        value = getattr(operation, name)
        if name in ("assigned", "members", "households"):
            for place, each in enumerate(value):
                if name == "assigned":
                    yield f"/{name}/{place}/unit_id", each.unit_id
                yield f"/{name}/{place}/to_id", each.to_id
        elif name in ("member_ids", "household_ids"):
            continue
        elif name.endswith("_ids"):
            yield from ((f"/{name}/{place}", ref) for place, ref in enumerate(value))
        elif name.endswith("_id") and value is not None:
            yield f"/{name}", value


def named_units(operations: Sequence[UnitChange]) -> set[int]:
    """Those of them that exist already, or so the operations say."""
    found = {ref for each in operations for _, ref in references(each)}
    return {ref for ref in found if isinstance(ref, int)}


def lowest_over(world: World, unit_ids: set[int]) -> int | None:
    """The lowest unit that stands over all of these, or is one of them; None of those that meet
    nowhere."""
    lines = [world.line(unit_id) for unit_id in unit_ids]
    common = set(lines[0]).intersection(*lines[1:])
    return next((ref for ref in lines[0] if ref in common and isinstance(ref, int)), None)


def placed_in(world: World, unit_ids: set[int]) -> int:
    """The unit that a reorganisation of these is listed under."""
    return lowest_over(world, unit_ids) or min(unit_ids)


def load(
    db: Db,
    actor: Actor | None,
    operations: Sequence[UnitChange],
    since: date,
    *,
    openly: bool = False,
) -> World:
    """What the operations name, and what stands directly under units that they empty or fill. `openly`:
    no unit is hidden from the actor, who agrees with its officers."""
    named = named_units(operations)
    emptied = {ref for each in operations for ref in _emptied(each) if isinstance(ref, int)}
    for each in operations:
        if isinstance(each, RetireLevel) and isinstance(each.under_id, int):
            emptied |= _of_level(db, each.level, each.under_id, since)
    rows = _rows(db, col(Unit.id), named | emptied)
    rows += _rows(db, col(Unit.parent_id), named | emptied)
    by_id = {row.id: row for row in rows}
    while above := {row.parent_id for row in by_id.values()} - {None, *by_id}:
        by_id |= {row.id: row for row in _rows(db, col(Unit.id), above)}
    counts = member_counts(db, [by_id[id_] for id_ in emptied if id_ in by_id])
    units: dict[Ref, Known] = {
        row.id: _known(row, counts.get(row.id, 0), actor) for row in by_id.values()
    }
    _date(db, units, list(by_id))
    codes = {code for each in operations if (code := getattr(each, "code", None)) is not None}
    shared = {ref for each in operations for ref in _shared_out(each) if ref in units}
    branches = {ref for ref in shared if units[ref].level is UnitLevel.branch}
    world = World(units, residents=residents.load(db, branches))
    if actor is not None and not openly:
        world.hidden |= {
            id_ for id_ in named & by_id.keys() if not actor.covers(Right.units_read, by_id[id_])
        }
    for unit_id, code, first, last in code_holders(db, codes, since):
        world.holders.setdefault(code, []).append(CodeHolder(unit_id, first, last))
    return world


def _emptied(operation: UnitChange) -> Iterable[Ref]:
    match operation:
        case CloseUnit() | SplitUnit():
            yield operation.unit_id
        case MergeUnits():
            yield from operation.unit_ids
        case TransferPart():
            yield operation.from_id
        case _:
            return


def _shared_out(operation: UnitChange) -> Iterator[int]:
    match operation:
        case SplitUnit(unit_id=int(ref)) | TransferPart(from_id=int(ref)):
            yield ref
        case _:
            return


def _of_level(db: Db, level: UnitLevel, under_id: int, day: date) -> set[int]:
    found = db.execute(
        sa.select(col(Unit.id))
        .join(UnitClosure, col(UnitClosure.descendant_id) == col(Unit.id))
        .where(
            col(UnitClosure.ancestor_id) == under_id,
            col(UnitClosure.depth) > 0,
            valid_on(UnitClosure, day),
            col(Unit.level) == level,
            col(Unit.closed_on).is_(None),
        )
    )
    return set(found.scalars())


_COLUMNS = [getattr(Unit, name) for name in Unit.model_fields]


def _rows(db: Db, column: Any, ids: Collection[int]) -> list[Any]:
    found: list[Any] = []
    for chunk in chunks(sorted(ids)):
        found += db.execute(sa.select(*_COLUMNS).where(column.in_(chunk)).order_by(col(Unit.id)))
    return found


def _known(row: Any, members: int, actor: Actor | None) -> Known:
    return Known(
        ref=row.id,
        level=row.level,
        name=row.name,
        code=row.code,
        area_type=row.area_type,
        group_kind=row.group_kind,
        parent=row.parent_id,
        in_province=row.province_id is not None,
        opened_on=row.opened_on,
        closed_on=row.closed_on,
        members=members,
        members_shown=actor is None or actor.covers(Right.members_read, row),
    )


def _date(db: Db, units: dict[Ref, Known], ids: Sequence[int]) -> None:
    """Fill in the days from which on each unit may be changed."""

    def last(column: Any, *by: Any) -> Iterable[Any]:
        for chunk in chunks(ids):
            statement = sa.select(*by, sa.func.max(column)).where(by[0].in_(chunk))
            yield from db.execute(statement.group_by(*by))

    edge = col(UnitEdge.valid_from)
    for unit_id, day in last(edge, col(UnitEdge.unit_id)):
        units[unit_id].moved_on = day
        _recorded(units[unit_id], day)
    for unit_id, scheme, day in last(
        col(UnitIdentifier.valid_from), col(UnitIdentifier.unit_id), col(UnitIdentifier.scheme)
    ):
        units[unit_id].named_on[scheme] = day
        _recorded(units[unit_id], day)
    for unit_id, day in last(col(UnitEdge.valid_to), col(UnitEdge.parent_id)):
        _recorded(units[unit_id], day)
    for unit_id, day in last(col(UnitSuccession.effective_on), col(UnitSuccession.to_unit_id)):
        _recorded(units[unit_id], day)


def _recorded(unit: Known, day: date | None) -> None:
    if day is not None and (unit.latest is None or day > unit.latest):
        unit.latest = day
