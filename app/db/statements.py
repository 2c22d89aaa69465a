"""Statements that SQLite and PostgreSQL word differently, or take in parts."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlmodel import Session, SQLModel

from app.statements import padded

if TYPE_CHECKING:
    from psycopg import Cursor

T = TypeVar("T")
# A statement whose columns the type checker need not follow.
AnySelect = sa.Select[*tuple[Any, ...]]
# As many values a statement can name on any database, many times over.
_CHUNK = 1_000


def chunks(items: Sequence[T], size: int = _CHUNK) -> Iterator[Sequence[T]]:
    """The items in their order, so many at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))


def on_sqlite(db: Connection | Session) -> bool:
    connection = db.connection() if isinstance(db, Session) else db
    return connection.dialect.name == "sqlite"


def wait_for_locks(session: Session) -> None:
    """From here on this transaction waits for a lock as long as a statement may take."""
    if not on_sqlite(session):
        session.execute(_WAITING)


_WAITING = sa.select(sa.func.set_config("lock_timeout", "0", sa.true()))


def take_time(db: Connection | Session) -> None:
    """Nobody waits for an answer: no statement of this transaction is cut off."""
    if not on_sqlite(db):
        db.execute(_NO_TIMEOUT)


_NO_TIMEOUT = sa.select(sa.func.set_config("statement_timeout", "0", sa.true()))


@contextmanager
def one_moment(db: Connection) -> Iterator[None]:
    """Give several reads of an autocommit connection one snapshot, so that their sums agree even
    while others write.
    """
    db.exec_driver_sql(
        "BEGIN" if on_sqlite(db) else "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
    )
    try:
        yield
    finally:
        db.exec_driver_sql("COMMIT")


# Of fewer rows the ways of the driver cost more than they save.
_MANY = 50


def insert_many(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns, past the unit of work.

    Many go straight to the driver, on PostgreSQL by COPY: then each column without a value is null.
    """
    if not rows:
        return
    connection = session.connection()
    if len(rows) < _MANY:
        connection.execute(_plain_insert(model), rows)
        return
    table = SQLModel.metadata.tables[str(model.__tablename__)]
    columns = [table.columns[name] for name in rows[0]]
    given = [(column.name, _bound(column, connection)) for column in columns]
    quote = connection.dialect.identifier_preparer
    into = f"{quote.format_table(table)} ({', '.join(quote.quote(c.name) for c in columns)})"
    values = (
        tuple([row[name] if bind is None else bind(row[name]) for name, bind in given])
        for row in rows
    )
    if on_sqlite(connection):
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {into} VALUES ({marks})"  # noqa: S608  # names of our own columns
        connection.exec_driver_sql(statement, list(values))
        return
    cursor: Cursor[Any] = connection.connection.cursor()  # type: ignore[assignment]  # psycopg's
    with cursor, cursor.copy(f"COPY {into} FROM STDIN") as copy:
        for value in values:
            copy.write_row(value)


@cache
def _plain_insert(model: type[SQLModel]) -> sa.Insert:
    return sa.insert(model)


def _bound(column: sa.Column[Any], connection: Connection) -> Callable[[Any], Any] | None:
    """How a value of this column goes to the driver."""
    implementation = column.type.dialect_impl(connection.dialect)
    bind: Callable[[Any], Any] | None = implementation.bind_processor(connection.dialect)
    return bind


Columns = ReadOnlyColumnCollection[str, sa.Column[Any]]
# The values of a conflicting row, from the existing row and the one to be inserted.
Changed = Callable[[Columns, Columns], Mapping[str, Any]]


def insert_new(
    session: Session,
    model: type[SQLModel],
    rows: Sequence[Mapping[str, Any]],
    returning: str | None = None,
) -> set[Any]:
    """Insert the rows that are not there yet; returns one column of those that were not.

    Give the rows in one order everywhere: then no two transactions wait for each other.
    """
    if not rows:
        return set()
    connection = session.connection()
    statement = _insert_new(connection.dialect.name, model, returning)
    if returning is None:
        connection.execute(statement, rows)
        return set()
    # With RETURNING, rows go in one statement; a row that is there twice is new once.
    return set(connection.execute(statement, padded(rows)).scalars())


def upsert(
    session: Session,
    model: type[SQLModel],
    rows: Sequence[Mapping[str, Any]],
    changed: Changed,
) -> None:
    """Insert rows, or change those that have the same primary key.

    `changed` is kept with the statement it makes: give the same function each time.
    """
    if not rows:
        return
    connection = session.connection()
    statement = _upsert(connection.dialect.name, model, changed)
    for part in chunks(rows):
        connection.execute(statement, part)


@cache
def _upsert(dialect: str, model: type[SQLModel], changed: Changed) -> Any:
    insert = _insert(dialect, model)
    return insert.on_conflict_do_update(
        index_elements=list(insert.table.primary_key),
        set_=dict(changed(insert.table.columns, insert.excluded)),
    )


@cache
def _insert_new(dialect: str, model: type[SQLModel], returning: str | None) -> Any:
    statement = _insert(dialect, model).on_conflict_do_nothing()
    return statement if returning is None else statement.returning(getattr(model, returning))


def _insert(dialect: str, model: type[SQLModel]) -> Any:
    return (sqlite if dialect == "sqlite" else postgresql).insert(model)


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
