"""The clocks of phones: what a phone noted is put in its place by our clock, however wrong its own is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# A phone's clock may be so far from ours without a word; within SLACK it is not even put right.
TOLERATED_SKEW = timedelta(minutes=2)
SLACK = timedelta(seconds=5)
# A clock that says so has lost its time: a battery was empty, and it began again in 1970.
LOST_BEFORE = 2000


def skew_of(sent_at: datetime | None, received: datetime) -> int | None:
    """By how many seconds the phone's clock was ahead of ours when it sent; None where it says nothing."""
    return None if sent_at is None else round((sent_at - received).total_seconds())


def happened(occurred_at: datetime, skew: int | None, received: datetime) -> datetime:
    """By our clock, and never in the future; what has no time of its own happened when it came."""
    ahead = timedelta(seconds=skew or 0)
    corrected = occurred_at - ahead if abs(ahead) > SLACK else occurred_at
    return received if corrected.year < LOST_BEFORE else min(corrected, received).astimezone(UTC)


def is_wrong(occurred_at: datetime, skew: int | None, received: datetime) -> bool:
    """The phone's clock was so far from ours that its time had to be put right."""
    return abs(happened(occurred_at, skew, received) - occurred_at) > TOLERATED_SKEW


@dataclass(frozen=True, slots=True)
class Noted:
    """When a phone noted something: by its own clock, by its clock when it was sent, and when it came."""

    occurred_at: datetime
    sent_at: datetime | None
    received_at: datetime

    @property
    def skew(self) -> int | None:
        return skew_of(self.sent_at, self.received_at)

    @property
    def happened_at(self) -> datetime:
        return happened(self.occurred_at, self.skew, self.received_at)

    @property
    def is_wrong(self) -> bool:
        return is_wrong(self.occurred_at, self.skew, self.received_at)
