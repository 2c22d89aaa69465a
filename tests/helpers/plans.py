"""What the planner of PostgreSQL can only do by reading a table from end to end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from app.db import Database

Statement = tuple[str, Any]


@contextmanager
def sent(database: Database) -> Iterator[list[Statement]]:
    statements: list[Statement] = []

    def note(*args: Any) -> None:
        many = args[5]
        statements.append((args[2], args[3][0] if many else args[3]))

    engines = (database.reader, database.writer)
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    yield statements
    for engine in engines:
        sa.event.remove(engine, "before_cursor_execute", note)


def scanned(database: Database, statement: Statement) -> set[str]:
    """The tables that it can only read from end to end."""
    text, parameters = statement
    if not text.lstrip().startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
        return set()
    with database.writer.begin() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {text}", parameters)
        return {*_whole(explained.scalar_one()[0]["Plan"])}


def _whole(plan: dict[str, Any]) -> Iterator[str]:
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for part in plan.get("Plans", []):
        yield from _whole(part)


def scanning(database: Database, statements: list[Statement]) -> Iterator[tuple[str, set[str]]]:
    """Each of the statements, with the tables that it can only read from end to end."""
    for text, parameters in dict(statements).items():
        yield text, scanned(database, (text, parameters))
