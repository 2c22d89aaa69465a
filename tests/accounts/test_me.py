from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unicodedata import normalize

import pytest
import time_machine
from fastapi import FastAPI
from httpx2 import Response
from sqlalchemy.pool import QueuePool
from sqlmodel import col, select

from app.db import Database
from app.models.kernel.access import ROLE_RIGHTS, Role
from app.models.kernel.accounts import Account, AccountStatus
from app.models.kernel.changes import Change
from app.models.kernel.idempotency import IdempotentAnswer
from app.models.kernel.sessions import AuthSession, RevokedReason
from app.security.passwords import PasswordCheck, PasswordHasher
from app.security.secret_texts import digest
from app.services.identity.signin import Signin
from tests.conftest import make_settings
from tests.helpers.client import PASSWORD, Api, writing
from tests.helpers.programs import ABOUT
from tests.helpers.reading import Reading
from tests.helpers.serving import sign_in_with
from tests.identity.auth import everything_stored

NEW = "một mật khẩu mới dài"


@pytest.fixture(autouse=True)
def signin(app: FastAPI, database: Database) -> Signin:
    """Limits count in memory: each test starts from nothing, and with three failures to spare."""
    url = database.settings.database_url
    return sign_in_with(app, make_settings(url, login_failures_per_account="3 per minute"))


def signed_in(api: Api, username: str, password: str = PASSWORD) -> Response:
    sent = {"grant_type": "password", "username": username, "password": password}
    return api.post("/v1/auth/token", data=sent)


def with_(api: Api, response: Response) -> Api:
    """A client that holds the token of this answer."""
    return Api(api.app, {"authorization": f"Bearer {response.json()['access_token']}"})


def change(api: Api, current: str, new: str) -> Response:
    return api.post("/v1/me/password", json={"current_password": current, "new_password": new})


def refusal(response: Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    return body


def pointers(response: Response) -> list[tuple[str, str]]:
    body = refusal(response, 422, "validation_failed")
    return [(error["pointer"], error["code"]) for error in body["errors"]]


def account(database: Database, username: str) -> Account:
    with writing(database) as session:
        return session.exec(select(Account).where(col(Account.username) == username)).one()


def sessions_of(database: Database, username: str) -> list[AuthSession]:
    owner = account(database, username).id
    with writing(database) as session:
        mine = select(AuthSession).where(col(AuthSession.account_id) == owner)
        return list(session.exec(mine.order_by(col(AuthSession.id))).all())


def nothing() -> None:
    pass


class Interrupted(PasswordHasher):
    """Something else happens each time just before it works."""

    before: Callable[[], None] = staticmethod(nothing)

    def hash(self, password: str) -> str:
        self.before()
        return super().hash(password)

    def verify(self, password: str, hashed: str | None) -> PasswordCheck:
        self.before()
        return super().verify(password, hashed)


class TestGetMe(Reading):
    def test_requires_login(self, api: Api) -> None:
        response = api.get("/v1/me")
        refusal(response, 401, "not_authenticated")
        assert response.headers["www-authenticate"].startswith("Bearer ")

    @pytest.mark.parametrize(
        ("username", "role", "unit"),
        [
            ("phutho", Role.province_officer, "phutho"),
            ("camkhe", Role.district_officer, "camkhe"),
            ("phuongvi", Role.commune_officer, "phuongvi"),
            ("phuongvi-1", Role.branch_head, "phuongvi-1"),
            ("auditor", Role.auditor, "phutho"),
            ("admin", Role.admin, "phutho"),
            ("member", Role.member, "phuongvi-1"),
        ],
    )
    def test_each_role_sees_herself_her_grants_and_her_rights(
        self,
        api: Api,
        database: Database,
        unit_id: dict[str, int],
        username: str,
        role: Role,
        unit: str,
    ) -> None:
        body = api.as_(username).get("/v1/me").json()
        stored = account(database, username)
        assert body.pop("past_grants") == []
        [grant] = body.pop("grants")
        assert body == {
            "id": str(stored.id),
            "kind": "person",
            "username": username,
            "display_name": stored.display_name,
            "unit": grant["unit"],
            "member_id": str(stored.member_id) if stored.member_id else None,
            "rights": sorted(ROLE_RIGHTS[role]),
            "must_change_password": False,
        }
        assert (grant["role"], grant["unit"]["id"]) == (role.value, unit_id[unit])
        assert grant["valid_to"] is None

    def test_the_member_is_linked_to_her_record(self, api: Api) -> None:
        about = api.as_("member").get("/v1/me").json()
        record = api.as_("phuongvi-1").get(f"/v1/members/{about['member_id']}").json()
        assert record["full_name"] == about["display_name"]

    def test_no_one_else_can_be_asked_for(self, api: Api, database: Database) -> None:
        other = account(database, "phutho").id
        headers = {"x-user-id": str(other), "x-forwarded-user": "phutho", "x-account": "phutho"}
        mine = api.as_("member")
        assert mine.get("/v1/me", headers=headers).json()["username"] == "member"
        for query in (f"id={other}", "username=phutho"):
            answer = mine.get(f"/v1/me?{query}", headers=headers)
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (
                422,
                "unknown_field",
            )


class TestChangePassword:
    def test_requires_login(self, api: Api) -> None:
        refusal(change(api, PASSWORD, NEW), 401, "not_authenticated")

    def test_the_new_one_counts_and_other_devices_are_signed_out(
        self, api: Api, database: Database
    ) -> None:
        here, there = signed_in(api, "phuongvi"), signed_in(api, "phuongvi")
        stranger = api.as_("phuongvi-1")
        before = account(database, "phuongvi")
        response = change(with_(api, here), PASSWORD, NEW)
        assert (response.status_code, response.content) == (204, b"")
        after = account(database, "phuongvi")
        assert after.password_hash != before.password_hash
        assert (after.status, after.unit_id) == (AccountStatus.active, before.unit_id)
        refusal(signed_in(api, "phuongvi"), 401, "bad_credentials")
        assert signed_in(api, "phuongvi", NEW).json()["token_type"] == "Bearer"
        assert with_(api, here).get("/v1/me").json()["username"] == "phuongvi"
        refusal(with_(api, there).get("/v1/me"), 401, "invalid_token")
        sent = {"grant_type": "refresh_token", "refresh_token": there.json()["refresh_token"]}
        refusal(api.post("/v1/auth/token", data=sent), 401, "refresh_refused")
        assert stranger.get("/v1/me").json()["username"] == "phuongvi-1"
        reasons = [each.revoked_reason for each in sessions_of(database, "phuongvi")]
        assert reasons == [None, RevokedReason.password_changed, None]

    def test_it_is_logged_without_the_hash(self, api: Api, database: Database) -> None:
        mine = api.as_("phuongvi")
        change(mine, PASSWORD, NEW)
        stored = account(database, "phuongvi")
        with writing(database) as session:
            changed = select(Change).where(col(Change.entity_id) == str(stored.id))
            last = session.exec(changed.order_by(col(Change.id).desc())).first()
        assert last is not None
        assert last.account_id == stored.id
        assert last.after == {"password_hash": "set"}
        assert last.before == {"password_hash": "set"}

    def test_accents_may_be_typed_either_way(self, api: Api) -> None:
        change(api.as_("phuongvi"), PASSWORD, normalize("NFC", NEW))
        again = signed_in(api, "phuongvi", normalize("NFD", NEW))
        assert again.json()["token_type"] == "Bearer"
        final = "mật khẩu thứ ba 3"
        response = change(with_(api, again), normalize("NFD", NEW), final)
        assert response.status_code == 204
        assert signed_in(api, "phuongvi", final).json()["token_type"] == "Bearer"

    def test_a_wrong_current_password_changes_nothing(self, api: Api, database: Database) -> None:
        mine, other = api.as_("phuongvi"), api.as_("phuongvi")
        before = account(database, "phuongvi")
        response = change(mine, "not-the-password", NEW)
        assert pointers(response) == [("/current_password", "password_wrong")]
        assert account(database, "phuongvi") == before
        assert other.get("/v1/me").json()["username"] == "phuongvi"
        refusal(signed_in(api, "phuongvi", NEW), 401, "bad_credentials")

    def test_wrong_current_passwords_lock_the_account(self, api: Api, database: Database) -> None:
        mine = api.as_("phuongvi")
        before = account(database, "phuongvi")
        refusal(signed_in(api, "phuongvi", "wrong"), 401, "bad_credentials")
        for _ in range(2):
            change(mine, "not-the-password", NEW)
        response = change(mine, PASSWORD, NEW)
        refusal(response, 429, "rate_limited")
        assert 55 <= int(response.headers["retry-after"]) <= 61
        assert account(database, "phuongvi") == before
        refusal(signed_in(api, "phuongvi"), 429, "rate_limited")

    def test_a_weak_or_unusable_password_is_refused(self, api: Api, database: Database) -> None:
        mine = api.as_("phuongvi")
        before = account(database, "phuongvi")
        place = "/new_password"
        for new, code in (
            ("ngắn quá!", "too_short"),
            ("dài" * 67, "too_long"),
            ("aaaaaaaaaaaa", "password_weak"),
            ("1212121212121", "password_weak"),
            (" " * 12, "password_weak"),
            ("xin-chao-PhuongVi", "password_weak"),
            ("mật khẩu\0mới", "nul_character"),
            ("abcde" + "\U0001d160" * 100, "text_invalid"),  # over 1024 bytes once composed
        ):
            assert pointers(change(mine, PASSWORD, new)) == [(place, code)], new
        broken = b'{"current_password": "x", "new_password": "m\\ud800t kh\\u1ea9u m\\u1edbi"}'
        response = mine.post(
            "/v1/me/password", content=broken, headers={"content-type": "application/json"}
        )
        assert [code for _, code in pointers(response)] == ["text_invalid"]
        assert account(database, "phuongvi") == before

    def test_the_shortest_and_the_longest_password(self, api: Api) -> None:
        mine = api.as_("phuongvi")
        longest = ("ậợữỹ1" * 40)[:200]
        assert change(mine, PASSWORD, "mười kí tự").status_code == 204
        assert change(mine, "mười kí tự", longest).status_code == 204
        assert signed_in(api, "phuongvi", longest).json()["token_type"] == "Bearer"

    def test_fields_wrong(self, api: Api) -> None:
        mine = api.as_("phuongvi")
        good = {"current_password": PASSWORD, "new_password": NEW}
        for body, expected in (
            ({}, [("/current_password", "required"), ("/new_password", "required")]),
            (good | {"current_password": None}, [("/current_password", "not_null")]),
            (good | {"current_password": ""}, [("/current_password", "too_short")]),
            (good | {"status": "active"}, [("/status", "unknown_field")]),
            (good | {"username": "phutho"}, [("/username", "unknown_field")]),
        ):
            assert pointers(mine.post("/v1/me/password", json=body)) == expected
        assert signed_in(api, "phuongvi").json()["token_type"] == "Bearer"

    def test_a_client_has_no_password(self, api: Api, database: Database) -> None:
        officer = api.as_("phuongvi")
        unit = officer.get("/v1/me").json()["unit"]["id"]
        body = ABOUT | {"username": "may-xa", "display_name": "Máy", "unit_id": unit}
        made = officer.post("/v1/accounts", json=body).json()
        sent = {
            "grant_type": "client_credentials",
            "client_id": "may-xa",
            "client_secret": made["client_secret"],
        }
        client = with_(api, api.post("/v1/auth/token", data=sent))
        assert client.get("/v1/me").json()["kind"] == "client"
        told = refusal(change(client, made["client_secret"], NEW), 409, "wrong_account_kind")
        assert told["detail"].endswith("loại cá nhân.")
        assert account(database, "may-xa").password_hash is None

    def test_sent_again_it_is_refused_and_one_change(self, api: Api, database: Database) -> None:
        mine = api.as_("phuongvi")
        body = {"current_password": PASSWORD, "new_password": NEW}
        key = {"idempotency-key": "doi-mat-khau"}
        assert mine.post("/v1/me/password", json=body, headers=key).status_code == 204
        first = account(database, "phuongvi")
        again = mine.post("/v1/me/password", json=body, headers=key)
        assert pointers(again) == [("/current_password", "password_wrong")]
        assert account(database, "phuongvi") == first
        with writing(database) as session:
            assert session.exec(select(IdempotentAnswer)).all() == []
        stored = everything_stored(database)
        assert PASSWORD not in stored
        assert NEW not in stored

    def test_the_contract_offers_no_key_for_it(self, app: FastAPI) -> None:
        paths = app.openapi()["paths"]

        def parameters(path: str) -> list[str]:
            return [each["$ref"].rpartition("/")[2] for each in paths[path]["post"]["parameters"]]

        assert parameters("/v1/me/password") == ["AcceptLanguage"]
        assert parameters("/v1/accounts") == ["IdempotencyKey", "AcceptLanguage"]

    def test_others_write_while_passwords_are_hashed(
        self, api: Api, database: Database, signin: Signin
    ) -> None:
        mine, other = api.as_("phuongvi"), api.as_("phuongvi-1")
        [first] = other.get("/v1/members?limit=1").json()["items"]
        written: list[int] = []

        def write() -> None:
            body = {"phone": f"091234567{len(written)}"}
            written.append(other.patch(f"/v1/members/{first['id']}", json=body).status_code)

        hasher = Interrupted(memory_kib=8, rounds=1)
        signin.hasher, hasher.before = hasher, write
        assert change(mine, PASSWORD, NEW).status_code == 204
        assert written == [200, 200]
        hasher.before = nothing
        assert signed_in(api, "phuongvi", NEW).json()["token_type"] == "Bearer"

    def test_no_connection_is_held_while_passwords_are_hashed(
        self, api: Api, database: Database, signin: Signin
    ) -> None:
        pool = database.reader.pool
        assert isinstance(pool, QueuePool)
        held: list[int] = []
        hasher = Interrupted(memory_kib=8, rounds=1)
        signin.hasher, hasher.before = hasher, lambda: held.append(pool.checkedout())
        assert change(api.as_("phuongvi"), PASSWORD, NEW).status_code == 204
        after_change = pool.checkedout()
        assert signed_in(api, "phuongvi", NEW).json()["token_type"] == "Bearer"
        # What remains are the ones that threads keep for good.
        assert held == [after_change, after_change, pool.checkedout()]

    @pytest.mark.parametrize("meanwhile", ["changed", "reset", "disabled"])
    def test_what_happens_to_the_account_meanwhile_wins(
        self, api: Api, database: Database, signin: Signin, meanwhile: str
    ) -> None:
        mine, other, officer = api.as_("phuongvi"), api.as_("phuongvi"), api.as_("camkhe")
        path = f"/v1/accounts/{account(database, 'phuongvi').id}"
        after: list[Account] = []

        def interrupt() -> None:
            hasher.before = nothing
            if meanwhile == "changed":
                assert change(other, PASSWORD, "của thiết bị kia 1").status_code == 204
            elif meanwhile == "reset":
                assert officer.post(f"{path}/reset").status_code == 200
            else:
                assert officer.post(f"{path}/disable").status_code == 200
            after.append(account(database, "phuongvi"))

        hasher = Interrupted(memory_kib=8, rounds=1)
        signin.hasher, hasher.before = hasher, interrupt
        response = change(mine, PASSWORD, NEW)
        refusal(response, 503, "unavailable")
        assert response.headers["retry-after"] == "1"
        assert [account(database, "phuongvi")] == after
        refusal(signed_in(api, "phuongvi", NEW), 401, "bad_credentials")


CLOSED_BEFORE_THE_PASSWORD = [
    ("GET", "/v1/members"),
    ("GET", "/v1/units"),
    ("GET", "/v1/branches"),
    ("GET", "/v1/accounts"),
    ("GET", "/v1/changes"),
    ("GET", "/v1/access/roles"),
    ("GET", "/v1/access/explain?right=members:read&unit=1"),
    ("POST", "/v1/accounts"),
    ("POST", "/v1/members"),
    ("DELETE", "/v1/auth/sessions/0192f0c1-0000-7000-8000-000000000000"),
    ("GET", "/v1/me/password/"),
    ("GET", "/v1/me/../members"),
]


class TestOneTimeCode:
    def invite(self, api: Api, officer: str = "phuongvi", username: str = "lan") -> dict[str, Any]:
        signed = api.as_(officer)
        unit = signed.get("/v1/me").json()["unit"]["id"]
        body = {
            "username": username,
            "display_name": "Nguyễn Thị Lan",
            "unit_id": unit,
            "grants": [{"unit_id": unit, "role": "commune_officer"}],
        }
        made: dict[str, Any] = signed.post("/v1/accounts", json=body).json()
        return made

    def test_from_the_invitation_to_the_first_day_of_work(
        self, api: Api, database: Database
    ) -> None:
        invited = self.invite(api)
        assert (invited["status"], invited["client_secret"]) == ("invited", None)
        typed = invited["code"].lower().replace("-", " ")
        first, second = signed_in(api, "lan", typed), signed_in(api, "LAN", invited["code"])
        assert first.json()["scope"] == ""
        new = with_(api, first)
        told = new.get("/v1/me").json()
        assert (told["must_change_password"], told["grants"], told["rights"]) == (True, [], [])
        assert len(new.get("/v1/auth/sessions").json()["items"]) == 2

        assert change(new, typed, NEW).status_code == 204
        stored = account(database, "lan")
        assert (stored.status, stored.code_digest, stored.code_expires_at) == (
            AccountStatus.active,
            None,
            None,
        )
        told = new.get("/v1/me").json()
        assert told["must_change_password"] is False
        assert told["rights"] == sorted(ROLE_RIGHTS[Role.commune_officer])
        seen = new.get("/v1/members?limit=1").json()["items"]
        assert seen[0]["commune_id"] == invited["unit"]["id"]
        refusal(with_(api, second).get("/v1/me"), 401, "invalid_token")
        refusal(signed_in(api, "lan", invited["code"]), 401, "bad_credentials")
        assert pointers(change(new, invited["code"], "lại một mật khẩu khác")) == [
            ("/current_password", "password_wrong")
        ]
        assert signed_in(api, "lan", NEW).json()["scope"]

    def test_the_code_opens_the_way_to_a_password_and_nothing_else(self, api: Api) -> None:
        invited = self.invite(api)
        answer = signed_in(api, "lan", invited["code"])
        new = with_(api, answer)
        for method, path in CLOSED_BEFORE_THE_PASSWORD:
            response = new.request(method, path, json={} if method == "POST" else None)
            codes = {"/v1/me/password/": "not_found"}
            assert response.json()["code"] == codes.get(path, "password_change_required"), path
        # Refreshing changes nothing about it, nor does what a client says of the host.
        sent = {"grant_type": "refresh_token", "refresh_token": answer.json()["refresh_token"]}
        again = with_(api, api.post("/v1/auth/token", data=sent))
        for headers in ({}, {"host": "x/v1/me?"}, {"x-forwarded-prefix": "/v1/me"}):
            response = again.get("/v1/members", headers=headers)
            refusal(response, 403, "password_change_required")

    def test_a_code_ends_after_seven_days(self, api: Api, database: Database) -> None:
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            invited = self.invite(api)
            expires = datetime.fromisoformat(invited["code_expires_at"])
            assert expires - datetime.now(UTC) == timedelta(days=7)
            clock.move_to(expires - timedelta(seconds=1))
            held = with_(api, signed_in(api, "lan", invited["code"]))
            clock.shift(2)
            refusal(signed_in(api, "lan", invited["code"]), 401, "bad_credentials")
            # Nor does a session opened in time lead to a password any more.
            assert pointers(change(held, invited["code"], NEW)) == [
                ("/current_password", "password_wrong")
            ]
        assert account(database, "lan").password_hash is None

    def test_a_new_code_replaces_the_old_one(self, api: Api) -> None:
        invited = self.invite(api)
        old = with_(api, signed_in(api, "lan", invited["code"]))
        reset = api.as_("phuongvi").post(f"/v1/accounts/{invited['id']}/reset").json()
        assert reset["code"] != invited["code"]
        refusal(old.get("/v1/me"), 401, "invalid_token")
        refusal(signed_in(api, "lan", invited["code"]), 401, "bad_credentials")
        assert signed_in(api, "lan", reset["code"]).json()["token_type"] == "Bearer"

    def test_the_code_makes_no_password(self, api: Api, database: Database) -> None:
        invited = self.invite(api)
        new = with_(api, signed_in(api, "lan", invited["code"]))
        for spelling in (invited["code"], invited["code"].lower(), f" {invited['code']} "):
            response = change(new, invited["code"], spelling)
            assert pointers(response) == [("/new_password", "password_weak")]
        assert account(database, "lan").status is AccountStatus.invited

    def test_wrong_codes_lock_the_account(self, api: Api) -> None:
        invited = self.invite(api)
        for _ in range(3):
            refusal(signed_in(api, "lan", "7KQM-2XPD-94TN-BHRW"), 401, "bad_credentials")
        refusal(signed_in(api, "lan", invited["code"]), 429, "rate_limited")

    def test_the_code_of_another_opens_nothing(self, api: Api) -> None:
        one, two = self.invite(api, username="lan"), self.invite(api, username="mai")
        refusal(signed_in(api, "lan", two["code"]), 401, "bad_credentials")
        assert signed_in(api, "mai", two["code"]).json()["token_type"] == "Bearer"
        assert one["code"] != two["code"]

    def test_no_secret_is_kept_or_logged_as_a_change(self, api: Api, database: Database) -> None:
        invited = self.invite(api)
        new = with_(api, signed_in(api, "lan", invited["code"]))
        change(new, invited["code"], NEW)
        reset = api.as_("phuongvi").post(f"/v1/accounts/{invited['id']}/reset").json()
        stored = everything_stored(database)
        for secret in (invited["code"], reset["code"], NEW):
            assert secret not in stored
        with writing(database) as session:
            changes = session.exec(select(Change).where(col(Change.entity) == "account")).all()
        logged = " ".join(f"{change.before} {change.after}" for change in changes)
        for secret in (invited["code"], reset["code"], NEW):
            assert digest(secret) not in logged
        assert "$argon2" not in logged
        about_lan = [each for each in changes if each.entity_id == invited["id"]]
        assert [sorted(each.after or {}) for each in about_lan[1:]] == [
            ["code_digest", "code_expires_at", "password_hash", "status"],
            ["code_digest", "code_expires_at", "password_hash"],
        ]
