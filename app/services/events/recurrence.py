"""Recurring sessions: the starts that an RRULE (RFC 5545) gives, in the time of Vietnam.

Vietnam has no summer time, so a rule works on its local times. Every rule ends: by its COUNT or
UNTIL, and within three years in any case.
"""

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

from dateutil.rrule import rrulestr

from app.clock import VIETNAM
from app.errors import invalid

HORIZON_YEARS = 3
_HORIZON = timedelta(days=366 * HORIZON_YEARS)
_MOST = 1_000
_FREQUENCIES = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
_PARTS = {
    "FREQ",
    "INTERVAL",
    "COUNT",
    "UNTIL",
    "BYDAY",
    "BYMONTHDAY",
    "BYMONTH",
    "BYSETPOS",
    "WKST",
}


def starts(rule: str, first: datetime) -> list[datetime]:
    """The starts a rule gives from `first` on, in UTC. 422 `/rule` when it is none, is finer than a
    day, has no end, or gives nothing."""
    parts = _parts(rule)
    begin = first.astimezone(VIETNAM).replace(tzinfo=None)
    count = _number(parts.pop("COUNT", None), _MOST)
    until = _until(parts.pop("UNTIL", None))
    if count is None and until is None:
        raise invalid("rule_unbounded", "/rule")
    _number(parts.get("INTERVAL"), 1_000)
    horizon = begin + _HORIZON
    last = horizon if until is None else min(until, horizon)
    body = ";".join(f"{name}={value}" for name, value in parts.items())
    try:
        found = rrulestr(f"RRULE:{body};UNTIL={last:%Y%m%dT%H%M%S}", dtstart=begin)
        given = list(islice(found, count or _MOST))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise invalid("rule_invalid", "/rule") from error
    if not given:
        raise invalid("rule_empty", "/rule")
    return [start.replace(tzinfo=VIETNAM).astimezone(UTC) for start in given]


def _parts(rule: str) -> dict[str, str]:
    pairs = [part.split("=", 1) for part in rule.removeprefix("RRULE:").split(";") if part]
    parts = {pair[0]: pair[-1] for pair in pairs}
    known = parts.keys() <= _PARTS and parts.get("FREQ") in _FREQUENCIES
    if not known or len(parts) != len(pairs):
        raise invalid("rule_invalid", "/rule")
    return parts


def _number(value: str | None, most: int) -> int | None:
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 6 and 1 <= int(value) <= most):
        raise invalid("rule_invalid", "/rule")
    return int(value)


def _until(value: str | None) -> datetime | None:
    """A day counts whole; with a Z it is UTC, without it the time of Vietnam."""
    if value is None:
        return None
    try:
        if len(value) == len("20261231"):
            return datetime.combine(date.fromisoformat(value), time.max)
        until = datetime.fromisoformat(value)
    except ValueError as error:
        raise invalid("rule_invalid", "/rule") from error
    return until if until.tzinfo is None else until.astimezone(VIETNAM).replace(tzinfo=None)
