"""Guessing: how often, against whom it counts, and who is let in all the same."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI
from httpx2 import Response

from app.db import Database
from app.errors import Problem
from app.models.kernel.accounts import AccountKind
from app.security.passwords import PasswordCheck, PasswordHasher
from app.services.identity.lockout import Lockout, Source, TriedName
from app.services.kernel.limits import RateLimits
from tests.conftest import make_settings
from tests.helpers.client import PASSWORD, Api
from tests.helpers.in_process import client_of
from tests.identity.auth import (
    SessionsOnly,
    Swap,
    account_id,
    new_client,
    refreshed,
    refusal,
    sessions_of,
    signed_in,
)

HOME, MARKET, SHOP = "203.0.113.5", "203.0.113.6", "203.0.113.7"


def at(app: FastAPI, address: str) -> Api:
    """Somebody in a network."""
    api = Api(app)
    api.client = client_of(app, (address, 1))
    return api


def as_client(api: Api, name: str, secret: str) -> Response:
    sent = {"grant_type": "client_credentials", "client_id": name, "client_secret": secret}
    return api.post("/v1/auth/token", data=sent)


def let_in(response: Response) -> bool:
    return response.status_code == 200


def guessed_at(app: FastAPI, username: str) -> None:
    """Two strangers have tried."""
    for number in range(2):
        stranger = at(app, f"198.51.100.{number}")
        refusal(signed_in(stranger, username, "wrong"), 401, "bad_credentials")


class TestOneNetwork(SessionsOnly):
    def test_a_stranger_locks_the_name_where_she_is_and_nowhere_else(
        self, app: FastAPI, swap: Swap
    ) -> None:
        swap(login_failures_per_account="3 per minute")
        owner, stranger = at(app, HOME), at(app, MARKET)
        for _ in range(3):
            refusal(signed_in(stranger, "phuongvi", "wrong"), 401, "bad_credentials")
        refusal(signed_in(stranger, "phuongvi"), 429, "rate_limited")
        assert let_in(signed_in(owner, "phuongvi"))

    def test_the_right_password_ends_the_count(self, api: Api, swap: Swap) -> None:
        swap(login_failures_per_account="2 per minute")
        for _ in range(3):
            refusal(signed_in(api, "phuongvi", "wrong"), 401, "bad_credentials")
            assert let_in(signed_in(api, "phuongvi"))

    @pytest.mark.race
    def test_sixty_guesses_at_once_get_ten_checks(self, app: FastAPI, swap: Swap) -> None:
        swap(login_attempts_per_address="100 per minute", argon2_waiting=60)
        together = threading.Barrier(60)

        def guess(number: int) -> int:
            mine = Api(app)
            together.wait()
            return signed_in(mine, "phuongvi", f"guess {number}").status_code

        with ThreadPoolExecutor(60) as pool:
            answers = Counter(pool.map(guess, range(60)))
        assert answers == {401: 10, 429: 50}
        refusal(signed_in(Api(app), "phuongvi"), 429, "rate_limited")


class TestAllNetworks(SessionsOnly):
    """Two guesses of strangers a day, wherever they are."""

    @pytest.fixture(autouse=True)
    def few(self, swap: Swap) -> None:
        swap(login_strangers_per_account="2 per day")

    @pytest.mark.parametrize("username", ["phuongvi", "nobody-at-all"])
    def test_strangers_are_refused_whatever_the_password(self, app: FastAPI, username: str) -> None:
        guessed_at(app, username)
        told = signed_in(at(app, SHOP), username)
        refusal(told, 429, "rate_limited")
        assert int(told.headers["retry-after"]) > 80_000

    def test_a_network_that_was_right_before_goes_on(self, app: FastAPI, swap: Swap) -> None:
        owner = at(app, HOME)
        assert let_in(signed_in(owner, "phuongvi"))
        swap(login_strangers_per_account="2 per day")
        guessed_at(app, "phuongvi")
        refusal(signed_in(owner, "phuongvi", "mistyped"), 401, "bad_credentials")
        assert let_in(signed_in(owner, "phuongvi"))
        refusal(signed_in(at(app, SHOP), "phuongvi"), 429, "rate_limited")

    def test_so_does_a_device_with_its_last_refresh_token(
        self, app: FastAPI, database: Database, swap: Swap
    ) -> None:
        phone = at(app, HOME)
        first = signed_in(phone, "phuongvi").json()["refresh_token"]
        last = refreshed(phone, first).json()["refresh_token"]
        other = signed_in(at(app, HOME), "tienluong").json()["refresh_token"]
        swap(login_strangers_per_account="2 per day")
        guessed_at(app, "phuongvi")
        elsewhere = at(app, SHOP)
        for token in ("no-token-of-ours", other):
            answer = signed_in(elsewhere, "phuongvi", refresh_token=token)
            refusal(answer, 429, "rate_limited")
        assert let_in(signed_in(elsewhere, "phuongvi", refresh_token=last))
        # The network is known from now on, and the old session was not touched.
        assert let_in(signed_in(at(app, SHOP), "phuongvi"))
        assert all(each.revoked_at is None for each in sessions_of(database, "phuongvi"))

    def test_a_known_network_follows_the_device(self, app: FastAPI, swap: Swap) -> None:
        token = signed_in(at(app, HOME), "phuongvi").json()["refresh_token"]
        swap(login_strangers_per_account="2 per day")
        assert refreshed(at(app, MARKET), token).status_code == 200
        guessed_at(app, "phuongvi")
        assert let_in(signed_in(at(app, MARKET), "phuongvi"))

    def test_where_somebody_was_is_stored_nowhere(self, app: FastAPI, database: Database) -> None:
        assert let_in(signed_in(at(app, HOME), "phuongvi"))
        [opened] = sessions_of(database, "phuongvi")
        assert opened.network is not None
        assert len(opened.network) == 32
        assert HOME not in str(opened.model_dump())


class TestManagedAccounts:
    def test_kinds_of_grant_are_counted_apart(self, api: Api, swap: Swap) -> None:
        client = new_client(api, "phuongvi")
        name, secret = client["username"], client["client_secret"]
        swap(login_failures_per_account="2 per minute")
        for _ in range(2):
            refusal(as_client(api, "phuongvi", "wrong"), 401, "bad_credentials")
            refusal(signed_in(api, name, "wrong"), 401, "bad_credentials")
        refusal(as_client(api, "phuongvi", "wrong"), 429, "rate_limited")
        refusal(signed_in(api, name, "wrong"), 429, "rate_limited")
        assert let_in(signed_in(api, "phuongvi"))
        assert let_in(as_client(api, name, secret))

    def test_a_reset_opens_the_name_where_it_was_locked(self, api: Api, swap: Swap) -> None:
        swap(login_failures_per_account="2 per minute")
        for _ in range(2):
            refusal(signed_in(api, "phuongvi-1", "wrong"), 401, "bad_credentials")
        refusal(signed_in(api, "phuongvi-1"), 429, "rate_limited")
        officer = api.as_("phuongvi")
        mine = [
            a for a in officer.get("/v1/accounts").json()["items"] if a["username"] == "phuongvi-1"
        ]
        code = officer.post(f"/v1/accounts/{mine[0]['id']}/reset").json()["code"]
        entered = signed_in(api, "phuongvi-1", code)
        assert let_in(entered)
        headers = {"authorization": f"Bearer {entered.json()['access_token']}"}
        body = {"current_password": code, "new_password": PASSWORD}
        assert api.post("/v1/me/password", json=body, headers=headers).status_code == 204
        assert let_in(signed_in(api, "phuongvi-1"))

    def test_a_reset_forgets_the_strangers(
        self, app: FastAPI, api: Api, database: Database, swap: Swap
    ) -> None:
        swap(login_strangers_per_account="2 per day")
        officer = api.as_("phuongvi")
        guessed_at(app, "phuongvi-1")
        path = f"/v1/accounts/{account_id(database, 'phuongvi-1')}/reset"
        code = officer.post(path).json()["code"]
        assert let_in(signed_in(at(app, SHOP), "phuongvi-1", code))


class TestSeveralProcesses:
    @pytest.mark.race
    def test_what_they_share_is_counted_exactly(self, database: Database) -> None:
        settings = make_settings(database.settings.database_url)
        store = RateLimits("memory://")
        processes = [Lockout(settings, store, b"key"), Lockout(settings, store, b"key")]
        name, source = TriedName(AccountKind.person, "phuongvi"), Source("a network")

        def tried(number: int) -> bool:
            try:
                processes[number % 2].try_once(name, source, known=False)
            except Problem:
                return False
            return True

        with ThreadPoolExecutor(20) as pool:
            assert sum(pool.map(tried, range(60))) == 10


class Waiting(PasswordHasher):
    """Checks nothing until it may."""

    def __init__(self) -> None:
        super().__init__(memory_kib=8, rounds=1)
        self.may = threading.Event()

    def verify(self, password: str, hashed: str | None) -> PasswordCheck:
        self.may.wait(timeout=20)
        return super().verify(password, hashed)


class TestHashing(SessionsOnly):
    @pytest.mark.race
    def test_who_works_does_not_wait_for_who_guesses(self, app: FastAPI, swap: Swap) -> None:
        signin = swap(argon2_waiting=18)
        token = signed_in(Api(app), "phuongvi").json()
        officer = Api(app, {"authorization": f"Bearer {token['access_token']}"})
        signin.hasher = hasher = Waiting()
        asked = threading.Semaphore(0)

        def guess(number: int) -> int:
            mine = at(app, f"198.51.100.{number}")
            asked.release()
            return signed_in(mine, "phuongvi", "wrong").status_code

        with ThreadPoolExecutor(20) as pool:
            guesses = [pool.submit(guess, number) for number in range(20)]
            for _ in guesses:
                asked.acquire(timeout=20)
            try:
                # More than there are threads for endpoints wait: work goes on.
                for _ in range(5):
                    assert officer.get("/v1/members?limit=1").status_code == 200
                assert refreshed(officer, token["refresh_token"]).status_code == 200
            finally:
                hasher.may.set()
            assert {guess.result() for guess in guesses} == {401}
