"""The check of the operator: all that is stored, against a recount."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from app.db import Database, take_time
from app.services.figures import moments, once, stored
from app.services.figures.moments import Moment
from app.services.figures.series import Series
from app.services.figures.stale import TREE
from app.services.figures.sums import Above, above, count_alone, series_of, sums_of
from app.services.kernel.access import Db


@dataclass(frozen=True, slots=True)
class Wrong:
    """A stored figure that a recount does not find."""

    rows: str
    day: date
    unit_id: int


def check(database: Database, *, repair: bool) -> list[Wrong]:
    """Recount all that is stored and that no change since the fold concerns: each day in a moment of
    its own, so that nobody who writes waits. What is wrong is dropped only where `repair` says so,
    with all else of those rows and that day, and counted by the next fold."""
    with database.reading() as db:
        days = sorted(stored.kept_days(db))
    wrong: list[Wrong] = []
    for day in days:
        with database.reading() as db, moments.one(db) as moment:
            take_time(db)
            wrong += _wrong_on(moment, day)
    if repair:
        for day, name in sorted({(each.day, each.rows) for each in wrong}):
            with database.writing() as session:
                stored.forget(session, day, name)
    return wrong


def _wrong_on(moment: Moment, day: date) -> Iterator[Wrong]:
    kept = stored.kept_days(moment.db).get(day, {})
    above_them = above(moment.db, [day])
    for name, series in series_of(day).items():
        if kept.get(name) != series.keys:
            continue  # by other rules: the next fold counts it
        units = _wrong(moment, day, series, above_them)
        yield from (Wrong(name, day, unit_id) for unit_id in sorted(set(units)))


def _wrong(moment: Moment, day: date, series: Series, above_them: Above) -> Iterator[int]:
    db, name, stale = moment.db, series.name, moment.changed.concerns(series.source)
    own = stored.read(db, [name], [day], None, whole=False)
    new = count_alone(db, series, [day], None)
    for key in {**own, **new}:
        if own.get(key) != new.get(key) and key[2] not in stale:
            yield key[2]
    shared = [] if series.months is None else once.stored(db, name, [day])
    yield from _wrongly_shared(db, day, series, shared, stale)
    if not moment.changed.units.get(TREE):
        whole = stored.read(db, [name], [day], None, whole=True)
        sums = sums_of(own, {name: shared}, above_them)
        yield from (key[2] for key in {**whole, **sums} if whole.get(key, {}) != sums.get(key, {}))


def _wrongly_shared(
    db: Db, day: date, series: Series, shared: list[once.CountedKey], stale: set[int]
) -> Iterator[int]:
    """Units with keys that are in others too, or no longer; those of changed units are to be counted."""
    if series.months is None:
        return
    was, is_ = set(shared), {*once.of_days(db, series, [day])}
    changed_keys = {each.key for each in was | is_ if each.unit_id in stale}
    yield from (each.unit_id for each in was ^ is_ if each.key not in changed_keys)
