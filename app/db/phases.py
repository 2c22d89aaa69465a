"""Changing a large table while it is in use: add, fill in batches, constrain.

Revisions import this and nothing else of the app: it knows no table of ours.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations

BATCH = 5_000


def fill(
    operations: Operations,
    rows: sa.TableClause,
    values: Mapping[str, Any],
    where: sa.ColumnElement[bool],
    *,
    key: str = "id",
    size: int = BATCH,
) -> int:
    """Set columns where a condition holds, and say of how many rows.

    In the order of the key, which has an index: so many rows a statement, each committed by itself on
    PostgreSQL. Nobody waits longer than for one of them. `where` does not hold for rows that are
    filled, so a fill that was broken off is begun again.
    """
    column = rows.c[key]
    filled = 0
    with _each_by_itself(operations):
        after = None
        while True:
            later = sa.true() if after is None else column > after
            last = sa.select(column).where(later).order_by(column).limit(1).offset(size - 1)
            upto = operations.get_bind().execute(last).scalar()
            batch = later if upto is None else sa.and_(later, column <= upto)
            update = sa.update(rows).where(batch, where).values(**values)
            filled += operations.get_bind().execute(update).rowcount
            if upto is None:
                return filled
            after = upto


def require(
    operations: Operations, table: str, column: str, kind: sa.types.TypeEngine[Any]
) -> None:
    """NOT NULL, checked while others write, and then set in an instant.

    PostgreSQL would read the whole table under a lock that keeps out readers too, were there not a
    check that has been validated.
    """
    if operations.get_bind().dialect.name == "sqlite":
        with operations.batch_alter_table(table) as batch:
            batch.alter_column(column, existing_type=kind, nullable=False)
        return
    check = f"ck_{table}_{column}_given"
    with _each_by_itself(operations):
        # Left by one that was broken off.
        operations.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {check}")
        operations.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID"
        )
        operations.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {check}")
        operations.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL")
        operations.execute(f"ALTER TABLE {table} DROP CONSTRAINT {check}")


@contextmanager
def _each_by_itself(operations: Operations) -> Iterator[None]:
    """Each statement is a transaction. On SQLite, where no server runs meanwhile, all are one."""
    if operations.get_bind().dialect.name == "sqlite":
        yield
        return
    with operations.get_context().autocommit_block():
        yield
