"""Reads at a real streaming replica: it answers what it has all of, and nothing stale."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.engine import Connection

from app.api.http.routing import Route, routes_of
from app.api.http.server import serving
from app.db import Database, ReplicaState, replica
from app.db.replica import Replica
from app.main import create_app
from tests.conftest import fill, make_settings
from tests.helpers.client import Api
from tests.system.clusters import Cluster, cluster_in, url_at
from tests.system.running import free_port

pytestmark = [pytest.mark.needs("postgresql"), pytest.mark.timeout(240)]
_PLACE = "SELECT pg_is_in_recovery()"


class Site:
    """An application, its primary and its replica."""

    def __init__(self, cluster: Cluster, port: int, app: FastAPI) -> None:
        self.cluster = cluster
        self.port = port
        self.app = app
        self.data = cluster.folder / "replica"
        self.database: Database = serving(app).database
        assert self.database.replica is not None
        self.replica: Replica = self.database.replica
        self.admin = sa.create_engine(
            url_at(port), isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool
        )

    def look(self) -> ReplicaState:
        self.replica.look()
        return self.replica.state

    def at_replica(self) -> bool:
        """Whether a read goes there now."""
        return bool(self.database.read(lambda db: db.exec_driver_sql(_PLACE).scalar_one()))

    def run(self, statement: str) -> None:
        with self.admin.connect() as connection:
            connection.exec_driver_sql(statement)

    @contextmanager
    def behind(self) -> Iterator[None]:
        """The replica gets the log and replays none of it."""
        self.run("SELECT pg_wal_replay_pause()")
        yield
        self.run("SELECT pg_wal_replay_resume()")

    def process(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with cluster_in("hoiso-replica-") as cluster:
        cluster.start(cluster.folder / "data")
        fill(cluster.url)
        port, data = free_port(), cluster.folder / "replica"
        cluster.copy(data, "-R")
        cluster.start(data, port)
        settings = make_settings(cluster.url, replica_url=url_at(port), replica_wait_ms=300)
        made = Site(cluster, port, create_app(settings))
        with closing(made.database):
            yield made


@pytest.fixture(autouse=True)
def _in_use(site: Site) -> None:
    while site.look() is not ReplicaState.in_use:
        time.sleep(0.05)


@pytest.fixture
def officer(site: Site) -> Api:
    return Api(site.app).as_("phuongvi")


def lists(app: FastAPI) -> list[str]:
    """What is read without a parameter: lists, figures, the own account."""
    return [each.path for each in routes_of(app) if _is_plain(each)]


def _is_plain(route: Route) -> bool:
    return route.need is Connection and route.method == "GET" and "{" not in route.path


def test_reads_are_answered_there_as_by_the_primary(site: Site, officer: Api) -> None:
    asked: list[str] = []
    sa.event.listen(
        site.replica.engine, "before_cursor_execute", lambda *args: asked.append(args[2])
    )
    answered, differ, unread = 0, [], []
    for path in lists(site.app):
        asked.clear()
        here = officer.get(path)
        if here.status_code != 200:  # it needs parameters
            continue
        answered += 1
        if not asked:
            unread.append(path)
        site.replica.state = ReplicaState.starting
        if officer.get(path).content != here.content:
            differ.append(path)
        site.look()
    assert answered > 40
    assert unread == []
    # Where it was read, and when; a cursor says when it was given.
    assert set(differ) <= {"/health/ready", "/v1/me/personal-data", "/v1/sync/changes"}


def test_a_file_is_read_there(site: Site, officer: Api) -> None:
    members = officer.get("/v1/members?format=csv")
    assert members.status_code == 200
    assert len(members.content.splitlines()) > 50
    assert site.replica.state is ReplicaState.in_use


def test_who_has_written_reads_it_at_once(site: Site, officer: Api) -> None:
    with site.behind():
        unit = officer.get("/v1/units?level=commune").json()["items"][0]
        address = f"/v1/units/{unit['id']}"
        sent = officer.patch(address, json={"address": "Nhà văn hoá"})
        assert sent.status_code == 200, sent.text
        assert officer.get(address).json()["address"] == "Nhà văn hoá"
        assert site.replica.state is ReplicaState.behind
        assert not site.at_replica()
        assert site.look() is ReplicaState.behind
        assert Api(site.app).get("/health/ready").json() == {"status": "ok", "replica": "behind"}
    while site.look() is not ReplicaState.in_use:
        time.sleep(0.05)
    assert site.at_replica()
    assert officer.get(address).json()["address"] == "Nhà văn hoá"
    assert Api(site.app).get("/health/ready").json() == {"status": "ok", "replica": "in_use"}


def test_what_another_process_has_committed_is_seen(site: Site) -> None:
    other = sa.create_engine(site.cluster.url, poolclass=sa.pool.NullPool)
    for number in range(20):
        with other.begin() as connection:
            connection.exec_driver_sql(f"UPDATE unit SET address = 'số {number}' WHERE id = 1")
        found = site.database.read(
            lambda db: db.exec_driver_sql("SELECT address FROM unit WHERE id = 1").scalar_one()
        )
        assert found == f"số {number}"
    assert site.replica.state is ReplicaState.in_use


def test_a_right_that_is_revoked_is_gone_at_once(site: Site, officer: Api) -> None:
    assert officer.get("/v1/members").status_code == 200
    with site.behind():
        with site.database.writing() as session:
            session.execute(sa.text("UPDATE auth_session SET revoked_at = created_at"))
        site.replica.state = ReplicaState.in_use
        assert officer.get("/v1/members").status_code == 401


def test_a_read_that_the_replica_ends_is_done_by_the_primary(site: Site) -> None:
    places: list[bool] = []

    def read(db: Connection) -> int:
        at_replica = bool(db.exec_driver_sql(_PLACE).scalar_one())
        places.append(at_replica)
        if at_replica:  # as replay does with a read that keeps it waiting
            db.exec_driver_sql("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(9)")
        return int(db.exec_driver_sql("SELECT count(*) FROM unit").scalar_one())

    assert site.database.read(read) > 0
    assert places == [True, False]
    assert site.replica.state is ReplicaState.in_use
    assert site.at_replica()


def test_reads_go_on_without_it(site: Site, officer: Api) -> None:
    site.cluster.stop(site.data)
    assert officer.get("/v1/members").status_code == 200
    assert site.replica.state is ReplicaState.unreachable
    assert site.look() is ReplicaState.unreachable
    site.cluster.start(site.data, site.port)
    assert site.look() is ReplicaState.in_use
    assert site.at_replica()


def test_reads_go_on_when_it_says_nothing_more(site: Site, officer: Api) -> None:
    assert site.at_replica()
    stopped = [site.process(), *_children(site.process())]
    for process in stopped:
        os.kill(process, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert officer.get("/v1/members").status_code == 200
        assert time.monotonic() - began < 10
        assert site.replica.state is ReplicaState.unreachable
        assert site.look() is ReplicaState.unreachable
    finally:
        for process in stopped:
            os.kill(process, signal.SIGCONT)


def _children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(each) for each in found]


def test_a_copy_that_follows_no_longer_is_not_asked(site: Site) -> None:
    copy, port = site.cluster.folder / "promoted", free_port()
    site.cluster.copy(copy, "-R")
    site.cluster.start(copy, port)
    settings = make_settings(site.cluster.url, replica_url=url_at(port))
    with closing(Database(settings)) as database:
        assert database.replica is not None
        site.cluster.run("pg_ctl", "promote", "-w", "-D", copy)
        database.replica.look()
        assert database.replica.state is ReplicaState.no_standby


def test_a_replica_of_another_server_is_not_asked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "_SERVER", "SELECT 7")
    assert site.look() is ReplicaState.other_history
    assert not site.at_replica()
