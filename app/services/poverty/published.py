"""The flow tables as published, for readers who may not see the poverty of families.

Sums of rounded cells of the newest editions (`editions`), and nothing else: fixed tables, whole
years, units as they were on each day.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import product
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.errors import Problem, invalid
from app.models.base import table_of
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitLevel
from app.models.poverty.editions import PovertyEdition, PublishedBy, PublishedFigure
from app.models.poverty.flows import (
    FlowBy,
    FlowGrain,
    FlowKind,
    FlowQuery,
    FlowTable,
    PovertyFlow,
)
from app.services.kernel.access import Actor, Db, forbidden
from app.services.poverty.editions import CLOSING
from app.services.poverty.flow_sums import MEASURES, Figures, columns_of
from app.services.units import hierarchy

Lines = dict[tuple[FlowTable, str | None], dict[str, int]]
_FIXED = {None, *map(FlowBy, PublishedBy)}
_MOST_NAMED = 10


class Published(NamedTuple):
    """The lines of a period, and which edition they are of; None: of several."""

    lines: Lines
    names: dict[str, str]
    first: date
    last: date
    edition: int | None


def tables(db: Db, actor: Actor, unit: Unit, query: FlowQuery) -> Published:
    """403 for what is in no published table; 409 when it has not been published yet."""
    of_nation = unit.level is UnitLevel.central
    fixed = query.by in _FIXED or (of_nation and query.by is FlowBy.unit)
    if not (fixed and (of_nation or unit.level is UnitLevel.province)):
        raise forbidden(db, actor, Right.poverty_read, unit.id)
    if hierarchy.chosen(query.hierarchy) is not None:
        raise invalid("hierarchy_not_published", "/hierarchy", place="query")
    names = _provinces(db) if of_nation else {str(unit.id): unit.name}
    editions = _newest(db, [int(id_) for id_ in names])
    missing = [
        {"id": int(id_), "name": name} for id_, name in names.items() if int(id_) not in editions
    ]
    if missing or not editions:
        raise Problem("not_published", extra={"units": missing[:_MOST_NAMED]})
    last_year = min(each.last_year for each in editions.values())
    first, last = _whole_years(query, last_year)
    lines = _lines(db, editions, query.by, first.year, last.year)
    edition = None if of_nation else editions[unit.id].number
    return Published(lines, names, first, last, edition)


def _whole_years(query: FlowQuery, last_year: int) -> tuple[date, date]:
    last = query.to or date(last_year, 12, 31)
    first = query.from_ or date(last.year, 1, 1)
    if first > last:
        raise invalid("dates_reversed", "/to", place="query")
    if (first.month, first.day) != (1, 1):
        raise invalid("period_not_whole_years", "/from", place="query")
    if (last.month, last.day) != (12, 31):
        raise invalid("period_not_whole_years", "/to", place="query")
    if last.year > last_year:
        raise invalid("year_not_published", "/to", place="query", year=last_year)
    return first, last


def _provinces(db: Db) -> dict[str, str]:
    """Names of the provinces that have figures, by id, in the order of units."""
    statement = (
        sa.select(col(Unit.id), col(Unit.name))
        .where(
            col(Unit.level) == UnitLevel.province,
            sa.exists().where(
                col(PovertyFlow.unit_id) == col(Unit.id),
                col(PovertyFlow.by) == "",
                col(PovertyFlow.grain) == FlowGrain.year,
            ),
        )
        .order_by(col(Unit.sort_key), col(Unit.id))
    )
    return {str(row.id): row.name for row in db.execute(statement)}


class _Edition(NamedTuple):
    id: UUID
    number: int
    last_year: int


def _newest(db: Db, province_ids: Sequence[int]) -> dict[int, _Edition]:
    statement = (
        sa.select(
            col(PovertyEdition.province_id),
            col(PovertyEdition.id),
            col(PovertyEdition.number),
            col(PovertyEdition.last_year),
        )
        .where(col(PovertyEdition.province_id).in_(province_ids))
        .order_by(col(PovertyEdition.number))
    )
    return {row[0]: _Edition(*row[1:]) for row in db.execute(statement)}


def _lines(
    db: Db, editions: Mapping[int, _Edition], by: FlowBy | None, first_year: int, last_year: int
) -> Lines:
    """The total, which is the sum of the areas, then its parts: provinces in their order."""
    apart = None if by in (None, FlowBy.unit) else PublishedBy(by)
    provinces = {edition.id: str(unit_id) for unit_id, edition in editions.items()}
    statement = sa.select(table_of(PublishedFigure)).where(
        col(PublishedFigure.edition_id).in_(list(provinces)),
        col(PublishedFigure.by).in_([PublishedBy.area, *([apart] if apart else [])]),
        col(PublishedFigure.year).between(first_year - 1, last_year),
    )
    figures: Figures = Counter()
    parts = set(provinces.values()) if by is FlowBy.unit else set[str]()
    for row in db.execute(statement):
        name = row.name
        if name == CLOSING and row.year < first_year:
            name = "opening"
        elif row.year < first_year or (name == CLOSING and row.year != last_year):
            continue
        of = [row.part] if row.by == apart else []
        if row.by == PublishedBy.area:
            of += [""] if by is not FlowBy.unit else ["", provinces[row.edition_id]]
        parts.update(of)
        for part, measure in product(of, MEASURES):
            figures[row.poverty_class, part, name, measure] += getattr(row, measure)
    ordered = list(provinces.values()) if by is FlowBy.unit else sorted(parts - {""})
    return {
        (table, part or None): _line(figures, table, part)
        for part in ("", *ordered)
        for table in FlowTable
    }


def _line(figures: Figures, table: FlowTable, part: str) -> dict[str, int]:
    """Each figure is rounded by itself: a line need not balance."""
    line: dict[str, int] = {}
    for measure in MEASURES:
        of = {name: figures[table, part, name, measure] for name in ("opening", *FlowKind)}
        line |= columns_of(of, figures[table, part, CLOSING, measure], measure)
    return line
