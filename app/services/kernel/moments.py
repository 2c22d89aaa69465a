"""A moment of the log: what was committed up to one of its numbers, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine import Connection

from app.db import Database, one_moment
from app.services.kernel import sequencer
from app.services.kernel.following import Position, newest

# Of all locks of the table only its readers go on: nobody numbers changes meanwhile.
_HOLD_NUMBERS = "LOCK TABLE feed_head IN EXCLUSIVE MODE"
_EXPORT = "SELECT pg_export_snapshot()"
_IMPORT = "SET TRANSACTION SNAPSHOT '{}'"


@contextmanager
def at_a_number(database: Database) -> Iterator[tuple[Connection, Position]]:
    """Reads of one snapshot that has every change up to a position, and none after it.

    On PostgreSQL changes are numbered after they are committed. So the snapshot is taken while
    nobody numbers any, and what it has without a number gets one before anything newer does.
    """
    with database.reading() as db:
        if database.on_sqlite:
            with one_moment(db):
                yield db, newest(db)
            return
        position = _snapshot_taken(database, db)
        try:
            yield db, position
        finally:
            db.exec_driver_sql("COMMIT")


def _snapshot_taken(database: Database, db: Connection) -> Position:
    """The connection is in a transaction of its own then."""
    repeatable: dict[str, Any] = {"isolation_level": "REPEATABLE READ"}
    with database.writing() as session:
        numbering = session.connection(execution_options=repeatable)
        numbering.exec_driver_sql(_HOLD_NUMBERS)
        snapshot = numbering.exec_driver_sql(_EXPORT).scalar_one()
        db.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        db.exec_driver_sql(_IMPORT.format(snapshot))
        while sequencer.place_committed(session):
            pass
        return newest(session)
