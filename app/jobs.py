"""Durable delivery of background jobs: by DBOS.

A job is sent in the transaction of the business rows it belongs to: both are there, or neither. A
runner takes jobs one by one; a job cut off by a crash is delivered again. The work of a job and its
state are in `services/kernel/jobs.py`.

dbos takes a second to import and is not needed to answer a request: it is imported when the first
job is sent, or by a process that runs jobs.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from dbos import DBOSClient

_QUEUE = "jobs"
_WORKFLOW = "perform"
# DBOS keeps a job for the version of the program it was sent by: ours reads any job of any version.
_VERSION = "1"
_AT_A_TIME = 1
_POLL_SECONDS = 0.5


def migrate(url: str) -> None:
    """Make or renew the tables of DBOS: a schema `dbos` on PostgreSQL, beside ours on SQLite."""
    from dbos import DBOS

    _quiet()
    DBOS.migrate(url)


class NotReady(SQLAlchemyError):
    """The database is away, or the tables of jobs are not there yet: an outage as others are."""


class Sender:
    """Sends jobs to runners, and again when a runner is lost.

    Without an engine DBOS makes one of its own for the URL.
    """

    _making: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, url: str, engine: Engine | None) -> None:
        self._url = url
        self._engine = engine
        self._client: DBOSClient | None = None

    @property
    def _dbos(self) -> DBOSClient:
        with self._making:
            if self._client is None:
                from dbos import DBOSClient, DBOSPortableJSONSerializer

                _quiet()
                self._client = DBOSClient(
                    system_database_url=self._url,
                    system_database_engine=self._engine,
                    serializer=DBOSPortableJSONSerializer(),
                    lazy=True,
                )
            return self._client

    def send(self, connection: Connection, job_id: UUID) -> None:
        """In the transaction of this connection."""
        self._dbos.enqueue_in_transaction(
            connection,
            {
                "queue_name": _QUEUE,
                "workflow_name": _WORKFLOW,
                "workflow_id": str(job_id),
                "app_version": _VERSION,
            },
            str(job_id),
        )

    def send_again(self, job_id: UUID) -> None:
        """Its runner is lost. A false alarm does no harm: jobs are done in steps that may repeat."""
        self._dbos.resume_workflow(str(job_id), queue_name=_QUEUE)

    def forget(self, job_ids: list[UUID]) -> None:
        """Their delivery is no longer of interest."""
        self._dbos.delete_workflows([str(job_id) for job_id in job_ids])

    def close(self) -> None:
        if self._client is not None:
            self._client.destroy()


class Runner:
    """Runs jobs in threads of this process until it is closed: one in a process.

    `name` is that of this place of work (HOISO_WORKER): a runner that comes back under the same
    name goes on with what it was at.
    """

    def __init__(
        self, url: str, engine: Engine | None, name: str, perform: Callable[[UUID], None]
    ) -> None:
        self._url = url
        self._engine = engine
        self._name = name
        self._perform = perform

    def open(self) -> None:
        """What was begun of it is undone when it fails: it can be opened again."""
        with ExitStack() as undone:
            undone.callback(self.close)
            self._launch()
            undone.pop_all()

    def _launch(self) -> None:
        from dbos import DBOS, DBOSPortableJSONSerializer, error

        _quiet()
        DBOS(
            config={
                "name": "hoiso",
                "system_database_url": self._url,
                "system_database_engine": self._engine,
                "application_version": _VERSION,
                "executor_id": self._name,
                "serializer": DBOSPortableJSONSerializer(),
                # Behind PgBouncer nobody can LISTEN; half a second of patience costs nothing.
                "use_listen_notify": False,
                "run_migrations": False,
                "log_level": "WARNING",
                # Of DBOS's own engine: on SQLite.
                "sys_db_pool_size": 3,
            }
        )
        perform = self._perform

        @DBOS.workflow(name=_WORKFLOW)
        def _workflow(job_id: str) -> None:
            perform(UUID(job_id))

        try:
            DBOS.launch()
        except error.DBOSInitializationError as cause:
            raise NotReady("the runner of jobs could not begin") from cause
        DBOS.register_queue(
            _QUEUE, worker_concurrency=_AT_A_TIME, polling_interval_sec=_POLL_SECONDS
        )

    def close(self) -> None:
        from dbos import DBOS

        DBOS.destroy(destroy_registry=True)


def _quiet() -> None:
    """DBOS logs in a format of its own, with tracebacks of what it raises as well."""
    logger = logging.getLogger("dbos")
    logger.setLevel(logging.WARNING)
    logger.addFilter(_without_traceback)
    for handler in logger.handlers:
        if type(handler) is logging.StreamHandler:
            # Of an earlier runner in this process: the stream of its day may be closed.
            handler.stream = sys.stderr


def _without_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = None
    return True
