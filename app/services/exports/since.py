"""What is different since another export: each row once, however often it has changed."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from typing import Any, Final
from uuid import UUID

from sqlalchemy.engine import Connection
from sqlmodel import col

from app.db import chunks
from app.models.exports.exports import ExportOp
from app.models.kernel.changes import Operation
from app.services.kernel.access import Actor
from app.services.kernel.following import Position
from app.services.kernel.offers import Circle, SyncKind
from app.services.kernel.reach import Reach
from app.services.sync import deltas, slices
from app.services.sync.cursors import Cursor
from app.services.sync.deltas import ChangeBatch
from app.services.sync.scopes import Scope, differing, with_all_above
from app.services.sync.slices import Key, RowPlace
from app.services.units.rows import find

# Changes are read in as large parts as a phone's largest page.
_ROOM: Final = 8_000_000
_COMES: Final = frozenset({Operation.created, Operation.entered_scope})
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Gone:
    """A row to drop; `kept_id`: the one that it went into."""

    op: ExportOp
    kind: str
    id: Key
    kept_id: UUID | None


@dataclass(frozen=True, slots=True)
class PageSince:
    """Rows with their `op`, and rows to drop. `walked`: the units of which all rows are read; none where rows
    were looked for one by one."""

    rows: Sequence[Row]
    gone: Sequence[Gone]
    walked: tuple[Reach, ...]


@dataclass
class Differences:
    """Between the export at `given` and the moment `position`, whose rows `db` reads. `log` reads the
    changes up to there: those of the moment's last ones have their numbers outside of its snapshot."""

    db: Connection
    log: Connection
    actor: Actor
    given: Cursor
    position: Position
    scope: Scope
    # What rows of each kind consist of now.
    prints: Mapping[str, str]
    day: date
    # What concerns the unit that was asked for; None: there is none.
    _asked: Circle | None = field(init=False)
    # By kind and row, whether it has come into the units only since, as its first change says.
    _touched: defaultdict[str, dict[Key, bool]] = field(
        init=False, default_factory=lambda: defaultdict(dict)
    )
    _first: dict[tuple[str, str], Operation] = field(init=False, default_factory=dict)
    _moved: list[Reach] = field(init=False, default_factory=list)
    _came: list[Reach] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._asked = None if self.given.unit is None else self.scope.circle

    def read_log(self, kinds: Sequence[SyncKind]) -> None:
        """Find the rows that changes of the log are about."""
        held = [kind for kind in kinds if self.given.whole.may_hold(kind)]
        after = self.given.seq
        unit = None if self.given.unit is None else find(self.db, self.given.unit)
        over = with_all_above(self.actor, unit)
        if deltas.moved_between(self.log, over, after, self.position.seq):
            self._moved += self.given.whole.reaches  # their rows say where they stand
        circle = self.given.whole.circle
        departed: tuple[Reach, ...] = ()
        while True:
            reads = (held, self.day, circle, departed, after, _ROOM)
            unread, is_all = deltas.unread(self.log, *reads)
            batch = unread.until_departure()
            is_all = is_all and batch is unread
            known = ChangeBatch([row for row in batch.rows if row.seq <= self.position.seq])
            if known.rows:
                self._take(held, known)
                after = known.seq
                departed = (*departed, *known.departed(self.db))
            if is_all or len(known.rows) < len(batch.rows):
                return

    def _take(self, kinds: Sequence[SyncKind], batch: ChangeBatch) -> None:
        for row in batch.rows:
            self._first.setdefault((row.entity, row.entity_id), row.operation)
        for name, keys in deltas.touched(self.db, kinds, batch).items():
            for key, entered in keys.items():
                self._touched[name].setdefault(key, entered)
        self._moved += batch.moved_units(self.db)
        self._came += batch.moved_units(self.db, entered=True)

    def of(self, kind: SyncKind) -> Iterator[PageSince]:
        """Of a kind: rows in which units or rights have changed, then those that have changed."""
        if not (self.given.whole | self.scope).may_hold(kind):
            return
        has_kind = self.given.has.get(kind.name) == self.prints[kind.name]
        if has_kind and self.given.day < self.day and slices.turns(kind):
            turned = (self.given.day, self.given.whole.circle)
            for places in self._walk(kind, Circle(), turned):
                for place in places:
                    self._touched[kind.name].setdefault(place.key, False)
        circle = differing(
            kind,
            whole=self.given.whole if has_kind else None,
            perhaps=Scope(),
            wanted=self.scope,
        )
        circle = replace(circle, reaches=(*circle.reaches, *self._moved))
        if circle != Circle():
            for places in self._walk(kind, circle, None):
                others = {p.key: p for p in places if p.key not in self._touched[kind.name]}
                yield self._walked(kind, others, circle.reaches)
        keys = iter(sorted(self._touched[kind.name]))
        while part := list(islice(keys, kind.page)):
            yield self._changed(kind, part)

    def _walk(
        self, kind: SyncKind, circle: Circle, turned: tuple[date, Circle] | None
    ) -> Iterator[Sequence[RowPlace]]:
        after: Key | None = None
        while True:
            found = slices.keys_after(
                *(self.db, kind, self.actor, self.day, circle, turned, after),
                kept_only=False,
                asked=self._asked,
            )
            yield found
            if len(found) < kind.page:
                return
            after = found[-1].key

    def _walked(
        self, kind: SyncKind, places: Mapping[Key, RowPlace], walked: tuple[Reach, ...]
    ) -> PageSince:
        had = self._had(kind, places)
        rows = self._rows(
            kind, places.values(), lambda place: place.key not in had and self._is_old(place)
        )
        # Of what has come with new rights or units it never had the rest.
        gone = [
            self._gone(kind, place.key, place)
            for place in places.values()
            if not place.kept and self._is_old(place) and (place.key in had or self._moved)
        ]
        return PageSince(rows, self._merged(kind, gone), walked)

    def _changed(self, kind: SyncKind, keys: Sequence[Key]) -> PageSince:
        places = slices.places(self.db, kind, self.actor, self.day, keys, self._asked)
        entered = self._touched[kind.name]
        rows = self._rows(
            kind, places.values(), lambda place: entered[place.key] and self._is_old(place)
        )
        gone = [
            self._gone(kind, key, places.get(key))
            for key in keys
            if (key not in places or not places[key].kept) and not self._is_new(kind, key)
        ]
        return PageSince(rows, self._merged(kind, gone), ())

    def _is_new(self, kind: SyncKind, key: Key) -> bool:
        """It was in no export before: what has come into a unit that was lost meanwhile is not even named."""
        first = self._first.get((kind.entity, str(key)))
        return self._touched[kind.name][key] if first is None else first in _COMES

    def _is_old(self, place: RowPlace) -> bool:
        old: bool = place.came_after <= self.given.given_at
        return old

    def _rows(self, kind: SyncKind, places: Iterable[RowPlace], entered: Any) -> list[Row]:
        kept = {place.key: place for place in places if place.kept}
        read = slices.read(self.db, kind, self.actor, sorted(kept))
        return [
            {"op": (ExportOp.entered_scope if entered(kept[key]) else ExportOp.upsert).value, **row}
            for key, row in sorted(read.items())
        ]

    def _had(self, kind: SyncKind, keys: Iterable[Key]) -> set[Key]:
        """Those that stand in units which the export before was of, and have not come with a unit."""
        if kind.name not in self.given.has:
            return set()
        parts = self.given.whole.for_kind(kind)
        reaches = tuple(reach for reach, rights in parts if kind.right in rights)
        here = slices.stands_in(kind, Circle(reaches, self.given.whole.above))
        came = slices.stands_in(kind, Circle(tuple(self._came)))
        ids = col(kind.model.id)
        return {
            key
            for part in chunks(sorted(keys))
            for key in self.db.execute(
                slices.of_kind(kind, ids).where(ids.in_(part), here, came.is_not(True))
            ).scalars()
        }

    def _gone(self, kind: SyncKind, key: Key, place: RowPlace | None) -> Gone:
        exists = place is not None and place.exists
        return Gone(ExportOp.left_scope if exists else ExportOp.delete, kind.name, key, None)

    def _merged(self, kind: SyncKind, gone: Sequence[Gone]) -> Sequence[Gone]:
        """With the rows that they went into."""
        ids = [each.id for each in gone if each.op is ExportOp.delete]
        if kind.went_into is None or not ids:
            return gone
        kept = kind.went_into(self.db, self.actor, ids)
        return [replace(each, kept_id=kept.get(each.id)) for each in gone]
