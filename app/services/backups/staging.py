"""Where a database is restored before it takes its place: what fails leaves nothing behind."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.config import Settings
from app.db import engines
from app.services.backups.files import BackupRefused
from app.services.backups.of_sqlite import file_of
from app.services.backups.scratch import scratch_folder
from app.services.kernel.durable import sync_folder

_SCHEMA = "hoiso_restoring"
_LOCK = 7_260_442  # any fixed number: one restore at a time
_NOT_EMPTY = "the database is not empty: a backup is restored into a new one"
_TABLES_IN = sa.text("SELECT tablename FROM pg_tables WHERE schemaname = :schema")
_EXTENSIONS_IN = sa.text(
    "SELECT quote_ident(extname) FROM pg_extension WHERE extnamespace = CAST(:schema AS regnamespace)"
)
_ANY_TABLE = sa.text(
    "SELECT 1 FROM pg_tables WHERE schemaname IN (current_schema(), 'dbos') LIMIT 1"
)


@contextmanager
def staged(settings: Settings) -> Iterator[Settings]:
    """Settings of an empty database beside the real one, which has to be empty too.

    It takes its place in one step when the block ends; when the block fails, it is gone.
    """
    with (_on_sqlite if settings.on_sqlite else _on_postgresql)(settings) as of_stage:
        yield of_stage


# -- SQLite: a file beside it


@contextmanager
def _on_sqlite(settings: Settings) -> Iterator[Settings]:
    file = file_of(settings)
    _ensure_empty_file(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(file.parent) as folder:
        draft = folder / "restored.db"
        yield settings.model_copy(update={"database_url": f"sqlite:///{draft}"})
        with closing(sqlite3.connect(draft)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _ensure_empty_file(file)
        draft.replace(file)
        sync_folder(file.parent)


def _ensure_empty_file(file: Path) -> None:
    for left in (file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-journal")):
        if left.exists() and left.stat().st_size:
            raise BackupRefused(f"{left} is left of another database: move it away")
    if not file.exists():
        return
    if not file.is_file():
        raise BackupRefused(f"{file} is no file")
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            raise BackupRefused(_NOT_EMPTY)


# -- PostgreSQL: a schema of the same database


@contextmanager
def _on_postgresql(settings: Settings) -> Iterator[Settings]:
    engine = engines.without_time_limit(settings)
    try:
        with engine.connect() as connection:
            _hold_alone(connection)
            connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
            connection.exec_driver_sql(f"CREATE SCHEMA {_SCHEMA}")
            try:
                of_stage = _in_schema(settings)
                _ensure_there(of_stage)
                yield of_stage
                _publish(connection)
            finally:
                connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
    finally:
        engine.dispose()


def _hold_alone(connection: Connection) -> None:
    if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(_LOCK))).scalar():
        raise BackupRefused("another restore into this database is at work")
    if connection.execute(_ANY_TABLE).scalar():
        raise BackupRefused(_NOT_EMPTY)


def _in_schema(settings: Settings) -> Settings:
    url = sa.make_url(settings.database_url)
    given = url.query.get("options", "")
    options = f"{given} -csearch_path={_SCHEMA}".strip()
    placed = url.update_query_dict({"options": options})
    text = placed.render_as_string(hide_password=False)
    return settings.model_copy(update={"database_url": text})


def _ensure_there(of_stage: Settings) -> None:
    engine = engines.without_time_limit(of_stage)
    try:
        with engine.connect() as connection:
            schema = connection.execute(sa.select(sa.func.current_schema())).scalar()
    finally:
        engine.dispose()
    if schema != _SCHEMA:
        raise BackupRefused(
            "a backup is restored on a direct connection: PgBouncer drops what it needs to be told"
        )


def _publish(connection: Connection) -> None:
    """All tables at once, with their indexes, constraints and sequences, and the extensions that the
    constraints need. What would be left behind makes it fail: nothing is lost with the schema."""
    home = connection.execute(sa.select(sa.func.quote_ident(sa.func.current_schema()))).scalar_one()
    tables = connection.execute(_TABLES_IN, {"schema": _SCHEMA}).scalars().all()
    extensions = connection.execute(_EXTENSIONS_IN, {"schema": _SCHEMA}).scalars().all()
    connection.exec_driver_sql("BEGIN")
    try:
        if connection.execute(_ANY_TABLE).scalar():
            raise BackupRefused(_NOT_EMPTY)
        for table in tables:
            connection.exec_driver_sql(f'ALTER TABLE {_SCHEMA}."{table}" SET SCHEMA {home}')
        for extension in extensions:
            connection.exec_driver_sql(f"ALTER EXTENSION {extension} SET SCHEMA {home}")
        connection.exec_driver_sql(f"DROP SCHEMA {_SCHEMA} RESTRICT")
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")
