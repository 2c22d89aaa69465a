"""What is rolled up: the fold that servers do, and the check of the operator."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import Database, chunks, insert_many
from app.models.figures.rollups import FigureFold, FigureKept, FigureStale
from app.models.kernel.changes import FeedHead
from app.models.kernel.units import Unit, UnitClosure
from app.services.figures import counting, definitions, once, stored
from app.services.figures.once import CountedKey
from app.services.figures.places import alone
from app.services.figures.rollups import UPPER, kept_days
from app.services.figures.series import Series, stored_in
from app.services.figures.stale import TREE, Changed, changed
from app.services.figures.stored import Place, Stored
from app.services.kernel import sequencer
from app.services.kernel.access import Db
from app.services.units.hierarchy import as_was, placed

# So many units are counted on all days in one statement.
FEW_UNITS = 50


def fold(database: Database) -> int:
    """Take in what has changed, and count the days that are missing; returns of how many days, rows
    and units figures were counted. Any number of processes may do it: one at a time counts."""
    sequencer.settle(database)
    counted = _catch_up(database)
    for day in kept_days():
        with database.writing() as session:
            counted += _fill(session, day)
    return counted


def _series(day: date) -> dict[str, Series]:
    """What is stored of the day, by its name."""
    return {each.name: each for each in stored_in(definitions.on(day).values()) if each.has(day)}


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
    kept = stored.kept_days(session)
    alike: dict[tuple[str, ...], tuple[Series, list[date]]] = {}
    for day, names in kept.items():
        known = _series(day)
        for name, keys in names.items():
            if name not in known or _keys(known[name]) != keys:
                stored.forget(session, day, name)
                continue
            alike.setdefault((name, *keys), (known[name], []))[1].append(day)
    yield from alike.values()


def _keys(series: Series) -> list[str]:
    return sorted(figure.key for figure in series.figures)


def _renew(session: Session, series: Series, days: Sequence[date], unit_ids: Sequence[int]) -> int:
    """Count these units anew on these days, and what stands above them by the differences; not on
    days that have been forgotten meanwhile."""
    days = stored.still_kept(session, series.name, _keys(series), days)
    if not days:
        return 0
    new = _count(session, series, days, unit_ids)
    old = stored.read(session, [series.name], days, unit_ids, whole=False)
    differing = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    stored.replace(session, {key: new.get(key, {}) for key in differing}, whole=False)
    differences = _carried_up(session, series.name, old, new, differing)
    if series.months is not None:
        before, after = once.of_units(session, series, days, unit_ids)
        for keys, sign in ((before, 1), (after, -1)):
            for place, times in _overlap(session, keys).items():
                _add(differences[place[0], series.name, place[1]], times, sign)
        once.replace(session, series.name, before, after)
    _carry_up(session, series.name, differences)
    return len(unit_ids) * len(days)


def _carried_up(
    session: Session, name: str, old: Stored, new: Stored, differing: Sequence[Place]
) -> dict[Place, Counter[str]]:
    """What the differences of units add to the sums above them."""
    above: dict[Place, Counter[str]] = defaultdict(Counter)
    for day in sorted({key[0] for key in differing}):
        units = [unit_id for on, _, unit_id in differing if on == day]
        for unit_id, upper_id in _pairs(session, day, _UPPER, units):
            _add(above[day, name, upper_id], new.get((day, name, unit_id), {}), 1)
            _add(above[day, name, upper_id], old.get((day, name, unit_id), {}), -1)
    return above


def _add(to: Counter[str], figures: Mapping[str, int], sign: int) -> None:
    for key, value in figures.items():
        to[key] += sign * value


def _overlap(
    session: Session, keys: Sequence[CountedKey], uppers: Sequence[int] | None = None
) -> dict[tuple[date, int], Counter[str]]:
    """How much too often the keys are counted in units above, by day and unit; in these, or in all."""
    above: dict[tuple[date, int], list[int]] = defaultdict(list)
    for day in sorted({each.day for each in keys}):
        units = sorted({each.unit_id for each in keys if each.day == day})
        for unit_id, upper_id in _pairs(session, day, _UPPER if uppers is None else uppers, units):
            above[day, unit_id].append(upper_id)
    return once.overlap(keys, above)


def _carry_up(session: Session, name: str, differences: Mapping[Place, Mapping[str, int]]) -> None:
    days, uppers = {key[0] for key in differences}, {key[2] for key in differences}
    old = stored.read(session, [name], sorted(days), sorted(uppers), whole=True)
    sums: Stored = {}
    for key, figures in differences.items():
        total = Counter(old.get(key, {}))
        _add(total, figures, 1)
        sums[key] = _not_zero(total)
    stored.replace(session, sums, whole=True)


def _not_zero(figures: Mapping[str, int]) -> dict[str, int]:
    return {key: value for key, value in figures.items() if value}


_UPPER: sa.Select[int] = sa.select(col(Unit.id)).where(col(Unit.level).in_(UPPER))


def _pairs(
    session: Session,
    day: date,
    uppers: Sequence[int] | sa.Select[int],
    unit_ids: Sequence[int] | None = None,
) -> Iterator[tuple[int, int]]:
    """Units with each unit above the branches that they stand in on the day."""
    table = placed(uppers, as_was(day))
    pairs = sa.select(table.c.id, table.c.part_id)
    if unit_ids is None:
        for row in session.execute(pairs):
            yield row[0], row[1]
        return
    for chunk in chunks(unit_ids):
        for row in session.execute(pairs.where(table.c.id.in_(chunk))):
            yield row[0], row[1]


def _above_moved(db: Db, since: Changed) -> list[int]:
    """What stands above units that were moved, opened or closed."""
    above = sa.select(col(UnitClosure.ancestor_id)).distinct()
    uppers: set[int] = set()
    for chunk in chunks(sorted(since.units.get(TREE, ()))):
        for ids in (above.where(col(UnitClosure.descendant_id).in_(chunk)), _in_these(chunk)):
            uppers |= set(db.execute(_UPPER.where(col(Unit.id).in_(ids))).scalars())
    return sorted(uppers)


def _in_these(unit_ids: Sequence[int]) -> sa.Select[int]:
    return sa.select(col(Unit.id)).where(col(Unit.id).in_(unit_ids))


def _add_up_again(session: Session, day: date, uppers: Sequence[int]) -> int:
    """The sums of these units from what is stored of the units in them."""
    names = sorted(stored.kept_days(session).get(day, ()))
    own = stored.read(session, names, [day], None, whole=False)
    old = stored.read(session, names, [day], uppers, whole=True)
    new = _sums(session, day, names, own, uppers)
    stored.replace(session, {**{key: {} for key in old}, **new}, whole=True)
    return 0


def _sums(
    session: Session, day: date, names: Sequence[str], own: Stored, uppers: Sequence[int] | None
) -> Stored:
    found: dict[tuple[date, str, int], Counter[str]] = defaultdict(Counter)
    for unit_id, upper_id in _pairs(session, day, _UPPER if uppers is None else uppers):
        for name in names:
            if figures := own.get((day, name, unit_id)):
                found[day, name, upper_id].update(figures)
    for name in names:
        for (_, upper_id), times in _overlap(
            session, once.stored(session, name, [day]), uppers
        ).items():
            _add(found[day, name, upper_id], times, -1)
    return {key: _not_zero(sums) for key, sums in found.items()}


# -- counted


def _count(
    session: Session, series: Series, days: Sequence[date], unit_ids: Sequence[int] | None
) -> Stored:
    """Each of these units, or of all, alone."""
    stretches = [series.period(day) for day in days]
    place = alone(unit_ids, stretches)
    found: Stored = {}
    counted = counting.live(
        session, series.figures, place, unit_ids, stretches, of_some=unit_ids is not None
    )
    keys = {figure.code: figure.key for figure in series.figures}
    for day, cells in zip(days, counted, strict=True):
        for (unit_id, code), value in cells.items():
            if value:
                found.setdefault((day, series.name, unit_id), {})[keys[code]] = int(value)
    return found


def _fill(session: Session, day: date) -> int:
    """Count what is not stored of the day."""
    session.execute(_LOCK_FOLD)
    kept = stored.kept_days(session).get(day, {})
    missing = {name: series for name, series in _series(day).items() if name not in kept}
    own: Stored = {}
    for series in missing.values():
        own |= _count(session, series, [day], None)
        if series.months is not None:
            once.replace(session, series.name, [], once.of_day(session, series, day))
    stored.insert(session, own, whole=False)
    if missing:
        stored.insert(session, _sums(session, day, [*missing], own, None), whole=True)
    rows = [
        {"rows": name, "day": day, "figures": _keys(series)} for name, series in missing.items()
    ]
    insert_many(session, FigureKept, rows)
    return len(own)


_LOCK_FOLD = sa.select(col(FigureFold.seq)).where(col(FigureFold.id) == 1).with_for_update()


# -- the check


@dataclass(frozen=True, slots=True)
class Wrong:
    """A stored figure that a recount does not find."""

    rows: str
    day: date
    unit_id: int


def check(session: Session, *, repair: bool) -> list[Wrong]:
    """Recount all that is stored and that no change since concerns; what is wrong is dropped only
    where `repair` says so, with all else of those rows and that day, and counted by the next fold."""
    since = changed(session, session.execute(_LOCK_FOLD).scalar_one())
    wrong: list[Wrong] = []
    for day, names in sorted(stored.kept_days(session).items()):
        for name, series in _series(day).items():
            if name in names:
                wrong += _wrong(session, since, day, series)
    if repair:
        for day, name in {(each.day, each.rows) for each in wrong}:
            stored.forget(session, day, name)
    return wrong


def _wrong(session: Session, since: Changed, day: date, series: Series) -> list[Wrong]:
    name, stale = series.name, since.concerns(series.source)
    own = stored.read(session, [name], [day], None, whole=False)
    new = _count(session, series, [day], None)
    units = [
        key[2] for key in {**own, **new} if own.get(key) != new.get(key) and key[2] not in stale
    ]
    units += _wrongly_shared(session, day, series, stale)
    if not since.units.get(TREE):
        whole = stored.read(session, [name], [day], None, whole=True)
        sums = _sums(session, day, [name], own, None)
        units += [key[2] for key in {**whole, **sums} if whole.get(key, {}) != sums.get(key, {})]
    return [Wrong(name, day, unit_id) for unit_id in sorted(set(units))]


def _wrongly_shared(session: Session, day: date, series: Series, stale: set[int]) -> Iterator[int]:
    """Units with keys that are in others too, or no longer; those of changed units are to be counted."""
    if series.months is None:
        return
    was, is_ = set(once.stored(session, series.name, [day])), {*once.of_day(session, series, day)}
    changed_keys = {each.key for each in was | is_ if each.unit_id in stale}
    yield from (each.unit_id for each in was ^ is_ if each.key not in changed_keys)
