"""Jobs: asked for, done, failed, lost and found, and shown to who asked alone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlmodel import col, select

from app.clock import utc_now
from app.db import Database
from app.errors import Problem
from app.models.imports.imports import ImportJob
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account
from app.models.kernel.jobs import Job, JobState
from app.models.kernel.sessions import AuthSession
from app.services.kernel import actors, job_workers, jobs
from app.services.kernel.access import Actor
from app.services.kernel.manifest import JobHandler, JobWork, manifest
from tests.conftest import ROOT
from tests.helpers.client import Api, writing

KIND = ImportJob.preview


def actor_of(database: Database, username: str) -> Actor:
    with database.reading() as db:
        session_id = (
            db.execute(
                sa.select(col(AuthSession.id))
                .join(Account, col(Account.id) == col(AuthSession.account_id))
                .where(col(Account.username) == username)
                .order_by(col(AuthSession.id).desc())
            )
            .scalars()
            .first()
        )
        assert session_id is not None
        actor = actors.load_actor(db, session_id)
    assert actor is not None
    return actor


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch) -> Callable[[JobHandler], None]:
    """Puts a function in the place of what does the kind of job these tests ask for."""
    return lambda run: monkeypatch.setitem(manifest().jobs, KIND, JobWork(run, Right.members_read))


def ask(database: Database, **args: Any) -> UUID:
    with writing(database) as session:
        return jobs.enqueue(session, actor_of(database, "phuongvi"), kind=KIND, args=args).id


def stored(database: Database, job_id: UUID) -> Job:
    with writing(database) as session:
        return session.exec(select(Job).where(col(Job.id) == job_id)).one()


class TestJob:
    def test_is_done_and_shown(
        self, officer: Api, database: Database, work: Callable[[], int], handle: Any
    ) -> None:
        def run(task: jobs.Task) -> dict[str, Any]:
            task.progress(1, 3)
            assert task.actor().username == "phuongvi"
            with task.writing() as session:
                task.progress(3, 3, session)
            return {"sum": task.args["a"] + 1}

        handle(run)
        job_id = ask(database, a=1)
        waiting = officer.get(f"/v1/jobs/{job_id}").json()
        assert (waiting["state"], waiting["progress"]) == ("queued", {"done": 0, "total": None})
        assert work() == 1
        done = officer.get(f"/v1/jobs/{job_id}").json()
        assert (done["state"], done["result"], done["problem"]) == ("done", {"sum": 2}, None)
        assert done["progress"] == {"done": 3, "total": 3}
        assert [job["id"] for job in officer.get("/v1/jobs?state=done").json()["items"]] == [
            str(job_id)
        ]
        assert officer.get("/v1/jobs?state=failed").json()["items"] == []

    def test_of_another_is_not_found(self, api: Api, officer: Api, database: Database) -> None:
        job_id = ask(database)
        for other in ("phutho", "phuongvi-1", "admin"):
            assert api.as_(other).get(f"/v1/jobs/{job_id}").status_code == 404
            assert api.as_(other).get("/v1/jobs").json()["items"] == []
        assert officer.get(f"/v1/jobs/{uuid4()}").status_code == 404

    def test_goes_with_its_transaction(self, officer: Api, database: Database) -> None:
        actor = actor_of(database, "phuongvi")
        with writing(database) as session:
            jobs.enqueue(session, actor, kind=KIND, args={})
            session.rollback()
        assert officer.get("/v1/jobs").json()["items"] == []
        with database.reading() as db:
            table = "workflow_status" if database.on_sqlite else "dbos.workflow_status"
            sent = db.execute(sa.text(f"SELECT count(*) FROM {table}"))
            assert sent.scalar_one() == 0

    def test_that_fails_says_why_in_the_readers_language(
        self, officer: Api, database: Database, work: Callable[[], int], handle: Any
    ) -> None:
        def run(task: jobs.Task) -> dict[str, Any]:
            raise Problem("unit_closed", unit="Khu 1", closed_on="2024-12-31")

        handle(run)
        job_id = ask(database)
        work()
        read = {
            language: officer.get(f"/v1/jobs/{job_id}", headers={"accept-language": language})
            for language in ("vi", "en")
        }
        problems = {language: answer.json()["problem"] for language, answer in read.items()}
        assert {p["code"] for p in problems.values()} == {"unit_closed"}
        assert problems["en"]["title"] == "The unit is closed"
        assert problems["vi"]["title"] == "Đơn vị đã kết thúc hoạt động"
        assert read["vi"].json()["state"] == "failed"

    def test_that_breaks_says_nothing_of_the_inside(
        self, officer: Api, database: Database, work: Callable[[], int], handle: Any
    ) -> None:
        def run(task: jobs.Task) -> dict[str, Any]:
            raise RuntimeError("the secret of Nguyễn Thị Hoa")

        handle(run)
        job_id = ask(database)
        work()
        answer = officer.get(f"/v1/jobs/{job_id}")
        assert answer.json()["problem"]["code"] == "internal"
        assert "secret" not in answer.text

    def test_of_an_account_disabled_meanwhile_is_not_done(
        self, api: Api, officer: Api, database: Database, work: Callable[[], int], handle: Any
    ) -> None:
        def run(task: jobs.Task) -> dict[str, Any]:
            return {"rights": len(task.actor().rights)}

        handle(run)
        job_id = ask(database)
        with writing(database) as session:
            session.execute(
                sa.update(Account)
                .where(col(Account.username) == "phuongvi")
                .values(status="disabled")
            )
        work()
        job = stored(database, job_id)
        assert job.state is JobState.failed
        assert job.problem is not None
        assert job.problem["en"]["code"] == "account_gone"

    def test_is_tried_again_when_the_database_was_away(
        self,
        officer: Api,
        database: Database,
        work: Callable[[], int],
        handle: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(jobs, "_PAUSES", (0,))
        tries = []

        def run(task: jobs.Task) -> dict[str, Any]:
            tries.append(1)
            if len(tries) < 3:
                raise OperationalError("SELECT 1", {}, Exception("gone"))
            return {}

        handle(run)
        job_id = ask(database)
        assert work() == 1
        job = stored(database, job_id)
        assert (job.state, job.attempts, len(tries)) == (JobState.done, 3, 3)

    def test_is_given_up_after_some_tries(
        self,
        officer: Api,
        database: Database,
        work: Callable[[], int],
        handle: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(jobs, "_PAUSES", (0,))

        def run(task: jobs.Task) -> dict[str, Any]:
            raise OperationalError("SELECT 1", {}, Exception("gone"))

        handle(run)
        job_id = ask(database)
        work()
        assert officer.get(f"/v1/jobs/{job_id}").json()["problem"]["code"] == "job_given_up"
        assert work() == 0

    def test_once_over_is_not_done_again(
        self, officer: Api, database: Database, work: Callable[[], int], handle: Any
    ) -> None:
        tries = []

        def run(task: jobs.Task) -> dict[str, Any]:
            tries.append(1)
            return {}

        handle(run)
        job_id = ask(database)
        work()
        jobs.perform(database, job_id)
        assert len(tries) == 1

    def test_long_over_is_forgotten(
        self, officer: Api, database: Database, work: Callable[[], int], handle: Any
    ) -> None:
        handle(lambda task: {})
        old, young = ask(database), ask(database)
        work()
        long_ago = utc_now() - timedelta(days=database.settings.job_days + 1)
        with writing(database) as session:
            session.execute(sa.update(Job).where(col(Job.id) == old).values(finished_at=long_ago))
        assert jobs.forget_old(database) == 1
        assert [job["id"] for job in officer.get("/v1/jobs").json()["items"]] == [str(young)]


@pytest.fixture
def worker(database: Database) -> Iterator[job_workers.Worker]:
    with job_workers.Worker(database) as made:
        yield made


class TestServer:
    def test_has_a_worker_from_the_first_job_on(
        self, officer: Api, database: Database, handle: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if not database.on_sqlite:
            pytest.skip("a process of its own does them")
        opened: list[str] = []

        class Watched(job_workers.Worker):
            def __enter__(self) -> "Watched":
                opened.append("worker")
                super().__enter__()
                return self

        looked: list[Database] = []
        look = job_workers.any_waits

        def looks(of: Database) -> bool:
            looked.append(of)
            return look(of)

        monkeypatch.setattr(job_workers, "Worker", Watched)
        monkeypatch.setattr(job_workers, "any_waits", looks)
        monkeypatch.setattr(job_workers, "_FIRST_AFTER_SECONDS", 0)
        monkeypatch.setattr(job_workers, "_LOOK_SECONDS", 0.01)
        monkeypatch.setattr(database.settings, "serve_jobs", True)
        handle(lambda task: {"seen": task.args["n"]})
        with job_workers.in_server(database):
            until(lambda: len(looked) > 2)
            assert opened == []
            for n in range(2):
                job_id = ask(database, n=n)
                answer = officer.get(f"/v1/jobs/{job_id}", headers={"prefer": "wait=20"})
                assert answer.json()["result"] == {"seen": n}
            assert opened == ["worker"]


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


class TestWorker:
    def test_does_what_is_sent_and_the_answer_may_wait_for_it(
        self, officer: Api, database: Database, handle: Any, worker: job_workers.Worker
    ) -> None:
        handle(lambda task: {"seen": task.args["n"]})
        ids = [ask(database, n=n) for n in range(3)]
        for n, job_id in enumerate(ids):
            answer = officer.get(f"/v1/jobs/{job_id}", headers={"prefer": "wait=20"})
            assert answer.json()["result"] == {"seen": n}
            assert answer.headers["preference-applied"] == "wait=20"

    def test_takes_over_what_another_lost(
        self, officer: Api, database: Database, handle: Any, worker: job_workers.Worker
    ) -> None:
        handle(lambda task: {"attempt": "second"})
        job_id = ask(database)
        assert officer.get(f"/v1/jobs/{job_id}", headers={"prefer": "wait=20"}).json()["result"]
        long_ago = utc_now() - timedelta(seconds=600)
        table = "workflow_status" if database.on_sqlite else "dbos.workflow_status"
        with writing(database) as session:
            # As a machine leaves it that burnt down in the middle.
            session.execute(
                sa.update(Job)
                .where(col(Job.id) == job_id)
                .values(state=JobState.running, seen_at=long_ago, result=None, finished_at=None)
            )
            session.execute(sa.text(f"UPDATE {table} SET status = 'PENDING', executor_id = 'lost'"))
        assert job_workers.send_lost_again(database) == 1
        answer = officer.get(f"/v1/jobs/{job_id}", headers={"prefer": "wait=20"}).json()
        assert (answer["state"], answer["result"]) == ("done", {"attempt": "second"})


def test_patience_ends(officer: Api, database: Database) -> None:
    job_id = ask(database)
    begun = time.monotonic()
    answer = officer.get(f"/v1/jobs/{job_id}", headers={"prefer": "wait=1"})
    assert answer.json()["state"] == "queued"
    assert 0.9 < time.monotonic() - begun < 10


_KILLED = """
import sys, time
from uuid import UUID
from app.db import Database
from app.models.imports.imports import ImportJob
from app.services import capabilities
from app.services.kernel import job_workers
from app.services.kernel.manifest import JobWork, manifest
from tests.conftest import make_settings

capabilities.install()
database = Database(make_settings(sys.argv[1]))

def run(task):
    print("begun", flush=True)
    time.sleep(0 if sys.argv[2] == "finish" else 60)
    return {"by": sys.argv[2]}

manifest().jobs[ImportJob.preview] = JobWork(run, None)
with job_workers.Worker(database):
    time.sleep(60)
"""


def test_survives_a_killed_worker(officer: Api, database: Database) -> None:
    """kill -9 in the middle: the worker that comes back under the same name does it again."""
    job_id = ask(database)
    url = database.settings.database_url
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def start(how: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", _KILLED, url, how],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    first = start("killed")
    assert first.stdout is not None
    assert first.stdout.readline().strip() == "begun"
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    assert stored(database, job_id).state is JobState.running
    second = start("finish")
    try:
        answer = officer.get(f"/v1/jobs/{job_id}", headers={"prefer": "wait=40"}).json()
        assert (answer["state"], answer["result"]) == ("done", {"by": "finish"})
        assert stored(database, job_id).attempts == 2
    finally:
        second.kill()
        second.communicate()
