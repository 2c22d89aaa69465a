"""The sequencer: gives each committed change its place in the one gapless order (PostgreSQL).

Readers of the feed call `settle` themselves, so they miss nothing; a thread of each server keeps
the outbox short for them.
"""

from functools import partial

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import Database, on_sqlite
from app.models.kernel.changes import FeedHead, Outbox
from app.services.kernel.access import Db
from app.services.kernel.background import Background, Every

PERIOD_SECONDS = 0.25
BATCH = 5_000

_HEAD = sa.select(col(FeedHead.seq))
_PLACED = [name for name in Outbox.model_fields if name != "id"]
_LOCK_HEAD = sa.select(col(FeedHead.seq)).where(col(FeedHead.id) == 1).with_for_update()
_PLACE = sa.text(
    f"""
    WITH gone AS (
        DELETE FROM outbox
        WHERE id <= (SELECT max(id) FROM (SELECT id FROM outbox ORDER BY id LIMIT :batch) AS first)
        RETURNING *
    ), placed AS (
        INSERT INTO feed (seq, {", ".join(_PLACED)})
        SELECT :head + row_number() OVER (ORDER BY id), {", ".join(_PLACED)} FROM gone
        RETURNING seq
    )
    UPDATE feed_head SET seq = :head + (SELECT count(*) FROM placed)
    WHERE id = 1 AND EXISTS (SELECT 1 FROM placed)
    RETURNING seq
    """  # noqa: S608  # column names of our own model
)


# The outbox is empty one moment and holds a whole import the next: a plan kept from the one takes
# minutes for the other. And who waits for the head is one of many, whose batches are done in turn.
_PLAN_ANEW_AND_WAIT = sa.select(
    sa.func.set_config("plan_cache_mode", "force_custom_plan", sa.true()),
    sa.func.set_config("lock_timeout", "0", sa.true()),
)
# By the index: after a large import the table itself has only dead pages, and VACUUM may leave them.
_ANY_WAITING = sa.select(col(Outbox.id)).order_by(col(Outbox.id)).limit(1)


def ensure_there(db: Db) -> None:
    """The database answers and has its tables; an error of SQLAlchemy otherwise."""
    db.execute(_HEAD)


def place_committed(session: Session, *, batch: int = BATCH) -> int:
    """Number up to `batch` committed changes; returns how many. Nothing to do on SQLite."""
    connection = session.connection()
    if on_sqlite(connection):
        return 0
    connection.execute(_PLAN_ANEW_AND_WAIT)
    head = connection.execute(_LOCK_HEAD).scalar_one()
    last = connection.execute(_PLACE, {"head": head, "batch": batch}).scalar_one_or_none()
    return 0 if last is None else last - head


def waiting(database: Database) -> bool:
    """Whether any committed change has no number yet."""
    with database.reading() as db:
        return db.execute(_ANY_WAITING).scalar_one_or_none() is not None


def settle(database: Database) -> int:
    """Number all changes committed so far, so that a reader starting now misses none."""
    if database.on_sqlite:
        return 0
    if not waiting(database):
        return 0
    total, placed = 0, BATCH
    # What is committed meanwhile is for the next call: this one has an end.
    while placed == BATCH:
        with database.writing() as session:
            placed = place_committed(session)
        total += placed
    return total


def background(database: Database) -> Background:
    """A thread that numbers changes soon after they are committed. Any number of servers may have
    one; SQLite needs none."""
    if database.on_sqlite:
        return Background("sequencer")
    numbering = Every(
        seconds=PERIOD_SECONDS, work=partial(settle, database), name="sequencer", promised=True
    )
    return Background("sequencer", numbering)
