"""Positions in the change log: one kind for everybody who follows it."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Session, col

from app.errors import Problem
from app.models.base import first_id
from app.models.kernel.changes import Change, Feed, FeedHead
from app.models.kernel.following import FollowQuery, StartOverReason
from app.services.kernel.access import Db

_NEWEST = sa.select(col(FeedHead.seq), col(FeedHead.epoch)).where(col(FeedHead.id) == 1)
_OLDEST = sa.select(sa.func.min(col(Feed.seq)))
# Ids of changes begin with their time (UUIDv7), taken an instant before `at`.
_SKEW = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Position:
    """How far the log has come: the last number given, and the run of numbers it belongs to."""

    seq: int
    epoch: UUID

    def members(self) -> dict[str, Any]:
        """As members of an answer."""
        return asdict(self)


def newest(db: Db) -> Position:
    """Where the log ends now."""
    seq, epoch = db.execute(_NEWEST).one()
    return Position(seq, epoch)


def next_epoch(session: Session) -> UUID:
    """Begin another run of numbers: every follower has to start over."""
    epoch = uuid4()
    session.connection().execute(sa.update(FeedHead).values(epoch=epoch))
    return epoch


@dataclass(frozen=True, slots=True)
class Following:
    """What a follower has not read: numbers above `after`, up to the newest."""

    after: int
    newest: Position
    since_time: datetime | None

    @classmethod
    def of(cls, db: Db, query: FollowQuery) -> "Following":
        """409 `start_over` when the follower cannot go on from its position."""
        position = newest(db)
        if query.epoch not in (None, position.epoch):
            raise _start_over(StartOverReason.other_epoch, position)
        if query.after > position.seq:
            raise _start_over(StartOverReason.ahead, position)
        if query.after and query.after + 1 < (db.execute(_OLDEST).scalar_one() or 0):
            raise _start_over(StartOverReason.expired, position)
        after = query.after
        if query.since_time is not None:
            after = max(after, _before(db, query.since_time, position))
        return cls(after, position, query.since_time)

    @property
    def rows(self) -> sa.ColumnElement[bool]:
        """Of the feed joined to its changes. Above the newest comes what the next page is for."""
        unread = col(Feed.seq) <= self.newest.seq
        if self.since_time is None:
            return unread
        return sa.and_(unread, col(Change.at) >= self.since_time)


def _before(db: Db, instant: datetime, position: Position) -> int:
    """The number before the first change made then or later: found by the ids of changes."""
    first = db.execute(
        sa.select(sa.func.min(col(Feed.seq)))
        .join(Change, col(Change.id) == col(Feed.change_id))
        .where(col(Change.id) >= first_id(instant - _SKEW), col(Change.at) >= instant)
    ).scalar_one()
    return position.seq if first is None else first - 1


def _start_over(reason: StartOverReason, position: Position) -> Problem:
    extra = {"reason": reason.value, "seq": position.seq, "epoch": str(position.epoch)}
    return Problem("start_over", reason=reason, extra=extra)
