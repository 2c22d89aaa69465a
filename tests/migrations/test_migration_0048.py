"""Attendance that is there already gets the id by which the log has called it."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command, op
from alembic.config import Config

from app.db import Database
from app.models.attendance.attendance import Attendance
from app.models.base import table_of
from tests.conftest import ROOT, make_settings
from tests.helpers.answers import UnitIds
from tests.helpers.captures import hold, members_of, send, tapped
from tests.helpers.client import Api


class BrokenOffError(RuntimeError):
    pass


def broken_off_after_one() -> Callable[..., None]:
    """An operator ends the upgrade when the first of the indexes is made."""
    create, left = op.create_index, iter(range(1))

    def made(*given: Any, **more: Any) -> None:
        if next(left, None) is None:
            raise BrokenOffError
        create(*given, **more)

    return made


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
    if not url.startswith("sqlite"):
        with monkeypatch.context() as patch:
            patch.setattr(op, "create_index", broken_off_after_one())
            with pytest.raises(BrokenOffError):
                command.upgrade(config, "head")
    command.upgrade(config, "head")
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(table_of(Attendance))).all()
        columns = sa.inspect(connection).get_columns("attendance")
        indexes = {each["name"] for each in sa.inspect(connection).get_indexes("attendance")}
        options = sa.inspect(connection).get_table_options("attendance")
        on_sqlite = engine.dialect.name == "sqlite"
    engine.dispose()
    assert len(rows) == 7
    for row in rows:
        both = row.session_id.bytes + row.member_id.bytes
        assert row.id.bytes == hashlib.blake2b(both, digest_size=16).digest()
    assert [each["nullable"] for each in columns if each["name"] == "id"] == [False]
    assert {"uq_attendance_id", "ix_attendance_commune_id_local_date"} <= indexes
    assert not on_sqlite or options["sqlite_with_rowid"] is False
