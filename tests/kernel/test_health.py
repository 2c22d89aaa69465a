"""Alive and ready are two questions: a server without its database is the one and not the other."""

import json
import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from httpx2 import Response

from app.api.http.server import serving
from app.db import Database
from app.security.tokens import Keyring
from app.services.kernel.background import Background, Every
from tests.conftest import make_settings
from tests.helpers.client import Api
from tests.helpers.reading import Reading
from tests.helpers.serving import given


def unavailable(response: Response) -> dict[str, Any]:
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["code"]) == (503, "unavailable"), response.text
    assert int(response.headers["retry-after"]) >= 1
    return problem


def cut_all(database: Database) -> None:
    """What a restart of the server does to its connections."""
    if database.on_sqlite:
        database.reader.dispose()
        return
    engine = sa.create_engine(database.settings.database_url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


class TestWithADatabase(Reading):
    @pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
    def test_is_live_and_ready_and_asks_nobody_who_she_is(self, api: Api, path: str) -> None:
        answer = api.get(path, headers={"authorization": "Bearer nonsense"})
        assert answer.status_code == 200
        assert answer.json()["status"] == "ok"


class TestPromises(Reading):
    def test_is_ready_when_it_does_what_it_promised(self, app: FastAPI, api: Api) -> None:
        tried = threading.Event()

        def fail() -> None:
            tried.set()
            raise ZeroDivisionError

        work = Every(seconds=math.inf, work=fail, name="jobs", first_after=0, promised=True)
        with Background("jobs", work) as jobs, given(app, promises=[jobs]):
            assert tried.wait(10)
            answer = api.get("/health/ready")
            while answer.status_code == 200:
                answer = api.get("/health/ready")
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (503, "work_undone")
            assert problem["broken"] == ["jobs"]
            assert api.get("/health/live").json() == {"status": "ok"}
        assert api.get("/health/ready").json() == {"status": "ok", "replica": None}


class TestWithoutATable:
    def test_is_not_ready_before_the_first_migration(self, api: Api, database: Database) -> None:
        with database.writing() as session:
            session.execute(sa.text("ALTER TABLE feed_head RENAME TO feed_gone"))
        unavailable(api.get("/health/ready"))
        assert api.get("/health/live").json() == {"status": "ok"}
        with database.writing() as session:
            session.execute(sa.text("ALTER TABLE feed_gone RENAME TO feed_head"))
        assert api.get("/health/ready").json() == {"status": "ok", "replica": None}


class TestAfterARestart:
    @pytest.mark.race
    def test_no_read_fails(self, app: FastAPI, api: Api, database: Database) -> None:
        caller = api.as_("phuongvi-1")

        def statuses() -> set[int]:
            with ThreadPoolExecutor(8) as threads:
                asked = [
                    threads.submit(Api(app, caller.headers).get, path)
                    for path in ("/v1/members", "/v1/me", "/v1/units", "/health/ready") * 4
                ]
                return {one.result(30).status_code for one in asked}

        assert statuses() == {200}
        cut_all(database)
        assert statuses() == {200}


class TestWithoutADatabase:
    @pytest.fixture
    def signed_in(self, api: Api) -> Api:
        return api.as_("phuongvi-1")

    @pytest.fixture(autouse=True)
    def away(self, app: FastAPI, signed_in: Api, tmp_path: Path) -> Iterator[None]:
        present = serving(app).database
        if present.on_sqlite:
            gone = Database(make_settings(f"sqlite:///{tmp_path / 'gone.db'}"))
            (tmp_path / "gone.db").mkdir()
        else:
            url = sa.make_url(present.settings.database_url).set(database="hoiso_gone")
            gone = Database(make_settings(url.render_as_string(hide_password=False)))
        with given(app, database=gone):
            yield
        gone.close()

    def test_is_live(self, api: Api) -> None:
        assert api.get("/health/live").json() == {"status": "ok"}

    def test_is_not_ready(self, api: Api) -> None:
        problem = unavailable(api.get("/health/ready"))
        assert "hoiso_gone" not in str(problem)
        assert "gone.db" not in str(problem)

    @pytest.mark.parametrize("path", ["/v1/members", "/v1/me", "/v1/auth/sessions"])
    def test_asks_to_come_again(
        self, signed_in: Api, path: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        capsys.readouterr()
        unavailable(signed_in.get(path))
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        [line] = [line for line in lines if line["event"] == "database_unavailable"]
        assert (line["level"], line["error"]) == ("warning", "OperationalError")

    def test_asks_to_sign_in_later(self, api: Api) -> None:
        form = {"grant_type": "password", "username": "phuongvi", "password": "x"}
        unavailable(api.post("/v1/auth/token", data=form))

    def test_asks_to_write_again_later(self, signed_in: Api, app: FastAPI) -> None:
        body = {"current_password": "x", "new_password": "a-new-password"}
        unavailable(signed_in.post("/v1/me/password", json=body))

    def test_knows_a_bad_token_all_the_same(self, api: Api) -> None:
        answer = api.get("/v1/members", headers={"authorization": "Bearer x.y.z"})
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


class TestKeys(Reading):
    path = "/.well-known/jwks.json"

    def test_of_a_server_that_signs_alone_are_secret(self, api: Api) -> None:
        assert api.get(self.path).json() == {"keys": []}

    def test_that_verify_are_public_and_that_sign_are_not(
        self, api: Api, app: FastAPI, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keyring = Keyring.es256([Keyring.generate("ES256"), Keyring.generate("ES256")])
        monkeypatch.setattr(serving(app).signin, "keyring", keyring)
        keys = api.get(self.path).json()["keys"]
        assert len(keys) == 2
        assert len({key["kid"] for key in keys}) == 2
        for key in keys:
            assert (key["kty"], key["crv"], key["alg"], key["use"]) == (
                "EC",
                "P-256",
                "ES256",
                "sig",
            )
            assert "d" not in key
