"""The counting of rows, for all figures of the same rows and all parts of a unit at once."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from app.clock import end_of, local_today
from app.db import chunks
from app.models.figures.definitions import (
    AnyBut,
    AtLeast,
    Condition,
    Deduplication,
    FigureDefinition,
)
from app.services.figures import rollups
from app.services.figures.definitions import Figure
from app.services.figures.parts import stands_in
from app.services.figures.periods import Days
from app.services.kernel import dated
from app.services.kernel.access import Db
from app.services.kernel.offers import FigureRows

# Of a part and a figure; what nobody has reported is None.
Cells = dict[tuple[int, str], Decimal | None]


def count(
    db: Db, figures: Sequence[Figure], parts: sa.CTE, part_ids: Sequence[int], days: Days
) -> Cells:
    """Of the figures that count rows, each in each part."""
    by_rows: dict[str, list[Figure]] = defaultdict(list)
    for figure in figures:
        if figure.rows is not None:
            by_rows[figure.rows_name].append(figure)
    cells: Cells = {}
    for group in by_rows.values():
        cells |= _of_rows(db, group, parts, part_ids, days)
    return cells


def _of_rows(
    db: Db, figures: Sequence[Figure], parts: sa.CTE, part_ids: Sequence[int], days: Days
) -> Cells:
    """From the roll-up as far as it is right, and from the rows of all other branches."""
    source = figures[0].rows
    assert source is not None  # noqa: S101  # grouped by them
    keys = {figure.key: figure.code for figure in figures}
    kept = rollups.read(db, figures[0].rows_name, source, days.last, keys, parts)
    if kept is None:
        return live(db, figures, parts, part_ids, days)
    stored: Counter[tuple[int, str]] = Counter()
    for part_id, values in kept.figures:
        for key, code in keys.items():
            stored[part_id, code] += values[key]
    cells: Cells = {(p, code): Decimal(stored[p, code]) for p in part_ids for code in keys.values()}
    if kept.left:
        left = sa.select(parts).where(parts.c.id.in_(kept.left)).cte("left_parts")
        for cell, value in live(db, figures, left, part_ids, days).items():
            cells[cell] = (cells[cell] or 0) + (value or Decimal(0))
    return cells


def live(
    db: Db, figures: Sequence[Figure], parts: sa.CTE, part_ids: Sequence[int], days: Days
) -> Cells:
    """From the rows, in one statement."""
    source = figures[0].rows
    assert source is not None  # noqa: S101  # grouped by them
    rows = rows_of(source, days)
    measures = [
        _measure(figure.told, rows, parts, days).label(f"figure_{place}")
        for place, figure in enumerate(figures)
    ]
    found = {
        row.part_id: row[1:]
        for row in db.execute(
            sa.select(parts.c.part_id, *measures)
            .select_from(rows.join(parts, parts.c.id == rows.c.unit_id))
            .group_by(parts.c.part_id)
        )
    }
    moved: Counter[tuple[int, str]] = Counter()
    for each in differing(db, source, figures, parts, days):
        moved[each.part_id, each.code] += each.sign
    cells: Cells = {}
    for part_id in part_ids:
        values = found.get(part_id, (None,) * len(figures))
        for figure, value in zip(figures, values, strict=True):
            change = moved[part_id, figure.code]
            unknown = value is None and figure.told.reported
            cells[part_id, figure.code] = None if unknown else Decimal(int(value or 0) + change)
    return cells


def rows_of(source: FigureRows, days: Days) -> sa.Subquery:
    return source.select(days.first, days.last).subquery("fact")


def _measure(
    told: FigureDefinition, rows: sa.Subquery, parts: sa.CTE, days: Days
) -> sa.ColumnElement[Any]:
    which = chosen(told, rows, parts, days)
    if told.amount is not None:
        return sa.func.sum(rows.c[told.amount]).filter(which)
    if told.counts is Deduplication.distinct:
        return sa.func.count(rows.c.key.distinct()).filter(which)
    return sa.func.count().filter(which)


def chosen(
    told: FigureDefinition, rows: sa.Subquery, parts: sa.CTE, days: Days
) -> sa.ColumnElement[bool]:
    """The rows that the figure counts, as they are today."""
    which = [_holds(rows.c[name], condition) for name, condition in told.where.items()]
    if told.across:
        other = rows.c.other_unit_id
        inside = stands_in(other, parts.c.part_id, days.tree)
        which.append(sa.or_(other.is_(None), ~inside))
    return sa.and_(sa.true(), *which)


def _holds(column: sa.ColumnElement[Any], condition: Condition) -> sa.ColumnElement[bool]:
    match condition:
        case bool():
            return column.is_(condition)
        case AtLeast(min=least, max=most):
            ends = [] if least is None else [column >= least]
            return sa.and_(sa.true(), *ends, *([] if most is None else [column <= most]))
        case AnyBut(known_but=values):
            return sa.and_(column.is_not(None), column.not_in(values))
        case list():
            return column.in_(condition)
        case _:
            return column == condition


# -- records that have changed since


class Differing(NamedTuple):
    """A row that counts on the day and would not count today (+1), or the other way round (-1)."""

    part_id: int
    key: UUID
    code: str
    sign: int


def differing(
    db: Db, source: FigureRows, figures: Sequence[Figure], parts: sa.CTE, days: Days
) -> Iterator[Differing]:
    """What the change log puts right: rows are selected by the records of today."""
    then = source.then
    if then is None or days.last >= local_today():
        return
    were = dated.changed_since(db, then.model, days.last, then.fields)
    rows = rows_of(source, days)
    statement = sa.select(parts.c.part_id, rows).select_from(
        rows.join(parts, parts.c.id == rows.c.unit_id)
    )
    known = statement.where(rows.c.recorded_at < end_of(days.last))
    for chunk in chunks([UUID(id_) for id_ in were]):
        for row in db.execute(known.where(rows.c.key.in_(chunk))):
            today = dict(row._mapping)
            record = {name: today[name] for name in then.fields} | were[str(row.key)]
            on_the_day = today | record
            on_the_day |= {name: of(record, days.last) for name, of in then.derived.items()}
            for figure in figures:
                sign = _is_chosen(figure, on_the_day) - _is_chosen(figure, today)
                if sign:
                    yield Differing(row.part_id, row.key, figure.code, sign)


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
