import base64
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
import time_machine
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from fastapi import FastAPI
from httpx2 import Response
from limits.storage import MemoryStorage
from sqlmodel import SQLModel, col, select
from starlette.testclient import TestClient

from app.api.http.server import serving
from app.config import Settings
from app.db import Database
from app.errors import Problem
from app.main import create_app
from app.models.kernel.access import ROLE_RIGHTS, Role
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.models.kernel.sessions import AuthSession, RefreshToken, RevokedReason
from app.security import Keyring, PasswordCheck, PasswordHasher, VerifiedTokens, digest
from app.services.identity import signin as sign_in
from app.services.identity.signin import Signin, SignInDevice
from app.services.kernel.access import Actor
from tests.conftest import make_settings
from tests.helpers.client import PASSWORD, Api, counted, writing
from tests.helpers.reading import Reading
from tests.helpers.serving import give, sign_in_with

Swap = Callable[..., Signin]
SECRET = "a-secret-of-the-tests-0123456789abcdef"


@pytest.fixture
def swap(app: FastAPI, database: Database) -> Swap:
    """Put other settings of signing in (limits, keys, hashing) under the app."""

    def put(**overrides: object) -> Signin:
        return sign_in_with(app, make_settings(database.settings.database_url, **overrides))

    return put


@pytest.fixture(autouse=True)
def signin(swap: Swap) -> Signin:
    """Limits count in memory: each test starts from nothing."""
    return swap()


def signed_in(api: Api, username: str, password: str = PASSWORD, **form: str) -> Response:
    sent = {"grant_type": "password", "username": username, "password": password} | form
    return api.post("/v1/auth/token", data=sent)


def refreshed(api: Api, token: str) -> Response:
    sent = {"grant_type": "refresh_token", "refresh_token": token}
    return api.post("/v1/auth/token", data=sent)


def me(api: Api, token: str) -> Response:
    return api.get("/v1/me", headers={"authorization": f"Bearer {token}"})


def refusal(response: Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    return body


def pointers(response: Response) -> list[tuple[str, str]]:
    body = refusal(response, 422, "validation_failed")
    return [(error["pointer"], error["code"]) for error in body["errors"]]


def account_id(database: Database, username: str) -> UUID:
    with writing(database) as session:
        return session.exec(select(Account.id).where(col(Account.username) == username)).one()


def set_account(database: Database, username: str, **values: object) -> None:
    with writing(database) as session:
        session.execute(sa.update(Account).where(col(Account.username) == username).values(values))


def sessions_of(database: Database, username: str) -> list[AuthSession]:
    owner = account_id(database, username)
    with writing(database) as session:
        mine = select(AuthSession).where(col(AuthSession.account_id) == owner)
        return list(session.exec(mine.order_by(col(AuthSession.id))).all())


def refresh_row(database: Database, token: str) -> RefreshToken | None:
    with writing(database) as session:
        return session.get(RefreshToken, digest(token))


def everything_stored(database: Database) -> str:
    """Every value of every row, to look for what must not be there."""
    found: list[str] = []
    with database.reading() as db:
        for table in SQLModel.metadata.tables.values():
            for row in db.execute(sa.select(table)):
                found += [
                    value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                    for value in row
                ]
    return "\n".join(found)


class SessionsOnly(Reading):
    """Its tests sign in and out and write nothing else: they share one database."""

    @pytest.fixture(autouse=True)
    def nobody_signed_in(self, database: Database) -> None:
        with writing(database) as session:
            session.execute(sa.delete(AuthSession))


class TestPasswordGrant(SessionsOnly):
    def test_the_right_password_opens_a_session(self, api: Api, database: Database) -> None:
        before = datetime.now(UTC)
        response = signed_in(api, "phuongvi", device="Điện thoại của Lan")
        body = response.json()
        assert response.status_code == 200
        assert response.headers["cache-control"] == "no-store"
        assert body["token_type"] == "Bearer"
        assert body["expires_in"] == 900
        assert body["scope"].split() == sorted(ROLE_RIGHTS[Role.commune_officer])
        assert me(api, body["access_token"]).json()["username"] == "phuongvi"
        [opened] = sessions_of(database, "phuongvi")
        assert opened.device == "Điện thoại của Lan"
        assert opened.user_agent == "testclient"
        assert opened.must_change_password is False
        assert opened.revoked_at is None
        assert before <= opened.created_at == opened.last_used_at
        assert opened.expires_at == opened.created_at + timedelta(days=30)
        kept = refresh_row(database, body["refresh_token"])
        assert kept is not None
        assert (kept.session_id, kept.used_at) == (opened.id, None)

    def test_case_and_spaces_around_the_name_do_not_count(self, api: Api) -> None:
        for typed in ("PHUONGVI", " PhuongVi ", "\tphuongvi\n"):
            body = signed_in(api, typed).json()
            assert me(api, body["access_token"]).json()["username"] == "phuongvi"

    def test_a_name_that_only_looks_alike_is_another_name(self, api: Api) -> None:
        for typed in (
            "phuong vi",
            "ｐhuongvi",
            "phuongvi%",
            "phuongv_",
            "phuongvi\u200b",
            "phuong\u00advi",
            "phượngvi",
        ):
            refusal(signed_in(api, typed), 401, "bad_credentials")

    def test_spaces_around_the_password_count(self, api: Api) -> None:
        refusal(signed_in(api, "phuongvi", f" {PASSWORD}"), 401, "bad_credentials")

    def test_a_password_too_long_to_hash_is_just_wrong(self, api: Api) -> None:
        refusal(signed_in(api, "phuongvi", "ậ" * 400), 401, "bad_credentials")

    def test_a_form_with_something_wrong(self, api: Api, database: Database) -> None:
        person = {"grant_type": "password", "username": "phuongvi", "password": PASSWORD}
        client = {"grant_type": "client_credentials", "client_id": "x"}
        wrong: list[tuple[dict[str, str], str, str]] = [
            ({"device": "x"}, "/grant_type", "required"),
            (person | {"grant_type": "implicit"}, "/grant_type", "not_in_list"),
            (person | {"username": ""}, "/username", "required"),
            (person | {"password": ""}, "/password", "required"),
            ({"grant_type": "refresh_token"}, "/refresh_token", "required"),
            ({"grant_type": "client_credentials"}, "/client_id", "required"),
            (client, "/client_secret", "required"),
            (person | {"role": "admin"}, "/role", "unknown_field"),
            (person | {"username": "phuongvi\0"}, "/username", "nul_character"),
            (person | {"device": "a\0b"}, "/device", "nul_character"),
            (person | {"device": "d" * 121}, "/device", "too_long"),
            (person | {"username": "u" * 201}, "/username", "too_long"),
            (person | {"password": "p" * 2001}, "/password", "too_long"),
        ]
        for form, pointer, code in wrong:
            assert pointers(api.post("/v1/auth/token", data=form)) == [(pointer, code)]
        assert sessions_of(database, "phuongvi") == []

    def test_json_is_not_a_form(self, api: Api) -> None:
        sent = {"grant_type": "password", "username": "phuongvi", "password": PASSWORD}
        refusal(api.post("/v1/auth/token", json=sent), 415, "unsupported_media_type")

    def test_a_form_in_a_strange_encoding_is_malformed(self, api: Api) -> None:
        head = b'--x\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\n'
        for charset, value, code in (
            ("undefined", b"password", "malformed_request"),
            ("utf-7", b"+2AA-", "validation_failed"),  # a lone surrogate
            ("no-such", b"password", "validation_failed"),  # read as it stands: no user name
        ):
            response = api.post(
                "/v1/auth/token",
                content=head + value + b"\r\n--x--\r\n",
                headers={"content-type": f"multipart/form-data; boundary=x; charset={charset}"},
            )
            assert response.json()["code"] == code, charset

    def test_a_scope_that_is_asked_for_narrows_nothing(self, api: Api) -> None:
        body = signed_in(api, "phuongvi", scope="members:read openid").json()
        assert body["scope"].split() == sorted(ROLE_RIGHTS[Role.commune_officer])

    def test_credentials_in_the_address_are_not_read(self, api: Api, database: Database) -> None:
        sent = {"grant_type": "password", "username": "phuongvi", "password": PASSWORD}
        expected = [("/grant_type", "required")]
        assert pointers(api.post("/v1/auth/token", params=sent, data={"device": "x"})) == expected
        assert sessions_of(database, "phuongvi") == []

    def test_no_password_and_no_token_is_stored_in_clear(
        self, api: Api, database: Database
    ) -> None:
        body = signed_in(api, "phuongvi").json()
        stored = everything_stored(database)
        assert digest(body["refresh_token"]) in stored
        for secret in (PASSWORD, body["refresh_token"], body["access_token"]):
            assert secret not in stored

    def test_a_busy_hasher_says_so_and_counts_no_failure(
        self, api: Api, swap: Swap, database: Database
    ) -> None:
        signin = swap(login_failures_per_account="1 per minute")
        signin.hasher = PasswordHasher(memory_kib=8, rounds=1, concurrency=1, wait=0.01)
        with signin.hasher._slot():
            response = signed_in(api, "phuongvi")
        refusal(response, 503, "unavailable")
        assert response.headers["retry-after"] == "2"
        assert sessions_of(database, "phuongvi") == []
        assert signed_in(api, "phuongvi").json()["token_type"] == "Bearer"

    def test_a_database_out_of_reach_is_503(
        self, api: Api, app: FastAPI, database: Database, tmp_path: Path
    ) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        gone = sa.make_url(database.settings.database_url).set(database=str(tmp_path))
        away = Database(make_settings(gone.render_as_string(hide_password=False)))
        give(app, database=away)
        refusal(signed_in(api, "phuongvi"), 503, "unavailable")
        response = me(api, token)
        refusal(response, 503, "unavailable")
        assert response.headers["retry-after"] == "1"
        away.close()


class TestChangedAccounts:
    @pytest.mark.parametrize("spelling", ["raw", "percent-encoded", "both"])
    def test_vietnamese_letters_arrive_however_they_are_sent(
        self, api: Api, database: Database, signin: Signin, spelling: str
    ) -> None:
        password, device = "Mật khẩu của Lan", "Máy ở Phượng Vĩ"
        set_account(database, "phuongvi", password_hash=signin.hash_password(password))
        raw = f"grant_type=password&username=phuongvi&password={password}&device={device}"
        encoded = quote(raw, safe="=&_")
        body = {
            "raw": raw.replace(" ", "+"),
            "percent-encoded": encoded,
            "both": raw.replace("ậ", quote("ậ")).replace(" ", "%20"),
        }[spelling]
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = api.post("/v1/auth/token", content=body.encode(), headers=headers)
        assert answer.json()["token_type"] == "Bearer"
        [opened] = sessions_of(database, "phuongvi")
        assert opened.device == device
        wrong = body.encode().replace(b"Lan", b"Hoa")
        answer = api.post("/v1/auth/token", content=wrong, headers=headers)
        refusal(answer, 401, "bad_credentials")
        unknown = api.post("/v1/auth/revoke", content="token=x&máy=1".encode(), headers=headers)
        assert pointers(unknown) == [("/máy", "unknown_field")]

    def test_nobody_can_tell_a_wrong_password_from_an_unknown_or_disabled_account(
        self, api: Api, database: Database
    ) -> None:
        set_account(database, "tienluong", status=AccountStatus.disabled)
        set_account(database, "camkhe", status=AccountStatus.invited, password_hash=None)
        wrong, unknown, disabled, invited = (
            signed_in(api, "phuongvi", "not-the-password"),
            signed_in(api, "nobody-at-all"),
            signed_in(api, "tienluong"),
            signed_in(api, "camkhe"),
        )
        told = refusal(wrong, 401, "bad_credentials")
        assert told["error"] == "invalid_grant"
        assert wrong.headers["www-authenticate"].startswith("Bearer ")
        for other in (unknown, disabled, invited):
            assert other.status_code == 401
            assert other.headers.keys() == wrong.headers.keys()
            assert other.json() | {"request_id": ""} == told | {"request_id": ""}
        for name in ("phuongvi", "tienluong", "camkhe"):
            assert sessions_of(database, name) == []

    def test_every_name_costs_one_hash(self, api: Api, database: Database, signin: Signin) -> None:
        set_account(database, "tienluong", status=AccountStatus.disabled)
        set_account(database, "camkhe", password_hash=None)
        asked: list[str] = []

        class Counting(PasswordHasher):
            def verify(self, password: str, hashed: str | None) -> PasswordCheck:
                asked.append(password)
                return super().verify(password, hashed)

        signin.hasher = Counting(memory_kib=8, rounds=1)
        names = ["phuongvi", "nobody-at-all", "tienluong", "camkhe"]
        for name in names:
            refusal(signed_in(api, name, f"wrong for {name}"), 401, "bad_credentials")
        assert asked == [f"wrong for {name}" for name in names]

    def test_a_client_is_no_person(self, api: Api, database: Database) -> None:
        client = new_client(api, "phuongvi")
        response = signed_in(api, client["username"], client["client_secret"])
        refusal(response, 401, "bad_credentials")
        assert sessions_of(database, client["username"]) == []

    def test_the_hash_is_renewed_when_its_parameters_change(
        self, api: Api, database: Database, swap: Swap
    ) -> None:
        owner = account_id(database, "phuongvi")

        def stored() -> str | None:
            with writing(database) as session:
                return session.get_one(Account, owner).password_hash

        old = stored()
        assert old is not None
        assert "m=8,t=1" in old
        assert signed_in(api, "phuongvi").status_code == 200
        assert stored() == old
        swap(argon2_memory_kib=16, argon2_rounds=2)
        refusal(signed_in(api, "phuongvi", "not-the-password"), 401, "bad_credentials")
        assert stored() == old
        assert signed_in(api, "phuongvi").json()["scope"]
        new = stored()
        assert new is not None
        assert "m=16,t=2" in new
        assert signed_in(api, "phuongvi").json()["scope"]
        assert stored() == new

    @pytest.mark.parametrize(
        "meanwhile", [{"password_hash": "another"}, {"status": AccountStatus.disabled}]
    )
    def test_a_password_changed_while_the_old_one_is_hashed_wins(
        self, database: Database, signin: Signin, meanwhile: dict[str, object]
    ) -> None:
        username, kind = "phuongvi", AccountKind.person
        with database.reading() as db:
            found = sign_in.find_ways_in(db, username=username, kind=kind)
        who = sign_in.check_credentials(
            signin, found, username=username, secret=PASSWORD, kind=kind
        )
        set_account(database, "phuongvi", **meanwhile)
        with pytest.raises(Problem) as caught, writing(database) as session:
            sign_in.open_session(session, signin, who, SignInDevice(None, None))
        assert caught.value.code == "unavailable"
        assert sessions_of(database, "phuongvi") == []

    def test_disabling_while_devices_refresh_leaves_none_signed_in(
        self, app: FastAPI, api: Api, database: Database
    ) -> None:
        held = [signed_in(api, "phuongvi-1").json()["refresh_token"] for _ in range(4)]
        target = account_id(database, "phuongvi-1")
        officer = api.as_("phuongvi")
        start = threading.Barrier(5)

        def disable() -> Response:
            mine = Api(app, officer.headers)
            start.wait()
            return mine.post(f"/v1/accounts/{target}/disable")

        def exchange(token: str) -> Response:
            mine = Api(app)
            start.wait()
            return refreshed(mine, token)

        with ThreadPoolExecutor(5) as pool:
            disabled = pool.submit(disable)
            answers = list(pool.map(exchange, held))
        assert disabled.result().json()["status"] == "disabled"
        assert max(answer.status_code for answer in answers) < 500
        ended = sessions_of(database, "phuongvi-1")
        assert {each.revoked_reason for each in ended} == {RevokedReason.account_disabled}
        for answer in answers:
            if answer.status_code == 200:
                refusal(me(api, answer.json()["access_token"]), 401, "invalid_token")

    def test_a_disabled_account_gets_nothing(self, api: Api, database: Database) -> None:
        pair = signed_in(api, "phuongvi").json()
        set_account(database, "phuongvi", status=AccountStatus.disabled)
        refusal(refreshed(api, pair["refresh_token"]), 401, "refresh_refused")
        kept = refresh_row(database, pair["refresh_token"])
        assert kept is not None
        assert kept.used_at is None


class TestLimits(SessionsOnly):
    def test_failures_lock_the_account_and_no_other(
        self, api: Api, swap: Swap, database: Database
    ) -> None:
        swap(login_failures_per_account="3 per minute")
        for _ in range(3):
            refusal(signed_in(api, "phuongvi", "wrong"), 401, "bad_credentials")
        locked = signed_in(api, "phuongvi")
        told = refusal(locked, 429, "rate_limited")
        wait = int(locked.headers["retry-after"])
        assert 55 <= wait <= 61
        assert str(wait) in told["detail"]
        assert sessions_of(database, "phuongvi") == []
        assert signed_in(api, "tienluong").json()["token_type"] == "Bearer"

    def test_the_lock_opens_when_the_time_is_over(self, api: Api, swap: Swap) -> None:
        swap(login_failures_per_account="2 per 15 minute")
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            for _ in range(2):
                refusal(signed_in(api, "phuongvi", "wrong"), 401, "bad_credentials")
            clock.shift(timedelta(minutes=14, seconds=50))
            locked = signed_in(api, "phuongvi")
            refusal(locked, 429, "rate_limited")
            clock.shift(timedelta(seconds=int(locked.headers["retry-after"])))
            assert signed_in(api, "phuongvi").json()["token_type"] == "Bearer"

    def test_all_spellings_of_a_name_share_one_lock(self, api: Api, swap: Swap) -> None:
        swap(login_failures_per_account="3 per minute")
        for typed in ("phuongvi", "PHUONGVI ", " Phuongvi"):
            refusal(signed_in(api, typed, "wrong"), 401, "bad_credentials")
        refusal(signed_in(api, "phuongvI"), 429, "rate_limited")

    def test_a_name_that_does_not_exist_locks_alike(self, api: Api, swap: Swap) -> None:
        swap(login_failures_per_account="1 per minute")
        refusal(signed_in(api, "nobody-at-all"), 401, "bad_credentials")
        refusal(signed_in(api, "nobody-at-all"), 429, "rate_limited")

    def test_signing_in_well_is_no_failure(self, api: Api, swap: Swap) -> None:
        swap(login_failures_per_account="1 per minute")
        for _ in range(3):
            assert signed_in(api, "phuongvi").json()["token_type"] == "Bearer"

    def test_every_attempt_counts_against_its_address(self, app: FastAPI, swap: Swap) -> None:
        swap(login_attempts_per_address="3 per minute")
        here, there = Api(app), Api(app)
        here.client = TestClient(app, client=("203.0.113.5", 1))
        there.client = TestClient(app, client=("203.0.113.6", 1))
        first = signed_in(here, "phuongvi").json()
        refusal(signed_in(here, "tienluong", "wrong"), 401, "bad_credentials")
        second = refreshed(here, first["refresh_token"]).json()
        for refused in (
            signed_in(here, "camkhe"),
            refreshed(here, second["refresh_token"]),
            here.post("/v1/auth/token", data={"grant_type": "password"}),
        ):
            refusal(refused, 429, "rate_limited")
            assert 55 <= int(refused.headers["retry-after"]) <= 61
        assert signed_in(there, "camkhe").json()["token_type"] == "Bearer"
        # Refused before it was looked at: the token is not used up.
        assert refreshed(there, second["refresh_token"]).json()["token_type"] == "Bearer"

    @pytest.mark.parametrize(
        ("one", "other", "together"),
        [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
            ("::ffff:203.0.113.5", "203.0.113.5", True),
            ("::ffff:203.0.113.5", "::ffff:203.0.113.6", False),
            ("203.0.113.5", "203.0.113.6", False),
            ("fe80::1%eth0", "fe80::2%eth0", True),
        ],
    )
    def test_a_home_is_one_address_in_ipv6(
        self, app: FastAPI, swap: Swap, one: str, other: str, together: bool
    ) -> None:
        swap(login_attempts_per_address="1 per minute")
        clients = [Api(app), Api(app)]
        for api, address in zip(clients, (one, other), strict=True):
            api.client = TestClient(app, client=(address, 1))
        assert signed_in(clients[0], "camkhe").json()["token_type"] == "Bearer"
        answer = signed_in(clients[1], "camkhe")
        if together:
            refusal(answer, 429, "rate_limited")
        else:
            assert answer.json()["token_type"] == "Bearer"

    def test_nobody_signs_in_while_the_counters_are_away(
        self, api: Api, database: Database, swap: Swap
    ) -> None:
        swap(rate_limit_storage="away://")
        response = signed_in(api, "phuongvi")
        refusal(response, 503, "unavailable")
        assert response.headers["retry-after"] == "2"
        assert sessions_of(database, "phuongvi") == []

    def test_nor_is_anyone_reset(self, api: Api, database: Database, swap: Swap) -> None:
        swap(rate_limit_storage="away://")
        head, officer = api.as_("phuongvi-1"), api.as_("phuongvi")
        response = officer.post(f"/v1/accounts/{account_id(database, 'phuongvi-1')}/reset")
        refusal(response, 503, "unavailable")
        assert response.headers["retry-after"] == "2"
        assert head.get("/v1/me").json()["username"] == "phuongvi-1"
        [kept] = sessions_of(database, "phuongvi-1")
        assert kept.revoked_at is None


class Away(MemoryStorage):
    """Counters that others keep, on a server that does not answer."""

    STORAGE_SCHEME = ["away"]

    @property
    def base_exceptions(self) -> type[Exception]:
        return ConnectionError

    def acquire_entry(self, *args: Any, **kwargs: Any) -> bool:
        raise ConnectionError("no answer")

    def clear(self, key: str) -> None:
        raise ConnectionError("no answer")


class TestRefresh(SessionsOnly):
    def test_a_refresh_token_is_exchanged_for_a_new_pair(
        self, api: Api, database: Database
    ) -> None:
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            first = signed_in(api, "phuongvi", device="máy 1").json()
            [before] = sessions_of(database, "phuongvi")
            clock.shift(timedelta(days=10))
            response = refreshed(api, first["refresh_token"])
            second = response.json()
            assert response.headers["cache-control"] == "no-store"
            assert second["refresh_token"] != first["refresh_token"]
            assert second["access_token"] != first["access_token"]
            assert second["scope"] == first["scope"]
            assert me(api, second["access_token"]).json()["username"] == "phuongvi"
            [after] = sessions_of(database, "phuongvi")
            assert (after.id, after.device) == (before.id, "máy 1")
            assert after.last_used_at == before.last_used_at + timedelta(days=10)
            assert after.expires_at == before.expires_at + timedelta(days=10)
            used = refresh_row(database, first["refresh_token"])
            fresh = refresh_row(database, second["refresh_token"])
            assert used is not None
            assert fresh is not None
            assert used.used_at == after.last_used_at
            assert (fresh.used_at, fresh.session_id) == (None, before.id)

    def test_a_token_used_twice_ends_the_whole_session(self, api: Api, database: Database) -> None:
        other_device = signed_in(api, "phuongvi", device="máy 2").json()
        first = signed_in(api, "phuongvi", device="máy 1").json()
        second = refreshed(api, first["refresh_token"]).json()
        stolen = refreshed(api, first["refresh_token"])
        told = refusal(stolen, 401, "refresh_refused")
        assert told["error"] == "invalid_grant"
        assert "www-authenticate" in stolen.headers
        refusal(refreshed(api, second["refresh_token"]), 401, "refresh_refused")
        for pair in (first, second):
            refusal(me(api, pair["access_token"]), 401, "invalid_token")
        by_device = {each.device: each for each in sessions_of(database, "phuongvi")}
        assert by_device["máy 1"].revoked_reason is RevokedReason.refresh_reused
        assert by_device["máy 1"].revoked_at is not None
        assert by_device["máy 2"].revoked_at is None
        assert refreshed(api, other_device["refresh_token"]).json()["token_type"] == "Bearer"

    def test_of_two_at_once_one_wins_and_the_session_ends(
        self, app: FastAPI, api: Api, database: Database
    ) -> None:
        token = signed_in(api, "phuongvi").json()["refresh_token"]
        start = threading.Barrier(2)

        def once(_: int) -> Response:
            mine = Api(app)
            start.wait()
            return refreshed(mine, token)

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(once, range(2)))
        winner, loser = sorted(answers, key=lambda answer: answer.status_code)
        assert winner.status_code == 200
        refusal(loser, 401, "refresh_refused")
        [ended] = sessions_of(database, "phuongvi")
        assert ended.revoked_reason is RevokedReason.refresh_reused
        refusal(me(api, winner.json()["access_token"]), 401, "invalid_token")
        refusal(refreshed(api, winner.json()["refresh_token"]), 401, "refresh_refused")

    def test_a_session_not_used_for_30_days_is_over(self, api: Api, database: Database) -> None:
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            first = signed_in(api, "phuongvi").json()
            clock.shift(timedelta(days=30, seconds=-1))
            second = refreshed(api, first["refresh_token"]).json()
            clock.shift(timedelta(days=30))
            refusal(refreshed(api, second["refresh_token"]), 401, "refresh_refused")
            [over] = sessions_of(database, "phuongvi")
            assert over.revoked_at is None
            unused = refresh_row(database, second["refresh_token"])
            assert unused is not None
            assert unused.used_at is None

    def test_what_is_no_refresh_token_is_refused(self, api: Api, database: Database) -> None:
        pair = signed_in(api, "phuongvi").json()
        [stored] = sessions_of(database, "phuongvi")
        for wrong in (
            "unknown",
            pair["access_token"],
            digest(pair["refresh_token"]),
            pair["refresh_token"].swapcase(),
            pair["refresh_token"] + " ",
            str(stored.id),
        ):
            refusal(refreshed(api, wrong), 401, "refresh_refused")
        assert refreshed(api, pair["refresh_token"]).json()["token_type"] == "Bearer"


class TestRevoke(SessionsOnly):
    def revoke(self, api: Api, token: str, **more: str) -> None:
        response = api.post("/v1/auth/revoke", data={"token": token} | more)
        assert (response.status_code, response.content) == (200, b"")

    @pytest.mark.parametrize("which", ["refresh_token", "access_token"])
    def test_either_token_ends_the_session(self, api: Api, database: Database, which: str) -> None:
        other = signed_in(api, "phuongvi", device="máy 2").json()
        pair = signed_in(api, "phuongvi", device="máy 1").json()
        self.revoke(api, pair[which])
        refusal(me(api, pair["access_token"]), 401, "invalid_token")
        refusal(refreshed(api, pair["refresh_token"]), 401, "refresh_refused")
        by_device = {each.device: each for each in sessions_of(database, "phuongvi")}
        assert by_device["máy 1"].revoked_reason is RevokedReason.signed_out
        assert by_device["máy 2"].revoked_at is None
        assert me(api, other["access_token"]).json()["username"] == "phuongvi"

    def test_a_token_used_up_still_ends_its_session(self, api: Api, database: Database) -> None:
        first = signed_in(api, "phuongvi").json()
        second = refreshed(api, first["refresh_token"]).json()
        self.revoke(api, first["refresh_token"])
        refusal(me(api, second["access_token"]), 401, "invalid_token")
        [ended] = sessions_of(database, "phuongvi")
        assert ended.revoked_reason is RevokedReason.signed_out

    def test_an_unknown_token_is_no_error(self, api: Api, database: Database) -> None:
        pair = signed_in(api, "phuongvi").json()
        for token in ("unknown", "a.b.c", "é", "\ufffd" * 50, digest(pair["refresh_token"])):
            self.revoke(api, token, token_type_hint="refresh_token")
        assert me(api, pair["access_token"]).json()["username"] == "phuongvi"
        [opened] = sessions_of(database, "phuongvi")
        assert opened.revoked_at is None

    def test_the_hint_is_only_a_hint(self, api: Api) -> None:
        pair = signed_in(api, "phuongvi").json()
        self.revoke(api, pair["refresh_token"], token_type_hint="access_token")
        refusal(me(api, pair["access_token"]), 401, "invalid_token")

    def test_the_first_reason_stays(self, api: Api, database: Database) -> None:
        first = signed_in(api, "phuongvi").json()
        refreshed(api, first["refresh_token"])
        refusal(refreshed(api, first["refresh_token"]), 401, "refresh_refused")
        [before] = sessions_of(database, "phuongvi")
        self.revoke(api, first["refresh_token"])
        [after] = sessions_of(database, "phuongvi")
        assert after.revoked_reason is RevokedReason.refresh_reused
        assert after.revoked_at == before.revoked_at

    def test_a_form_with_something_wrong(self, api: Api) -> None:
        sent = {"token_type_hint": "x"}
        assert pointers(api.post("/v1/auth/revoke", data=sent)) == [("/token", "required")]
        sent = {"token": "x", "all": "true"}
        assert pointers(api.post("/v1/auth/revoke", data=sent)) == [("/all", "unknown_field")]
        refusal(api.post("/v1/auth/revoke", json={"token": "x"}), 415, "unsupported_media_type")


class TestSessions(SessionsOnly):
    def test_requires_login(self, api: Api) -> None:
        for method, path in (
            ("GET", "/v1/auth/sessions"),
            ("DELETE", "/v1/auth/sessions"),
            ("DELETE", f"/v1/auth/sessions/{uuid4()}"),
        ):
            response = api.request(method, path)
            refusal(response, 401, "not_authenticated")
            assert response.headers["www-authenticate"].startswith("Bearer ")

    def test_lists_my_devices_the_last_used_first(self, api: Api, database: Database) -> None:
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            signed_in(api, "tienluong", device="của người khác")
            signed_in(api, "phuongvi", device="máy bàn")
            clock.shift(60)
            mine = signed_in(api, "phuongvi", device="điện thoại").json()
            ended = signed_in(api, "phuongvi", device="máy cũ").json()
            api.post("/v1/auth/revoke", data={"token": ended["refresh_token"]})
            headers = {"authorization": f"Bearer {mine['access_token']}"}
            items = api.get("/v1/auth/sessions", headers=headers).json()["items"]
        assert [(item["device"], item["current"]) for item in items] == [
            ("điện thoại", True),
            ("máy bàn", False),
        ]
        stored = {each.device: each for each in sessions_of(database, "phuongvi")}
        assert items[0]["id"] == str(stored["điện thoại"].id)
        assert items[0]["user_agent"] == "testclient"

    def test_a_device_out_of_time_is_not_listed(self, api: Api) -> None:
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            signed_in(api, "phuongvi", device="bỏ quên")
            clock.shift(timedelta(days=30))
            mine = api.as_("phuongvi")
            items = mine.get("/v1/auth/sessions").json()["items"]
        assert [item["device"] for item in items] == ["test"]

    def test_ends_one_device(self, api: Api, database: Database) -> None:
        lost = signed_in(api, "phuongvi", device="bị mất").json()
        mine = api.as_("phuongvi")
        [stored] = [each for each in sessions_of(database, "phuongvi") if each.device == "bị mất"]
        response = mine.delete(f"/v1/auth/sessions/{stored.id}")
        assert (response.status_code, response.content) == (204, b"")
        refusal(me(api, lost["access_token"]), 401, "invalid_token")
        refusal(refreshed(api, lost["refresh_token"]), 401, "refresh_refused")
        assert mine.get("/v1/me").json()["username"] == "phuongvi"
        reasons = {each.device: each.revoked_reason for each in sessions_of(database, "phuongvi")}
        assert reasons == {"bị mất": RevokedReason.signed_out, "test": None}
        refusal(mine.delete(f"/v1/auth/sessions/{stored.id}"), 404, "not_found")

    def test_the_session_of_another_person_is_404_and_goes_on(
        self, api: Api, database: Database
    ) -> None:
        theirs = api.as_("phuongvi-1")
        [stored] = sessions_of(database, "phuongvi-1")
        for name in ("phuongvi", "admin", "phutho"):
            response = api.as_(name).delete(f"/v1/auth/sessions/{stored.id}")
            refusal(response, 404, "not_found")
        assert theirs.get("/v1/me").json()["username"] == "phuongvi-1"
        [after] = sessions_of(database, "phuongvi-1")
        assert after.revoked_at is None

    def test_an_id_that_is_none(self, api: Api) -> None:
        mine = api.as_("phuongvi")
        refusal(mine.delete(f"/v1/auth/sessions/{uuid4()}"), 404, "not_found")
        assert pointers(mine.delete("/v1/auth/sessions/1")) == [("/session_id", "id_invalid")]

    def test_signs_all_my_devices_out(self, api: Api, database: Database) -> None:
        pair = signed_in(api, "phuongvi").json()
        mine, other = api.as_("phuongvi"), api.as_("phuongvi-1")
        response = mine.delete("/v1/auth/sessions")
        assert (response.status_code, response.content) == (204, b"")
        refusal(mine.get("/v1/me"), 401, "invalid_token")
        refusal(me(api, pair["access_token"]), 401, "invalid_token")
        refusal(refreshed(api, pair["refresh_token"]), 401, "refresh_refused")
        reasons = {each.revoked_reason for each in sessions_of(database, "phuongvi")}
        assert reasons == {RevokedReason.signed_out}
        assert other.get("/v1/me").json()["username"] == "phuongvi-1"


def new_client(api: Api, officer: str, **more: object) -> dict[str, Any]:
    """A client registered over the commune of an officer, with its secret."""
    signed = api.as_(officer)
    unit = signed.get("/v1/me").json()["unit"]["id"]
    body = {
        "kind": "client",
        "username": f"he-thong-{uuid4().hex[:8]}",
        "display_name": "Hệ thống xã",
        "unit_id": unit,
        "grants": [{"unit_id": unit, "role": "integration_reader"}],
    }
    made: dict[str, Any] = signed.post("/v1/accounts", json=body | more).json()
    return made


def credentials(api: Api, client_id: str, client_secret: str) -> Response:
    sent = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
    }
    return api.post("/v1/auth/token", data=sent)


def by_basic(api: Api, value: str) -> Response:
    return api.post(
        "/v1/auth/token",
        data={"grant_type": "client_credentials"},
        headers={"authorization": f"Basic {base64.b64encode(value.encode()).decode()}"},
    )


class TestClientCredentials:
    def test_by_form(self, api: Api, database: Database) -> None:
        client = new_client(api, "phuongvi")
        body = credentials(api, client["username"], client["client_secret"]).json()
        assert body["refresh_token"] is None
        assert body["expires_in"] == 900
        assert body["scope"].split() == sorted(ROLE_RIGHTS[Role.integration_reader])
        [opened] = sessions_of(database, client["username"])
        assert opened.expires_at == opened.created_at + timedelta(seconds=900)
        with writing(database) as session:
            mine = select(RefreshToken).where(col(RefreshToken.session_id) == opened.id)
            assert session.exec(mine).all() == []
        headers = {"authorization": f"Bearer {body['access_token']}"}
        seen = api.get("/v1/members?limit=200", headers=headers).json()["items"]
        assert {item["commune_id"] for item in seen} == {client["unit"]["id"]}
        assert me(api, body["access_token"]).json()["kind"] == "client"

    def test_by_http_basic(self, api: Api) -> None:
        client = new_client(api, "phuongvi")
        body = by_basic(api, f"{client['username']}:{client['client_secret']}").json()
        assert me(api, body["access_token"]).json()["username"] == client["username"]

    def test_http_basic_is_form_encoded_inside(self, api: Api) -> None:
        client = new_client(api, "phuongvi", username="may@xa.phuongvi")
        value = f"may%40xa.phuongvi:{client['client_secret']}"
        assert me(api, by_basic(api, value).json()["access_token"]).json()["kind"] == "client"

    def test_a_broken_basic_header(self, api: Api) -> None:
        for value in ("", " !!!", " w6k", " /////w==", " bmFtZQ==", " Og=="):
            response = api.post(
                "/v1/auth/token",
                data={"grant_type": "client_credentials"},
                headers={"authorization": f"Basic{value}"},
            )
            told = refusal(response, 401, "bad_credentials")
            assert told["error"] == "invalid_client"
            assert "www-authenticate" in response.headers

    def test_a_wrong_secret(self, api: Api, database: Database) -> None:
        client = new_client(api, "phuongvi")
        for secret in (
            "wrong",
            client["client_secret"].swapcase(),
            digest(client["client_secret"]),
        ):
            told = refusal(credentials(api, client["username"], secret), 401, "bad_credentials")
            assert told["error"] == "invalid_client"
        assert sessions_of(database, client["username"]) == []

    def test_wrong_client_secrets_lock_the_client(self, api: Api, swap: Swap) -> None:
        client = new_client(api, "phuongvi")
        swap(login_failures_per_account="1 per minute")
        told = refusal(credentials(api, client["username"], "wrong"), 401, "bad_credentials")
        assert told["error"] == "invalid_client"
        locked = credentials(api, client["username"], client["client_secret"])
        refusal(locked, 429, "rate_limited")

    def test_a_person_is_no_client(self, api: Api, database: Database) -> None:
        refusal(credentials(api, "phuongvi", PASSWORD), 401, "bad_credentials")
        assert sessions_of(database, "phuongvi") == []

    def test_the_secret_is_stored_hashed_only(self, api: Api, database: Database) -> None:
        client = new_client(api, "phuongvi")
        stored = everything_stored(database)
        assert client["client_secret"] not in stored
        assert digest(client["client_secret"]) in stored

    def test_a_new_secret_ends_the_old_one_and_its_sessions(
        self, api: Api, database: Database
    ) -> None:
        client = new_client(api, "phuongvi")
        token = credentials(api, client["username"], client["client_secret"]).json()
        reset = api.as_("phuongvi").post(f"/v1/accounts/{client['id']}/reset").json()
        assert reset["code"] is None
        assert reset["client_secret"] != client["client_secret"]
        refusal(me(api, token["access_token"]), 401, "invalid_token")
        old = credentials(api, client["username"], client["client_secret"])
        refusal(old, 401, "bad_credentials")
        new = credentials(api, client["username"], reset["client_secret"])
        assert new.json()["token_type"] == "Bearer"
        [ended, _] = sessions_of(database, client["username"])
        assert ended.revoked_reason is RevokedReason.by_officer

    def test_a_disabled_client_gets_nothing(self, api: Api) -> None:
        client = new_client(api, "phuongvi")
        api.as_("phuongvi").post(f"/v1/accounts/{client['id']}/disable")
        refused = credentials(api, client["username"], client["client_secret"])
        refusal(refused, 401, "bad_credentials")


# -- access tokens


def encoded(part: object) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def forged(token: str, header: dict[str, Any], claims: dict[str, Any], key: bytes | None) -> str:
    """A token of ours with its header and claims changed (None = left out) and signed anew."""
    parts = [json.loads(decoded(segment)) for segment in token.split(".")[:2]]
    for part, changes in zip(parts, (header, claims), strict=True):
        part.update(changes)
        for name in [name for name, value in part.items() if value is None]:
            del part[name]
    signed = ".".join(map(encoded, parts))
    mac = b"" if key is None else hmac.digest(key, signed.encode(), "sha256")
    return f"{signed}.{encoded(mac)}"


JWK = {"kty": "oct", "k": encoded(b"my own key of thirty-two bytes.."), "alg": "HS256"}
OWN = b"my own key of thirty-two bytes.."
RIGHT = SECRET.encode()
FORGERIES: dict[str, tuple[dict[str, Any], dict[str, Any], bytes | None, str]] = {
    "alg none": ({"alg": "none"}, {}, None, "wrong_algorithm"),
    "alg None": ({"alg": "None"}, {}, None, "wrong_algorithm"),
    "no alg": ({"alg": None}, {}, RIGHT, "wrong_algorithm"),
    "alg HS512": ({"alg": "HS512"}, {}, RIGHT, "wrong_algorithm"),
    "alg ES256": ({"alg": "ES256"}, {}, RIGHT, "wrong_algorithm"),
    "wrong key": ({}, {}, OWN, "bad_signature"),
    "no signature": ({}, {}, None, "bad_signature"),
    "crit": ({"crit": ["exp"]}, {}, RIGHT, "forbidden_header"),
    "jwk": ({"jwk": JWK}, {}, OWN, "forbidden_header"),
    "jku": ({"jku": "https://attacker.example/keys"}, {}, OWN, "forbidden_header"),
    "x5u": ({"x5u": "https://attacker.example/cert"}, {}, OWN, "forbidden_header"),
    "x5c": ({"x5c": ["MIIB"]}, {}, OWN, "forbidden_header"),
    "b64": ({"b64": False}, {}, RIGHT, "forbidden_header"),
    "other kid": ({"kid": "../../dev/null"}, {}, RIGHT, "unknown_key"),
    "no kid": ({"kid": None}, {}, RIGHT, "unknown_key"),
    "typ JWT": ({"typ": "JWT"}, {}, RIGHT, "wrong_type"),
    "no typ": ({"typ": None}, {}, RIGHT, "wrong_type"),
    "other issuer": ({}, {"iss": "https://elsewhere.example"}, RIGHT, "wrong_issuer"),
    "other audience": ({}, {"aud": "another-api"}, RIGHT, "wrong_audience"),
    "several audiences": ({}, {"aud": ["hoiso", "other"]}, RIGHT, "wrong_audience"),
    "no exp": ({}, {"exp": None}, RIGHT, "missing_claim"),
    "no jti": ({}, {"jti": None}, RIGHT, "missing_claim"),
    "no sid": ({}, {"sid": None}, RIGHT, "missing_claim"),
    "exp as text": ({}, {"exp": "4102444800"}, RIGHT, "malformed"),
    "exp for ever": ({}, {"exp": 10**18}, RIGHT, "malformed"),
    "issued tomorrow": ({}, {"iat": 4102444800, "exp": 4102445700}, RIGHT, "not_yet_valid"),
    "sid is no id": ({}, {"sid": "1"}, RIGHT, "missing_claim"),
    "unknown sid": ({}, {"sid": str(uuid4())}, RIGHT, "revoked"),
}


class TestAccessTokens(SessionsOnly):
    def test_a_forger_with_the_key_would_get_in(self, api: Api) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        again = forged(token, {}, {"jti": "made by hand"}, RIGHT)
        assert me(api, again).json()["username"] == "phuongvi"

    def test_every_forged_token_is_refused_for_its_reason(self, api: Api) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        challenge = 'Bearer realm="hoiso", error="invalid_token"'
        for name, (header, claims, key, reason) in FORGERIES.items():
            response = me(api, forged(token, header, claims, key))
            told = refusal(response, 401, "invalid_token")
            assert told["reason"] == reason, name
            assert response.headers["www-authenticate"] == challenge
        assert me(api, token).json()["username"] == "phuongvi"

    def test_no_bearer_token_at_all(self, api: Api) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        for header in (None, "", "Bearer", "Bearer ", "Basic cGh1OjE=", f"Token {token}", token):
            sent = {} if header is None else {"authorization": header}
            response = api.get("/v1/me", headers=sent)
            refusal(response, 401, "not_authenticated")
            assert response.headers["www-authenticate"].startswith('Bearer realm="hoiso"')

    def test_garbage(self, api: Api) -> None:
        good = signed_in(api, "phuongvi").json()["access_token"]
        for token in ("x", "a.b", "a.b.c.d", "..", "null", f"{good}=", f"{good}.x", f" {good}"):
            refusal(me(api, token), 401, "invalid_token")

    def test_a_very_long_token(self, api: Api) -> None:
        refusal(me(api, "a" * 30_000), 401, "invalid_token")

    def test_the_scheme_is_case_insensitive(self, api: Api) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        response = api.get("/v1/me", headers={"authorization": f"bEARER {token}"})
        assert response.json()["username"] == "phuongvi"

    def test_a_token_in_the_address_or_a_cookie_is_not_read(self, api: Api) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        for name in ("access_token", "token", "authorization"):
            refusal(api.get("/v1/me", params={name: token}), 401, "not_authenticated")
            response = api.get("/v1/me", headers={"cookie": f"{name}={token}"})
            refusal(response, 401, "not_authenticated")

    def test_a_refresh_token_opens_nothing(self, api: Api) -> None:
        refusal(me(api, signed_in(api, "phuongvi").json()["refresh_token"]), 401, "invalid_token")

    def test_ends_after_a_quarter_of_an_hour(self, api: Api) -> None:
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            token = signed_in(api, "phuongvi").json()["access_token"]
            clock.shift(timedelta(minutes=14, seconds=59))
            assert me(api, token).json()["username"] == "phuongvi"
            clock.shift(timedelta(seconds=7))  # 5 s of leeway for the clocks of several servers
            told = refusal(me(api, token), 401, "invalid_token")
        assert told["reason"] == "expired"

    def test_minted_in_the_past(self, api: Api, signin: Signin, database: Database) -> None:
        signed_in(api, "phuongvi")
        [opened] = sessions_of(database, "phuongvi")
        then = datetime.now(UTC) - timedelta(hours=1)
        token = signin.access_token(opened.account_id, opened.id, then)
        assert refusal(me(api, token), 401, "invalid_token")["reason"] == "expired"

    def test_a_deleted_session(self, api: Api, database: Database) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        with writing(database) as session:
            session.execute(sa.delete(AuthSession))
        assert refusal(me(api, token), 401, "invalid_token")["reason"] == "revoked"

    def test_the_reason_is_told_in_english_too(self, api: Api) -> None:
        headers = {"authorization": "Bearer x", "accept-language": "en"}
        told = refusal(api.get("/v1/me", headers=headers), 401, "invalid_token")
        assert told["title"] == "Invalid access token"

    def test_the_token_says_nothing_of_its_owner(self, api: Api, database: Database) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        claims = json.loads(decoded(token.split(".")[1]))
        [opened] = sessions_of(database, "phuongvi")
        assert claims.keys() == {"iss", "aud", "sub", "sid", "jti", "iat", "exp"}
        assert (claims["sub"], claims["sid"]) == (str(opened.account_id), str(opened.id))
        assert claims["exp"] - claims["iat"] == 900


class TestEs256(SessionsOnly):
    @pytest.fixture
    def keys(self, tmp_path: Path) -> Path:
        return tmp_path / "keys.pem"

    def start(self, swap: Swap, keys: Path, *pems: str) -> Signin:
        keys.write_text("".join(pems))
        return swap(jwt_algorithm="ES256", jwt_keys_file=keys)

    def test_others_can_verify_with_the_published_key(
        self, api: Api, swap: Swap, keys: Path
    ) -> None:
        self.start(swap, keys, Keyring.generate("ES256"))
        token = signed_in(api, "phuongvi").json()["access_token"]
        [published] = api.get("/.well-known/jwks.json").json()["keys"]
        assert published.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
        head, payload, signature = token.split(".")
        assert json.loads(decoded(head)) == {
            "alg": "ES256",
            "typ": "at+jwt",
            "kid": published["kid"],
        }
        x, y = (int.from_bytes(decoded(published[name]), "big") for name in ("x", "y"))
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        raw = decoded(signature)
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        # Raises when the signature is another's.
        public.verify(
            encode_dss_signature(r, s), f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256())
        )
        assert me(api, token).json()["username"] == "phuongvi"

    def test_a_shared_secret_publishes_nothing(self, api: Api) -> None:
        assert api.get("/.well-known/jwks.json").json() == {"keys": []}

    def test_keys_are_rotated_without_signing_anyone_out(
        self, api: Api, swap: Swap, keys: Path
    ) -> None:
        old, new = Keyring.generate("ES256"), Keyring.generate("ES256")
        self.start(swap, keys, old)
        before = signed_in(api, "phuongvi").json()
        [old_key] = api.get("/.well-known/jwks.json").json()["keys"]

        self.start(swap, keys, new, old)
        after = signed_in(api, "phuongvi").json()
        [new_key, second] = api.get("/.well-known/jwks.json").json()["keys"]
        assert second == old_key
        assert json.loads(decoded(after["access_token"].split(".")[0]))["kid"] == new_key["kid"]
        for pair in (before, after):
            assert me(api, pair["access_token"]).json()["username"] == "phuongvi"

        self.start(swap, keys, new)
        told = refusal(me(api, before["access_token"]), 401, "invalid_token")
        assert told["reason"] == "unknown_key"
        assert me(api, after["access_token"]).json()["username"] == "phuongvi"
        # The session itself is not the key's: its refresh token goes on.
        assert refreshed(api, before["refresh_token"]).json()["token_type"] == "Bearer"

    def test_the_public_key_is_no_shared_secret(self, api: Api, swap: Swap, keys: Path) -> None:
        pem = Keyring.generate("ES256")
        self.start(swap, keys, pem)
        token = signed_in(api, "phuongvi").json()["access_token"]
        private = serialization.load_pem_private_key(pem.encode(), None)
        public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        jwks = api.get("/.well-known/jwks.json").content
        for key in (public, public.strip(), jwks):
            told = refusal(me(api, forged(token, {"alg": "HS256"}, {}, key)), 401, "invalid_token")
            assert told["reason"] == "wrong_algorithm"

    def test_a_token_of_the_shared_secret_is_not_taken(
        self, api: Api, swap: Swap, keys: Path
    ) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        self.start(swap, keys, Keyring.generate("ES256"))
        told = refusal(me(api, token), 401, "invalid_token")
        assert told["reason"] == "wrong_algorithm"

    def test_shared_secrets_rotate_as_well(self, api: Api, swap: Swap) -> None:
        old, new = Keyring.generate("HS256"), Keyring.generate("HS256")
        swap(jwt_secret=old)
        token = signed_in(api, "phuongvi").json()["access_token"]
        swap(jwt_secret=f"{new},{old}")
        assert me(api, token).json()["username"] == "phuongvi"
        swap(jwt_secret=new)
        refusal(me(api, token), 401, "invalid_token")


class TestVerifiedTokens(SessionsOnly):
    def revoke_elsewhere(self, database: Database) -> None:
        """As another process would: this one is not told."""
        with writing(database) as session:
            session.execute(
                sa.update(AuthSession).values(
                    revoked_at=datetime.now(UTC), revoked_reason=RevokedReason.signed_out
                )
            )

    def test_a_token_is_not_looked_up_again_within_its_time(
        self, api: Api, swap: Swap, database: Database
    ) -> None:
        swap(token_recheck_seconds=60)
        token = signed_in(api, "phuongvi").json()["access_token"]
        with counted(database) as first:
            me(api, token)
        with counted(database) as second:
            assert me(api, token).json()["username"] == "phuongvi"
        assert any("auth_session" in statement for statement in first)
        assert not any("auth_session" in statement for statement in second)

    def test_a_revocation_by_another_process_holds_after_the_recheck(
        self, api: Api, swap: Swap, database: Database
    ) -> None:
        swap(token_recheck_seconds=0.15)
        token = signed_in(api, "phuongvi").json()["access_token"]
        assert me(api, token).json()["username"] == "phuongvi"
        self.revoke_elsewhere(database)
        time.sleep(0.16)
        refusal(me(api, token), 401, "invalid_token")

    def test_the_recheck_comes_well_within_5_seconds(self) -> None:
        assert Settings.model_fields["token_recheck_seconds"].default == 3.0

    def test_a_revocation_in_this_process_holds_at_once(
        self, api: Api, swap: Swap, database: Database
    ) -> None:
        swap(token_recheck_seconds=60)
        for how in ("revoke", "end one", "end all"):
            token = signed_in(api, "phuongvi").json()["access_token"]
            assert me(api, token).json()["username"] == "phuongvi"
            opened = sessions_of(database, "phuongvi")[-1]
            mine = Api(api.app, {"authorization": f"Bearer {token}"})
            match how:
                case "revoke":
                    mine.post("/v1/auth/revoke", data={"token": token})
                case "end one":
                    mine.delete(f"/v1/auth/sessions/{opened.id}")
                case _:
                    mine.delete("/v1/auth/sessions")
            refusal(me(api, token), 401, "invalid_token")

    def test_trust_ends_with_the_token(self, api: Api, swap: Swap) -> None:
        signin = swap(token_recheck_seconds=3600)
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            token = signed_in(api, "phuongvi").json()["access_token"]
            clock.shift(timedelta(minutes=14, seconds=50))
            assert me(api, token).json()["username"] == "phuongvi"
        [(_, until)] = signin.verified._entries.values()
        assert until - time.monotonic() <= 11

    def test_a_forged_twin_of_a_trusted_token_is_refused(self, api: Api, swap: Swap) -> None:
        swap(token_recheck_seconds=60)
        token = signed_in(api, "phuongvi").json()["access_token"]
        assert me(api, token).json()["username"] == "phuongvi"
        refusal(me(api, forged(token, {}, {}, OWN)), 401, "invalid_token")

    def test_the_cache_is_bounded(self, api: Api, swap: Swap) -> None:
        signin = swap(token_recheck_seconds=60)
        assert VerifiedTokens[Actor]()._max_size == 4096
        signin.verified = VerifiedTokens(max_size=2)
        for _ in range(2):
            for name in ("phutho", "camkhe", "phuongvi", "tienluong"):
                assert api.as_(name).get("/v1/me").json()["username"] == name
                assert len(signin.verified) <= 2
        assert len(signin.verified) == 2


@pytest.fixture
def logging(database: Database) -> Iterator[Api]:
    made = create_app(make_settings(database.settings.database_url, log_requests=True))
    yield Api(made)
    serving(made).database.close()


class TestLogs(SessionsOnly):
    def test_a_line_a_request_with_no_name_and_no_secret(
        self, logging: Api, capsys: pytest.CaptureFixture[str]
    ) -> None:
        body = signed_in(logging, "phuongvi", device="máy của Lan").json()
        signed_in(logging, "phuongvi", "wrong-password")
        me(logging, body["access_token"])
        refreshed(logging, body["refresh_token"])
        output = capsys.readouterr().out
        lines = [json.loads(line) for line in output.splitlines()]
        assert [(line["route"], line["status"]) for line in lines] == [
            ("/v1/auth/token", 200),
            ("/v1/auth/token", 401),
            ("/v1/me", 200),
            ("/v1/auth/token", 200),
        ]
        secrets = (PASSWORD, "wrong-password", body["access_token"], body["refresh_token"])
        for secret in (*secrets, "phuongvi", "máy của Lan"):
            assert secret not in output

    def test_an_accident_while_signing_in_tells_no_password(
        self, logging: Api, capsys: pytest.CaptureFixture[str]
    ) -> None:
        give(logging.app, signin=None)
        response = signed_in(logging, "phuongvi")
        told = refusal(response, 500, "internal")
        assert told.keys() == {
            "type",
            "title",
            "status",
            "detail",
            "code",
            "instance",
            "request_id",
        }
        output = capsys.readouterr().out
        accident = json.loads(output.splitlines()[0])
        assert accident["request_id"] == told["request_id"]
        assert accident["exception"][0]["type"] == "AttributeError"
        assert accident["exception"][0]["places"][-1].endswith(" sign_in")
        assert PASSWORD not in output
        assert "phuongvi" not in output


class TestLogsOfTheDatabase:
    def test_an_accident_in_the_database_tells_no_row(
        self, logging: Api, capsys: pytest.CaptureFixture[str], database: Database
    ) -> None:
        with writing(database) as session:
            session.execute(sa.text("CREATE UNIQUE INDEX one_only ON auth_session (account_id)"))
        signed_in(logging, "phuongvi")
        response = signed_in(logging, "phuongvi", device="máy của Lan")
        refusal(response, 500, "internal")
        output = capsys.readouterr().out
        assert "IntegrityError" in output
        [opened] = sessions_of(database, "phuongvi")
        for secret in ("máy của Lan", str(opened.account_id), opened.account_id.hex, "one_only"):
            assert secret not in output
