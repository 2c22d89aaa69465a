"""Keys that are counted once though they are in several units: a woman who came in two branches is one
woman of their commune.

Sums of units count such a key too often. `FigureShared` has where each one is, so that a sum is right
that has been reduced by the times a key stands in it beyond the first.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import AnySelect, chunks, insert_many
from app.models.figures.rollups import FigureShared
from app.services.figures.places import PeriodPlaces, alone
from app.services.figures.rows import chosen, rows_of
from app.services.figures.series import Series
from app.services.kernel.access import Db

# Which rows of a subquery of `rows_of`.
Which = Callable[[sa.Subquery], sa.ColumnElement[bool]]


class CountedKey(NamedTuple):
    """That a figure counts a key in a unit, in the period that ends on the day."""

    day: date
    figure: str
    key: UUID
    unit_id: int


def twice(keys: Iterable[CountedKey]) -> list[CountedKey]:
    """Those of keys that a figure counts in several units."""
    of_key: dict[tuple[date, str, UUID], list[CountedKey]] = defaultdict(list)
    for each in keys:
        of_key[each.day, each.figure, each.key].append(each)
    return [each for same in of_key.values() if len(same) > 1 for each in same]


def overlap(
    keys: Iterable[CountedKey], above: Mapping[date, Mapping[int, Iterable[int]]]
) -> dict[tuple[date, int], Counter[str]]:
    """How much too often the keys are counted in the units above, which are given by day and unit."""
    times: Counter[tuple[date, int, str, UUID]] = Counter()
    for each in keys:
        for upper_id in above[each.day].get(each.unit_id, ()):
            times[each.day, upper_id, each.figure, each.key] += 1
    found: dict[tuple[date, int], Counter[str]] = defaultdict(Counter)
    for (day, upper_id, figure, _), number in times.items():
        if number > 1:
            found[day, upper_id][figure] += number - 1
    return found


# -- stored


def stored(db: Db, name: str, days: Sequence[date]) -> list[CountedKey]:
    found = _stored().where(col(FigureShared.rows) == name, col(FigureShared.day).in_(days))
    return [CountedKey(*row) for row in db.execute(found)]


def _stored() -> AnySelect:
    return sa.select(
        col(FigureShared.day),
        col(FigureShared.figure),
        col(FigureShared.key),
        col(FigureShared.unit_id),
    )


def replace(
    session: Session, name: str, old: Iterable[CountedKey], new: Iterable[CountedKey]
) -> None:
    gone = [{f"its_{field}": value for field, value in each._asdict().items()} for each in old]
    if gone:
        session.connection().execute(_GONE.where(col(FigureShared.rows) == name), gone)
    insert_many(session, FigureShared, [{"rows": name, **each._asdict()} for each in new])


_GONE = sa.delete(FigureShared).where(
    *(
        col(getattr(FigureShared, field)) == sa.bindparam(f"its_{field}")
        for field in CountedKey._fields
    )
)


def overlaps_in(
    db: Db, days: Mapping[str, Collection[date]], standing: PeriodPlaces
) -> Iterator[tuple[str, int, int, date, str, int]]:
    """Of each rows, on these days of each, tree and part, day and figure how much too often what is
    stored counts keys."""
    table = standing.parts
    key = (
        col(FigureShared.rows),
        table.c.tree,
        table.c.part_id,
        col(FigureShared.day),
        col(FigureShared.figure),
    )
    of_days = (
        sa.and_(col(FigureShared.rows) == name, col(FigureShared.day).in_(some))
        for name, some in days.items()
    )
    times = (
        sa.select(*key, sa.func.count().label("times"))
        .join(FigureShared, col(FigureShared.unit_id) == table.c.id)
        .where(sa.or_(*of_days))
        .group_by(*key, col(FigureShared.key))
        .having(sa.func.count() > 1)
        .subquery()
    )
    *of, number = times.c
    for row in db.execute(sa.select(*of, sa.func.sum(number - 1)).group_by(*of)):
        yield tuple(row)


# -- from the rows


def of_days(db: Db, series: Series, days: Sequence[date]) -> list[CountedKey]:
    """All keys that are in several units."""
    place = alone(None, [series.period(day) for day in days])
    rows = rows_of(series.source, place)
    in_several = sa.func.min(rows.c.unit_id) < sa.func.max(rows.c.unit_id)
    several = sa.select(rows.c.key).select_from(place.stand_at(rows))
    several = several.group_by(rows.c.period, rows.c.key).having(in_several)
    keys = sorted(set(db.execute(several).scalars()))
    return [
        each
        for chunk in chunks(keys)
        for each in twice(
            CountedKey(days[row[0]], *row[2:])
            for row in _standing(db, series, place, partial(_has_key, chunk))
        )
    ]


def _has_key(keys: Sequence[UUID], rows: sa.Subquery) -> sa.ColumnElement[bool]:
    return rows.c.key.in_(keys)


def of_units(
    session: Session, series: Series, days: Sequence[date], unit_ids: Sequence[int]
) -> tuple[list[CountedKey], list[CountedKey]]:
    """Of all keys that are in these units now, or were there as far as is stored: what is stored, and
    what is to be."""
    place = alone(None, [series.period(day) for day in days])
    touched = _touched(series, place, unit_ids)
    periods = place.periods
    old = _stored().join(
        periods, sa.and_(periods.c.last == col(FigureShared.day), _of(series, touched, periods))
    )
    found = _standing(session, series, place, _in(touched))
    new = twice(CountedKey(days[each[0]], *each[2:]) for each in found)
    return [CountedKey(*row) for row in session.execute(old)], new


def since(
    db: Db, series: Series, place: PeriodPlaces, unit_ids: Sequence[int]
) -> list[dict[tuple[int, str], Decimal]]:
    """What is to be added to the sums of the parts without these units, in each of the periods: their
    keys, as often as each is not counted elsewhere in the part."""
    touched = _touched(series, place, unit_ids)
    more: list[Counter[tuple[int, str]]] = [Counter() for _ in place.trees]
    codes = {figure.key: figure.code for figure in series.figures}
    for number, part_id, figure, times in _stored_times(db, series, place, touched):
        more[number][part_id, codes[figure]] += times - 1
    here, times_of = set(unit_ids), Counter[tuple[int, int, str, UUID]]()
    for number, part_id, figure, key, unit_id in _standing(db, series, place, _in(touched)):
        more[number][part_id, codes[figure]] += unit_id in here
        times_of[number, part_id, codes[figure], key] += 1
    for (number, part_id, code, _), times in times_of.items():
        more[number][part_id, code] -= times - 1
    return [{cell: Decimal(value) for cell, value in each.items()} for each in more]


def _stored_times(
    db: Db, series: Series, place: PeriodPlaces, touched: sa.Subquery
) -> Iterator[tuple[int, int, str, int]]:
    periods = place.periods
    stored = (
        sa.select(
            periods.c.no,
            periods.c.tree,
            col(FigureShared.figure),
            col(FigureShared.key),
            col(FigureShared.unit_id),
        )
        .join(
            periods, sa.and_(periods.c.last == col(FigureShared.day), _of(series, touched, periods))
        )
        .cte("stored")
    )
    some = place.of(sa.select(stored.c.unit_id))
    key = (stored.c.no, some.parts.c.part_id, stored.c.figure)
    rows = (
        sa.select(*key, sa.func.count())
        .select_from(some.stand_at(stored))
        .group_by(*key, stored.c.key)
    )
    for row in db.execute(rows):
        yield tuple(row)


def _touched(series: Series, place: PeriodPlaces, unit_ids: Sequence[int]) -> sa.Subquery:
    """By period the keys that are in these units, or were as far as is stored."""
    rows, periods = rows_of(series.source, place), place.periods
    now = sa.select(rows.c.period, rows.c.key).where(rows.c.unit_id.in_(unit_ids))
    before = (
        sa.select(periods.c.no, col(FigureShared.key))
        .join(FigureShared, col(FigureShared.day) == periods.c.last)
        .where(col(FigureShared.rows) == series.name, col(FigureShared.unit_id).in_(unit_ids))
    )
    return now.union(before).subquery("touched")


def _of(series: Series, touched: sa.Subquery, periods: sa.CTE) -> sa.ColumnElement[bool]:
    """What is stored of these keys."""
    same = sa.tuple_(periods.c.no, col(FigureShared.key)).in_(sa.select(touched))
    return sa.and_(col(FigureShared.rows) == series.name, same)


def _in(touched: sa.Subquery) -> Which:
    return lambda rows: sa.tuple_(rows.c.period, rows.c.key).in_(sa.select(touched))


def _standing(
    db: Db, series: Series, place: PeriodPlaces, which: Which
) -> Iterator[tuple[int, int, str, UUID, int]]:
    """By number of the period and part: the figures that count a key in a unit."""
    rows = rows_of(series.source, place)
    key = (rows.c.period, rows.c.tree, rows.c.key, rows.c.unit_id)
    counts: list[Any] = [
        sa.func.count().filter(chosen(figure.told, rows, place)).label(f"figure_{number}")
        for number, figure in enumerate(series.figures)
    ]
    counted = sa.select(*key, *counts).where(which(rows)).group_by(*key).cte("counted")
    some = place.of(sa.select(counted.c.unit_id))
    found = sa.select(
        counted.c.period,
        some.parts.c.part_id,
        counted.c.key,
        counted.c.unit_id,
        *[each for each in counted.c if each.name.startswith("figure_")],
    ).select_from(some.stand_at(counted))
    for number, part_id, key_, unit_id, *times in db.execute(found):
        for figure, often in zip(series.figures, times, strict=True):
            if often:
                yield number, part_id, figure.key, key_, unit_id
