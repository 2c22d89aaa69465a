"""Writers that give a lock up before a test has waited for it."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import Database


@contextmanager
def impatient(database: Database) -> Iterator[None]:
    """In it, the transactions that begin on this database (PostgreSQL)."""

    def hurry(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")

    sa.event.listen(database.writer, "begin", hurry)
    try:
        yield
    finally:
        sa.event.remove(database.writer, "begin", hurry)
