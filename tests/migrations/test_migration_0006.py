"""Revision 0006 on a database in use: members are neither restricted nor erased, and going back
leaves nothing that the revision before cannot read."""

from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from app.models.base import json_type
from tests.migrations.test_migration_0002 import (
    JOINED,
    NOW,
    REVISED,
    config,
    empty,
    engine,
    insert,
    used,
)

__all__ = ["config", "empty", "engine", "used"]  # fixtures

MADE = (
    "consent",
    "privacy_request",
    "processing_limit",
    "erasure",
    "anonymisation",
    "anonymisation_policy",
)


@pytest.fixture
def upgraded(config: Config, used: sa.Engine) -> sa.Engine:
    """With a row of each new table, an officer for data protection, and what was logged of it."""
    command.upgrade(config, "0006")
    request, policy, account = uuid4(), uuid4(), uuid4()
    of_hers = {"member_id": JOINED, "province_id": 1}
    with used.begin() as connection:
        rows: list[tuple[str, dict[str, Any]]] = [
            ("consent", {
                "id": uuid4(), **of_hers, **REVISED, "purpose": "contact", "text": "1",
                "decision": "given", "evidence": "paper", "recorded_on": NOW.date(),
                "recorded_by": account,
            }),
            ("privacy_request", {
                "id": request, **of_hers, **REVISED, "kind": "erase", "channel": "paper",
                "with_processors": False, "state": "received", "received_on": NOW.date(),
                "rules": "1", "answer_due_on": NOW.date(), "due_on": NOW.date(),
                "requested_by": account,
            }),
            ("processing_limit", {
                "id": uuid4(), **of_hers, **REVISED, "kind": "restriction",
                "request_id": request, "valid_from": NOW.date(), "set_by": account,
            }),
            ("anonymisation_policy", {
                "id": policy, "unit_id": 1, "months": 24, "most": 10, "decision_number": "1",
                "valid_from": NOW.date(), "made_by": account, "made_at": NOW,
            }),
            ("erasure", {
                "id": uuid4(), **of_hers, "branch_id": 2, "cause": "request",
                "request_id": request, "effects": [], "digest": "d", "approved_by": account,
                "erased_by": account, "erased_at": NOW,
            }),
            ("account", {
                "id": account, **REVISED, "kind": "person", "username": "dpo",
                "display_name": "x", "status": "active", "unit_id": 1,
            }),
            ("access_grant", {
                "id": uuid4(), **REVISED, "account_id": account, "unit_id": 1,
                "role": "data_protection_officer", "valid_from": NOW.date(),
            }),
            ("access_grant", {
                "id": uuid4(), **REVISED, "account_id": account, "unit_id": 1, "role": "delegate",
                "valid_from": NOW.date(), "rights": ["members:read", "privacy:record"],
            }),
            ("change", {
                "id": uuid4(), "at": NOW, "source": "api", "entity": "member",
                "entity_id": str(JOINED), "operation": "erased", "revision": 3,
            }),
            ("change", {
                "id": uuid4(), "at": NOW, "source": "api", "entity": "consent",
                "entity_id": str(uuid4()), "operation": "created", "revision": 1,
            }),
            ("job", {
                "id": uuid4(), "kind": "erasure_sweep", "state": "done", "account_id": account,
                "session_id": account, "args": {}, "done": 0, "attempts": 1, "created_at": NOW,
            }),
        ]  # fmt: skip
        for table, values in rows:
            insert(connection, table, **values)
    return used


def count(engine: sa.Engine, statement: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.text(statement)).scalar_one())


def test_up_restricts_and_erases_nobody(upgraded: sa.Engine) -> None:
    assert count(upgraded, "SELECT count(*) FROM member") == 3
    free = "SELECT count(*) FROM member WHERE NOT restricted AND erased_on IS NULL"
    assert count(upgraded, free) == 3


def test_down_leaves_nothing_unreadable(config: Config, upgraded: sa.Engine) -> None:
    command.downgrade(config, "0003")
    inspector = sa.inspect(upgraded)
    assert not {*MADE} & {*inspector.get_table_names()}
    assert not {"restricted", "erased_on"} & {c["name"] for c in inspector.get_columns("member")}
    assert count(upgraded, "SELECT count(*) FROM member") == 3
    with upgraded.connect() as connection:
        grants = sa.table("access_grant", sa.column("role"), sa.column("rights", json_type))
        assert connection.execute(sa.select(grants)).all() == [("delegate", ["members:read"])]
    assert count(upgraded, "SELECT count(*) FROM change WHERE operation = 'erased'") == 0
    assert count(upgraded, "SELECT count(*) FROM change WHERE entity = 'consent'") == 1
    assert count(upgraded, "SELECT count(*) FROM job") == 0
    command.upgrade(config, "0006")
    assert count(upgraded, "SELECT count(*) FROM consent") == 0
