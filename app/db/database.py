"""A database at work: reads on kept connections, one transaction a writer."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session

from app.config import Settings
from app.db import engines
from app.db.reads import Reads
from app.db.replica import Replica, ReplicaSilent, Way
from app.db.storage import Storage
from app.jobs import Sender
from app.statements import few_texts
from app.vault import Vault

T = TypeVar("T")
WRITER_WAIT_SECONDS = 30
_CHECKPOINTS = 100  # a reader in the middle of a statement is soon done with it
# An event of SQLAlchemy's sessions, and what is called at it.
SessionListener = tuple[str, Callable[..., None]]


class NotInstalled(RuntimeError):
    """The process has not installed its capabilities."""

    def __init__(self) -> None:
        super().__init__("no capabilities: call app.services.capabilities.install() first")


class _Followed:
    """The listeners of this process's database sessions; None until capabilities are installed."""

    by: Sequence[SessionListener] | None = None


def follow_sessions(listeners: Sequence[SessionListener]) -> None:
    """Call these at the events of every session, and no longer those given before."""
    for event, run in _Followed.by or ():
        sa.event.remove(Session, event, run)
    for event, run in listeners:
        sa.event.listen(Session, event, run)
    _Followed.by = listeners


class Database:
    """Autocommit reads (no BEGIN, no ROLLBACK round trips), write transactions, and the reads of a
    replica where there is one."""

    def __init__(
        self, settings: Settings, lock_seconds: int = engines.BACKGROUND_LOCK_SECONDS
    ) -> None:
        self.settings = settings
        self.on_sqlite = settings.on_sqlite
        # On SQLite writers go one by one in the order they came: a pool of one starves some.
        self._turn: AbstractContextManager[None] = _Turns() if settings.on_sqlite else nullcontext()
        self.reader, self.writer = engines.make(settings, lock_seconds)
        self._primary = Reads(self.reader)
        self.storage = Storage(self.writer)
        self.job_engine = engines.for_jobs(settings)
        self.sender = Sender(settings.database_url, self.job_engine)
        self.vault = settings.vault()
        to_replica = engines.for_replica(settings)
        self.replica = Replica(to_replica, self._primary, settings) if to_replica else None
        for engine in filter(None, (self.reader, self.writer, to_replica)):
            keep_vault(engine, self.vault)
            _keep_settings(engine, settings)
            few_texts(engine)

    def read(self, job: Callable[[Connection], T]) -> T:
        """Run a small read on a connection this thread keeps: of the replica where it has all that
        is committed, else of the primary."""
        return self._read(Reads.kept, job)

    def read_apart(self, job: Callable[[Connection], T]) -> T:
        """As `read`, on a connection of a pool: for threads that are not the endpoints'."""
        return self._read(Reads.apart, job)

    def read_primary(self, job: Callable[[Connection], T]) -> T:
        """A read that never asks the replica: who may sign in, and what an actor may do."""
        return self._primary.apart(job)

    def _read(self, way: Way, job: Callable[[Connection], T]) -> T:
        if self.replica is not None:
            with suppress(ReplicaSilent):
                return self.replica.read(way, job)
        return way(self._primary, job)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection of the primary for reads, each statement its own snapshot."""
        with self.reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        if _Followed.by is None:
            raise NotInstalled  # it would write past the change log
        with (
            self._turn,
            Session(self.writer, autoflush=False, expire_on_commit=False) as session,
            session.begin(),
        ):
            session.info["sender"] = self.sender
            yield session
        self.storage.works()

    def try_to_write(self) -> None:
        """One transaction that changes nothing, and has to reach the disk all the same."""
        with self._turn, self.writer.begin() as connection:
            connection.exec_driver_sql("UPDATE feed_head SET seq = seq")
        self.storage.works()

    def sweep(self, tables: Iterable[str]) -> None:
        """Remove deleted and overwritten rows from the database's files.

        SQLite has zeroed them as it deleted (`secure_delete`), and its write-ahead log is emptied
        into the file: rewriting the file as well would block all writers for seconds. PostgreSQL
        vacuums these tables one by one without waiting for readers: rows still visible to an old
        snapshot are removed by the next vacuum.
        """
        if not self.on_sqlite:
            self._apart(f"VACUUM {table}" for table in tables)
            return
        with self._turn:
            raw = self.writer.raw_connection()
            try:
                cursor = raw.cursor()
                for _ in range(_CHECKPOINTS):
                    busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                    if not busy:
                        break
                    time.sleep(0.1)
                cursor.close()
            finally:
                raw.close()

    def analyze(self) -> None:
        """Have the planner know what a bulk load has written, and index-only scans be possible."""
        if self.on_sqlite:
            with self._turn, self.writer.begin() as connection:
                connection.exec_driver_sql("ANALYZE")
            return
        self._apart(["VACUUM (ANALYZE)"])

    def _apart(self, statements: Iterable[str]) -> None:
        sweeping = engines.without_time_limit(self.settings)
        try:
            with sweeping.connect() as connection:
                for statement in statements:
                    connection.exec_driver_sql(statement)
        finally:
            sweeping.dispose()

    def close(self) -> None:
        self._primary.close()
        if self.replica is not None:
            self.replica.close()
        self.sender.close()
        engines.end(self.writer)
        if self.job_engine is not None:
            engines.end(self.job_engine)


class _Turns(AbstractContextManager[None]):
    """A lock that serves in the order of arrival."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False

    def __enter__(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            ticket = threading.Lock()
            ticket.acquire()
            self._waiting.append(ticket)
        if ticket.acquire(timeout=WRITER_WAIT_SECONDS):
            return
        with self._guard:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                raise PoolTimeout("the writer is busy")
        # Called up in the same moment: the turn is ours after all.

    def __exit__(self, *_: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


def keep_vault(engine: Engine, vault: Vault) -> None:
    """Where column types (`models.base.Sealed`) find the vault of their database."""
    dialect: Any = engine.dialect  # it belongs to one engine
    dialect.vault = vault


def _keep_settings(engine: Engine, settings: Settings) -> None:
    dialect: Any = engine.dialect  # it belongs to one engine
    dialect.settings = settings


def sender_of(session: Session) -> Sender:
    """Who sends jobs in the transaction at hand."""
    sender: Sender = session.info["sender"]
    return sender


def vault_of(db: Connection | Session) -> Vault:
    """The vault that belongs to the database of a connection or session."""
    vault: Vault = _dialect_of(db).vault
    return vault


def settings_of(db: Connection | Session) -> Settings:
    """The settings that belong to the database of a connection or session."""
    settings: Settings = _dialect_of(db).settings
    return settings


def _dialect_of(db: Connection | Session) -> Any:
    connection = db.connection() if isinstance(db, Session) else db
    return connection.dialect
