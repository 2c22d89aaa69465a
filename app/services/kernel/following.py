"""Positions in the change log: one kind for everybody who follows it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import Session, col

from app.clock import utc_now
from app.errors import Problem
from app.models.base import first_id
from app.models.kernel.changes import Change, Feed, FeedHead
from app.models.kernel.epochs import Epoch
from app.models.kernel.following import FollowQuery, StartOverReason
from app.services.kernel import sequencer
from app.services.kernel.access import Db
from app.services.kernel.keyset import Entry, Key, Pages

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


def next_epoch(
    session: Session, *, taken_at: datetime | None = None, losses_accepted_by: str | None = None
) -> Epoch:
    """Begin another run of numbers: a follower that has read more than is here has to start over."""
    # What waits for a number was committed before the backup was taken: it was not lost.
    while sequencer.place_committed(session):
        pass
    seq = newest(session).seq
    last = session.execute(sa.select(sa.func.max(col(Epoch.number)))).scalar_one()
    epoch = Epoch(
        number=last + 1,
        id=uuid4(),
        began_after=seq,
        began_at=utc_now(),
        taken_at=taken_at,
        losses_accepted_by=losses_accepted_by,
    )
    session.add(epoch)
    session.flush()
    session.connection().execute(sa.update(FeedHead).values(epoch=epoch.id))
    return epoch


def epochs(db: Db) -> Sequence[Any]:
    """All runs of numbers, the first one first."""
    columns = [getattr(Epoch, name) for name in Epoch.model_fields]
    return db.execute(sa.select(*columns).order_by(col(Epoch.number))).all()


def restored_since(db: Db, epoch: UUID | None) -> datetime | None:
    """When the first restore began after this epoch; None: there was none. Of an epoch that is not
    known it is the first of all."""
    known = epochs(db)
    number = next((each.number for each in known if each.id == epoch), known[0].number)
    return next((each.began_at for each in known if each.number > number), None)


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
        if query.epoch is not None:
            _ensure_shared(db, query.after, query.epoch, position)
        if query.after > position.seq:
            raise start_over(StartOverReason.ahead, position)
        if query.after and query.after + 1 < (db.execute(_OLDEST).scalar_one() or 0):
            raise start_over(StartOverReason.expired, position)
        after = query.after
        if query.since_time is not None:
            after = max(after, _before(db, query.since_time, position))
        return cls(after, position, query.since_time)

    def placed(self, pages: Pages) -> Pages:
        """These pages, whose places belong to the epoch in which they were given."""

        def page(db: Connection, after: Key | None, limit: int) -> list[Entry]:
            key = after and after[:1]
            # Places given by an older version of the program name no epoch.
            if after is not None:
                seq, *epochs_of_place = after
                for epoch in epochs_of_place:
                    _ensure_shared(db, seq, epoch, self.newest)
            return [((*at, self.newest.epoch), item) for at, item in pages(db, key, limit)]

        return page

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


def _ensure_shared(db: Db, seq: int, epoch: UUID, position: Position) -> None:
    """A number of another epoch says the same here when no restore since has lost it."""
    if epoch == position.epoch:
        return
    number = sa.select(col(Epoch.number)).where(col(Epoch.id) == epoch).scalar_subquery()
    later = sa.select(sa.func.min(col(Epoch.began_after))).where(col(Epoch.number) > number)
    shared = db.execute(later).scalar_one()
    if shared is None:
        raise start_over(StartOverReason.other_epoch, position)
    if seq > shared:
        raise start_over(StartOverReason.ahead_of_log, position, lost_after=shared)


def start_over(reason: StartOverReason, position: Position, **more: int) -> Problem:
    """A follower cannot go on; `position` is where the log ends now."""
    extra = {"reason": reason.value, "seq": position.seq, "epoch": str(position.epoch)}
    return Problem("start_over", reason=reason, extra=extra | more)
