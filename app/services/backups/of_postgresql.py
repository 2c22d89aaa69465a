"""PostgreSQL: the rows of all tables by COPY, in one snapshot."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa
from pydantic import BaseModel, ValidationError
from sqlalchemy.engine import Connection

from app.config import Settings
from app.db import engines
from app.services.backups.files import BackupRefused, BackupSource, Progress, Sink

_LENGTH_BYTES = 4
# A longer one is put in parts.
_BLOCK_MOST = 16 * 1024 * 1024
_ODD = "what is in the backup are no tables of Hội Số"
_TABLES = sa.text(
    """
    SELECT tablename FROM pg_tables
    WHERE schemaname = current_schema() AND tablename <> 'alembic_version' ORDER BY tablename
    """
)
_COLUMNS = sa.text(
    """
    SELECT column_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = :name AND is_generated = 'NEVER'
    ORDER BY ordinal_position
    """
)
_FOREIGN_KEYS = sa.text(
    """
    SELECT conrelid::regclass::text AS owner, quote_ident(conname) AS name,
        pg_get_constraintdef(oid) AS definition
    FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
    ORDER BY 1, 2
    """
)
_NUMBERED = sa.text(
    """
    SELECT table_name, column_name, pg_get_serial_sequence(table_name, column_name) AS sequence
    FROM information_schema.columns
    WHERE table_schema = current_schema()
        AND pg_get_serial_sequence(table_name, column_name) IS NOT NULL
    """
)


class TableHead(BaseModel):
    """What comes before the rows of a table."""

    table: str
    columns: list[str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    connection: Connection
    revision: str


@contextmanager
def snapshot(settings: Settings) -> Iterator[Snapshot]:
    """The database as it is at one moment; nobody waits for it."""
    engine = engines.without_time_limit(settings, isolation_level="REPEATABLE READ")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            if not connection.execute(sa.text("SELECT to_regclass('alembic_version')")).scalar():
                raise BackupRefused("the database is not migrated: run `hoiso migrate`")
            found = connection.execute(sa.text("SELECT version_num FROM alembic_version"))
            yield Snapshot(connection, found.scalar_one())
    finally:
        engine.dispose()


def send(connection: Connection, sink: Sink, progress: Progress) -> None:
    """Each table: its name and columns, its rows as COPY writes them, and nothing. Nothing again says
    that this was the last one."""
    tables = list(connection.execute(_TABLES).scalars())
    for number, table in enumerate(tables):
        progress("sealing", number, len(tables))
        columns = list(connection.execute(_COLUMNS, {"name": table}).scalars())
        _put(sink, TableHead(table=table, columns=columns).model_dump_json().encode())
        with (
            _cursor(connection) as cursor,
            cursor.copy(f"COPY {_of(table, columns)} TO STDOUT") as rows,
        ):
            for block in rows:
                _put(sink, bytes(block))
        _put(sink, b"")
    _put(sink, b"")
    progress("sealing", len(tables), len(tables))


def receive(connection: Connection, source: BackupSource, progress: Progress) -> None:
    """Fill the tables of an empty database of the same revision, in the transaction at hand."""
    tables = list(connection.execute(_TABLES).scalars())
    keys = connection.execute(_FOREIGN_KEYS).all()
    for key in keys:
        connection.exec_driver_sql(f"ALTER TABLE {key.owner} DROP CONSTRAINT {key.name}")
    # What migrations have put there is in the backup.
    connection.exec_driver_sql(f"TRUNCATE {', '.join(_quoted(name) for name in tables)}")
    missing = set(tables)
    while told := _next(source):
        head = _head(told)
        if head.table not in missing:
            raise BackupRefused(f"the backup has a table {head.table!r} that does not belong in it")
        progress("restoring", len(tables) - len(missing), len(tables))
        into = _of(head.table, head.columns)
        with _cursor(connection) as cursor, cursor.copy(f"COPY {into} FROM STDIN") as rows:
            while block := _next(source):
                rows.write(block)
        missing.remove(head.table)
    if missing:
        raise BackupRefused(f"the backup has no table {min(missing)!r}")
    for key in keys:
        connection.exec_driver_sql(
            f"ALTER TABLE {key.owner} ADD CONSTRAINT {key.name} {key.definition}"
        )
    _go_on_numbering(connection)
    progress("restoring", len(tables), len(tables))


def _go_on_numbering(connection: Connection) -> None:
    for row in connection.execute(_NUMBERED).all():
        of = f"{_quoted(row.column_name)}) FROM {_quoted(row.table_name)}"
        last = connection.exec_driver_sql(f"SELECT max({of}").scalar()
        if last is not None:
            connection.execute(sa.select(sa.func.setval(row.sequence, last)))


def _cursor(connection: Connection) -> psycopg.Cursor[Any]:
    cursor: psycopg.Cursor[Any] = connection.connection.cursor()  # type: ignore[assignment]  # psycopg's
    return cursor


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _of(table: str, columns: list[str]) -> str:
    return f"{_quoted(table)} ({', '.join(map(_quoted, columns))})"


def _head(told: bytes) -> TableHead:
    try:
        return TableHead.model_validate_json(told)
    except ValidationError:
        raise BackupRefused(_ODD) from None


def _put(sink: Sink, block: bytes) -> None:
    for start in range(0, max(len(block), 1), _BLOCK_MOST):
        part = block[start : start + _BLOCK_MOST]
        sink.write(len(part).to_bytes(_LENGTH_BYTES, "big") + part)


def _next(source: BackupSource) -> bytes:
    """The block that follows; nothing at the end of a table, and at the end of all."""
    length = int.from_bytes(source.read(_LENGTH_BYTES), "big")
    block = source.read(length) if length <= _BLOCK_MOST else b""
    if len(block) < length:
        raise BackupRefused(_ODD)
    return block
