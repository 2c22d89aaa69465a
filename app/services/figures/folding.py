"""What is rolled up: the fold that servers do."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import Database, chunks, insert_many, one_moment, take_time
from app.models.base import new_id
from app.models.figures.rollups import FigureFold, FigureKept, FigureStale
from app.models.kernel.changes import FeedHead
from app.models.kernel.units import Unit, UnitClosure
from app.services.figures import once, stored
from app.services.figures.once import CountedKey
from app.services.figures.rollups import kept_days
from app.services.figures.series import Series
from app.services.figures.stale import TREE, Changed, changed
from app.services.figures.stored import Stored
from app.services.figures.sums import (
    UPPER_UNITS,
    Above,
    above,
    add,
    alike,
    count_alone,
    not_zero,
    series_of,
    sums_of,
)
from app.services.kernel import sequencer
from app.services.kernel.access import Db

# So many units are counted on all days in one statement.
FEW_UNITS = 50
# Of days and units, where days are counted that are missing: what is counted at once is in memory at once.
_UNITS_AT_ONCE = 12_000


def fold(database: Database) -> int:
    """Take in what has changed, and count the days that are missing; returns of how many days, rows
    and units figures were counted. Any number of processes may do it: one at a time counts."""
    sequencer.settle(database)
    return _catch_up(database) + _fill(database)


# -- what has changed


@dataclass(frozen=True, slots=True)
class _Behind:
    """What a fold takes in: all that has changed before the place `head` of the log, and the marks."""

    since: Changed
    head: int
    series: Sequence[tuple[Series, Sequence[date]]]


# A transaction of a fold; returns of how many days, rows and units figures were counted.
_Step = Callable[[Session], int]


def _catch_up(database: Database) -> int:
    """Make right what is stored, in many short transactions: SQLite has one writer.

    Each leaves sums that are what is stored of their units, and a reader takes all changed units for
    stale until the last one moves the place of the log. So a fold that ends in between has lost
    nothing, and what changes meanwhile is after that place: the next fold takes it in.
    """
    with database.writing() as session:
        behind = _behind(session)
    counted = 0
    for step in _steps(database, behind):
        with database.writing() as session:
            if session.execute(_LOCK_FOLD).scalar_one() != behind.since.since:
                break  # another fold has been here
            take_time(session)
            counted += step(session)
    return counted


def _behind(session: Session) -> _Behind:
    """The place of the log is read first, while no other fold counts: whatever is looked up and
    counted afterwards has all changes up to it."""
    folded = session.execute(_LOCK_FOLD).scalar_one()
    head = session.execute(sa.select(col(FeedHead.seq))).scalar_one()
    since = changed(session, folded)
    for gone in set(stored.kept_days(session)) - set(kept_days()):
        stored.forget(session, gone, None)
    return _Behind(since, head, [*_alike(session)])


def _steps(database: Database, behind: _Behind) -> Iterator[_Step]:
    """What is to be done, the place of the log last."""
    with database.reading() as db:
        since = replace(behind.since, db=db)
        sources = {series.rows_name: series.source for series, _ in behind.series}
        stale = {name: sorted(since.concerns(source)) for name, source in sources.items()}
        uppers = _above_moved(db, since)
    for series, days in behind.series:
        for chunk in chunks(stale[series.rows_name]):
            # Of many units a day at a time: what is counted at once is in memory at once.
            at_once = len(days) if len(chunk) <= FEW_UNITS else 1
            for some in chunks(days, at_once):
                yield partial(_renew, series=series, days=some, unit_ids=chunk)
    if uppers:
        for day in sorted({day for _, days in behind.series for day in days}):
            yield partial(_add_up_again, day=day, uppers=uppers)
    yield partial(_take_in, behind=behind)


def _take_in(session: Session, behind: _Behind) -> int:
    """Marks that were made meanwhile stay, and so does what the log has after the place."""
    for chunk in chunks(behind.since.marks):
        counted_anew = sa.delete(FigureStale).where(col(FigureStale.id).in_(chunk))
        session.connection().execute(counted_anew)
    session.connection().execute(sa.update(FigureFold).values(seq=behind.head))
    return 0


def _alike(session: Session) -> Iterator[tuple[Series, list[date]]]:
    """Each series with the days that they are stored of by the same rules; what is
    stored by others is forgotten."""
    by_rules: dict[date, list[Series]] = {}
    for day, names in stored.kept_days(session).items():
        known = series_of(day)
        for name, keys in names.items():
            if name in known and known[name].keys == keys:
                by_rules.setdefault(day, []).append(known[name])
            else:
                stored.forget(session, day, name)
    yield from alike(by_rules)


def _renew(session: Session, series: Series, days: Sequence[date], unit_ids: Sequence[int]) -> int:
    """Count these units anew on these days, and what stands above them by the differences; not on
    days that have been forgotten meanwhile."""
    days = stored.still_kept(session, series.name, series.keys, days)
    if not days:
        return 0
    new = count_alone(session, series, days, unit_ids)
    old = stored.read(session, [series.name], days, unit_ids, whole=False)
    differing = [place for place in {**old, **new} if old.get(place) != new.get(place)]
    stored.replace(session, {place: new.get(place, {}) for place in differing}, whole=False)
    before: list[CountedKey] = []
    after: list[CountedKey] = []
    if series.months is not None:
        before, after = once.of_units(session, series, days, unit_ids)
        once.replace(session, series.name, before, after)
    concerned = {place[2] for place in differing} | {key.unit_id for key in (*before, *after)}
    above_them = above(session, days, concerned)
    sums = [
        sums_of({place: of[place] for place in differing if place in of}, keys, above_them)
        for of, keys in ((old, {series.name: before}), (new, {series.name: after}))
    ]
    _carry_up(session, series.name, *sums)
    return len(unit_ids) * len(days)


def _carry_up(session: Session, name: str, old: Stored, new: Stored) -> None:
    """What the differences of units add to the sums above them."""
    places = {**old, **new}
    days, uppers = {place[0] for place in places}, {place[2] for place in places}
    sums = stored.read(session, [name], sorted(days), sorted(uppers), whole=True)
    carried: Stored = {}
    for place in places:
        total = Counter(sums.get(place, {}))
        add(total, new.get(place, {}), 1)
        add(total, old.get(place, {}), -1)
        carried[place] = not_zero(total)
    stored.replace(session, carried, whole=True)


def _above_moved(db: Db, since: Changed) -> list[int]:
    """What stands above units that were moved, opened or closed."""
    standing = sa.select(col(UnitClosure.ancestor_id)).distinct()
    uppers: set[int] = set()
    for chunk in chunks(sorted(since.units.get(TREE, ()))):
        for ids in (standing.where(col(UnitClosure.descendant_id).in_(chunk)), _in_these(chunk)):
            uppers |= set(db.execute(UPPER_UNITS.where(col(Unit.id).in_(ids))).scalars())
    return sorted(uppers)


def _in_these(unit_ids: Sequence[int]) -> sa.Select[int]:
    return sa.select(col(Unit.id)).where(col(Unit.id).in_(unit_ids))


def _add_up_again(session: Session, day: date, uppers: Sequence[int]) -> int:
    """The sums of these units from what is stored of the units in them."""
    names = sorted(stored.kept_days(session).get(day, ()))
    own = stored.read(session, names, [day], None, whole=False)
    shared = {name: once.stored(session, name, [day]) for name in names}
    old = stored.read(session, names, [day], uppers, whole=True)
    new = sums_of(own, shared, above(session, [day], uppers=uppers))
    stored.replace(session, {**{place: {} for place in old}, **new}, whole=True)
    return 0


_LOCK_FOLD = sa.select(col(FigureFold.seq)).where(col(FigureFold.id) == 1).with_for_update()


# -- what is missing


def _fill(database: Database) -> int:
    """Count the days that are not stored. Who writes waits for no count, only for what is stored of it."""
    with database.writing() as session:
        begun = _begin(session)
    counted = 0
    for days in chunks([*begun.missing], begun.days_at_once):
        with database.reading() as db:
            above_them = above(db, days)
        for series, some in alike({day: begun.missing[day] for day in days}):
            with database.reading() as db, one_moment(db):
                take_time(db)
                found = _found(db, series, some, above_them)
            with database.writing() as session:
                session.execute(_LOCK_FOLD)
                if stored.still_kept(session, series.name, [begun.token], some) != some:
                    return counted  # another fold has been here
                _store(session, series, some, found)
            counted += len(found.own)
    return counted


@dataclass(frozen=True, slots=True)
class _Begun:
    """`token`: is stored of these days until they are counted, and forgotten by any fold that begins
    meanwhile: it would not count them, and take the changes in that these counts lack."""

    token: str
    missing: Mapping[date, Sequence[Series]]
    days_at_once: int


def _begin(session: Session) -> _Begun:
    session.execute(_LOCK_FOLD)
    kept = stored.kept_days(session)
    missing: dict[date, list[Series]] = defaultdict(list)
    for day in kept_days():
        for name, series in series_of(day).items():
            if name not in kept.get(day, {}):
                missing[day].append(series)
    token = str(new_id())
    rows = [
        {"rows": series.name, "day": day, "figures": [token]}
        for day, some in missing.items()
        for series in some
    ]
    insert_many(session, FigureKept, rows)
    units = session.execute(sa.select(sa.func.count()).select_from(Unit)).scalar_one()
    return _Begun(token, missing, max(_UNITS_AT_ONCE // max(units, 1), 1))


@dataclass(frozen=True, slots=True)
class _Found:
    own: Stored
    shared: Sequence[CountedKey]
    sums: Stored


def _found(db: Db, series: Series, days: Sequence[date], above_them: Above) -> _Found:
    own = count_alone(db, series, days, None)
    shared = [] if series.months is None else once.of_days(db, series, days)
    return _Found(own, shared, sums_of(own, {series.name: shared}, above_them))


def _store(session: Session, series: Series, days: Sequence[date], found: _Found) -> None:
    stored.insert(session, found.own, whole=False)
    stored.insert(session, found.sums, whole=True)
    once.replace(session, series.name, [], found.shared)
    counted = sa.update(FigureKept).where(
        col(FigureKept.rows) == series.name, col(FigureKept.day).in_(days)
    )
    session.connection().execute(counted.values(figures=series.keys))
