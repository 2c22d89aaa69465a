"""The sequencer at work in a server: numbers committed changes a few times a second.

Readers of the feed call `changes.settle` themselves; this keeps the outbox short for them.
"""

import threading
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from app import logs
from app.db import Database
from app.services import changes

PERIOD_SECONDS = 0.25


class Sequencer:
    """A context: while it is open, a thread places changes. Any number of servers may run one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)

    def __enter__(self) -> Self:
        if not self._database.on_sqlite:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_SECONDS):
            try:
                if changes.waiting(self._database):
                    changes.settle(self._database)
            except SQLAlchemyError as error:
                # The database is away: try again next time, the outbox keeps everything.
                logs.warning("sequencer_failed", error=type(error).__name__)
