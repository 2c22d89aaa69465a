"""The tables of events on a database in use: they come and go with all that is in them."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from app.models.base import Uuid, json_type
from tests.migrations.test_migrations import config, empty, engine, tables

__all__ = ["config", "empty", "engine"]  # fixtures

REVISION, BEFORE = "0007", "0003"
NOW = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
REVISED = {"revision": 1, "created_at": NOW, "updated_at": NOW}


def insert(connection: sa.Connection, table: str, **values: Any) -> None:
    columns = [
        sa.column(name, Uuid() if name == "id" or (name.endswith("_id") and not isinstance(value, int))
                  else json_type if isinstance(value, list) else None)
        for name, value in values.items()
    ]  # fmt: skip
    connection.execute(sa.insert(sa.table(table, *columns)).values(**values))


def test_goes_with_its_rows_and_leaves_the_others(config: Config, engine: sa.Engine) -> None:
    command.upgrade(config, REVISION)
    event_id, session_id = uuid4(), uuid4()
    standing = {"province_id": 1}
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO unit (id, level, name, name_key, sort_key, province_id, opened_on,"
                " revision, created_at, updated_at)"
                " VALUES (1, 'province', 'p', 'p', 'p', 1, :day, 1, :now, :now)"
            ),
            {"day": date(2000, 1, 1).isoformat(), "now": NOW.isoformat()},
        )
        insert(
            connection, "event", id=event_id, title="Họp", title_key="hop", kind="meeting",
            is_public=False, state="announced", host_id=1, host_unit_ids=[1], invited_unit_ids=[1],
            documents=[], **standing, **REVISED,
        )  # fmt: skip
        insert(connection, "event_unit", event_id=event_id, role="host", unit_id=1, **standing)
        insert(
            connection, "event_session", id=session_id, event_id=event_id, host_id=1, number=1,
            starts_at=NOW, ends_at=NOW, local_date=NOW.date(), mode="online", state="planned",
            **standing, **REVISED,
        )  # fmt: skip
    command.downgrade(config, BEFORE)
    assert not {"event", "event_session", "rsvp", "notification"} & tables(engine)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT name FROM unit")).scalar_one() == "p"
    command.upgrade(config, REVISION)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM event")).scalar_one() == 0
