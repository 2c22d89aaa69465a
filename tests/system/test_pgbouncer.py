"""Hội Số behind a real PgBouncer in transaction mode, configured as the operator's guide says."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx2
import pytest
import sqlalchemy as sa

from tests.data import make_workbooks
from tests.helpers.answers import Json
from tests.system.guide import block
from tests.system.running import Process, Stage, body, free_port, ready, signed_in, until

pytestmark = [pytest.mark.needs("pgbouncer"), pytest.mark.timeout(240)]
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass
class Running:
    stage: Stage
    url: str
    officer: httpx2.Client
    logs: tuple[Process, ...]


@pytest.fixture(scope="module")
def running(stage: Stage) -> Iterator[Running]:
    """A server and a worker behind PgBouncer, and an officer of the commune Phượng Vĩ."""
    url, pgbouncer = stage.pgbouncer()
    name, _, value = block("sh", "export HOISO_PREPARE_THRESHOLD").split()[1].partition("=")
    settings = {"HOISO_DATABASE_URL": url, name: value}
    port = free_port()
    server = stage.hoiso("server", "serve", "--port", str(port), **settings)
    worker = stage.hoiso("worker", "worker", **settings)
    address = f"http://127.0.0.1:{port}"
    until(lambda: ready(address), 90)
    with signed_in(address, "phuongvi") as officer:
        yield Running(stage, settings["HOISO_DATABASE_URL"], officer, (pgbouncer, server, worker))


def finished(officer: httpx2.Client, location: str, states: set[str]) -> Json:
    def look() -> Json | None:
        item: Json = body(officer.get(location))
        return item if item["state"] in states else None

    return until(look, 30)


def previewed(officer: httpx2.Client, content: bytes) -> str:
    """A members' list of Phượng Vĩ is read and compared by a job; returns its address."""
    unit = next(u for u in body(officer.get("/v1/units"))["items"] if u["level"] == "commune")
    sent = officer.post(
        f"/v1/imports?kind=members&unit={unit['id']}",
        content=content,
        headers={
            "content-type": _XLSX,
            "content-disposition": 'attachment; filename="ds.xlsx"',
        },
    )
    location = f"/v1/imports/{body(sent, 201)['id']}"
    read = finished(officer, location, {"ready", "refused"})
    assert read["state"] == "ready", read
    return location


def applied(officer: httpx2.Client, location: str) -> Json:
    answer = officer.post(f"{location}/apply", json={})
    assert body(answer, 202)
    job = finished(officer, answer.headers["location"], {"done", "failed"})
    assert job["state"] == "done", job
    result: Json = body(officer.get(location))
    return result


def members(stage: Stage) -> int:
    engine = sa.create_engine(stage.url)
    with engine.connect() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM member").scalar_one()
    engine.dispose()
    return int(count)


def test_requests_and_jobs(running: Running) -> None:
    before = members(running.stage)

    def ask(_: int) -> int:
        return running.officer.get("/v1/members?limit=5").status_code

    with ThreadPoolExecutor(6) as askers:
        answers = askers.map(ask, range(2_000))
        location = previewed(running.officer, make_workbooks.everything())
        result = applied(running.officer, location)
        # A statement is prepared after some uses: only a worker that has polled for a while fails.
        for _ in range(5):
            time.sleep(1)
            previewed(running.officer, make_workbooks.plain())
        assert set(answers) == {200}
    assert result["summary"]["created"] == 2
    assert members(running.stage) == before + 2
    for process in running.logs:
        assert "prepared statement" not in process.output(), process.log.name


def test_the_role_has_what_pgbouncer_drops(running: Running) -> None:
    """The options of the server's connections do not pass PgBouncer; the guide sets them."""
    engine = sa.create_engine(
        running.url.replace("postgresql://", "postgresql+psycopg://", 1),
        connect_args={"prepare_threshold": None},
    )
    with engine.connect() as connection:
        shown = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("timezone", "statement_timeout", "lock_timeout", "random_page_cost", "jit")
        }
    engine.dispose()
    assert shown == {
        "timezone": "UTC",
        "statement_timeout": "30s",
        "lock_timeout": "3s",
        "random_page_cost": "1.1",
        "jit": "off",
    }


def test_a_restart_of_postgresql_is_over_in_seconds(running: Running) -> None:
    """Requests and jobs go on, and no connection stays broken."""
    assert running.officer.get("/v1/members?limit=5").status_code == 200
    running.stage.restart_postgresql()
    begun = time.monotonic()
    until(lambda: running.officer.get("/v1/members?limit=5").status_code == 200 or None, 5)
    assert time.monotonic() - begun < 5
    again = [running.officer.get("/v1/members?limit=5").status_code for _ in range(30)]
    assert set(again) == {200}
    assert previewed(running.officer, make_workbooks.plain())
