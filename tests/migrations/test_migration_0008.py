"""The tables of attendance on a database in use: they come and go with all that is in them."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from app.models.base import Uuid, json_type
from tests.migrations.test_migrations import config, empty, engine, tables

__all__ = ["config", "empty", "engine"]  # fixtures

REVISION, BEFORE = "0008", "0007"
NOW = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
REVISED = {"revision": 1, "created_at": NOW, "updated_at": NOW}
OURS = {"capture", "attendance", "attendance_count", "member_card"}


def insert(connection: sa.Connection, table: str, **values: Any) -> None:
    columns = [
        sa.column(
            name,
            json_type
            if isinstance(value, list)
            else None
            if isinstance(value, str | int | date | datetime)
            else Uuid(),
        )
        for name, value in values.items()
    ]
    connection.execute(sa.insert(sa.table(table, *columns)).values(**values))


def test_goes_with_its_rows_and_leaves_the_others(config: Config, engine: sa.Engine) -> None:
    command.upgrade(config, REVISION)
    assert tables(engine) >= OURS
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO unit (id, level, name, name_key, sort_key, province_id, opened_on,"
                " revision, created_at, updated_at)"
                " VALUES (1, 'province', 'p', 'p', 'p', 1, :day, 1, :now, :now)"
            ),
            {"day": date(2000, 1, 1).isoformat(), "now": NOW.isoformat()},
        )
        # Of a session that has not arrived: it refers to nothing.
        insert(
            connection, "capture", id=uuid4(), session_id=uuid4(), province_id=1, kind="roster",
            state="held", outcome="none", is_guest=False, by_herself=False, occurred_at=NOW,
            happened_at=NOW, received_at=NOW, account_id=uuid4(), flags=["late"], digest=-(2**63),
        )  # fmt: skip
    command.downgrade(config, BEFORE)
    assert not OURS & tables(engine)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT name FROM unit")).scalar_one() == "p"
    command.upgrade(config, REVISION)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM capture")).scalar_one() == 0
