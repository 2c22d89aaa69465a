"""Recurring sessions: the starts that an RRULE (RFC 5545) gives, in the time of Vietnam.

Vietnam has no summer time, so a rule works on its local times. A rule is followed for three years
and no further: what COUNT or UNTIL ask for beyond is left out, and the answer says so.

The days are found here and not by dateutil, which looks for the next one to the year 9999: a rule
that gives none (30 February) would keep it busy for seconds. A test compares the two.
"""

from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import count, takewhile

from dateutil.relativedelta import relativedelta

from app.clock import VIETNAM
from app.errors import Problem, invalid
from app.models.events.sessions import Recurrence

HORIZON_YEARS = 3
MOST_SESSIONS = 200
_MOST_COUNTED = 1_000
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_PARTS = {
    *("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"),
    *("BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS"),
}


class Frequency(StrEnum):
    daily = "DAILY"
    weekly = "WEEKLY"
    monthly = "MONTHLY"
    yearly = "YEARLY"


_STEPS: Mapping[Frequency, Callable[[int], relativedelta]] = {
    Frequency.daily: lambda n: relativedelta(days=n),
    Frequency.weekly: lambda n: relativedelta(weeks=n),
    Frequency.monthly: lambda n: relativedelta(months=n),
    Frequency.yearly: lambda n: relativedelta(years=n),
}


@dataclass(frozen=True, slots=True)
class Occurrences:
    """The starts of a rule, in UTC and in order; `cut`: it asks for more than three years give."""

    given: Recurrence
    frequency: Frequency
    starts: Sequence[datetime]
    cut: bool


def expanded(body: Recurrence) -> Occurrences:
    """422 `/rule` when it is none, is finer than a day, has no end, or gives nothing or too much."""
    rule = _parsed(body.rule)
    begin = body.starts_at.astimezone(VIETNAM).replace(tzinfo=None)
    horizon = begin + relativedelta(years=HORIZON_YEARS)
    last = horizon if rule.until is None else min(rule.until, horizon)
    most = MOST_SESSIONS + 1 if rule.count is None else rule.count
    days = rule.days(begin.date(), last.date())
    found = [start for day in days if (start := datetime.combine(day, begin.time())) <= last]
    given = found[:most]
    if not given:
        raise invalid("rule_empty", "/rule")
    if len(given) > MOST_SESSIONS:
        raise too_many("/rule")
    beyond = rule.until is not None and rule.until > horizon
    return Occurrences(
        given=body,
        frequency=rule.frequency,
        starts=[start.replace(tzinfo=VIETNAM).astimezone(UTC) for start in given],
        cut=beyond if rule.count is None else len(given) < rule.count and last == horizon,
    )


def too_many(pointer: str) -> Problem:
    return invalid("sessions_too_many", pointer, max=MOST_SESSIONS, years=HORIZON_YEARS)


# -- the days of a rule


@dataclass(frozen=True, slots=True)
class _Rule:
    frequency: Frequency
    interval: int
    count: int | None
    until: datetime | None
    # (2, 6) is the second Sunday of a month or year, (0, 6) any Sunday.
    weekdays: frozenset[tuple[int, int]]
    month_days: frozenset[int]
    months: frozenset[int]
    positions: Sequence[int]
    week_start: int

    def days(self, first: date, last: date) -> Iterator[date]:
        """Its days from the first to the last; `first` fills in what the rule leaves open."""
        step = _STEPS[self.frequency]
        start = self._period_start(first)
        starts = (start + step(n * self.interval) for n in count())
        for begins in takewhile(lambda day: day <= last, starts):
            ends = begins + step(1)
            period = (begins + timedelta(days=n) for n in range((ends - begins).days))
            within = [day for day in period if self._matches(day, first)]
            yield from (day for day in self._chosen(within) if first <= day <= last)

    def _period_start(self, day: date) -> date:
        if self.frequency is Frequency.weekly:
            return day - timedelta(days=(day.weekday() - self.week_start) % 7)
        if self.frequency is Frequency.daily:
            return day
        return day.replace(day=1, month=day.month if self.frequency is Frequency.monthly else 1)

    def _matches(self, day: date, first: date) -> bool:
        return (
            self._in_months(day, first)
            and self._on_month_days(day, first)
            and self._on_weekdays(day, first)
        )

    @property
    def _open(self) -> bool:
        """It says nothing of the day: that of the first session counts."""
        return not self.weekdays and not self.month_days

    def _in_months(self, day: date, first: date) -> bool:
        if self.months:
            return day.month in self.months
        return not (self.frequency is Frequency.yearly and self._open) or day.month == first.month

    def _on_month_days(self, day: date, first: date) -> bool:
        if self.month_days:
            from_end = day.day - monthrange(day.year, day.month)[1] - 1
            return not self.month_days.isdisjoint({day.day, from_end})
        of_first = self._open and self.frequency in (Frequency.monthly, Frequency.yearly)
        return not of_first or day.day == first.day

    def _on_weekdays(self, day: date, first: date) -> bool:
        if self.weekdays:
            which = {(n, day.weekday()) for n in (0, *self._places(day))}
            return not self.weekdays.isdisjoint(which)
        of_first = self._open and self.frequency is Frequency.weekly
        return not of_first or day.weekday() == first.weekday()

    def _places(self, day: date) -> tuple[int, int]:
        """Its place among the same weekdays of its month or year: from the start, from the end."""
        if self.frequency is Frequency.yearly and not self.months:
            passed = day.timetuple().tm_yday - 1
            left = (date(day.year, 12, 31) - day).days
        else:
            passed, left = day.day - 1, monthrange(day.year, day.month)[1] - day.day
        return passed // 7 + 1, -(left // 7) - 1

    def _chosen(self, days: Sequence[date]) -> Sequence[date]:
        if not self.positions:
            return days
        places = {n - 1 if n > 0 else len(days) + n for n in self.positions}
        return [day for place, day in enumerate(days) if place in places]


# -- reading a rule


def _parsed(text: str) -> _Rule:
    pairs = [part.split("=", 1) for part in text.removeprefix("RRULE:").split(";") if part]
    parts = {pair[0]: pair[-1] for pair in pairs}
    if not parts.keys() <= _PARTS or len(parts) != len(pairs):
        raise invalid("rule_invalid", "/rule")
    number, until = parts.get("COUNT"), parts.get("UNTIL")
    if number is None and until is None:
        raise invalid("rule_unbounded", "/rule")
    try:
        frequency = Frequency(parts["FREQ"])
        return _Rule(
            frequency=frequency,
            interval=_number(parts.get("INTERVAL", "1"), 1, 1_000),
            count=None if number is None else _number(number, 1, _MOST_COUNTED),
            until=None if until is None else _until(until),
            weekdays=frozenset(_weekday(frequency, each) for each in _listed(parts, "BYDAY")),
            month_days=frozenset(_counted(each, 31) for each in _listed(parts, "BYMONTHDAY")),
            months=frozenset(_number(each, 1, 12) for each in _listed(parts, "BYMONTH")),
            positions=[_counted(each, 366) for each in _listed(parts, "BYSETPOS")],
            week_start=_WEEKDAYS.index(parts.get("WKST", "MO")),
        )
    except ValueError as error:
        raise invalid("rule_invalid", "/rule") from error


def _listed(parts: Mapping[str, str], name: str) -> list[str]:
    return parts[name].split(",") if name in parts else []


def _number(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and least <= int(text) <= most):
        raise ValueError(text)
    return int(text)


def _counted(text: str, most: int) -> int:
    """A place from the start, or with a minus from the end."""
    sign = -1 if text.startswith("-") else 1
    return sign * _number(text.lstrip("+-"), 1, most)


def _weekday(frequency: Frequency, text: str) -> tuple[int, int]:
    place, day = text[:-2], _WEEKDAYS.index(text[-2:])
    if place and frequency in (Frequency.daily, Frequency.weekly):
        raise ValueError(text)
    return (_counted(place, 53) if place else 0), day


def _until(text: str) -> datetime:
    """The last moment: a day counts whole; with a Z it is UTC, without it the time of Vietnam."""
    try:
        return datetime.combine(date.fromisoformat(text), time.max)
    except ValueError:
        until = datetime.fromisoformat(text)
    # No calendar of ours goes further, and time zones are not defined at the ends of time.
    until = until.replace(year=min(max(until.year, 1904), 2400))
    return until if until.tzinfo is None else until.astimezone(VIETNAM).replace(tzinfo=None)
