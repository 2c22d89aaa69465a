"""Engines, sessions, transactions, and the few differences between SQLite and PostgreSQL."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel

from app.config import Settings

MIN_SQLITE = (3, 38, 0)
# A statement whose columns the type checker need not follow.
AnySelect = sa.Select[*tuple[Any, ...]]


class Database:
    """Two engines: autocommit reads (no BEGIN, no ROLLBACK round trips) and write transactions."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.on_sqlite = settings.on_sqlite
        if self.on_sqlite:
            self.reader, self.writer = self._sqlite_engines()
        else:
            self.reader, self.writer = self._postgresql_engines()

    def _sqlite_engines(self) -> tuple[Engine, Engine]:
        if sqlite3.sqlite_version_info < MIN_SQLITE:
            raise RuntimeError(
                f"SQLite {sqlite3.sqlite_version} is too old: 3.38 or newer is needed"
            )
        url = self.settings.database_url
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        reader = sa.create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_size=self.settings.pool_size,
            max_overflow=0,
            pool_reset_on_return=None,
            hide_parameters=True,
        )
        # One writer, queued fairly here: SQLite's own busy handler starves writers for seconds.
        writer = sa.create_engine(
            url,
            pool_size=1,
            max_overflow=0,
            pool_timeout=30,
            connect_args={"timeout": 30},
            hide_parameters=True,
        )

        @sa.event.listens_for(writer, "connect")
        def _writable(connection: Any, _: object) -> None:
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
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

    def _postgresql_engines(self) -> tuple[Engine, Engine]:
        threshold = self.settings.prepare_threshold
        common: dict[str, Any] = {
            "max_overflow": 0,
            "pool_timeout": 30,
            "hide_parameters": True,
            "connect_args": {
                "prepare_threshold": threshold or None,
                "options": f"-c timezone=UTC -c statement_timeout={self.settings.statement_timeout_ms}",
            },
        }
        url, size = self.settings.database_url, self.settings.pool_size
        reader = sa.create_engine(
            url, isolation_level="AUTOCOMMIT", pool_size=size, pool_reset_on_return=None, **common
        )
        return reader, sa.create_engine(url, pool_size=size, **common)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reads, each statement its own snapshot."""
        with self.reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with (
            Session(self.writer, autoflush=False, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def close(self) -> None:
        self.reader.dispose()
        self.writer.dispose()


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
