"""Where jobs are done: in a process of its own, or in the server."""

import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Self
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app import logs
from app.clock import utc_now
from app.db import Database
from app.jobs import Runner
from app.models.kernel.jobs import (
    Job,
    JobState,
)
from app.services.kernel.background import Background, Every
from app.services.kernel.jobs import UNFINISHED, perform

# A runner that has not been heard of for so long is gone.
LOST_AFTER = timedelta(seconds=120)
# A server that has just been started has people waiting for it.
_FIRST_AFTER_SECONDS = 2
_LOOK_SECONDS = 0.5
_LONG_SECONDS = 1.0
_WAITING = sa.select(col(Job.id)).where(col(Job.state).in_(UNFINISHED)).limit(1)


def send_lost_again(database: Database) -> int:
    """Send jobs whose runner has no recent heartbeat again, to any free runner."""
    limit = utc_now() - LOST_AFTER
    with database.reading() as db:
        lost = db.execute(
            sa.select(col(Job.id)).where(
                col(Job.state) == JobState.running, col(Job.seen_at) < limit
            )
        ).scalars()
        ids = list(lost)
    for job_id in ids:
        logs.warning("job_lost", job_id=str(job_id))
        database.sender.send_again(job_id)
    return len(ids)


class Worker:
    """A context: while it is open, jobs are done in this process."""

    def __init__(self, database: Database) -> None:
        self._runner = Runner(
            database.settings.database_url,
            database.job_engine,
            database.settings.worker,
            partial(_do, database),
        )

    def __enter__(self) -> Self:
        self._runner.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.close()


def _do(database: Database, job_id: UUID) -> None:
    """Do a job. A long one leaves tens of thousands of objects in circles, which the collector
    would let lie until they are a quarter of all there are."""
    began = monotonic()
    perform(database, job_id)
    if monotonic() - began > _LONG_SECONDS:
        gc.collect()


@contextmanager
def in_server(database: Database) -> Iterator[Background]:
    """While it is open, the server does jobs itself, from the first one on: without any, a worker
    would be an eighth of the server's memory.

    On SQLite only, where the server is all there is: on PostgreSQL `hoiso worker` does them.
    """
    if not (database.on_sqlite and database.settings.serve_jobs):
        yield Background("jobs")
        return
    with ExitStack() as opened:
        is_open = False

        def open_for_the_first() -> None:
            nonlocal is_open
            if not is_open and any_waits(database):
                opened.enter_context(Worker(database))
                is_open = True

        opening = Every(
            seconds=_LOOK_SECONDS,
            work=open_for_the_first,
            name="jobs",
            first_after=_FIRST_AFTER_SECONDS,
            promised=True,
        )
        with Background("jobs", opening) as background:
            yield background


def any_waits(database: Database) -> bool:
    with database.reading() as db:
        return db.execute(_WAITING).first() is not None
