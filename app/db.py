"""Engines, sessions, transactions, and the few differences between SQLite and PostgreSQL."""

import re
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from weakref import WeakSet

import orjson
import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session, SQLModel

from app.config import Settings
from app.jobs import Sender
from app.statements import few_texts
from app.vault import Vault

T = TypeVar("T")
MIN_SQLITE = (3, 38, 0)
# As many threads run endpoints; each keeps a connection for its reads.
ENDPOINT_THREADS = 8
OTHER_READERS = 4  # token checks, streams, the sequencer
WRITER_WAIT_SECONDS = 30
_CHECKPOINTS = 100  # a reader in the middle of a statement is soon done with it
# A statement whose columns the type checker need not follow.
AnySelect = sa.Select[*tuple[Any, ...]]
# An event of SQLAlchemy's sessions, and what is called at it.
SessionListener = tuple[str, Callable[..., None]]


_COMMON: dict[str, Any] = {
    # Errors are logged, and parameters are people's data.
    "hide_parameters": True,
    "json_serializer": lambda value: orjson.dumps(value).decode(),
    "json_deserializer": orjson.loads,
}


class _Cursor(psycopg.Cursor[Any]):
    """A cursor that describes the same columns once.

    SQLAlchemy asks for the description of every result, and psycopg makes an object a column
    each time: a third of the price of reading one row by its key.
    """

    _described: ClassVar[dict[tuple[Any, ...], list[Any]]] = {}

    @property
    def description(self) -> list[Any] | None:
        result = self.pgresult
        if result is None or not result.nfields:
            return None
        key = tuple((result.fname(n), result.ftype(n)) for n in range(result.nfields))
        found = self._described.get(key)
        if found is None:
            columns = super().description or []
            found = [(c.name, c.type_code, None, None, None, None, None) for c in columns]
            if len(self._described) < 1_000:
                self._described[key] = found
        return found


class _Kept:
    """A connection for as long as its thread lives."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def give_back(self) -> None:
        self.connection.close()

    def __del__(self) -> None:
        self.give_back()


class _Turns:
    """A lock that serves in the order of arrival."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False

    def acquire(self) -> None:
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

    def release(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


class NotInstalled(RuntimeError):
    """The process has not said which capabilities it has."""

    def __init__(self) -> None:
        super().__init__("no capabilities: call app.services.capabilities.install() first")


class _Followed:
    """What follows the sessions of this process; None until it is said."""

    by: Sequence[SessionListener] | None = None


def follow_sessions(listeners: Sequence[SessionListener]) -> None:
    """Call these at the events of every session, and no longer those given before."""
    for event, run in _Followed.by or ():
        sa.event.remove(Session, event, run)
    for event, run in listeners:
        sa.event.listen(Session, event, run)
    _Followed.by = listeners


class Database:
    """Two engines: autocommit reads (no BEGIN, no ROLLBACK round trips) and write transactions."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.on_sqlite = settings.on_sqlite
        self._turns = _Turns()
        self._of_thread = threading.local()
        self._all_kept: WeakSet[_Kept] = WeakSet()
        if self.on_sqlite:
            self.reader, self.writer = self._sqlite_engines()
        else:
            self.reader, self.writer = self._postgresql_engines()
        self.sender = Sender(settings.database_url)
        self.vault = settings.vault()
        for engine in (self.reader, self.writer):
            keep_vault(engine, self.vault)
            few_texts(engine)

    def _sqlite_engines(self) -> tuple[Engine, Engine]:
        if sqlite3.sqlite_version_info < MIN_SQLITE:
            raise RuntimeError(
                f"SQLite {sqlite3.sqlite_version} is too old: 3.38 or newer is needed"
            )
        url = self.settings.database_url
        reader = sa.create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_size=ENDPOINT_THREADS + OTHER_READERS,
            max_overflow=0,
            pool_reset_on_return=None,
            **_COMMON,
        )
        # One writer, queued fairly here: SQLite's own busy handler starves writers for seconds.
        writer = sa.create_engine(
            url,
            pool_size=1,
            max_overflow=0,
            pool_timeout=30,
            connect_args={"timeout": 30},
            **_COMMON,
        )

        @sa.event.listens_for(writer, "do_connect")
        @sa.event.listens_for(reader, "do_connect")
        def _private(*_: object) -> None:
            try:
                self.make_file()
            except OSError as error:
                raise sqlite3.OperationalError(f"{error.filename}: {error.strerror}") from error

        @sa.event.listens_for(writer, "handle_error", retval=True)
        @sa.event.listens_for(reader, "handle_error", retval=True)
        def _named(context: ExceptionContext) -> BaseException | None:
            return _programming_error(context)

        @sa.event.listens_for(writer, "connect")
        def _writable(connection: Any, _: object) -> None:
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            # What is deleted is overwritten with zeros: people's data.
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute("PRAGMA cache_size=-32000")

        @sa.event.listens_for(writer, "begin")
        def _lock_first(connection: Connection) -> None:
            # A deferred BEGIN that upgrades to a write ignores busy_timeout and fails at once.
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        @sa.event.listens_for(reader, "connect")
        def _readable(connection: Any, _: object) -> None:
            connection.execute("PRAGMA query_only=ON")
            connection.execute("PRAGMA busy_timeout=5000")
            connection.execute("PRAGMA cache_size=-16000")

        return reader, writer

    def make_file(self) -> None:
        """An empty file for SQLite, where there is none: people's data, so for the owner alone, as
        are then the log files that SQLite puts beside it."""
        if not self.on_sqlite:
            return
        file = Path(self.settings.database_url.removeprefix("sqlite:///"))
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)

    def _postgresql_engines(self) -> tuple[Engine, Engine]:
        threshold = self.settings.prepare_threshold
        common: dict[str, Any] = {
            **_COMMON,
            "max_overflow": 0,
            "pool_timeout": 30,
            "connect_args": {
                "cursor_factory": _Cursor,
                "prepare_threshold": threshold or None,
                # Pages are in memory or on flash: at the default 4.0 (for turning disks) searches
                # sort all matching names first, where an index gives the page in order (12x).
                "options": f"-c timezone=UTC -c statement_timeout={self.settings.statement_timeout_ms}"
                " -c random_page_cost=1.1",
            },
        }
        url, size = self.settings.database_url, self.settings.pool_size
        reader = sa.create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_size=ENDPOINT_THREADS + OTHER_READERS,
            pool_reset_on_return=None,
            **common,
        )
        return reader, sa.create_engine(url, pool_size=size, **common)

    def read(self, job: Callable[[Connection], T]) -> T:
        """Run a small read on a connection this thread keeps.

        Getting one from the pool and giving it back costs as much as the read itself. After an
        error it is given back, so that a broken one is met once, and the read is done again.
        """
        return _again_when_cut(lambda: self._read_kept(job))

    def read_apart(self, job: Callable[[Connection], T]) -> T:
        """As `read`, on a connection of the pool: for threads that are not the endpoints'."""

        def read() -> T:
            with self.reading() as connection:
                return job(connection)

        return _again_when_cut(read)

    def _read_kept(self, job: Callable[[Connection], T]) -> T:
        kept: _Kept | None = getattr(self._of_thread, "kept", None)
        if kept is None:
            kept = self._of_thread.kept = _Kept(self.reader.connect())
            self._all_kept.add(kept)
        try:
            return job(kept.connection)
        except BaseException:
            self._of_thread.kept = None
            kept.give_back()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reads, each statement its own snapshot."""
        with self.reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        if _Followed.by is None:
            raise NotInstalled  # it would write past the change log
        with (
            self._turn(),
            Session(self.writer, autoflush=False, expire_on_commit=False) as session,
            session.begin(),
        ):
            session.info["sender"] = self.sender
            yield session

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """On SQLite writers go one by one in the order they came: a pool of one starves some."""
        if not self.on_sqlite:
            yield
            return
        self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release()

    def sweep(self, tables: Iterable[str]) -> None:
        """Give up what the files still hold of deleted and overwritten rows.

        SQLite has zeroed them as it deleted (`secure_delete`), and its log is emptied into the file:
        rewriting the file as well would keep all writers waiting for seconds. PostgreSQL frees the dead rows of these tables: whoever was reading them is
        waited for by nobody, so that what an old snapshot still sees goes with the next vacuum.
        """
        if not self.on_sqlite:
            with self.reader.connect() as connection:
                connection.exec_driver_sql("SET statement_timeout = 0")
                connection.exec_driver_sql(f"VACUUM {', '.join(tables)}")
                connection.invalidate()  # with its setting
            return
        with self._turn():
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

    def close(self) -> None:
        for kept in list(self._all_kept):
            kept.give_back()
        # Threads that live on keep nothing of this database.
        self._of_thread = threading.local()
        self.sender.close()
        self.reader.dispose()
        self.writer.dispose()


def _again_when_cut(read: Callable[[], T]) -> T:
    """Once more where the server had cut the connection (it was restarted): reads may be repeated."""
    try:
        return read()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
    return read()


# SQLite calls these operational, as it does a lock or a broken disk: PostgreSQL tells them apart.
_OF_THE_PROGRAM = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY)


def _programming_error(context: ExceptionContext) -> BaseException | None:
    """A missing table is no outage that passes: a ProgrammingError on both databases."""
    error = context.original_exception
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or code & 0xFF not in _OF_THE_PROGRAM:
        return None
    return ProgrammingError(context.statement, None, error, hide_parameters=True)


@contextmanager
def one_moment(db: Connection) -> Iterator[None]:
    """Several reads of an autocommit connection that all see the same moment: what is added up
    from them adds up whoever writes meanwhile."""
    on_sqlite = db.dialect.name == "sqlite"
    db.exec_driver_sql("BEGIN" if on_sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    try:
        yield
    finally:
        db.exec_driver_sql("COMMIT")


def keep_vault(engine: Engine, vault: Vault) -> None:
    """Where column types (`models.base.Sealed`) find the vault of their database."""
    engine.dialect.vault = vault  # type: ignore[attr-defined]  # a dialect belongs to one engine


def sender_of(session: Session) -> Sender:
    """Who sends jobs in the transaction at hand."""
    sender: Sender = session.info["sender"]
    return sender


def on_sqlite(db: Connection | Session) -> bool:
    return _connection_of(db).dialect.name == "sqlite"


def _connection_of(db: Connection | Session) -> Connection:
    return db.connection() if isinstance(db, Session) else db


def vault_of(db: Connection | Session) -> Vault:
    """The vault that goes with a database at hand."""
    connection = _connection_of(db)
    vault: Vault = connection.dialect.vault  # type: ignore[attr-defined]  # put there by keep_vault
    return vault


# Of fewer rows a COPY costs more than it saves.
_COPY_FROM = 50


def insert_many(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns, past the unit of work: on PostgreSQL by COPY."""
    if not rows:
        return
    connection = session.connection()
    if connection.dialect.name == "sqlite" or len(rows) < _COPY_FROM:
        connection.execute(sa.insert(model), rows)
        return
    table = SQLModel.metadata.tables[str(model.__tablename__)]
    columns = [table.columns[name] for name in rows[0]]
    given = [(column.name, _bound(column, connection)) for column in columns]
    quote = connection.dialect.identifier_preparer
    names = ", ".join(quote.quote(column.name) for column in columns)
    cursor: psycopg.Cursor[Any] = connection.connection.cursor()  # type: ignore[assignment]  # psycopg's
    with cursor, cursor.copy(f"COPY {quote.format_table(table)} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([row[name] if bind is None else bind(row[name]) for name, bind in given])


def _bound(column: sa.Column[Any], connection: Connection) -> Callable[[Any], Any] | None:
    """How a value of this column goes to the driver."""
    implementation = column.type.dialect_impl(connection.dialect)
    bind: Callable[[Any], Any] | None = implementation.bind_processor(connection.dialect)
    return bind


_FAILED_COLUMNS = re.compile(r"UNIQUE constraint failed: (.+)")
_FAILED_INDEX = re.compile(r"UNIQUE constraint failed: index '(.+)'")


def constraint_name(error: IntegrityError) -> str | None:
    """The name of the constraint that refused, on both databases (SQLite names only columns)."""
    diagnostics = getattr(error.orig, "diag", None)
    if diagnostics is not None:
        return str(diagnostics.constraint_name)
    message = str(error.orig)
    if match := _FAILED_INDEX.search(message):
        return match.group(1)
    if match := _FAILED_COLUMNS.search(message):
        columns = [part.strip().split(".") for part in match.group(1).split(",")]
        return _unique_name(columns[0][0], {column for _, column in columns})
    return None


def _unique_name(table_name: str, columns: set[str]) -> str | None:
    table = SQLModel.metadata.tables[table_name]
    for index in table.indexes:
        if index.unique and {column.name for column in index.columns} == columns:
            return index.name
    for constraint in table.constraints:
        if not isinstance(constraint, sa.UniqueConstraint | sa.PrimaryKeyConstraint):
            continue
        if {column.name for column in constraint.columns} == columns:
            return str(constraint.name)
    return None
