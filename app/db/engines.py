"""The engines of a database: one reads in autocommit, one writes in transactions, one is for jobs,
one reads at a replica."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.exc import ProgrammingError

from app.config import Settings

MIN_SQLITE = (3, 38, 0)
# As many threads run endpoints; each keeps a connection for its reads.
ENDPOINT_THREADS = 8
OTHER_READERS = 4  # token checks, streams, the sequencer
REPLICA_SECONDS = 2  # without a word of the replica: then the primary is asked
# Most that a writer waits for a lock: somebody waits for a request, and few threads answer them.
REQUEST_LOCK_SECONDS, BACKGROUND_LOCK_SECONDS = 3, 15
JOB_CONNECTIONS = 4  # three for the runner of jobs, one to send lost jobs again

_COMMON: dict[str, Any] = {
    # Errors are logged, and parameters are people's data.
    "hide_parameters": True,
    "json_serializer": lambda value: orjson.dumps(value).decode(),
    "json_deserializer": orjson.loads,
}


def make(settings: Settings, lock_seconds: int) -> tuple[Engine, Engine]:
    """The reader and the writer. On PostgreSQL the writer waits so long for a lock, on SQLite for its
    turn."""
    if settings.on_sqlite:
        return _on_sqlite(settings)
    return _on_postgresql(settings, lock_seconds)


def make_file(settings: Settings) -> None:
    """An empty file for SQLite, where there is none: people's data, so for the owner alone, as
    are then the log files that SQLite puts beside it."""
    if not settings.on_sqlite:
        return
    file = Path(settings.database_url.removeprefix("sqlite:///"))
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)


def end(engine: Engine) -> None:
    """Close its connections: those at work when they are given back, for the pool that would close
    them is gone."""
    pool = engine.pool
    engine.dispose()
    sa.event.listen(pool, "checkin", _close)
    pool.dispose()  # what was given back meanwhile


def _close(connection: Any, _: object) -> None:
    if connection is not None:  # it was not broken
        connection.close()


def _on_sqlite(settings: Settings) -> tuple[Engine, Engine]:
    if sqlite3.sqlite_version_info < MIN_SQLITE:
        raise RuntimeError(f"SQLite {sqlite3.sqlite_version} is too old: 3.38 or newer is needed")
    url = settings.database_url
    reader = sa.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=ENDPOINT_THREADS + OTHER_READERS,
        max_overflow=0,
        # The one used last: each in use fills a cache of pages and statements of its own.
        pool_use_lifo=True,
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
            make_file(settings)
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
        connection.execute("PRAGMA cache_size=-16000")

    @sa.event.listens_for(writer, "begin")
    def _lock_first(connection: Connection) -> None:
        # A deferred BEGIN that upgrades to a write ignores busy_timeout and fails at once.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @sa.event.listens_for(reader, "connect")
    def _readable(connection: Any, _: object) -> None:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA busy_timeout=5000")

    return reader, writer


def _programming_error(context: ExceptionContext) -> BaseException | None:
    """A missing table is no outage that passes: a ProgrammingError on both databases.

    SQLite calls it operational, as it does a lock or a broken disk: PostgreSQL distinguishes them.
    """
    error = context.original_exception
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or code & 0xFF != sqlite3.SQLITE_ERROR:
        return None
    return ProgrammingError(context.statement, None, error, hide_parameters=True)


def _on_postgresql(settings: Settings, lock_seconds: int) -> tuple[Engine, Engine]:
    reader = _postgresql_engine(
        settings,
        isolation_level="AUTOCOMMIT",
        pool_size=ENDPOINT_THREADS + OTHER_READERS,
        pool_reset_on_return=None,
    )
    # A load of data, whose statements have no limit, may wait as well.
    longest = lock_seconds if settings.statement_timeout_ms else 0
    writer = _postgresql_engine(
        settings, (f"lock_timeout={longest}s",), pool_size=settings.pool_size
    )
    return reader, writer


def for_jobs(settings: Settings) -> Engine | None:
    """The connections on which jobs are delivered; None on SQLite, where DBOS makes its own."""
    if settings.on_sqlite:
        return None
    return _postgresql_engine(
        settings,
        # DBOS bounds this on connections that it makes itself: a runner that hangs keeps no row.
        ("idle_in_transaction_session_timeout=60000",),
        pool_size=JOB_CONNECTIONS,
        pool_pre_ping=True,
    )


def without_time_limit(settings: Settings, isolation_level: str = "AUTOCOMMIT") -> Engine:
    """One connection, whose statements may take as long as they need.

    Of its own: to set the limit on a connection of a pool, and of PgBouncer's above all, would set it
    for whoever gets that connection next.
    """
    return _postgresql_engine(
        settings, ("statement_timeout=0",), isolation_level=isolation_level, pool_size=1
    )


def patient(connection: Connection, seconds: float) -> None:
    """How long a statement may take on a connection to the replica."""
    raw: Any = connection.connection.driver_connection
    raw.patience = seconds


def for_replica(settings: Settings) -> Engine | None:
    """The connections to the replica; None where none is set."""
    if not settings.replica_url:
        return None
    from app.db.of_psycopg import Impatient

    engine = _postgresql_engine(
        settings.model_copy(update={"database_url": settings.replica_url}),
        isolation_level="AUTOCOMMIT",
        pool_size=ENDPOINT_THREADS + OTHER_READERS,
        pool_reset_on_return=None,
    )

    @sa.event.listens_for(engine, "do_connect")
    def _impatiently(_dialect: object, _record: object, args: Any, given: dict[str, Any]) -> Any:
        connection = Impatient.connect(*args, **given | {"connect_timeout": REPLICA_SECONDS})
        connection.patience = REPLICA_SECONDS
        return connection

    return engine


def _postgresql_engine(settings: Settings, parameters: Sequence[str] = (), **own: Any) -> Engine:
    """Every connection of a process is made here, so that each follows the settings.

    `parameters` of PostgreSQL are set last, and win; then come the options of the address itself.
    """
    from app.db.of_psycopg import DescribedCursor

    given = sa.make_url(settings.database_url).query.get("options", "")
    set_first = (
        "timezone=UTC",
        f"statement_timeout={settings.statement_timeout_ms}",
        # Pages are in memory or on flash: at the default 4.0 (for turning disks) searches
        # sort all matching names first, where an index gives the page in order (12x).
        "random_page_cost=1.1",
        # What is compiled for millions of guessed rows takes 50 ms, and the statement none.
        "jit=off",
    )
    return sa.create_engine(
        settings.database_url,
        max_overflow=0,
        pool_timeout=30,
        connect_args={
            "cursor_factory": DescribedCursor,
            "prepare_threshold": settings.prepare_threshold or None,
            "options": " ".join(
                [*(f"-c {each}" for each in (*set_first, *parameters)), str(given)]
            ),
        },
        **_COMMON,
        **own,
    )
