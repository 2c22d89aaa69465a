"""A table of a million rows is changed in phases while others write: how long do they wait?"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from app.db import phases
from tests.system.clusters import Cluster, cluster_in

pytestmark = [pytest.mark.needs("postgresql"), pytest.mark.timeout(300)]
ROWS = 1_000_000
WRITERS = 2
_TABLE = """
CREATE TABLE stock (id INTEGER PRIMARY KEY, shelf INTEGER NOT NULL, sold INTEGER NOT NULL);
INSERT INTO stock SELECT n, mod(n, 1000), 0 FROM generate_series(1, {rows}) AS n;
"""
_STOCK = sa.table("stock", sa.column("id"), sa.column("shelf"), sa.column("room"))
_ROOM = _STOCK.c.shelf + 1


class Writers:
    """Threads that change rows all over the table, one by one, and measure each wait."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.waits: list[float] = []
        self._stop = threading.Event()

    def _write(self, first: int) -> None:
        engine = sa.create_engine(self.url, poolclass=sa.pool.NullPool)
        with engine.connect() as connection:
            at = first
            while not self._stop.is_set():
                at = at * 48_271 % 2_147_483_647
                began = time.monotonic()
                connection.execute(
                    sa.text("UPDATE stock SET sold = sold + 1 WHERE id = :id"),
                    {"id": 1 + at % ROWS},
                )
                connection.commit()
                self.waits.append(time.monotonic() - began)
        engine.dispose()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        threads = [
            threading.Thread(target=self._write, args=(7 + each,)) for each in range(WRITERS)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        self.waits.clear()
        yield
        self._stop.set()
        for thread in threads:
            thread.join()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with cluster_in("hoiso-online-") as made:
        made.start(made.folder / "data")
        yield made


def longest(cluster: Cluster, change: Callable[[Operations], None]) -> float:
    """The longest wait of a writer while a table is changed, in seconds."""
    engine = sa.create_engine(cluster.url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS stock")
        connection.exec_driver_sql(_TABLE.format(rows=ROWS))
    writers = Writers(cluster.url)
    began = time.monotonic()
    with writers.at_work(), engine.connect() as connection:
        context = MigrationContext.configure(connection)
        with context.begin_transaction():
            change(Operations(context))
        connection.commit()
    took = time.monotonic() - began
    with engine.connect() as connection:
        checked = "SELECT count(*) FROM stock WHERE room = shelf + 1"
        assert connection.exec_driver_sql(checked).scalar_one() == ROWS
        [room] = [c for c in sa.inspect(connection).get_columns("stock") if c["name"] == "room"]
        assert not room["nullable"]
    engine.dispose()
    waits = sorted(writers.waits)
    sys.stdout.write(
        f"{change.__name__}: {took:.1f} s, {len(waits)} writes, median "
        f"{waits[len(waits) // 2] * 1000:.1f} ms, longest {waits[-1] * 1000:.0f} ms\n"
    )
    return waits[-1]


def in_phases(operations: Operations) -> None:
    operations.add_column("stock", sa.Column("room", sa.Integer(), nullable=True))
    phases.fill(operations, _STOCK, {"room": _ROOM}, _STOCK.c.room.is_(None))
    phases.require(operations, "stock", "room", sa.Integer())


def at_once(operations: Operations) -> None:
    operations.add_column("stock", sa.Column("room", sa.Integer(), nullable=True))
    operations.execute(sa.update(_STOCK).values(room=_ROOM))
    operations.alter_column("stock", "room", existing_type=sa.Integer(), nullable=False)


def test_writers_wait_for_a_batch_and_not_for_the_table(cluster: Cluster) -> None:
    whole = longest(cluster, at_once)
    assert longest(cluster, in_phases) < whole / 3
