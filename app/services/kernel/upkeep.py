"""What is done when its time has come: tacit approvals, and forgetting what has expired."""

import threading
from types import TracebackType
from typing import Self

from sqlmodel import Session

from app.db import Database
from app.services.attendance import captures
from app.services.duplicates import merges
from app.services.events import reminders
from app.services.identity import signin
from app.services.imports import store
from app.services.kernel import access_log, idempotency, jobs, key_rotation
from app.services.kernel.sequencer import outliving_outages
from app.services.memberships import transfers
from app.services.poverty import statuses
from app.services.privacy import anonymisations, erasures, retention

PERIOD_SECONDS = 60 * 60
# Reminders go out to the minute.
REMINDER_SECONDS = 60
# A server that has just been started has people waiting for it.
FIRST_AFTER_SECONDS = 10


def run(session: Session) -> int:
    """Delete expired rows; returns how many."""
    merges.forget_old(session)
    return idempotency.forget_old(session) + signin.forget_old(session)


def do_due(database: Database) -> int:
    """Everything that is due; returns how many expired rows were deleted."""
    transfers.approve_due(database)
    anonymisations.lapse(database)
    erasures.sweep_late(database)
    forgotten_jobs = jobs.forget_old(database) + store.forget_old(database)
    forgotten_jobs += retention.forget_due(database)
    captures.release_due(database)
    statuses.follow(database)
    with database.writing() as session:
        forgotten = access_log.forget_old(session, database.settings.access_log_days)
        return run(session) + forgotten + forgotten_jobs


class Housekeeper:
    """A context: while it is open, a thread of the server does what is due, soon and every hour.

    On SQLite only, where the server is all there is: on PostgreSQL `hoiso worker` does it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeper", daemon=True)

    def __enter__(self) -> Self:
        if self._database.on_sqlite:
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
        if self._stop.wait(FIRST_AFTER_SECONDS):
            return
        with outliving_outages("key_rotation"):
            if self._database.vault.is_rotating:
                key_rotation.rotate(self._database)
        while not self._stop.is_set():
            with outliving_outages("housekeeping"):
                do_due(self._database)
            for _ in range(PERIOD_SECONDS // REMINDER_SECONDS):
                with outliving_outages("reminders"):
                    reminders.send_due(self._database)
                if self._stop.wait(REMINDER_SECONDS):
                    return
