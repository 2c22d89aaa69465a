"""The rows that figures count, as statements."""

from typing import Any

import sqlalchemy as sa

from app.models.figures.definitions import AnyBut, AtLeast, Condition, FigureDefinition
from app.services.figures.places import PeriodPlaces
from app.services.kernel.access import Db
from app.services.kernel.offers import FigureRows


def rows_of(source: FigureRows, place: PeriodPlaces) -> sa.Subquery:
    """The rows of all periods, with the number of the period and its tree."""
    periods = place.periods
    select = source.select(periods.c.first, periods.c.last)
    return select.add_columns(periods.c.no.label("period"), periods.c.tree).subquery("fact")


def units_of(db: Db, rows: sa.Subquery) -> list[int]:
    """Where the rows are, and where others of a movement were."""
    units = sa.union(
        *(sa.select(rows.c[name]) for name in ("unit_id", "other_unit_id") if name in rows.c)
    )
    return [unit_id for unit_id in db.execute(units).scalars() if unit_id is not None]


def chosen(
    told: FigureDefinition, rows: sa.Subquery, place: PeriodPlaces
) -> sa.ColumnElement[bool]:
    """The rows that the figure counts, as they are today."""
    which = [_holds(rows.c[name], condition) for name, condition in told.where.items()]
    if told.across:
        other = rows.c.other_unit_id
        which.append(sa.or_(other.is_(None), sa.not_(_stands_in(other, place.parts))))
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


def _stands_in(unit_id: sa.ColumnElement[int], table: sa.CTE) -> sa.ColumnElement[bool]:
    """Whether a unit is in the same part, in the same tree."""
    same = sa.select(table.c.id, table.c.part_id, table.c.tree)
    return sa.tuple_(unit_id, table.c.part_id, table.c.tree).in_(same)
