"""What the counts of a session read: the key of its facts, and its rooms once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.db import Database
from tests.helpers.client import Api
from tests.helpers.databases import ON_POSTGRESQL

Statement = tuple[str, Any]


@contextmanager
def sent(database: Database) -> Iterator[list[Statement]]:
    statements: list[Statement] = []

    def note(*args: Any) -> None:
        statements.append((args[2], args[3]))

    sa.event.listen(database.reader, "before_cursor_execute", note)
    yield statements
    sa.event.remove(database.reader, "before_cursor_execute", note)


def plan(database: Database, statement: Statement) -> str:
    text, parameters = statement
    with database.writer.begin() as connection:
        if not ON_POSTGRESQL:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters).all()
            return "\n".join(row[3] for row in rows)
        for other in ("seqscan", "bitmapscan"):  # of a table so small they cost less
            connection.exec_driver_sql(f"SET LOCAL enable_{other} = off")
        rows = connection.exec_driver_sql(f"EXPLAIN {text}", parameters).all()
        return "\n".join(row[0] for row in rows)


def test_they_are_read_from_the_key(
    head: Api, database: Database, three_meetings: list[UUID]
) -> None:
    path = f"/v1/sessions/{three_meetings[0]}/attendance"
    head.get(path)
    with sent(database) as statements:
        assert head.get(path).status_code == 200
    [of_facts] = [each for each in statements if "FROM attendance \n" in each[0]]
    key = "Index Only Scan using pk_attendance" if ON_POSTGRESQL else "USING PRIMARY KEY"
    assert key in plan(database, of_facts)
    assert len([text for text, _ in statements if "FROM room" in text]) == 1
