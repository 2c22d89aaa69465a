"""How a reader walks through the change log: each page costs what is on it, however long the log is.

Branches and communes are read by indexes of their own. All else is read in the order of the log,
and what is not for the reader is passed over: a province's follower meets what is new to everybody.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.base import table_of
from app.models.kernel.access import Right
from app.models.kernel.changes import Change, Feed
from app.models.kernel.units import Unit, UnitLevel
from app.services.kernel.access import Actor
from app.services.kernel.keyset import Key, Order, Walk
from app.services.kernel.manifest import manifest
from app.services.kernel.reach import Reach, within
from app.services.kernel.tracking import PATH
from app.statements import NotByIndex

READ: Final[AnySelect] = sa.select(
    *(getattr(Feed, name) for name in ("seq", "change_id", "operation", "unit_id", *PATH)),
    *(
        getattr(Change, name)
        for name in (
            "at",
            "entity",
            "entity_id",
            "revision",
            "account_id",
            "device",
            "request_id",
            "source",
            "source_ref",
            "before",
            "after",
        )
    ),
).join(Change, col(Change.id) == col(Feed.change_id))
PLACES: Final[AnySelect] = sa.select(
    *(
        getattr(Feed, name)
        for name in ("seq", "change_id", "operation", "entity", "entity_id", "unit_id", *PATH)
    )
)
BY_SEQ: Final = Order(col(Feed.seq))
# With an index of the log in its order each.
_INDEXED: Final = {UnitLevel.branch: "branch_id", UnitLevel.commune: "commune_id"}
# What the walk has an index for is only compared.
_COMPARED: Any = SimpleNamespace(**{name: NotByIndex(getattr(Feed, name)) for name in PATH})
# Kinds of rows, by the units in which they are read.
KindsOfUnits = Mapping[tuple[Reach, ...], Iterable[str]]
_ENTITY: Final = NotByIndex(col(Feed.entity))


def readable(actor: Actor) -> sa.ColumnElement[bool]:
    """Feed rows the actor may read: of each entity, where the actor may read both it and changes."""
    entities: dict[tuple[Reach, ...], list[str]] = {}
    for tracked in manifest().tracked.values():
        entities.setdefault(actor.reach(tracked.read_right), []).append(tracked.entity)
    of_entities = [
        sa.and_(of_kinds(names), standing_in(reach)) for reach, names in entities.items() if reach
    ]
    changes_read = standing_in(actor.reach(Right.changes_read))
    return sa.and_(changes_read, sa.or_(sa.false(), *of_entities))


def standing_in(reaches: Iterable[Reach]) -> sa.ColumnElement[bool]:
    """Feed rows of what stood in these units at the time."""
    return within(_COMPARED, reaches)


def of_kinds(entities: Iterable[str]) -> sa.ColumnElement[bool]:
    """Of these kinds of entities."""
    return _ENTITY.in_(sorted(entities))


def below(unit: Unit, reach: Reach) -> sa.ColumnElement[bool]:
    """What stood in the unit at the time: units move, facts do not. `reach`: the unit with all below it."""
    return sa.or_(reach.predicate(_COMPARED), col(Feed.unit_id) == unit.id)


def walk(actor: Actor, statement: AnySelect, unit: Unit | None, *, sqlite: bool) -> Walk:
    """Through what a statement of the feed joined to its changes finds; with `unit`, it finds only
    what is below it."""
    if unit is not None and unit.level in _INDEXED:
        units: Mapping[str, Sequence[int]] = {_INDEXED[unit.level]: (unit.id,)}
    else:
        units = _indexed(actor.reach(Right.changes_read))
    return _through(READ, statement, units, sqlite=sqlite)


def places_within(
    reaches: Sequence[Reach],
    entities: Iterable[str],
    *conditions: sa.ColumnElement[bool],
    sqlite: bool,
) -> Walk:
    """Through the places of the log in these units, of changes of these entities."""
    statement = PLACES.where(of_kinds(entities), within(_COMPARED, reaches), *conditions)
    return _through(PLACES, statement, _indexed(reaches), sqlite=sqlite)


def places_of_kinds(kinds: KindsOfUnits, *, sqlite: bool) -> Walk:
    """Through the places of the log of changes of these kinds, of each in its units."""
    conditions = [
        sa.and_(of_kinds(names), within(_COMPARED, reaches)) for reaches, names in kinds.items()
    ]
    statement = PLACES.where(sa.or_(sa.false(), *conditions))
    units = _indexed(dict.fromkeys(reach for reaches in kinds for reach in reaches))
    return _through(PLACES, statement, units, sqlite=sqlite)


def _indexed(reaches: Iterable[Reach]) -> Mapping[str, Sequence[int]]:
    """The units to be read, by the column that has an index; none: the log as it is."""
    units: dict[str, list[int]] = {}
    for reach in reaches:
        if reach.level not in _INDEXED:
            return {}
        units.setdefault(_INDEXED[reach.level], []).extend(reach.unit_ids)
    return units


def _through(
    read: AnySelect, statement: AnySelect, units: Mapping[str, Sequence[int]], *, sqlite: bool
) -> Walk:
    """`statement` is `read` with conditions."""
    if not units:
        return BY_SEQ.walk(statement)
    if sum(map(len, units.values())) == 1:
        [(column, (unit_id,))] = units.items()
        return BY_SEQ.within(statement, getattr(Feed, column), unit_id)
    return _of_several(read, statement, units, sqlite=sqlite)


def _of_several(
    read: AnySelect, statement: AnySelect, units: Mapping[str, Sequence[int]], *, sqlite: bool
) -> Walk:
    """Their places are merged first: the changes themselves are read once."""
    places = statement.with_only_columns(col(Feed.seq))
    key = table_of(Feed).c.seq

    def of_column(column: Any, unit_ids: Sequence[int]) -> Walk:
        return BY_SEQ.of_each(
            unit_ids, lambda unit: places.where(column == unit), key, sqlite=sqlite
        )

    walks = [of_column(col(getattr(Feed, name)), ids) for name, ids in units.items()]

    def page(after: Key | None, limit: int) -> AnySelect:
        nearest = BY_SEQ.merged(walks, after, limit).subquery()
        return read.where(col(Feed.seq).in_(sa.select(nearest.c.seq))).order_by(col(Feed.seq))

    return page
