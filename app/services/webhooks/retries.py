"""When an event is tried again that was not taken: soon, then ever more seldom, for three days."""

import random
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

# From the first try that failed.
PATIENCE: Final = timedelta(days=3)
_PAUSES: Final = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 21_600)
_LONGEST: Final = timedelta(hours=6)
# A receiver that asks for less than this again and again is tried no more often.
_SHORTEST_ASKED: Final = timedelta(seconds=300)
# So that what failed together does not come together again.
_JITTER: Final = 0.2


def next_try(
    failures: int, since: datetime, now: datetime, retry_after: str | None
) -> datetime | None:
    """After so many failures, the first of them at `since`; None: three days are over. `retry_after` is
    what the receiver says, and is honoured up to six hours."""
    if now - since >= PATIENCE:
        return None
    usual = timedelta(seconds=_PAUSES[min(failures, len(_PAUSES)) - 1])
    asked = _asked(retry_after, now)
    pause = usual if asked is None else min(max(asked, min(usual, _SHORTEST_ASKED)), _LONGEST)
    # Never sooner than asked.
    later = random.uniform(0 if asked is not None else -_JITTER, _JITTER)
    return min(now + pause * (1 + later), since + PATIENCE)


def _asked(value: str | None, now: datetime) -> timedelta | None:
    """Seconds, or the date of HTTP; None for what is neither."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), 10**8))
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(at - now, timedelta())
