"""The period of a list of a unit (`PeriodQuery`): what happened in it, and what lasted in it."""

from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today
from app.errors import invalid
from app.models.kernel.hierarchy import PeriodQuery


def happened(day: Any, query: PeriodQuery) -> sa.ColumnElement[bool]:
    """Rows of a day in the period; without one all."""
    ensure_in_order(query)
    wanted: list[sa.ColumnElement[bool]] = [sa.true()]
    if query.from_ is not None:
        wanted.append(col(day) >= query.from_)
    if query.to is not None:
        wanted.append(col(day) <= query.to)
    return sa.and_(*wanted)


def lasted(model: type[Any], query: PeriodQuery) -> sa.ColumnElement[bool]:
    """Rows valid on a day of the period; without one those of today."""
    ensure_in_order(query)
    first, last = query.from_, query.to
    if first is None and last is None:
        first = last = local_today()
    wanted: list[sa.ColumnElement[bool]] = [sa.true()]
    if last is not None:
        wanted.append(col(model.valid_from) <= last)
    if first is not None:
        wanted.append(sa.or_(col(model.valid_to).is_(None), col(model.valid_to) >= first))
    return sa.and_(*wanted)


def ensure_in_order(query: PeriodQuery) -> None:
    """422 where the last day is before the first."""
    if query.from_ is not None and query.to is not None and query.from_ > query.to:
        raise invalid("dates_reversed", "/to", place="query")
