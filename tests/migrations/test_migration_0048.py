"""Attendance that is there already gets the id by which the log has called it."""

import hashlib

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from app.db import Database
from app.models.attendance.attendance import Attendance
from app.models.base import table_of
from tests.conftest import ROOT, make_settings
from tests.helpers.answers import UnitIds
from tests.helpers.captures import hold, members_of, send, tapped
from tests.helpers.client import Api


def test_facts_are_called_as_in_the_log(
    head: Api, database: Database, unit_id: UnitIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch = unit_id["phuongvi-1"]
    session_id = hold(database, [branch])
    send(head, session_id, [tapped(each) for each in members_of(database, branch)[:7]])
    url = database.writer.url.render_as_string(hide_password=False)
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    config.attributes["url"] = url
    config.attributes["vault"] = make_settings(url).vault()
    database.close()
    command.downgrade(config, "0047")
    monkeypatch.setattr("app.db.phases.BATCH", 3)
    command.upgrade(config, "head")
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(table_of(Attendance))).all()
        options = sa.inspect(connection).get_table_options("attendance")
    engine.dispose()
    assert len(rows) == 7
    for row in rows:
        both = row.session_id.bytes + row.member_id.bytes
        assert row.id.bytes == hashlib.blake2b(both, digest_size=16).digest()
    assert options.get("sqlite_with_rowid", False) is False
