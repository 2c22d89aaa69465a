"""Periods as texts: a year, half-year, quarter or month, or any days; and the parts of one."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final, NamedTuple

from dateutil.relativedelta import relativedelta

from app.clock import local_today
from app.errors import invalid
from app.models.base import FIRST_YEAR, LAST_YEAR
from app.models.figures.figures import FigureBy
from app.services.units import hierarchy
from app.services.units.hierarchy import UnitTree

_DAY = timedelta(days=1)
_MONTHS: Final = {FigureBy.month: 1, FigureBy.quarter: 3, FigureBy.year: 12}
_CALENDAR = re.compile(r"(\d{4})(?:-(?:(0[1-9]|1[0-2])|Q([1-4])|H([12])))?", re.ASCII)
_DAYS = re.compile(r"(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)", re.ASCII)
# Of one answer: five years of months.
_MOST_PARTS = 60


class Days(NamedTuple):
    """From a day to a day, both inclusive; in the tree of the last one, unless another is `fixed`."""

    first: date
    last: date
    fixed: UnitTree | None = None

    @property
    def tree(self) -> UnitTree:
        return self.fixed or hierarchy.as_was(self.last)


def read(text: str | None, asked: str | None) -> Days:
    """422 where a text is no period, or one that has not begun, or no hierarchy."""
    today = local_today()
    days = _calendar(str(today.year)) if text is None else _calendar(text) or _between(text)
    if days is None:
        raise invalid("period_invalid", "/period", place="query")
    if days.first > days.last:
        raise invalid("dates_reversed", "/period", place="query")
    if days.first > today:
        raise invalid("date_in_future", "/period", place="query")
    return Days(days.first, min(days.last, today), hierarchy.chosen(asked))


def _calendar(text: str) -> Days | None:
    found = _CALENDAR.fullmatch(text)
    if found is None or not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        return None
    year, month, quarter, half = found.groups()
    if month:
        begins, months = int(month), 1
    elif quarter:
        begins, months = 3 * int(quarter) - 2, 3
    elif half:
        begins, months = 6 * int(half) - 5, 6
    else:
        begins, months = 1, 12
    first = date(int(year), begins, 1)
    return Days(first, first + relativedelta(months=months) - _DAY)


def _between(text: str) -> Days | None:
    found = _DAYS.fullmatch(text)
    if found is None:
        return None
    try:
        days = Days(date.fromisoformat(found[1]), date.fromisoformat(found[2]))
    except ValueError:
        return None
    in_our_time = days.first.year >= FIRST_YEAR and days.last.year <= LAST_YEAR
    return days if in_our_time else None


def parts(days: Days, by: FigureBy) -> list[Days]:
    """The months, quarters or years of a period, cut at its ends; 422 where there are too many."""
    found = list(_parts(days, _MONTHS[by]))
    if len(found) > _MOST_PARTS:
        raise invalid("too_many_parts", "/by", place="query", max=_MOST_PARTS)
    return found


def _parts(days: Days, months: int) -> Iterator[Days]:
    month = (days.first.month - 1) // months * months + 1
    begins = date(days.first.year, month, 1)
    while begins <= days.last:
        after = begins + relativedelta(months=months)
        yield Days(max(begins, days.first), min(after - _DAY, days.last), days.fixed)
        begins = after
