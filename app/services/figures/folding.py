"""What is rolled up: the fold that servers do, and the check of the operator."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import Database, chunks, insert_many
from app.models.figures.rollups import FigureDay, FigureFold, FigureKept, FigureStale
from app.models.kernel.changes import FeedHead
from app.models.kernel.units import Unit, UnitClosure
from app.services.figures import counting, definitions
from app.services.figures.definitions import Figure
from app.services.figures.places import alone
from app.services.figures.rollups import (
    TREE,
    UPPER,
    Changed,
    changed,
    kept_days,
    month_of,
)
from app.services.kernel import sequencer
from app.services.units.hierarchy import as_was, placed

# Of a day, some rows and units: the figures by their keys; what is zero is left out.
_Stored = dict[tuple[date, str, int], dict[str, int]]
_Key = tuple[date, str]


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


def _groups(day: date) -> dict[str, list[Figure]]:
    """The figures of the day that are rolled up, by their rows."""
    found: dict[str, list[Figure]] = defaultdict(list)
    for figure in definitions.on(day).values():
        if figure.adds_up:
            found[figure.rows_name].append(figure)
    return found


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
    for figures, days in _alike(session):
        source = figures[0].rows
        assert source is not None  # noqa: S101  # they add up
        stale = since.concerns(source)
        if stale is None:
            for day in days:
                _forget(session, day, figures[0].rows_name)
        elif stale:
            counted += _renew(session, figures, days, sorted(stale))
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


def _alike(session: Session) -> Iterator[tuple[list[Figure], list[date]]]:
    """Figures of the same rows with the days that they are stored of by the same rules; what is
    stored by others is forgotten."""
    kept = _kept_days(session)
    alike: dict[tuple[str, ...], tuple[list[Figure], list[date]]] = {}
    for day, names in kept.items():
        groups = _groups(day)
        for name, stored in names.items():
            figures = groups.get(name, [])
            keys = sorted(each.key for each in figures)
            if keys != stored:
                _forget(session, day, name)
                continue
            alike.setdefault((name, *keys), (figures, []))[1].append(day)
    yield from alike.values()


def _forget(session: Session, day: date, name: str | None) -> None:
    """What is stored of a day, or of these rows on it."""
    for model in (FigureDay, FigureKept):
        gone = sa.delete(model).where(col(model.day) == day)
        if name is not None:
            gone = gone.where(col(model.rows) == name)
        session.connection().execute(gone)


def _renew(
    session: Session, figures: Sequence[Figure], days: Sequence[date], unit_ids: Sequence[int]
) -> int:
    """Count these units anew on all days, and what stands above them by the differences."""
    name = figures[0].rows_name
    differences: _Stored = {}
    for chunk in chunks(unit_ids):
        new = _count(session, figures, days, chunk)
        old = _read(session, [name], days, chunk, whole=False)
        differing = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        _replace(session, {key: new.get(key, {}) for key in differing}, whole=False)
        for key in differing:
            difference = Counter(new.get(key, {}))
            difference.subtract(old.get(key, {}))
            differences[key] = dict(difference)
    _carry_up(session, name, differences)
    return len(unit_ids) * len(days)


def _carry_up(session: Session, name: str, differences: _Stored) -> None:
    above: dict[tuple[date, str, int], Counter[str]] = defaultdict(Counter)
    for day in sorted({key[0] for key in differences}):
        units = [unit_id for on, _, unit_id in differences if on == day]
        for unit_id, upper_id in _pairs(session, day, _UPPER, units):
            above[day, name, upper_id].update(differences[day, name, unit_id])
    days, uppers = {key[0] for key in above}, {key[2] for key in above}
    old = _read(session, [name], sorted(days), sorted(uppers), whole=True)
    for key, sums in above.items():
        sums.update(old.get(key, {}))
    _replace(session, {key: _not_zero(sums) for key, sums in above.items()}, whole=True)


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
    session: Session,
    figures: Sequence[Figure],
    days: Sequence[date],
    unit_ids: Sequence[int] | None,
) -> _Stored:
    """Each of these units, or of all, alone."""
    stretches = [month_of(day) for day in days]
    place = alone(unit_ids, stretches)
    found: _Stored = {}
    counted = counting.live(
        session, figures, place, unit_ids, stretches, of_some=unit_ids is not None
    )
    for day, cells in zip(days, counted, strict=True):
        keys = {figure.code: figure.key for figure in figures}
        for (unit_id, code), value in cells.items():
            if value:
                found.setdefault((day, figures[0].rows_name, unit_id), {})[keys[code]] = int(value)
    return found


def _fill(session: Session, day: date) -> int:
    """Count the rows of the day that are not stored."""
    session.execute(_LOCK_FOLD)
    kept = _kept_days(session).get(day, {})
    missing = {name: figures for name, figures in _groups(day).items() if name not in kept}
    own: _Stored = {}
    for figures in missing.values():
        own |= _count(session, figures, [day], None)
    _insert(session, own, whole=False)
    if missing:
        _insert(session, _sums(session, day, [*missing], own, None), whole=True)
    rows = [
        {"rows": name, "day": day, "figures": sorted(each.key for each in figures)}
        for name, figures in missing.items()
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
        for name, figures in _groups(day).items():
            if name in names:
                wrong += _wrong(session, since, day, figures)
    if repair:
        for day, name in {(each.day, each.rows) for each in wrong}:
            _forget(session, day, name)
    return wrong


def _wrong(session: Session, since: Changed, day: date, figures: Sequence[Figure]) -> list[Wrong]:
    source, name = figures[0].rows, figures[0].rows_name
    assert source is not None  # noqa: S101  # they add up
    stale = since.concerns(source)
    if stale is None:
        return []
    own = _read(session, [name], [day], None, whole=False)
    new = _count(session, figures, [day], None)
    units = [
        key[2] for key in {**own, **new} if own.get(key) != new.get(key) and key[2] not in stale
    ]
    if not since.units.get(TREE):
        whole = _read(session, [name], [day], None, whole=True)
        sums = _sums(session, day, [name], own, None)
        units += [key[2] for key in {**whole, **sums} if whole.get(key, {}) != sums.get(key, {})]
    return [Wrong(name, day, unit_id) for unit_id in sorted(set(units))]
