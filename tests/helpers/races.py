"""Two acts at once: the second begins while the first has not committed."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

import sqlalchemy as sa
from sqlmodel import Session

from app.db import Database

First = TypeVar("First")
Second = TypeVar("Second")
# So long an act is waited for that is neither done nor kept waiting by a lock.
_LONGEST = 20.0
_LOOKS = 0.02


def begun(database: Database, act: Callable[[], Second]) -> Future[Second]:
    """An act in a thread of its own: it is done, or waits for a lock that this thread holds."""
    threads = ThreadPoolExecutor(1, thread_name_prefix="second")
    future = threads.submit(act)
    threads.shutdown(wait=False)
    for _ in range(int(_LONGEST / _LOOKS)):
        done, _ = wait([future], timeout=_LOOKS)
        if done or _is_waiting(database):
            return future
    raise AssertionError("it is neither done nor waiting")


def at_commit(
    database: Database, first: Callable[[], First], second: Callable[[], Second]
) -> tuple[First, Second]:
    """What the two answer. While the second begins the first holds its locks, and nobody sees what it
    has written."""
    others: list[Future[Second]] = []

    def meanwhile(session: Session) -> None:
        if not others and "origin" in session.info:
            others.append(begun(database, second))

    sa.event.listen(Session, "before_commit", meanwhile)
    try:
        answer = first()
        [other] = others
        return answer, other.result(_LONGEST)
    finally:
        # Not while one of the two commits: it walks through the listeners.
        sa.event.remove(Session, "before_commit", meanwhile)


def _is_waiting(database: Database) -> bool:
    """On SQLite every writer waits for its turn."""
    if database.on_sqlite:
        return True
    blocked = sa.text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with database.reading() as db:
        return bool(db.execute(blocked).scalar_one())
