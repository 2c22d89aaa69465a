"""Pages of what a phone has to keep and to drop (docs/decisions/0047).

First comes a walk through the rows in which the phone may differ: all of them at the beginning,
later those where rights or units have changed. Then come the changes of the log after it began.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from sqlalchemy.engine import Connection

from app.clock import local_today, utc_now
from app.db import one_moment
from app.errors import invalid
from app.models.kernel.following import FollowQuery
from app.models.sync.pull import SyncOp, SyncQuery
from app.security.sealing import Sealer
from app.services.kernel.access import Actor, forbidden, require_somewhere
from app.services.kernel.following import Following, newest
from app.services.kernel.manifest import manifest
from app.services.kernel.offers import Circle, SyncData, SyncKind
from app.services.sync import cursors, data, deltas, slices
from app.services.sync.cursors import Cursor, SnapshotWalk
from app.services.sync.pages import BoundedPage, dropped, kept
from app.services.sync.scopes import Scope, differing, versions, with_all_above
from app.services.sync.slices import RowPlace
from app.services.units.rows import find
from app.services.units.units import find_filter

# The clocks of two servers may differ by so much.
_SKEW: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Pulled:
    """A page, the sealed cursor after it, the number of the change that it has come to, and whether
    the phone has all there is with it."""

    page: BoundedPage
    cursor: str
    seq: int
    checkpoint: bool


def pull(db: Connection, actor: Actor, query: SyncQuery, sealer: Sealer) -> Pulled:
    """The next page after a cursor; 409 `start_over` where the phone cannot go on from it."""
    with one_moment(db):
        if query.cursor is None:
            cursor = _first(db, actor, query)
        else:
            cursor = cursors.read(db, actor, query.cursor, sealer)
            _ensure_same(cursor, query)
        page = _Pull(db, actor, cursor, BoundedPage(query.max_bytes))
        checkpoint = page.fill()
        return Pulled(page.page, page.cursor.sealed(sealer), page.cursor.seq, checkpoint)


def _ensure_same(cursor: Cursor, query: SyncQuery) -> None:
    """422 for another kind or unit than the cursor was begun with: that is a stream of its own."""
    if query.kinds and set(query.kinds) != set(cursor.asked or ()):
        raise invalid("not_together", "/kinds", place="query", expected="cursor")
    if query.unit is not None and query.unit != cursor.unit:
        raise invalid("not_together", "/unit", place="query", expected="cursor")


def _first(db: Connection, actor: Actor, query: SyncQuery) -> Cursor:
    asked = tuple(query.kinds) or None
    ensure_readable(db, actor, asked)
    if query.unit is not None:
        find_filter(db, actor, query.unit, pointer="/unit")
    position = newest(db)
    return Cursor(
        account_id=actor.account_id,
        device_id=actor.device_id,
        epoch=position.epoch,
        seq=position.seq,
        given_at=utc_now(),
        day=local_today(),
        asked=asked,
        unit=query.unit,
        has={},
        whole=Scope(),
        perhaps=Scope(),
        walk=None,
    )


def ensure_readable(db: Connection, actor: Actor, asked: Sequence[str] | None) -> None:
    """403 for each kind asked for whose right is held nowhere; of all, when none is held."""
    kinds = manifest().sync
    of_rows = [name for name in asked or () if name in kinds]
    for name in of_rows:
        if not actor.reach(kinds[name].right):
            raise forbidden(db, actor, kinds[name].right, None)
    if asked is not None and not of_rows:
        return  # data of the release is for everybody
    if not any(actor.reach(kind.right) for kind in kinds.values()):
        require_somewhere(db, actor, next(iter(kinds.values())).right)


@dataclass
class _Pull:
    """One page on its way: `cursor` is how far it has come."""

    db: Connection
    actor: Actor
    cursor: Cursor
    page: BoundedPage
    kinds: list[SyncKind] = field(init=False)
    lists: list[SyncData] = field(init=False)
    scope: Scope = field(init=False)
    # Of a phone that asked for a unit: what is in it.
    asked: Circle | None = field(init=False)
    # The units of the phone, with all above them.
    over: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        cursor = self.cursor
        kinds = manifest().sync
        self.kinds = list(slices.in_order(kinds, kinds if cursor.asked is None else cursor.asked))
        self.lists = data.asked(cursor.asked)
        # A unit that the actor has lost since, or that is gone, leaves nothing to keep.
        unit = None if cursor.unit is None else find(self.db, cursor.unit)
        is_gone = unit is None and cursor.unit is not None
        self.scope = Scope() if is_gone else Scope.of(self.db, self.actor, unit)
        self.asked = None if cursor.unit is None else self.scope.circle
        self.over = with_all_above(self.actor, unit)

    def fill(self) -> bool:
        """Fill the page; whether the phone has all there is with it."""
        given = self.cursor
        asked = FollowQuery(after=given.seq, epoch=given.epoch)
        position = Following.of(self.db, asked).newest
        walk = self._walk()
        self.cursor = replace(self.cursor, epoch=position.epoch, given_at=utc_now(), walk=walk)
        if self.cursor.walk is not None and not self._walked(given):
            return False
        while not self.page.is_nearly_full:
            if self._has_all(position.seq):
                return True
            if self.cursor.walk is not None:
                break
        return False

    # -- the walk

    def _walk(self) -> SnapshotWalk | None:
        """The walk that the cursor is on, or has to begin."""
        cursor, walk = self.cursor, self.cursor.walk
        today, wanted = local_today(), self._wanted()
        if walk is not None and (walk.scope, walk.day, walk.kinds) == (self.scope, today, wanted):
            return walk
        has = (cursor.whole, cursor.day, cursor.has)
        if walk is None and has == (self.scope, today, wanted):
            return None
        again = () if walk is None else walk.again
        if walk is not None:  # what it has come to does not hold any more
            self.cursor = replace(cursor, perhaps=cursor.perhaps | walk.scope)
        return SnapshotWalk(self.scope, today, wanted, again)

    def _wanted(self) -> Mapping[str, str]:
        """Prints of what each kind consists of, and of what data says."""
        return versions(self.kinds) | data.prints(self.db, self.lists)

    def _walked(self, given: Cursor) -> bool:
        """Go on with the walk; whether it has come to its end."""
        walk = self.cursor.walk
        assert walk is not None  # noqa: S101  # asked where there is one
        kinds: list[SyncKind | SyncData] = [*self.lists, *self.kinds]
        names = [kind.name for kind in kinds]
        first = 0 if walk.kind is None else names.index(walk.kind)
        for kind in kinds[first:]:
            after = walk.after if kind.name == walk.kind else None
            here = replace(walk, kind=kind.name, after=after)
            if isinstance(kind, SyncData):
                is_whole = self._walked_data(here, kind)
            else:
                is_whole = self._walked_kind(given, here, kind)
            if not is_whole:
                return False
        cursor = self.cursor
        self.cursor = replace(
            cursor,
            day=walk.day,
            has=walk.kinds,
            whole=walk.scope,
            perhaps=cursor.perhaps | cursor.whole | walk.scope,
            walk=None,
        )
        return True

    def _walked_data(self, walk: SnapshotWalk, kept: SyncData) -> bool:
        """The rows of another edition than the phone has; `after` is how many of them it has."""
        if self.cursor.has.get(kept.name) == walk.kinds[kept.name]:
            return True
        items = data.items(self.db, kept)
        begun = walk.after if isinstance(walk.after, int) else 0
        for done in range(begun, len(items)):
            if not self.page.fits(len(items[done].text)):
                self.cursor = replace(self.cursor, walk=replace(walk, after=done))
                return False
            self.page.add(items[done])
        return True

    def _walked_kind(self, given: Cursor, walk: SnapshotWalk, kind: SyncKind) -> bool:
        cursor = self.cursor
        has_kind = cursor.has.get(kind.name) == walk.kinds[kind.name]
        circle = differing(
            kind,
            whole=cursor.whole if has_kind else None,
            perhaps=cursor.perhaps,
            wanted=walk.scope,
        )
        is_later = has_kind and cursor.day < walk.day and slices.turns(kind)
        turned = (cursor.day, cursor.whole.circle) if is_later else None
        circle = replace(circle, reaches=(*circle.reaches, *walk.again))
        if not (cursor.whole | cursor.perhaps | walk.scope).may_hold(kind):
            return True
        is_bare = not (cursor.whole.parts or cursor.perhaps.parts)
        if circle == Circle() and turned is None:
            return True
        while True:
            found = slices.keys_after(
                *(self.db, kind, self.actor, walk.day, circle, turned, walk.after),
                kept_only=is_bare,
                asked=self.asked,
            )
            done = self._put(kind, found, given)
            if done < len(found):
                last = found[done - 1].key if done else walk.after
                self.cursor = replace(cursor, walk=replace(walk, after=last))
                return False
            if len(found) < kind.page:
                return True
            walk = replace(walk, after=found[-1].key)

    def _put(self, kind: SyncKind, found: Sequence[RowPlace], given: Cursor) -> int:
        """Put rows on the page; how many of them had room."""
        rows = slices.read(self.db, kind, self.actor, [each.key for each in found if each.kept])
        for done, place in enumerate(found):
            row = rows.get(place.key)
            if row is not None:
                item = kept(SyncOp.upsert, kind, place, row)
            elif place.came_after > given.given_at + _SKEW:
                continue  # the phone has never had it
            else:
                item = dropped(
                    SyncOp.left_scope if place.exists else SyncOp.delete, kind, place.key
                )
            if not self.page.fits(len(item.text)):
                return done
            self.page.add(item)
        return len(found)

    # -- the changes

    def _has_all(self, last: int) -> bool:
        """Go on with the changes; whether these were all."""
        cursor = self.cursor
        had = cursor.perhaps | cursor.whole
        kinds = [kind for kind in self.kinds if had.may_hold(kind)]
        day = local_today()
        room = self.page.room
        reads = (kinds, day, had.circle, cursor.departed, cursor.seq, room)
        unread, is_all = deltas.unread(self.db, *reads)
        batch = unread.until_departure()
        is_all = is_all and batch is unread
        page, done = deltas.page_of(self.db, self.actor, kinds, batch, day, room, self.asked)
        if not self.page.take(page):
            self.page.room = 0
            return False
        is_all = is_all and done is batch
        seq = last if is_all else done.seq
        moved = done.moved_units(self.db)
        if seq > cursor.seq and deltas.moved_between(self.db, self.over, cursor.seq, seq):
            moved += had.reaches  # their rows say where they stand
        departed = tuple(dict.fromkeys((*cursor.departed, *done.departed(self.db))))
        self.cursor = replace(cursor, seq=seq, departed=departed)
        if moved:
            again = tuple(dict.fromkeys(moved))
            walk = SnapshotWalk(self.scope, day, self._wanted(), again)
            self.cursor = replace(self.cursor, walk=walk)
            return False
        if done is not batch:
            self.page.room = 0
        if is_all:
            self.cursor = replace(self.cursor, perhaps=cursor.whole, departed=())
        return is_all
