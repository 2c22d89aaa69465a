"""What is done again and again finds what is due by an index, however large its tables have grown."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from app.db import Database
from app.services.kernel.manifest import manifest
from tests.helpers.databases import ON_POSTGRESQL

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


# Tables that stay small, or have at most a row for each phone.
SMALL = {
    "feed_head",
    "figure_fold",
    "figure_kept",
    "figure_stale",
    "auth_session",
    "device",
}


@pytest.mark.skipif(not ON_POSTGRESQL, reason="its planner is asked")
def test_it_reads_no_large_table_from_end_to_end(database: Database) -> None:
    works = [each for capability in manifest().capabilities for each in capability.upkeep]
    for upkeep in works:
        upkeep.run(database)
    with sent(database) as statements:
        for upkeep in works:
            upkeep.run(database)
    assert len(statements) > len(works)
    found = {text: tables for text, tables in _scanning(database, statements) if tables - SMALL}
    assert found == {}


def _scanning(database: Database, statements: list[Statement]) -> Iterator[tuple[str, set[str]]]:
    for text, parameters in dict(statements).items():
        yield text, scanned(database, (text, parameters))
