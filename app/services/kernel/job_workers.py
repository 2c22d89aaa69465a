"""Where jobs are done: in a process of its own, or in the server."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Self

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
from app.services.kernel.jobs import perform

# A runner that has not been heard of for so long is gone.
LOST_AFTER = timedelta(seconds=120)
# A server that has just been started has people waiting for it.
_FIRST_AFTER_SECONDS = 2


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
            lambda job_id: perform(database, job_id),
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


@contextmanager
def in_server(database: Database) -> Iterator[Background]:
    """While it is open, the server does jobs itself, from soon after its start.

    On SQLite only, where the server is all there is: on PostgreSQL `hoiso worker` does them.
    """
    if not (database.on_sqlite and database.settings.serve_jobs):
        yield Background("jobs")
        return
    with ExitStack() as opened:

        def open_worker() -> None:
            opened.enter_context(Worker(database))

        once = Every(
            seconds=math.inf,
            work=open_worker,
            name="jobs",
            first_after=_FIRST_AFTER_SECONDS,
            promised=True,
        )
        with Background("jobs", once) as opening:
            yield opening
