"""What is rolled up: the fold that servers do, and the check of the operator."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import Database, chunks, insert_many
from app.models.figures.rollups import FigureDay, FigureFold, FigureKept, FigureShared, FigureStale
from app.models.kernel.changes import FeedHead
from app.models.kernel.units import Unit, UnitClosure
from app.services.figures import counting, definitions, once
from app.services.figures.once import CountedKey
from app.services.figures.places import alone
from app.services.figures.rollups import UPPER, kept_days
from app.services.figures.series import Series, stored_in
from app.services.figures.stale import TREE, Changed, changed
from app.services.kernel import sequencer
from app.services.units.hierarchy import as_was, placed

# Of a day, some rows and units: the figures by their keys; what is zero is left out.
_Place = tuple[date, str, int]
_Stored = dict[_Place, dict[str, int]]
_Key = tuple[date, str]
# So many units are counted on all days in one statement.
FEW_UNITS = 50


def fold(database: Database) -> int:
    """Take in what has changed, and count the days that are missing; returns of how many days, rows
    and units figures were counted. Any number of processes may do it: one at a time does."""
    sequencer.settle(database)
    with database.writing() as session:
        counted = _catch_up(session)
    for day in kept_days():
        with database.writing() as session:
            counted += _fill(session, day)
    return counted


def _series(day: date) -> dict[str, Series]:
    """What is stored of the day, by its name."""
    return {each.name: each for each in stored_in(definitions.on(day).values()) if each.has(day)}


# -- what has changed


def _catch_up(session: Session) -> int:
    """Make right what is stored. The place of the log is read first: whatever is looked up and counted
    afterwards has all changes up to it."""
    folded = session.execute(_LOCK_FOLD).scalar_one()
    head = session.execute(sa.select(col(FeedHead.seq))).scalar_one()
    since = changed(session, folded)
    for gone in set(_kept_days(session)) - set(kept_days()):
        _forget(session, gone, None)
    counted = 0
    for series, days in _alike(session):
        if stale := since.concerns(series.source):
            counted += _renew(session, series, days, sorted(stale))
    if since.units.get(TREE):
        _add_up_again(session, since)
    for chunk in chunks(since.marks):
        counted_anew = sa.delete(FigureStale).where(col(FigureStale.id).in_(chunk))
        session.connection().execute(counted_anew)
    session.connection().execute(sa.update(FigureFold).values(seq=head))
    return counted


def _kept_days(session: Session) -> dict[date, dict[str, list[str]]]:
    found: dict[date, dict[str, list[str]]] = defaultdict(dict)
    columns = (col(FigureKept.day), col(FigureKept.rows), col(FigureKept.figures))
    for day, name, figures in session.execute(sa.select(*columns)):
        found[day][name] = figures
    return found


def _alike(session: Session) -> Iterator[tuple[Series, list[date]]]:
    """Each series with the days that they are stored of by the same rules; what is
    stored by others is forgotten."""
    kept = _kept_days(session)
    alike: dict[tuple[str, ...], tuple[Series, list[date]]] = {}
    for day, names in kept.items():
        known = _series(day)
        for name, stored in names.items():
            if name not in known or _keys(known[name]) != stored:
                _forget(session, day, name)
                continue
            alike.setdefault((name, *stored), (known[name], []))[1].append(day)
    yield from alike.values()


def _keys(series: Series) -> list[str]:
    return sorted(figure.key for figure in series.figures)


def _forget(session: Session, day: date, name: str | None) -> None:
    """What is stored of a day, or of these rows on it."""
    for model in (FigureDay, FigureShared, FigureKept):
        gone = sa.delete(model).where(col(model.day) == day)
        if name is not None:
            gone = gone.where(col(model.rows) == name)
        session.connection().execute(gone)


def _renew(session: Session, series: Series, days: Sequence[date], unit_ids: Sequence[int]) -> int:
    """Count these units anew on all days, and what stands above them by the differences. Of many
    units a day at a time: what is counted at once is in memory at once."""
    for chunk in chunks(unit_ids):
        at_once = len(days) if len(chunk) <= FEW_UNITS else 1
        for some in chunks(days, at_once):
            _renew_at_once(session, series, some, chunk)
    return len(unit_ids) * len(days)


def _renew_at_once(
    session: Session, series: Series, days: Sequence[date], unit_ids: Sequence[int]
) -> None:
    new = _count(session, series, days, unit_ids)
    old = _read(session, [series.name], days, unit_ids, whole=False)
    differing = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    _replace(session, {key: new.get(key, {}) for key in differing}, whole=False)
    differences = _carried_up(session, series.name, old, new, differing)
    if series.months is not None:
        before, after = once.of_units(session, series, days, unit_ids)
        for keys, sign in ((before, 1), (after, -1)):
            for place, times in _overlap(session, keys).items():
                _add(differences[place[0], series.name, place[1]], times, sign)
        once.replace(session, series.name, before, after)
    _carry_up(session, series.name, differences)


def _carried_up(
    session: Session, name: str, old: _Stored, new: _Stored, differing: Sequence[_Place]
) -> dict[_Place, Counter[str]]:
    """What the differences of units add to the sums above them."""
    above: dict[_Place, Counter[str]] = defaultdict(Counter)
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


def _carry_up(session: Session, name: str, differences: Mapping[_Place, Mapping[str, int]]) -> None:
    days, uppers = {key[0] for key in differences}, {key[2] for key in differences}
    old = _read(session, [name], sorted(days), sorted(uppers), whole=True)
    sums: _Stored = {}
    for key, figures in differences.items():
        total = Counter(old.get(key, {}))
        _add(total, figures, 1)
        sums[key] = _not_zero(total)
    _replace(session, sums, whole=True)


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


def _add_up_again(session: Session, since: Changed) -> None:
    """What stands above units that were moved, opened or closed."""
    above = sa.select(col(UnitClosure.ancestor_id)).distinct()
    uppers: set[int] = set()
    for chunk in chunks(sorted(since.units[TREE])):
        for ids in (above.where(col(UnitClosure.descendant_id).in_(chunk)), _in_these(chunk)):
            uppers |= set(session.execute(_UPPER.where(col(Unit.id).in_(ids))).scalars())
    for day, names in _kept_days(session).items():
        _add_up(session, day, sorted(names), sorted(uppers))


def _in_these(unit_ids: Sequence[int]) -> sa.Select[int]:
    return sa.select(col(Unit.id)).where(col(Unit.id).in_(unit_ids))


def _add_up(
    session: Session, day: date, names: Sequence[str], uppers: Sequence[int] | None
) -> None:
    """The sums of these units, or of all, from what is stored of the units in them."""
    own = _read(session, names, [day], None, whole=False)
    old = _read(session, names, [day], uppers, whole=True)
    new = _sums(session, day, names, own, uppers)
    _replace(session, {**{key: {} for key in old}, **new}, whole=True)


def _sums(
    session: Session, day: date, names: Sequence[str], own: _Stored, uppers: Sequence[int] | None
) -> _Stored:
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


# -- stored


def _read(
    session: Session,
    names: Sequence[str],
    days: Sequence[date],
    unit_ids: Sequence[int] | None,
    *,
    whole: bool,
) -> _Stored:
    rows = sa.select(
        col(FigureDay.day), col(FigureDay.rows), col(FigureDay.unit_id), col(FigureDay.figures)
    ).where(
        col(FigureDay.rows).in_(names),
        col(FigureDay.day).in_(days),
        col(FigureDay.whole).is_(whole),
    )
    of_these: list[sa.ColumnElement[bool]] = [sa.true()]
    if unit_ids is not None:
        of_these = [col(FigureDay.unit_id).in_(chunk) for chunk in chunks(unit_ids)]
    return {
        (day, name, unit_id): figures
        for which in of_these
        for day, name, unit_id, figures in session.execute(rows.where(which))
    }


def _replace(
    session: Session, stored: Mapping[tuple[date, str, int], dict[str, int]], *, whole: bool
) -> None:
    """What is empty is deleted."""
    by_day: dict[_Key, list[int]] = defaultdict(list)
    for day, name, unit_id in stored:
        by_day[day, name].append(unit_id)
    for (day, name), unit_ids in by_day.items():
        of_day = sa.delete(FigureDay).where(
            col(FigureDay.rows) == name, col(FigureDay.day) == day, col(FigureDay.whole).is_(whole)
        )
        for chunk in chunks(unit_ids):
            session.connection().execute(of_day.where(col(FigureDay.unit_id).in_(chunk)))
    _insert(session, stored, whole=whole)


def _insert(
    session: Session, stored: Mapping[tuple[date, str, int], dict[str, int]], *, whole: bool
) -> None:
    rows = [
        {"rows": name, "day": day, "whole": whole, "unit_id": unit_id, "figures": figures}
        for (day, name, unit_id), figures in stored.items()
        if figures
    ]
    insert_many(session, FigureDay, rows)


# -- counted


def _count(
    session: Session, series: Series, days: Sequence[date], unit_ids: Sequence[int] | None
) -> _Stored:
    """Each of these units, or of all, alone."""
    stretches = [series.period(day) for day in days]
    place = alone(unit_ids, stretches)
    found: _Stored = {}
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
    kept = _kept_days(session).get(day, {})
    missing = {name: series for name, series in _series(day).items() if name not in kept}
    own: _Stored = {}
    for series in missing.values():
        own |= _count(session, series, [day], None)
        if series.months is not None:
            once.replace(session, series.name, [], once.of_day(session, series, day))
    _insert(session, own, whole=False)
    if missing:
        _insert(session, _sums(session, day, [*missing], own, None), whole=True)
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
    for day, names in sorted(_kept_days(session).items()):
        for name, series in _series(day).items():
            if name in names:
                wrong += _wrong(session, since, day, series)
    if repair:
        for day, name in {(each.day, each.rows) for each in wrong}:
            _forget(session, day, name)
    return wrong


def _wrong(session: Session, since: Changed, day: date, series: Series) -> list[Wrong]:
    name, stale = series.name, since.concerns(series.source)
    own = _read(session, [name], [day], None, whole=False)
    new = _count(session, series, [day], None)
    units = [
        key[2] for key in {**own, **new} if own.get(key) != new.get(key) and key[2] not in stale
    ]
    units += _wrongly_shared(session, day, series, stale)
    if not since.units.get(TREE):
        whole = _read(session, [name], [day], None, whole=True)
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
