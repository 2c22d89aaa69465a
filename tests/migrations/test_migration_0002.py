"""Revision 0002 on a database in use: what was written before it is all there, and sealed."""

import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from app.models.base import Uuid, json_type
from app.text import name_in_key, search_key
from tests.conftest import make_settings
from tests.migrations.test_migrations import config, empty, engine

__all__ = ["config", "empty", "engine"]  # fixtures

NOW = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
JOINED, UNKNOWN, LEFT = uuid4(), uuid4(), uuid4()
PEOPLE = [
    (JOINED, "Nguyễn Thị Hoà", date(2015, 3, 8), "+84912345678", "active"),
    (UNKNOWN, "Hà Thị Mới", None, None, "active"),
    (LEFT, "Hà Thị Mới", date(1990, 3, 8), "+84987654321", "left"),
]
REVISED = {"revision": 1, "created_at": NOW, "updated_at": NOW}


def insert(connection: sa.Connection, table: str, **values: Any) -> None:
    types = {UUID: Uuid(), dict: json_type, list: json_type}
    columns = [sa.column(name, types.get(type(value))) for name, value in values.items()]
    connection.execute(sa.insert(sa.table(table, *columns)).values(**values))


def column(connection: sa.Connection, table: str, name: str, key: str, of: UUID) -> Any:
    table_ = sa.table(table, sa.column(name), sa.column(key, Uuid()))
    return connection.execute(
        sa.select(table_.c[name]).where(table_.c[key] == of)
    ).scalar_one_or_none()


@pytest.fixture
def used(config: Config, engine: sa.Engine) -> sa.Engine:
    """A database of revision 0001 with a branch, three members and what was logged of one."""
    command.upgrade(config, "0001")
    with engine.begin() as connection:
        for number, level in ((1, "province"), (2, "branch")):
            insert(
                connection, "unit", id=number, level=level, name=level, name_key=level,
                sort_key=level, province_id=1, opened_on=date(2000, 1, 1), **REVISED,
            )  # fmt: skip
        for number, branch_id in ((3, 2), (4, None)):
            insert(
                connection, "unit", id=number, level="group", name="Tổ", name_key="to",
                sort_key="to", province_id=1, branch_id=branch_id, opened_on=date(2000, 1, 1),
                **REVISED,
            )  # fmt: skip
        for member_id, name, joined_on, phone, status in PEOPLE:
            insert(
                connection, "member", id=member_id, province_id=1, branch_id=2, full_name=name,
                sort_key=name, search_key="old", birth_date="1970", birth_year=1970,
                gender="female", kind="regular", status=status, joined_on=joined_on, phone=phone,
                **REVISED,
            )  # fmt: skip
        insert(
            connection, "change", id=JOINED, at=NOW, source="api", entity="member",
            entity_id=str(JOINED), operation="updated", revision=2,
            before={"phone": None, "full_name": "x"}, after={"phone": "+84912345678", "full_name": "y"},
        )  # fmt: skip
        insert(
            connection, "idempotent_answer", account_id=JOINED, key="k", request_digest="d",
            grants_digest="g", status=201, headers={"a": "b"}, body=b'{"phone":"+84912345678"}',
            created_at=NOW,
        )  # fmt: skip
    return engine


def key_then(name: str) -> str:
    """The search key of this revision: nothing said which word is the given name."""
    return f"{name_in_key(search_key(name))} "


class TestUpgrade:
    def test_seals_every_phone_and_loses_none(self, config: Config, used: sa.Engine) -> None:
        command.upgrade(config, "0002")
        vault = config.attributes["vault"]
        with used.connect() as connection:
            for member_id, _, _, phone, _ in PEOPLE:
                stored = column(connection, "member", "phone", "id", member_id)
                assert (stored and vault.open(stored, "phone")) == phone
            found = connection.execute(sa.text("SELECT last4 FROM member_identifier")).scalars()
            assert set(found) == {vault.digest(end, "phone:last4") for end in ("5678", "4321")}
            logged = connection.execute(
                sa.select(
                    sa.table(
                        "change", sa.column("before", json_type), sa.column("after", json_type)
                    )
                )
            ).one()
            assert logged.before == {"phone": None, "full_name": "x"}
            assert logged.after["full_name"] == "y"
            assert vault.open(logged.after["phone"], "phone") == "+84912345678"
            kept = connection.execute(sa.text("SELECT count(*) FROM idempotent_answer"))
            assert kept.scalar_one() == 0

    def test_gives_everyone_in_the_union_a_spell(self, config: Config, used: sa.Engine) -> None:
        command.upgrade(config, "0002")
        with used.connect() as connection:
            begun = {
                member_id: column(connection, "membership", "valid_from", "member_id", member_id)
                for member_id, *_ in PEOPLE
            }
        assert {of: day and str(day)[:10] for of, day in begun.items()} == {
            JOINED: "2015-03-08",
            UNKNOWN: "2000-01-01",  # the day her branch opened
            LEFT: None,
        }

    def test_makes_them_found_by_name(self, config: Config, used: sa.Engine) -> None:
        command.upgrade(config, "0002")
        with used.connect() as connection:
            for member_id, name, *_ in PEOPLE:
                key = column(connection, "member", "search_key", "id", member_id)
                assert key == key_then(name)
            entries = connection.execute(sa.text("SELECT search_key FROM name_entry")).scalars()
            assert sorted(entries) == sorted({key_then(name) for _, name, *_ in PEOPLE})

    def test_says_what_the_groups_are(self, config: Config, used: sa.Engine) -> None:
        command.upgrade(config, "0002")
        with used.connect() as connection:
            kinds = connection.execute(sa.text("SELECT id, group_kind FROM unit ORDER BY id"))
            assert [tuple(row) for row in kinds] == [
                (1, None), (2, None), (3, "team"), (4, "other"),
            ]  # fmt: skip


class TestDowngrade:
    def test_gives_back_what_was_there(self, config: Config, used: sa.Engine) -> None:
        command.upgrade(config, "0002")
        with used.begin() as connection:
            after = {"phone": None, "party": "member", "citizen_id": "sealed"}
            insert(
                connection, "change", id=LEFT, at=NOW, source="api", entity="member",
                entity_id=str(LEFT), operation="updated", revision=3, before={}, after=after,
            )  # fmt: skip
        command.downgrade(config, "0001")
        with used.connect() as connection:
            of_left = column(connection, "change", "after", "id", LEFT)
            if isinstance(of_left, str):
                of_left = json.loads(of_left)
            assert of_left == {"phone": None}
            for member_id, _, _, phone, _ in PEOPLE:
                assert column(connection, "member", "phone", "id", member_id) == phone
            key = column(connection, "member", "search_key", "id", JOINED)
            assert key == "nguien thi hoa"
            change = sa.table("change", sa.column("id", Uuid()), sa.column("after", json_type))
            logged = connection.execute(
                sa.select(change.c.after).where(change.c.id == JOINED)
            ).scalar_one()
            assert logged == {"phone": "+84912345678", "full_name": "y"}
        command.upgrade(config, "0002")
        with used.connect() as connection:
            stored = column(connection, "member", "phone", "id", JOINED)
        vault = make_settings("sqlite:///x.db").vault()
        assert vault.open(stored, "phone") == "+84912345678"
