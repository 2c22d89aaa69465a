"""The only clock. Instants are aware UTC; "today" is the day in Vietnam (UTC+7, no DST)."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")


def utc_now() -> datetime:
    return datetime.now(UTC)


def local_today() -> date:
    return datetime.now(VIETNAM).date()


def local_day(instant: datetime) -> date:
    """The day it is in Vietnam at an instant."""
    return instant.astimezone(VIETNAM).date()


def start_of(day: date) -> datetime:
    """The instant at which a day begins in Vietnam."""
    return datetime.combine(day, time(), VIETNAM).astimezone(UTC)


def end_of(day: date) -> datetime:
    """The instant at which a day has ended in Vietnam."""
    return start_of(day + timedelta(days=1))
