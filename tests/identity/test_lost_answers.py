"""An answer to a refresh is lost: the phone that kept its nonce gets the pair again, no thief does."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe

import pytest
import time_machine
from fastapi import FastAPI
from httpx2 import Response

from app.api.http.server import Server, serve_with, serving
from app.db import Database
from app.models.kernel.sessions import AuthSession, RevokedReason
from tests.conftest import make_settings
from tests.helpers.client import Api
from tests.identity.auth import (
    SessionsOnly,
    everything_stored,
    me,
    pointers,
    refreshed,
    refusal,
    sessions_of,
    signed_in,
)


def nonced(api: Api, token: str, nonce: str) -> Response:
    sent = {"grant_type": "refresh_token", "refresh_token": token, "nonce": nonce}
    return api.post("/v1/auth/token", data=sent)


def the_session(database: Database) -> AuthSession:
    [opened] = sessions_of(database, "phuongvi-1")
    return opened


@pytest.fixture
def token(api: Api) -> str:
    found: str = signed_in(api, "phuongvi-1").json()["refresh_token"]
    return found


@pytest.fixture
def nonce() -> str:
    return token_urlsafe(16)


class TestTheAnswerIsLost(SessionsOnly):
    def test_the_same_token_and_nonce_get_the_same_pair(
        self, api: Api, token: str, nonce: str
    ) -> None:
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            lost = nonced(api, token, nonce).json()
            clock.shift(timedelta(minutes=2))
            again = nonced(api, token, nonce)
            assert again.headers["cache-control"] == "no-store"
            assert again.json() == lost | {"expires_in": again.json()["expires_in"]}
            assert 0 < again.json()["expires_in"] <= lost["expires_in"] - 119
            assert me(api, again.json()["access_token"]).status_code == 200

    def test_then_she_is_six_hours_without_a_network(
        self, api: Api, token: str, nonce: str, database: Database
    ) -> None:
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            lost = nonced(api, token, nonce).json()
            clock.shift(timedelta(hours=6))
            again = nonced(api, token, nonce).json()
            assert again["refresh_token"] == lost["refresh_token"]
            assert again["access_token"] != lost["access_token"]
            assert again["expires_in"] == lost["expires_in"]
            assert me(api, again["access_token"]).status_code == 200
            assert nonced(api, again["refresh_token"], token_urlsafe(16)).status_code == 200
            assert the_session(database).revoked_at is None

    def test_it_is_lost_again_and_again(
        self, api: Api, token: str, nonce: str, database: Database
    ) -> None:
        pair = nonced(api, token, nonce).json()
        for _ in range(3):
            assert nonced(api, token, nonce).json()["refresh_token"] == pair["refresh_token"]
        second = token_urlsafe(16)
        lost = nonced(api, pair["refresh_token"], second).json()
        again = nonced(api, pair["refresh_token"], second).json()
        assert again["refresh_token"] == lost["refresh_token"]
        assert me(api, again["access_token"]).status_code == 200
        assert the_session(database).revoked_at is None

    def test_an_older_access_token_is_no_sign_that_the_answer_arrived(
        self, api: Api, nonce: str
    ) -> None:
        first = signed_in(api, "phuongvi-1").json()
        lost = nonced(api, first["refresh_token"], nonce).json()
        assert me(api, first["access_token"]).status_code == 200
        again = nonced(api, first["refresh_token"], nonce).json()
        assert again["refresh_token"] == lost["refresh_token"]

    def test_the_session_may_end_meanwhile(
        self, api: Api, token: str, nonce: str, database: Database
    ) -> None:
        lost = nonced(api, token, nonce).json()
        api.post("/v1/auth/revoke", data={"token": token})
        refusal(nonced(api, token, nonce), 401, "refresh_refused")
        refusal(refreshed(api, lost["refresh_token"]), 401, "refresh_refused")
        assert the_session(database).kept_answer is None

    def test_another_server_answers_the_same(
        self, app: FastAPI, api: Api, token: str, nonce: str, database: Database
    ) -> None:
        """Nothing of it is in the memory of a process."""
        lost = nonced(api, token, nonce).json()
        here, there = serving(app), Server.of(make_settings(database.settings.database_url))
        serve_with(app, there)
        assert nonced(api, token, nonce).json()["refresh_token"] == lost["refresh_token"]
        assert me(api, lost["access_token"]).status_code == 200
        serve_with(app, here)
        refusal(nonced(api, token, nonce), 401, "refresh_refused")
        there.database.close()

    @pytest.mark.race
    def test_two_at_once_get_one_pair(
        self, app: FastAPI, token: str, nonce: str, database: Database
    ) -> None:
        start = threading.Barrier(3)

        def once(_: int) -> Response:
            mine = Api(app)
            start.wait()
            return nonced(mine, token, nonce)

        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(once, range(3)))
        assert [answer.status_code for answer in answers] == [200] * 3
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1
        assert the_session(database).revoked_at is None


class TestThieves(SessionsOnly):
    def ended(self, answer: Response, database: Database) -> None:
        refusal(answer, 401, "refresh_refused")
        opened = the_session(database)
        assert opened.revoked_reason is RevokedReason.refresh_reused
        assert (opened.kept_answer, opened.kept_access_id) == (None, None)

    def test_the_old_token_without_the_nonce_ends_the_session(
        self, api: Api, token: str, nonce: str, database: Database
    ) -> None:
        pair = nonced(api, token, nonce).json()
        self.ended(refreshed(api, token), database)
        refusal(me(api, pair["access_token"]), 401, "invalid_token")

    def test_another_nonce_ends_the_session(
        self, api: Api, token: str, nonce: str, database: Database
    ) -> None:
        nonced(api, token, nonce)
        self.ended(nonced(api, token, token_urlsafe(16)), database)

    def test_the_nonce_is_good_for_nothing_once_the_access_token_was_used(
        self, api: Api, token: str, nonce: str, database: Database
    ) -> None:
        pair = nonced(api, token, nonce).json()
        me(api, pair["access_token"])
        opened = the_session(database)
        assert (opened.kept_answer, opened.kept_access_id) == (None, None)
        self.ended(nonced(api, token, nonce), database)

    def test_nor_once_the_refresh_token_was_used(
        self, api: Api, token: str, nonce: str, database: Database
    ) -> None:
        pair = nonced(api, token, nonce).json()
        assert refreshed(api, pair["refresh_token"]).status_code == 200
        self.ended(nonced(api, token, nonce), database)

    def test_nor_where_the_next_refresh_is_repeatable(
        self, api: Api, token: str, nonce: str, database: Database
    ) -> None:
        pair = nonced(api, token, nonce).json()
        nonced(api, pair["refresh_token"], nonce)
        self.ended(nonced(api, token, nonce), database)

    def test_a_refresh_without_a_nonce_is_answered_once(
        self, api: Api, token: str, nonce: str, database: Database
    ) -> None:
        refreshed(api, token)
        assert the_session(database).kept_answer is None
        self.ended(nonced(api, token, nonce), database)

    def test_what_is_stored_is_useless_without_the_nonce(
        self, api: Api, token: str, nonce: str, database: Database
    ) -> None:
        pair = nonced(api, token, nonce).json()
        stored = everything_stored(database)
        for secret in (token, nonce, pair["refresh_token"], pair["access_token"]):
            assert secret not in stored

    @pytest.mark.parametrize(
        "nonce", ["a" * 21, "a" * 201, "khong đủ ngẫu nhiên lắm đâu", "a b" * 9]
    )
    def test_what_can_be_guessed_is_no_nonce(
        self, api: Api, token: str, nonce: str, database: Database
    ) -> None:
        assert [pointer for pointer, _ in pointers(nonced(api, token, nonce))] == ["/nonce"]
        assert the_session(database).kept_answer is None
        assert refreshed(api, token).status_code == 200
