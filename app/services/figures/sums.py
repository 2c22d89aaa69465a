"""What is stored of units, counted from the rows: of each unit alone, and the sums above them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlmodel import col

from app.db import chunks
from app.models.kernel.units import Unit
from app.services.figures import counting, definitions, once
from app.services.figures.definitions import Figure
from app.services.figures.moments import Moment
from app.services.figures.once import CountedKey
from app.services.figures.places import alone
from app.services.figures.rollups import UPPER
from app.services.figures.series import Series, stored_in
from app.services.figures.stored import Place, Stored
from app.services.kernel.access import Db
from app.services.units.hierarchy import UnitTree, as_was, placed, placed_of

# By day and unit the units above the branches that it stands in.
Above = Mapping[date, Mapping[int, Sequence[int]]]


def series_of(day: date) -> dict[str, Series]:
    """What is stored of the day, by its name."""
    return {each.name: each for each in stored_in(definitions.on(day).values()) if each.has(day)}


def alike(days: Mapping[date, Iterable[Series]]) -> list[tuple[Series, list[date]]]:
    """Each series with the days of which it is the same figures by the same rules."""
    found: dict[tuple[str, ...], tuple[Series, list[date]]] = {}
    for day, some in days.items():
        for series in some:
            found.setdefault((series.name, *series.keys), (series, []))[1].append(day)
    return [*found.values()]


def count_alone(
    db: Db, series: Series, days: Sequence[date], unit_ids: Sequence[int] | None
) -> Stored:
    """Each of these units, or of all, alone."""
    stretches = [series.period(day) for day in days]
    place = alone(unit_ids, stretches)
    found: Stored = {}
    counted = counting.live(
        db, series.figures, place, unit_ids, stretches, of_some=unit_ids is not None
    )
    figures = {figure.code: figure for figure in series.figures}
    for day, cells in zip(days, counted, strict=True):
        for (unit_id, code), value in cells.items():
            if kept := _kept(figures[code], value):
                found.setdefault((day, series.name, unit_id), {}).update(kept)
    return found


def _kept(figure: Figure, value: Decimal | None) -> dict[str, int]:
    reports = int(figure.told.reported and value is not None)
    return not_zero({figure.key: int(value or 0), figure.reports_key: reports})


UPPER_UNITS: sa.Select[int] = sa.select(col(Unit.id)).where(col(Unit.level).in_(UPPER))


def above(
    db: Db,
    days: Sequence[date],
    unit_ids: Iterable[int] | None = None,
    uppers: Sequence[int] | sa.Select[int] = UPPER_UNITS,
) -> Above:
    """Of these units, or of all, those of `uppers` that they stand in. Days between which nothing moved
    have one tree."""
    moves = Moment(db).moves(min(days), max(days)) if days else []
    since = {day: sum(move <= day for move in moves) for day in days}
    chunked = None if unit_ids is None else [*chunks(sorted(unit_ids))]
    trees = {number: as_was(day) for day, number in sorted(since.items())}
    found = {number: _in_tree(db, tree, chunked, uppers) for number, tree in trees.items()}
    return {day: found[number] for day, number in since.items()}


def _in_tree(
    db: Db,
    tree: UnitTree,
    chunked: Sequence[Sequence[int]] | None,
    uppers: Sequence[int] | sa.Select[int],
) -> dict[int, list[int]]:
    if chunked is None:
        tables = [placed(uppers, tree)]
    else:
        tables = [placed_of(chunk, uppers, tree) for chunk in chunked]
    found: dict[int, list[int]] = defaultdict(list)
    for table in tables:
        for unit_id, upper_id in db.execute(sa.select(table.c.id, table.c.part_id)):
            found[unit_id].append(upper_id)
    return found


def sums_of(own: Stored, shared: Mapping[str, Iterable[CountedKey]], above_them: Above) -> Stored:
    """Of the units above: `own`, each unit alone; `shared`: by name the keys that are in several."""
    found: dict[Place, Counter[str]] = defaultdict(Counter)
    for (day, name, unit_id), figures in own.items():
        for upper_id in above_them[day].get(unit_id, ()):
            found[day, name, upper_id].update(figures)
    for name, keys in shared.items():
        for (day, upper_id), times in once.overlap(keys, above_them).items():
            add(found[day, name, upper_id], times, -1)
    return {place: not_zero(sums) for place, sums in found.items()}


def add(to: Counter[str], figures: Mapping[str, int], sign: int) -> None:
    for key, value in figures.items():
        to[key] += sign * value


def not_zero(figures: Mapping[str, int]) -> dict[str, int]:
    return {key: value for key, value in figures.items() if value}
