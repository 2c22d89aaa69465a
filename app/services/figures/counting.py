"""The counting of rows, for all figures of the same rows, all parts of a unit and all periods at once."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from app.clock import end_of, local_today
from app.db import AnySelect, chunks
from app.models.figures.definitions import (
    AnyBut,
    AtLeast,
    Condition,
    Deduplication,
)
from app.services.figures import once, rollups
from app.services.figures.definitions import Figure
from app.services.figures.moments import Moment
from app.services.figures.periods import Days
from app.services.figures.places import Parts, PeriodPlaces, places
from app.services.figures.rollups import KeptFigures, Wanted
from app.services.figures.rows import chosen, rows_of, units_of
from app.services.kernel import dated
from app.services.kernel.access import Db
from app.services.kernel.offers import FigureRows, RecordedThen

# So many units are looked up from below in one statement.
_FEW_UNITS = 5_000
# Of a part and a figure; what nobody has reported is None.
Cells = dict[tuple[int, str], Decimal | None]


def count(moment: Moment, wanted: Sequence[Wanted], asked: Parts) -> list[Cells]:
    """The figures that count rows, of each period in each part: from the roll-up as far as it is
    right, and from the rows of all other units."""
    cells: list[Cells] = [{} for _ in wanted]
    stretches = [each.days for each in wanted]
    standing = places(moment, asked, stretches)
    kept, others = rollups.read(moment, wanted, asked, standing)
    for group in kept:
        some = [stretches[number] for number in group.numbers]
        counted = _since(moment, group, asked, some)
        for number, stored, more in zip(group.numbers, group.cells, counted, strict=True):
            cells[number] |= stored
            for cell, value in more.items():
                if value is not None:
                    cells[number][cell] = (cells[number][cell] or 0) + value
    for each in others:
        some = [stretches[number] for number in each.numbers]
        place = standing if len(some) == len(stretches) else places(moment, asked, some)
        counted = live(moment.db, each.figures, place, asked.ids, some)
        for number, of_period in zip(each.numbers, counted, strict=True):
            cells[number] |= of_period
    return cells


def _since(
    moment: Moment, kept: KeptFigures, asked: Parts, stretches: Sequence[Days]
) -> Sequence[Mapping[tuple[int, str], Decimal | None]]:
    """What the units add whose stored figures are no longer right."""
    if not kept.left:
        return [{} for _ in stretches]
    place = places(moment, asked, stretches)
    if kept.series.months is not None:
        return once.since(moment.db, kept.series, place, kept.left)
    some = place.of(kept.left)
    return live(moment.db, kept.series.figures, some, asked.ids, stretches, of_some=True)


def live(
    db: Db,
    figures: Sequence[Figure],
    place: PeriodPlaces,
    part_ids: Sequence[int] | None,
    stretches: Sequence[Days],
    *,
    of_some: bool = False,
) -> list[Cells]:
    """From the rows, which are the same of all figures, in one statement. `part_ids`: None for those
    that have any rows; `of_some`: the places are a few units of the parts."""
    source = figures[0].rows
    assert source is not None  # noqa: S101  # they count rows
    rows = rows_of(source, place)
    units: Sequence[int] | None = None
    if place.is_wide and not any(figure.is_stored for figure in figures):
        # Of few rows, found by their days: nobody walks the tree of a large unit.
        units = units_of(db, rows)
        place = place.of(units) if len(units) <= _FEW_UNITS else place
    found = {} if units == [] else _counted(db, figures, rows, place)
    moved: Counter[tuple[int, int, str]] = Counter()
    for each in differing(db, source, figures, place, stretches, of_some=of_some):
        moved[each.period, each.part_id, each.code] += each.sign
    cells: list[Cells] = []
    for number in range(len(stretches)):
        of_period: Cells = {}
        for part_id in [p for n, p in found if n == number] if part_ids is None else part_ids:
            values = found.get((number, part_id), (None,) * len(figures))
            for figure, value in zip(figures, values, strict=True):
                change = moved[number, part_id, figure.code]
                unknown = value is None and figure.told.reported
                of_period[part_id, figure.code] = (
                    None if unknown else Decimal(int(value or 0) + change)
                )
        cells.append(of_period)
    return cells


def _counted(
    db: Db, figures: Sequence[Figure], rows: sa.Subquery, place: PeriodPlaces
) -> dict[tuple[int, int], Sequence[Any]]:
    """By number of the period and part."""
    measures = [
        _measure(figure, rows, place).label(f"figure_{number}")
        for number, figure in enumerate(figures)
    ]
    counted = (
        sa.select(rows.c.period, place.parts.c.part_id, *measures)
        .select_from(place.stand_at(rows))
        .group_by(rows.c.period, place.parts.c.part_id)
    )
    return {(row.period, row.part_id): row[2:] for row in db.execute(counted)}


def _measure(figure: Figure, rows: sa.Subquery, place: PeriodPlaces) -> sa.ColumnElement[Any]:
    told = figure.told
    which = chosen(told, rows, place)
    if told.amount is not None:
        return sa.func.sum(rows.c[told.amount]).filter(which)
    if told.counts is Deduplication.distinct and not figure.has_keys_once:
        return sa.func.count(rows.c.key.distinct()).filter(which)
    return sa.func.count().filter(which)


# -- records that have changed since


class Differing(NamedTuple):
    """A row that counts on the day and would not count today (+1), or the other way round (-1)."""

    period: int
    part_id: int
    key: UUID
    code: str
    sign: int


def differing(
    db: Db,
    source: FigureRows,
    figures: Sequence[Figure],
    place: PeriodPlaces,
    stretches: Sequence[Days],
    *,
    of_some: bool = False,
) -> Iterator[Differing]:
    """What the change log puts right: rows are selected by the records of today."""
    then = source.then
    if then is None:
        return
    rows = rows_of(source, place)
    standing = sa.select(place.parts.c.part_id, rows).select_from(place.stand_at(rows))
    past = {n: days.last for n, days in enumerate(stretches) if days.last < local_today()}
    some = None
    if of_some:
        keys = standing.where(rows.c.period.in_(past)).with_only_columns(rows.c.key).distinct()
        some = db.execute(keys).scalars().all() if past else []
    for day, were in dated.changed_since(db, then.model, past.values(), then.fields, some):
        for number in [number for number, last in past.items() if last == day]:
            known = standing.where(rows.c.period == number, rows.c.recorded_at < end_of(day))
            yield from _differing_on(db, then, figures, number, day, known, were)


def _differing_on(
    db: Db,
    then: RecordedThen,
    figures: Sequence[Figure],
    number: int,
    day: date,
    known: AnySelect,
    were: Mapping[str, dict[str, Any]],
) -> Iterator[Differing]:
    """Of the rows of a period, `known` when its last day had ended."""
    for chunk in chunks([UUID(id_) for id_ in were]):
        for row in db.execute(known.where(known.selected_columns.key.in_(chunk))):
            today = dict(row._mapping)
            record = {name: today[name] for name in then.fields} | were[str(row.key)]
            on_the_day = today | record
            on_the_day |= {name: of(record, day) for name, of in then.derived.items()}
            for figure in figures:
                sign = _is_chosen(figure, on_the_day) - _is_chosen(figure, today)
                if sign:
                    yield Differing(number, row.part_id, row.key, figure.code, sign)


def _is_chosen(figure: Figure, row: Mapping[str, Any]) -> bool:
    return all(_is_held(row[name], condition) for name, condition in figure.told.where.items())


def _is_held(value: Any, condition: Condition) -> bool:
    match condition:
        case AtLeast(min=least, max=most):
            return (least is None or value >= least) and (most is None or value <= most)
        case AnyBut(known_but=values):
            return value is not None and value not in values
        case list():
            return value in condition
        case _:
            return bool(value == condition)
