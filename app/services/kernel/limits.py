"""Rate limits: how often somebody may do something (HOISO_RATE_LIMIT_STORAGE keeps the counts).

Each capability declares its own `Limit`; `RateLimits` of the running server counts them all.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from limits import RateLimitItem, parse
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.config import BadSettings
from app.db import settings_of
from app.errors import Problem


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit; counters under different names are independent."""

    name: str
    rate: RateLimitItem

    @classmethod
    def of(cls, name: str, rate: str) -> "Limit":
        """`rate` as in `10 per 15 minute`."""
        return cls(name, parse(rate))

    @classmethod
    def of_setting(cls, name: str, rate: str, setting: str) -> "Limit":
        """The limit of a setting; `BadSettings` when its text is none."""
        try:
            return cls.of(name, rate)
        except ValueError:
            message = f"HOISO_{setting}: write it like `10 per 15 minute`"
            raise BadSettings(message) from None


class RateLimits:
    """The counts of a server; without their storage, whatever is limited answers 503: not
    counting would open the door to guessing."""

    def __init__(self, storage: str) -> None:
        try:
            self._limiter = MovingWindowRateLimiter(
                storage_from_string(storage, wrap_exceptions=True)
            )
        except (ConfigurationError, NotImplementedError, ValueError):
            raise BadSettings(
                "HOISO_RATE_LIMIT_STORAGE is memory://, or redis://host:port with the package"
                " `redis` installed (see the operator's guide)"
            ) from None

    def check(self, limit: Limit, who: str) -> None:
        """429 when nothing is left; counts nothing."""
        if not self.has_left(limit, who):
            raise self.exceeded(limit, who)

    def spend(self, limit: Limit, who: str) -> None:
        """Count one; 429 when it is one too many."""
        if not self.count(limit, who):
            raise self.exceeded(limit, who)

    def count(self, limit: Limit, who: str) -> bool:
        """Count one; false when it is one too many."""
        with _storage_away_is_503():
            return self._limiter.hit(limit.rate, limit.name, who)

    def has_left(self, limit: Limit, who: str) -> bool:
        """One more may be counted; counts nothing."""
        with _storage_away_is_503():
            return self._limiter.test(limit.rate, limit.name, who)

    def forget(self, limit: Limit, who: str) -> None:
        """Begin again at nothing."""
        with _storage_away_is_503():
            self._limiter.clear(limit.rate, limit.name, who)

    def exceeded(self, limit: Limit, who: str) -> Problem:
        """429, with the seconds until one more is allowed."""
        with _storage_away_is_503():
            stats = self._limiter.get_window_stats(limit.rate, limit.name, who)
        wait = max(1, int(stats.reset_time - time.time()) + 1)
        return Problem("rate_limited", retry_after=wait)


@cache
def limits_in(storage: str) -> RateLimits:
    """The counts kept in a storage: a process has one `RateLimits` for each."""
    return RateLimits(storage)


def limits_of(db: Connection | Session) -> RateLimits:
    """The counts of the server that the database at hand belongs to."""
    return limits_in(settings_of(db).rate_limit_storage)


@contextmanager
def _storage_away_is_503() -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise Problem("unavailable", retry_after=2) from error
