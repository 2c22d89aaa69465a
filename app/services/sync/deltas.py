"""What has changed since a cursor: changes of the log, reduced to the rows as they are now.

A row is sent as it is, however often it has changed since. What the actor may not keep any more is
dropped, whatever has happened to it: that is decided by the rows of now, and not by the log.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.db import chunks, on_sqlite
from app.models.base import table_of
from app.models.kernel.changes import Change, Feed, Operation
from app.models.kernel.units import UnitLevel
from app.models.sync.pull import SyncOp
from app.services.audit.walks import PLACES, places_within
from app.services.kernel.access import Actor
from app.services.kernel.actors import reach_of
from app.services.kernel.manifest import manifest
from app.services.kernel.offers import Circle, Follows, SyncKind
from app.services.kernel.reach import Reach, within
from app.services.sync import slices
from app.services.sync.pages import BoundedPage, Item, dropped, kept
from app.services.sync.slices import Key
from app.services.units.rows import find_many

# Changes that are read at a time at most, and the bytes that one of them is reckoned to bring.
_MOST_CHANGES: Final = 500
_BYTES_OF_A_CHANGE: Final = 500
_MOVES: Final = frozenset({Operation.left_scope, Operation.entered_scope})
_GONE: Final = frozenset({Operation.deleted, Operation.erased})
_LEAVING: Final = _GONE | {Operation.left_scope}
# Of each kind: the keys of rows, and whether they have come into the scope.
Touched = Mapping[str, Mapping[Key, bool]]


@dataclass(frozen=True)
class ChangeBatch:
    """Changes of the log, oldest first."""

    rows: Sequence[Any]

    @property
    def seq(self) -> int:
        seq: int = self.rows[-1].seq
        return seq

    def half(self) -> "ChangeBatch":
        return ChangeBatch(self.rows[: len(self.rows) // 2])

    def until_departure(self) -> "ChangeBatch":
        """Up to the first unit that went out of these units, with those that went right after it.

        What has left the unit since then did so elsewhere: it is read when the unit is known as departed.
        """
        for at, row in enumerate(self.rows):
            if row.change_id in self._departures:
                return ChangeBatch(self.rows[: self._end_of_departures(at)])
        return self

    def _end_of_departures(self, at: int) -> int:
        """Where those end that follow each other in the log: between two is only where one came to."""
        end = at + 1
        while end < len(self.rows):
            before, row = self.rows[end - 1], self.rows[end]
            if row.change_id not in self._departures or row.seq > before.seq + 2:
                break
            end += 1
        return end

    @cached_property
    def _departures(self) -> Mapping[UUID, int]:
        """The units that went, by the change that says so, and has come to no place in these units."""
        moves = [row for row in self.rows if row.entity == "unit" and row.operation in _MOVES]
        came = {row.change_id for row in moves if row.operation is Operation.entered_scope}
        return {row.change_id: int(row.entity_id) for row in moves if row.change_id not in came}

    def departed(self, db: Connection) -> list[Reach]:
        """The units that went out of the units that were read."""
        return [
            reach_of(db, unit)
            for unit in find_many(db, sorted({*self._departures.values()}))
            if unit.level is not UnitLevel.group
        ]

    @cached_property
    def operations(self) -> Mapping[str, Mapping[str, set[Operation]]]:
        """What has happened to each row of each entity."""
        found: defaultdict[str, defaultdict[str, set[Operation]]] = defaultdict(
            lambda: defaultdict(set)
        )
        for row in self.rows:
            found[row.entity][row.entity_id].add(row.operation)
        return found

    def moved_units(self, db: Connection, *, entered: bool = False) -> list[Reach]:
        """Units that now stand elsewhere: what is in them came along, logged or not. `entered`: only
        those that came from outside of the scope."""
        ids = [
            int(text)
            for text, done in self.operations["unit"].items()
            if done & _MOVES and (not entered or _has_entered(done))
        ]
        return [
            reach_of(db, unit) for unit in find_many(db, ids) if unit.level is not UnitLevel.group
        ]


def moved_between(db: Connection, unit_ids: Collection[int], after: int, until: int) -> bool:
    """Whether one of these units has come to stand elsewhere by these changes."""
    moves = sa.select(col(Feed.seq)).where(
        col(Feed.entity) == "unit",
        col(Feed.entity_id).in_([str(unit_id) for unit_id in sorted(unit_ids)]),
        col(Feed.seq) > after,
        col(Feed.seq) <= until,
        col(Feed.operation) == Operation.entered_scope,
    )
    return db.execute(moves.limit(1)).first() is not None


def unread(
    db: Connection,
    kinds: Iterable[SyncKind],
    day: date,
    circle: Circle,
    departed: Sequence[Reach],
    after: int,
    room: int,
) -> tuple[ChangeBatch, bool]:
    """The next changes in these units that decide about rows of these kinds, and what has left those
    that have departed, about as many as there is room for; whether they are all."""
    most = max(1, min(_MOST_CHANGES, room // _BYTES_OF_A_CHANGE))
    entities = {"unit"}
    for kind in kinds:
        entities |= {kind.entity, *(each.entity for each in kind.follows)}
    walk = places_within(circle.reaches, entities, sqlite=on_sqlite(db))
    rows = [*db.execute(walk((after,), most))]
    if departed:
        leaving = col(Feed.operation).in_(_LEAVING)
        walk = places_within(departed, entities, leaving, sqlite=on_sqlite(db))
        rows = _next((*rows, *db.execute(walk((after,), most))), most)
    is_all = len(rows) < most
    until = None if is_all else rows[-1].seq
    rows += _elsewhere(db, kinds, day, circle, (after, until))
    return ChangeBatch(sorted(rows, key=attrgetter("seq"))), is_all


def _next(rows: Iterable[Any], most: int) -> list[Any]:
    by_seq = {row.seq: row for row in rows}
    return [by_seq[seq] for seq in sorted(by_seq)[:most]]


def _elsewhere(
    db: Connection,
    kinds: Iterable[SyncKind],
    day: date,
    circle: Circle,
    between: tuple[int, int | None],
) -> list[Any]:
    """Changes of what rows of the phone show, or have invited it, and that stands in units of others."""
    after, until = between
    found: list[Any] = []
    for entity, ids in _outside(db, kinds, day, circle).items():
        unread = PLACES.where(col(Feed.entity) == entity, col(Feed.seq) > after)
        if until is not None:
            unread = unread.where(col(Feed.seq) <= until)
        for chunk in chunks(sorted(ids)):
            found += db.execute(unread.where(col(Feed.entity_id).in_(chunk)))
    return found


def _outside(
    db: Connection, kinds: Iterable[SyncKind], day: date, circle: Circle
) -> Mapping[str, set[str]]:
    """What stands in units of others: ids as the log has them, by entity."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for kind in kinds:
        for entity, column in kind.names.items():
            model, _ = manifest().by_entity[entity]
            shown = slices.standing(kind, circle, day, column).where(column.is_not(None))
            others = sa.select(table_of(model).c.id).where(
                table_of(model).c.id.in_(shown), within(model, circle.reaches).is_not(sa.true())
            )
            found[entity].update(map(str, db.execute(others).scalars()))
        for entity, ids in kind.invites.elsewhere.items() if kind.invites is not None else ():
            found[entity].update(map(str, db.execute(ids(circle)).scalars()))
    return found


def page_of(
    db: Connection,
    actor: Actor,
    kinds: Sequence[SyncKind],
    batch: ChangeBatch,
    day: date,
    room: int,
    asked: Circle | None,
) -> tuple[BoundedPage, ChangeBatch]:
    """As many of the changes as there is room for, at least one; and which these are. `asked`: as in
    `slices.places`."""
    while True:
        page = BoundedPage(room)
        many = len(batch.rows) > 1
        if _fill(page, db, actor, kinds, touched(db, kinds, batch), day, asked, many=many):
            return page, batch
        batch = batch.half()


def _fill(
    page: BoundedPage,
    db: Connection,
    actor: Actor,
    kinds: Sequence[SyncKind],
    rows_touched: Touched,
    day: date,
    asked: Circle | None,
    *,
    many: bool,
) -> bool:
    """Put rows on a page: parents first, and last what is dropped, children first; false where they
    have no room, and are of `many` changes."""
    gone: list[Item] = []
    for kind in kinds:
        keys = rows_touched.get(kind.name, {})
        if not keys:
            continue
        there = slices.places(db, kind, actor, day, keys, asked)
        rows = slices.read(db, kind, actor, [key for key in there if there[key].kept])
        for key in rows:
            op = SyncOp.entered_scope if keys[key] else SyncOp.upsert
            page.add(kept(op, kind, there[key], rows[key]))
        if page.is_full and many:
            return False
        for key in keys:
            if key not in rows:
                place = there.get(key)
                exists = place is not None and place.exists
                op = SyncOp.left_scope if exists else SyncOp.delete
                gone.append(dropped(op, kind, key))
    for item in reversed(gone):
        page.add(item)
    return not (page.is_full and many)


def touched(db: Connection, kinds: Sequence[SyncKind], batch: ChangeBatch) -> Touched:
    """The rows that the changes decide about: changed themselves, or shown by what has changed."""
    found: defaultdict[str, dict[Key, bool]] = defaultdict(dict)
    for kind in kinds:
        keys = found[kind.name]
        for follows in kind.follows:
            for entered in (False, True):
                for key in _followed(db, follows, batch, entered=entered):
                    keys[key] = entered
        for text, done in batch.operations.get(kind.entity, {}).items():
            keys[slices.key_of(kind, text)] = _has_entered(done)
    return found


def _has_entered(done: set[Operation]) -> bool:
    return Operation.entered_scope in done and done.isdisjoint(
        {Operation.left_scope, Operation.created}
    )


def _followed(
    db: Connection, follows: Follows, batch: ChangeBatch, *, entered: bool
) -> Iterable[Key]:
    changed = [
        text
        for text, done in batch.operations.get(follows.entity, {}).items()
        if _has_entered(done) is entered and (not follows.on_moves or done & (_MOVES | _GONE))
    ]
    if changed and follows.fields:
        concerned = _with_fields(db, follows, batch)
        changed = [text for text in changed if text in concerned]
    if not changed:
        return
    model, _ = manifest().by_entity[follows.entity]
    is_number = isinstance(table_of(model).c.id.type, sa.Integer)
    ids = [int(text) if is_number else UUID(text) for text in changed]
    yield from db.execute(follows.of(ids)).scalars()
    if follows.key_in_log is not None and not entered:
        yield from _named_by_gone(db, follows.entity, follows.key_in_log, batch)


def _with_fields(db: Connection, follows: Follows, batch: ChangeBatch) -> set[str]:
    """The rows of an entity that are gone, or of which some fields were changed."""
    rows = [row for row in batch.rows if row.entity == follows.entity]
    found = {row.entity_id for row in rows if row.operation in _GONE}
    before = sa.select(col(Change.entity_id), col(Change.before)).where(
        col(Change.id).in_({row.change_id for row in rows})
    )
    return found | {
        row.entity_id
        for row in db.execute(before)
        if not follows.fields.isdisjoint(row.before or ())
    }


def _named_by_gone(db: Connection, entity: str, column: str, batch: ChangeBatch) -> Iterable[Key]:
    """What rows named that are gone: only the log knows it."""
    ids = [
        row.change_id
        for row in batch.rows
        if row.entity == entity and row.operation is Operation.deleted
    ]
    before = sa.select(col(Change.before)[column].as_string()).where(col(Change.id).in_(ids))
    return [UUID(text) for text in db.execute(before).scalars() if text is not None]
