"""A large table is changed in phases: filled in batches, then constrained."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from app.db import phases
from tests.helpers.databases import ON_POSTGRESQL, Clones

ROWS = sa.table("stock", sa.column("id"), sa.column("shelf"), sa.column("room"))
ROOM = {"room": ROWS.c.shelf / 10}
UNFILLED = ROWS.c.room.is_(None)


@pytest.fixture
def operations(clones: Clones) -> Iterator[Operations]:
    """On a table of 23 rows, of which three have the same key."""
    with clones.empty() as url:
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE stock (id INTEGER, shelf INTEGER, room INTEGER)"
            )
            rows = [{"id": min(number, 20), "shelf": number * 10} for number in range(23)]
            connection.execute(sa.insert(ROWS), rows)
            connection.commit()
            context = MigrationContext.configure(connection)
            with context.begin_transaction():
                yield Operations(context)
        engine.dispose()


def rooms(operations: Operations) -> list[tuple[int, int]]:
    found = sa.select(ROWS.c.shelf, ROWS.c.room).order_by(ROWS.c.shelf)
    return [(row.shelf, row.room) for row in operations.get_bind().execute(found)]


@pytest.mark.parametrize("size", [1, 5, 22, 23, 24])
def test_every_row_is_filled_whatever_the_batch(operations: Operations, size: int) -> None:
    assert phases.fill(operations, ROWS, ROOM, UNFILLED, size=size) == 23
    assert rooms(operations) == [(number * 10, number) for number in range(23)]
    assert phases.fill(operations, ROWS, ROOM, UNFILLED, size=size) == 0


def test_what_was_broken_off_goes_on(operations: Operations) -> None:
    begun = sa.update(ROWS).where(ROWS.c.id < 7).values(room=99)
    operations.get_bind().execute(begun)
    assert phases.fill(operations, ROWS, ROOM, UNFILLED, size=5) == 16
    assert [room for _, room in rooms(operations)][:8] == [99] * 7 + [7]


def test_a_column_is_required_when_every_row_has_it(operations: Operations) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        phases.require(operations, "stock", "room", sa.Integer())


def test_it_is_required_from_then_on(operations: Operations) -> None:
    phases.fill(operations, ROWS, ROOM, UNFILLED)
    phases.require(operations, "stock", "room", sa.Integer())
    inspector = sa.inspect(operations.get_bind())
    assert [c["nullable"] for c in inspector.get_columns("stock")] == [True, True, False]
    assert inspector.get_check_constraints("stock") == []


@pytest.mark.skipif(not ON_POSTGRESQL, reason="a check that is not validated is PostgreSQL's")
def test_one_that_was_broken_off_is_done_again(operations: Operations) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        phases.require(operations, "stock", "room", sa.Integer())
    phases.fill(operations, ROWS, ROOM, UNFILLED)
    phases.require(operations, "stock", "room", sa.Integer())
    assert sa.inspect(operations.get_bind()).get_check_constraints("stock") == []
