"""The senders of a process: threads that send what waits, one receiver a thread and a turn.

Any number of processes may have them: who is at a webhook has the lease of its row.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from app import logs
from app.clock import utc_now
from app.db import Database
from app.services.kernel import sequencer
from app.services.kernel.background import Background, Every
from app.services.webhooks import positions
from app.services.webhooks.sending import send

_PERIOD_SECONDS: Final = 0.5
_FIRST_AFTER_SECONDS: Final = 2.0
_THREADS: Final = 16
# Receivers that did not take the last event may let a thread wait for as long as a request may: they
# never have all of them.
_FOR_FAILING: Final = 8
# What was looked at in vain is looked at again: a restore is released by another process.
_LOOKS: Final = 60
_ANYWHERE: Final = 2**63


@dataclass(slots=True)
class _Looked:
    """How far a webhook was looked at without finding anything for it, after how many acts of people; and
    how often since it was passed by."""

    seq: int
    acts: int
    times: int = 0

    def passes_by(self, row: Any) -> bool:
        self.times += 1
        return self.seq >= row.head and self.acts == row.acts and self.times < _LOOKS


class Senders:
    """A context: while it is open, events are sent. Without anything to send there is no thread but the
    one that looks."""

    def __init__(self, database: Database, *, idle: bool = False) -> None:
        self._database = database
        self._stop = threading.Event()
        self._lock = threading.Lock()
        # Who is being sent to, and whether it is failing.
        self._busy: dict[UUID, bool] = {}
        self._looked: dict[UUID, _Looked] = {}
        self._pool: ThreadPoolExecutor | None = None
        looking = Every(
            seconds=_PERIOD_SECONDS,
            work=self.look,
            name="webhooks",
            first_after=_FIRST_AFTER_SECONDS,
            promised=True,
        )
        self.background = Background("webhooks", *([] if idle else [looking]))

    def __enter__(self) -> Self:
        self._stop.clear()
        self.background.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self.background.__exit__(kind, error, trace)
        if self._pool is not None:
            # A request has its end, and the one at hand may have been taken already.
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        self._busy.clear()

    def look(self) -> int:
        """Begin a turn at each webhook that is due; returns how many."""
        begun = 0
        with self._database.reading() as db:
            due = positions.due(db, utc_now())
        for row in due:
            if self._begins(row):
                begun += 1
        return begun

    def _begins(self, row: Any) -> bool:
        endpoint_id, failing = row.endpoint_id, row.failures > 0
        looked = self._looked.get(endpoint_id)
        if looked is not None and looked.passes_by(row):
            return False
        with self._lock:
            busy = self._busy
            if endpoint_id in busy or len(busy) >= _THREADS:
                return False
            if failing and sum(busy.values()) >= _FOR_FAILING:
                return False
            busy[endpoint_id] = failing
        self._looked.pop(endpoint_id, None)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, "webhook")
        self._pool.submit(self._turn, endpoint_id, row.acts)
        return True

    def _turn(self, endpoint_id: UUID, acts: int) -> None:
        # What is faulty is done again, and not at once.
        looked_to: int | None = _ANYWHERE
        try:
            looked_to = send(self._database, endpoint_id, self._stop.is_set).looked_to
        except SQLAlchemyError as error:
            logs.warning("webhook_failed", error=type(error).__name__)
        except Exception as error:  # noqa: BLE001  # one faulty webhook must not end the others
            logs.exception("webhook_failed", error)
        finally:
            if looked_to is not None:
                self._looked[endpoint_id] = _Looked(looked_to, acts)
            with self._lock:
                self._busy.pop(endpoint_id, None)


def in_server(database: Database) -> Senders:
    """On SQLite, where the server is all there is; on PostgreSQL `hoiso worker` sends."""
    return Senders(database, idle=not (database.on_sqlite and database.settings.serve_jobs))


def work_off(database: Database) -> int:
    """Send everything that is due, here and now, one receiver after the other; returns how many tries
    that took."""
    tries, looked = 0, set[UUID]()
    sequencer.settle(database)
    while True:
        with database.reading() as db:
            ids = [row.endpoint_id for row in positions.due(db, utc_now())]
        ids = [each for each in ids if each not in looked]
        if not ids:
            return tries
        for endpoint_id in ids:
            turn = send(database, endpoint_id)
            tries += turn.tries
            if turn.tries == 0 or turn.looked_to is not None:
                looked.add(endpoint_id)
