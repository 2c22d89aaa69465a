"""Auth."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
import time_machine
from fastapi import FastAPI
from httpx2 import Response
from limits.storage import MemoryStorage
from sqlmodel import col

from app.db import Database
from app.errors import Problem
from app.models.kernel.access import ROLE_RIGHTS, Role
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.models.kernel.sessions import RevokedReason
from app.security.passwords import PasswordCheck, PasswordHasher
from app.security.secret_texts import digest
from app.services.identity import credentials as sign_in_credentials
from app.services.identity import sessions
from app.services.identity.hashing import HashingThreads
from app.services.identity.lockout import Source
from app.services.identity.sessions import SignInClient
from app.services.identity.signin import Signin
from tests.conftest import make_settings
from tests.helpers.client import PASSWORD, Api, writing
from tests.helpers.in_process import client_of
from tests.helpers.serving import give
from tests.identity.auth import (
    SessionsOnly,
    Swap,
    account_id,
    everything_stored,
    me,
    new_client,
    pointers,
    refresh_row,
    refreshed,
    refusal,
    sessions_of,
    signed_in,
)


def set_account(database: Database, username: str, **values: object) -> None:
    with writing(database) as session:
        session.execute(sa.update(Account).where(col(Account.username) == username).values(values))


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
            (person | {"device": "a\0b"}, "/device", "control_character"),
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
        expected = [(f"/{name}", "unknown_field") for name in sent]
        refused = api.post("/v1/auth/token", params=sent, data={"device": "x"})
        assert pointers(refused) == expected
        assert PASSWORD not in refused.text
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
        signin.hashing = HashingThreads(threads=1, waiting=0)
        with signin.hashing.place():
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
        set_account(database, "phuongvi", password_hash=signin.hasher.hash(password))
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
        given = sign_in_credentials.Claimed(AccountKind.person, "phuongvi", PASSWORD)
        with database.reading() as db:
            found = sign_in_credentials.find_ways_in(
                db, kind=given.kind, username=given.username, source=Source("somewhere")
            )
        who = asyncio.run(sign_in_credentials.check_credentials(signin, found, given))
        set_account(database, "phuongvi", **meanwhile)
        with pytest.raises(Problem) as caught, writing(database) as session:
            sessions.open_session(session, signin, who, SignInClient(None, None))
        assert caught.value.code == "unavailable"
        assert sessions_of(database, "phuongvi") == []

    @pytest.mark.race
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
        here.client = client_of(app, ("203.0.113.5", 1))
        there.client = client_of(app, ("203.0.113.6", 1))
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
            api.client = client_of(app, (address, 1))
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
