"""A full disk and a database that can only be read: by name in the answer, the log, the metrics and
in readiness, until writing works again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from prometheus_client import REGISTRY

from app.db import Database
from tests.helpers.client import Api
from tests.helpers.in_process import client_of


@contextmanager
def full(database: Database) -> Iterator[None]:
    """SQLite has no page for what a transaction begins with; PostgreSQL says what it says then."""
    begun = ["DO $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$"]
    if database.on_sqlite:
        begun = ["PRAGMA temp.max_page_count = 1", "CREATE TEMP TABLE no_space (x)"]
    with each_write(database, *begun):
        yield


@contextmanager
def read_only(database: Database) -> Iterator[None]:
    begun = "PRAGMA query_only = ON" if database.on_sqlite else "SET TRANSACTION READ ONLY"
    with each_write(database, begun):
        yield
    database.writer.dispose()


@contextmanager
def each_write(database: Database, *statements: str) -> Iterator[None]:
    """Every transaction begins with these statements."""

    def begun(connection: sa.Connection) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement)

    sa.event.listen(database.writer, "begin", begun)
    yield
    sa.event.remove(database.writer, "begin", begun)


FAULTS = {"storage_full": full, "storage_read_only": read_only}


def fault_metric(code: str) -> float | None:
    return REGISTRY.get_sample_value("hoiso_storage_fault", {"fault": code})


@pytest.mark.parametrize("code", FAULTS)
def test_is_told_by_its_name(
    app: FastAPI, api: Api, database: Database, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    officer = api.as_("phuongvi")
    made = officer.get("/v1/members?limit=1").json()["items"][0]
    change = {"address": "khu 5"}
    path = f"/v1/members/{made['id']}"
    before = officer.get(path).json()
    assert api.get("/health/ready").status_code == 200
    with FAULTS[code](database):
        capsys.readouterr()
        refused = officer.patch(path, json=change)
        assert (refused.status_code, refused.json()["code"]) == (503, code), refused.text
        assert int(refused.headers["retry-after"]) >= 30
        events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
        assert code in events
        assert fault_metric(code) == 1
        ready = api.get("/health/ready")
        assert (ready.status_code, ready.json()["code"]) == (503, code)
        assert api.get("/health/live").status_code == 200
        # What can be read is read.
        assert officer.get(path).json() == before
    assert api.get("/health/ready").json() == {"status": "ok", "replica": None}
    assert fault_metric(code) == 0
    assert officer.patch(path, json=change).status_code == 200
    text = client_of(app, ("127.0.0.1", 9)).get("/metrics").text
    assert f'hoiso_storage_fault{{fault="{code}"}} 0.0' in text
