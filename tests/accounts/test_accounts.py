"""Accounts."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from httpx2 import Response
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.identity.clients import ClientSecret
from app.models.kernel.access import Grant, Role
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.models.kernel.idempotency import IdempotentAnswer
from app.models.kernel.sessions import AuthSession, RevokedReason
from app.models.kernel.units import Unit
from app.security.secret_texts import canonical_code, digest
from tests.accounts.accounts import (
    Ids,
    account,
    count,
    exceeds,
    forbidden,
    grants_of,
    id_of,
    person,
    pointers,
    refusal,
    secrets_of,
    signed_in,
)
from tests.helpers.client import Api, as_written, writing
from tests.helpers.programs import ABOUT
from tests.helpers.serving import given


def at_once(app: FastAPI, signed: Api, calls: list[Callable[[Api], Response]]) -> list[Response]:
    """The answers to requests that start in the same instant."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[Api], Response]) -> Response:
        mine = Api(app, signed.headers)
        start.wait()
        return call(mine)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


class TestCreateAccount:
    def test_invites_a_person(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        grant = {"unit_id": unit_id["phuongvi-2"], "role": "branch_head"}
        body = person(unit_id["phuongvi-2"], " Lan.Nguyen@PhuongVi ", grants=[grant])
        response = officer.post("/v1/accounts", json=body)
        made = response.json()
        assert response.status_code == 201
        assert response.headers["location"] == f"/v1/accounts/{made['id']}"
        assert response.headers["cache-control"] == "no-store"
        assert (made["username"], made["status"]) == ("lan.nguyen@phuongvi", "invited")
        assert (made["kind"], made["client_secret"]) == ("person", None)
        assert made["code"] == canonical_code(made["code"])
        stored = account(database, "lan.nguyen@phuongvi")
        assert stored.display_name == "Nguyễn Thị Lan"
        assert (stored.unit_id, stored.kind) == (unit_id["phuongvi-2"], AccountKind.person)
        assert stored.password_hash is None
        assert count(database, ClientSecret) == 0
        assert stored.code_digest == digest(made["code"])
        [held] = grants_of(database, stored.username)
        assert (held.role, held.unit_id) == (Role.branch_head, unit_id["phuongvi-2"])
        assert (held.valid_from, held.valid_to) == (local_today(), None)
        assert held.granted_by == id_of(database, "phuongvi")
        shown = officer.get(response.headers["location"]).json()
        assert shown == {name: made[name] for name in shown}
        assert shown.keys() & {"code", "client_secret"} == set()

    def test_registers_a_client(self, api: Api, database: Database, unit_id: Ids) -> None:
        body = person(unit_id["phuongvi"], "may-xa", **ABOUT)
        made = api.as_("phuongvi").post("/v1/accounts", json=body).json()
        assert (made["kind"], made["status"], made["code"]) == ("client", "active", None)
        assert made["code_expires_at"] is None
        stored = account(database, "may-xa")
        [secret] = secrets_of(database, stored.id)
        assert secret.digest == digest(made["client_secret"])
        assert (stored.password_hash, stored.code_digest) == (None, None)

    def test_it_is_in_the_change_log(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        grant = {"unit_id": unit_id["phuongvi"], "role": "auditor"}
        made = officer.post("/v1/accounts", json=person(unit_id["phuongvi"], grants=[grant])).json()
        listed = officer.get(f"/v1/changes?kinds=account&entity_id={made['id']}").json()["items"]
        [created] = listed
        assert created["operation"] == "created"
        assert created["account_id"] == str(id_of(database, "phuongvi"))
        assert created["after"]["username"] == "lan"
        assert created["after"]["code_digest"] == "set"
        granted = officer.get(f"/v1/changes?kinds=grant&entity_id={made['grants'][0]['id']}").json()
        assert granted["items"][0]["after"]["role"] == "auditor"

    def test_a_name_taken(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        before = count(database, Account)
        # Of another commune even: names are one space for all.
        for name in ("phuongvi-1", "TienLuong", " phutho "):
            response = officer.post("/v1/accounts", json=person(unit_id["phuongvi"], name))
            told = refusal(response, 409, "username_taken")
            assert name.strip().lower() in told["detail"]
        assert count(database, Account) == before

    @pytest.mark.race
    def test_of_two_at_once_one_gets_the_name(
        self, app: FastAPI, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("phuongvi")
        body = person(unit_id["phuongvi"])

        def post(mine: Api) -> Response:
            return mine.post("/v1/accounts", json=body)

        answers = at_once(app, officer, [post, post])
        made, refused = sorted(answers, key=lambda answer: answer.status_code)
        assert made.json()["username"] == "lan"
        refusal(refused, 409, "username_taken")
        assert account(database, "lan").id == UUID(made.json()["id"])

    @pytest.mark.race
    def test_of_two_at_once_one_gets_the_id(
        self, app: FastAPI, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, chosen, before = api.as_("phuongvi"), str(uuid4()), count(database, Account)

        def post(name: str) -> Callable[[Api], Response]:
            body = person(unit_id["phuongvi"], name, id=chosen)
            return lambda mine: mine.post("/v1/accounts", json=body)

        answers = at_once(app, officer, [post("lan"), post("mai")])
        made, refused = sorted(answers, key=lambda answer: answer.status_code)
        assert made.json()["id"] == chosen
        refusal(refused, 409, "id_taken")
        assert count(database, Account) == before + 1

    @pytest.mark.race
    def test_the_same_creation_twice_at_once_is_one_account(
        self, app: FastAPI, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, before = api.as_("phuongvi"), count(database, Account)
        grant = {"unit_id": unit_id["phuongvi"], "role": "auditor"}
        body = person(unit_id["phuongvi"], id=str(uuid4()), grants=[grant])

        def post(mine: Api) -> Response:
            return mine.post("/v1/accounts", json=body)

        again, first = sorted(
            at_once(app, officer, [post, post]), key=lambda answer: answer.status_code
        )
        assert (again.status_code, first.status_code) == (200, 201)
        assert again.json() == first.json() | {"code": None, "code_expires_at": None}
        assert account(database, "lan").code_digest == digest(first.json()["code"])
        assert (count(database, Account), len(grants_of(database, "lan"))) == (before + 1, 1)

    def test_the_same_id_and_content_again_is_no_second_account(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, chosen = api.as_("phuongvi"), str(uuid4())
        grant = {"unit_id": unit_id["phuongvi"], "role": "auditor"}
        body = person(unit_id["phuongvi"], id=chosen, grants=[grant])
        first = officer.post("/v1/accounts", json=body)
        stored = account(database, "lan")
        again = officer.post("/v1/accounts", json=body)
        assert (first.status_code, again.status_code) == (201, 200)
        nothing_shown = {"code": None, "code_expires_at": None}
        assert again.json() == first.json() | nothing_shown
        assert account(database, "lan") == stored
        assert len(grants_of(database, "lan")) == 1
        for other in (
            body | {"display_name": "Lê Thị Lan"},
            body | {"username": "lan2"},
            body | {"kind": "client"},
            body | {"grants": []},
            body | {"grants": [grant, grant]},
            body | {"grants": [grant | {"role": "member"}]},
        ):
            refusal(officer.post("/v1/accounts", json=other), 409, "id_taken")
        assert account(database, "lan") == stored

    def test_the_id_of_an_account_out_of_sight_tells_nothing_of_it(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        hidden = account(database, "tienluong")
        body = person(unit_id["phuongvi"], "tienluong", id=str(hidden.id))
        told = refusal(api.as_("phuongvi").post("/v1/accounts", json=body), 409, "id_taken")
        assert hidden.display_name not in str(told)
        assert account(database, "tienluong") == hidden

    def test_a_unit_out_of_sight_or_none_at_all(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("phuongvi")
        before = count(database, Account)
        for unit in (unit_id["tienluong"], unit_id["tienluong-1"], unit_id["camkhe"], 99_999):
            response = officer.post("/v1/accounts", json=person(unit))
            assert pointers(response) == [("/unit_id", "unit_unknown")]
        assert count(database, Account) == before

    def test_forbidden_without_the_right(self, api: Api, database: Database, unit_id: Ids) -> None:
        before = count(database, Account)
        own = {"phuongvi-1": unit_id["phuongvi-1"], "auditor": unit_id["phuongvi"]}
        for name, unit in own.items():
            response = api.as_(name).post("/v1/accounts", json=person(unit))
            forbidden(response, "accounts:write")
            assert "phuongvi" not in response.json()["detail"]
            nearest = response.json()["units"][0]["unit"]
            assert nearest["id"] == unit_id["phuongvi"]
        response = api.as_("member").post("/v1/accounts", json=person(unit_id["phuongvi-1"]))
        forbidden(response, "units:read")
        assert count(database, Account) == before

    def test_a_closed_unit(self, api: Api, database: Database, unit_id: Ids) -> None:
        yesterday = local_today() - timedelta(days=1)
        with writing(database) as session:
            session.execute(
                sa.update(Unit)
                .where(col(Unit.id) == unit_id["phuongvi-4"])
                .values(closed_on=yesterday)
            )
        response = api.as_("phuongvi").post("/v1/accounts", json=person(unit_id["phuongvi-4"]))
        told = refusal(response, 409, "unit_closed")
        assert as_written(yesterday) in told["detail"]

    def test_a_grant_refused_leaves_no_account(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        accounts, grants = count(database, Account), count(database, Grant)
        good = {"unit_id": unit_id["phuongvi"], "role": "auditor"}
        bad = {"unit_id": unit_id["tienluong"], "role": "auditor"}
        response = api.as_("phuongvi").post(
            "/v1/accounts", json=person(unit_id["phuongvi"], grants=[good, bad])
        )
        assert pointers(response) == [("/grants/1/unit_id", "unit_unknown")]
        assert (count(database, Account), count(database, Grant)) == (accounts, grants)

    def test_nothing_else_can_be_assigned(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        before = count(database, Account)
        for name, value in (
            ("status", "active"),
            ("password_hash", "x"),
            ("password", "mật khẩu của tôi"),
            ("code", "7KQM-2XPD-94TN-BHRW"),
            ("revision", 9),
            ("rights", ["members:read"]),
            ("created_at", "2020-01-01T00:00:00Z"),
        ):
            body = person(unit_id["phuongvi"]) | {name: value}
            assert pointers(officer.post("/v1/accounts", json=body)) == [
                (f"/{name}", "unknown_field")
            ]
        grant = {"unit_id": unit_id["phuongvi"], "role": "auditor", "granted_by": str(uuid4())}
        response = officer.post("/v1/accounts", json=person(unit_id["phuongvi"], grants=[grant]))
        assert pointers(response) == [("/grants/0/granted_by", "unknown_field")]
        assert count(database, Account) == before

    def test_fields_wrong(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        before = count(database, Account)
        unit = unit_id["phuongvi"]
        grant = {"unit_id": unit, "role": "auditor"}
        for body, expected in (
            (person(unit, "ab"), ("/username", "too_short")),
            (person(unit, "a" * 65), ("/username", "too_long")),
            (person(unit, "lan nguyen"), ("/username", "wrong_format")),
            (person(unit, "-lan"), ("/username", "wrong_format")),
            (person(unit, "lân"), ("/username", "wrong_format")),
            (person(unit, "ｌａｎｌａｎ"), ("/username", "wrong_format")),
            (person(unit, "lan\u200bnguyen"), ("/username", "wrong_format")),
            (person(unit, "cam\u212ahe"), ("/username", "wrong_format")),  # Kelvin sign
            (person(unit, "lan\nnguyen"), ("/username", "wrong_format")),
            (person(unit, display_name="  "), ("/display_name", "too_short")),
            (person(unit, display_name="L" * 121), ("/display_name", "too_long")),
            (person(unit, display_name="Lan\x07"), ("/display_name", "control_character")),
            (person(unit, kind="robot"), ("/kind", "not_in_list")),
            (person(unit, id="1"), ("/id", "id_invalid")),
            (person(0), ("/unit_id", "too_small")),
            (person(2**31), ("/unit_id", "too_large")),
            (person(unit, grants=[grant] * 21), ("/grants", "too_long")),
            (person(unit, grants=[grant | {"role": "root"}]), ("/grants/0/role", "not_in_list")),
            (
                person(unit, grants=[grant | {"valid_from": "2026-02-30"}]),
                ("/grants/0/valid_from", "date_invalid"),
            ),
        ):
            assert pointers(officer.post("/v1/accounts", json=body)) == [expected], body
        assert count(database, Account) == before


class TestSecretsAndReplays:
    def kept(self, database: Database) -> str:
        with writing(database) as session:
            answers = session.exec(select(IdempotentAnswer)).all()
        return " ".join(f"{answer.body.decode()} {answer.headers}" for answer in answers)

    @pytest.mark.parametrize(("kind", "secret"), [("person", "code"), ("client", "client_secret")])
    def test_a_replay_shows_no_secret_and_none_is_stored(
        self, api: Api, database: Database, unit_id: Ids, kind: str, secret: str
    ) -> None:
        officer = api.as_("phuongvi")
        about = ABOUT if kind == "client" else {}
        body, key = person(unit_id["phuongvi"], **about), {"idempotency-key": "moi-lan"}
        first = officer.post("/v1/accounts", json=body, headers=key)
        again = officer.post("/v1/accounts", json=body, headers=key)
        assert again.status_code == 201
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["location"] == first.headers["location"]
        assert again.headers["cache-control"] == "no-store"
        assert first.json()[secret]
        assert again.json() == first.json() | {secret: None}
        assert first.json()[secret] not in self.kept(database)

        path, key = f"/v1/accounts/{first.json()['id']}/reset", {"idempotency-key": "cap-lai"}
        reset = officer.post(path, headers=key)
        replayed = officer.post(path, headers=key)
        assert reset.json()[secret] != first.json()[secret]
        assert replayed.json() == reset.json() | {secret: None}
        assert reset.json()[secret] not in self.kept(database)
        stored = account(database, "lan")
        good = [each.digest for each in secrets_of(database, stored.id) if not each.revoked_at]
        assert digest(reset.json()[secret]) in (stored.code_digest, *good)

    def test_a_key_is_of_one_account_and_one_body(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, key = api.as_("phuongvi"), {"idempotency-key": "moi-lan"}
        body = person(unit_id["phuongvi"])
        officer.post("/v1/accounts", json=body, headers=key)
        other = officer.post("/v1/accounts", json=body | {"username": "mai"}, headers=key)
        refusal(other, 422, "idempotency_key_reused")
        above = api.as_("camkhe").post("/v1/accounts", json=body, headers=key)
        refusal(above, 409, "username_taken")

    def test_the_kept_print_of_a_request_cannot_be_searched(
        self, api: Api, app: FastAPI, database: Database, unit_id: Ids
    ) -> None:
        officer, key = api.as_("phuongvi"), {"idempotency-key": "moi-lan"}
        officer.post("/v1/accounts", json=person(unit_id["phuongvi"]), headers=key)
        with writing(database) as session:
            first = session.exec(select(IdempotentAnswer.request_digest)).one()
            session.execute(sa.delete(IdempotentAnswer))
            session.execute(sa.delete(Account).where(col(Account.username) == "lan"))
        with given(app, idempotency_key=b"the secret of another server"):
            again = officer.post("/v1/accounts", json=person(unit_id["phuongvi"]), headers=key)
        assert again.json()["username"] == "lan"
        with writing(database) as session:
            assert session.exec(select(IdempotentAnswer.request_digest)).one() != first


class TestUpdateAccount:
    def test_changes_the_name_shown(self, api: Api, database: Database) -> None:
        before = account(database, "phuongvi-1")
        officer = api.as_("phuongvi")
        path = f"/v1/accounts/{before.id}"
        response = officer.patch(path, json={"display_name": " Trần Thị Mai "})
        body = response.json()
        assert (body["display_name"], body["revision"]) == ("Trần Thị Mai", before.revision + 1)
        after = account(database, "phuongvi-1")
        assert after.display_name == "Trần Thị Mai"
        assert after.password_hash == before.password_hash
        assert (after.username, after.unit_id) == (before.username, before.unit_id)
        stale = officer.patch(
            path, json={"display_name": "Khác"}, headers={"if-match": f'"{before.revision}"'}
        )
        assert str(after.revision) in refusal(stale, 412, "stale_revision")["detail"]
        fresh = officer.patch(
            path, json={"display_name": "Khác"}, headers={"if-match": response.headers["etag"]}
        )
        assert fresh.json()["display_name"] == "Khác"

    def test_nothing_else_can_be_assigned(self, api: Api, database: Database) -> None:
        before = account(database, "phuongvi-1")
        officer = api.as_("phuongvi")
        for name, value in (
            ("username", "mai"),
            ("status", "disabled"),
            ("unit_id", before.unit_id),
            ("password_hash", "x"),
            ("grants", []),
            ("kind", "client"),
        ):
            response = officer.patch(f"/v1/accounts/{before.id}", json={name: value})
            assert pointers(response) == [(f"/{name}", "unknown_field")]
        response = officer.patch(f"/v1/accounts/{before.id}", json={"display_name": None})
        assert [pointer for pointer, _ in pointers(response)] == ["/display_name"]
        nothing = officer.patch(f"/v1/accounts/{before.id}", json={})
        assert nothing.json()["revision"] == before.revision
        assert account(database, "phuongvi-1") == before

    def test_who_may_not(self, api: Api, database: Database) -> None:
        before = account(database, "phuongvi-1")
        path, body = f"/v1/accounts/{before.id}", {"display_name": "Trần Thị Mai"}
        refusal(api.as_("tienluong").patch(path, json=body), 404, "not_found")
        forbidden(api.as_("auditor").patch(path, json=body), "accounts:write")
        forbidden(api.as_("phuongvi-1").patch(path, json=body), "accounts:read")
        assert account(database, "phuongvi-1") == before


class TestDisableAndEnable:
    def test_a_disabled_account_is_out_at_once(self, api: Api, database: Database) -> None:
        pair = signed_in(api, "phuongvi-1").json()
        head = Api(api.app, {"authorization": f"Bearer {pair['access_token']}"})
        target = id_of(database, "phuongvi-1")
        officer = api.as_("phuongvi")
        assert officer.post(f"/v1/accounts/{target}/disable").json()["status"] == "disabled"
        refusal(head.get("/v1/me"), 401, "invalid_token")
        refusal(signed_in(api, "phuongvi-1"), 401, "bad_credentials")
        sent = {"grant_type": "refresh_token", "refresh_token": pair["refresh_token"]}
        refusal(api.post("/v1/auth/token", data=sent), 401, "refresh_refused")
        with writing(database) as session:
            ended = session.exec(
                select(AuthSession).where(col(AuthSession.account_id) == target)
            ).one()
        assert ended.revoked_reason is RevokedReason.account_disabled

        again = officer.post(f"/v1/accounts/{target}/disable")
        assert again.json()["status"] == "disabled"
        told = refusal(officer.post(f"/v1/accounts/{target}/reset"), 409, "account_state")
        assert told["detail"].endswith("trạng thái đã khoá.")

        assert officer.post(f"/v1/accounts/{target}/enable").json()["status"] == "active"
        refusal(head.get("/v1/me"), 401, "invalid_token")
        refusal(api.post("/v1/auth/token", data=sent), 401, "refresh_refused")
        assert signed_in(api, "phuongvi-1").json()["scope"]
        told = refusal(officer.post(f"/v1/accounts/{target}/enable"), 409, "account_state")
        assert told["detail"].endswith("trạng thái đang hoạt động.")

    def test_an_invitation_does_not_survive(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("phuongvi")
        made = officer.post("/v1/accounts", json=person(unit_id["phuongvi"])).json()
        officer.post(f"/v1/accounts/{made['id']}/disable")
        enabled = officer.post(f"/v1/accounts/{made['id']}/enable").json()
        assert enabled["status"] == "invited"
        refusal(signed_in(api, "lan", made["code"]), 401, "bad_credentials")
        assert account(database, "lan").code_digest is None

    def test_nobody_disables_herself(self, api: Api, database: Database) -> None:
        for name in ("phuongvi", "admin"):
            mine = api.as_(name)
            response = mine.post(f"/v1/accounts/{id_of(database, name)}/disable")
            refusal(response, 409, "own_account")
            assert mine.get("/v1/me").json()["username"] == name
            assert account(database, name).status is AccountStatus.active

    def test_the_admin_takes_away_and_cannot_give_back(self, api: Api, database: Database) -> None:
        admin = api.as_("admin")
        for name in ("phutho", "phuongvi-1", "auditor"):
            path = f"/v1/accounts/{id_of(database, name)}"
            assert admin.post(f"{path}/disable").json()["status"] == "disabled"
            assert exceeds(admin.post(f"{path}/enable")) == "appointments:read"
            assert account(database, name).status is AccountStatus.disabled
            refusal(signed_in(api, name), 401, "bad_credentials")

    def test_who_may_not(self, api: Api, database: Database) -> None:
        target = id_of(database, "phuongvi-1")
        for act in ("disable", "enable", "reset"):
            path = f"/v1/accounts/{target}/{act}"
            refusal(api.as_("tienluong").post(path), 404, "not_found")
            forbidden(api.as_("auditor").post(path), "accounts:write")
            forbidden(api.as_("phuongvi-2").post(path), "accounts:read")
            above = f"/v1/accounts/{id_of(database, 'camkhe')}/{act}"
            refusal(api.as_("phuongvi").post(above), 404, "not_found")
            refusal(api.as_("phuongvi").post(f"/v1/accounts/{uuid4()}/{act}"), 404, "not_found")
        assert account(database, "phuongvi-1").status is AccountStatus.active
        assert account(database, "camkhe").status is AccountStatus.active


class TestReset:
    def test_an_officer_above_gives_a_new_code(self, api: Api, database: Database) -> None:
        head = api.as_("phuongvi-1")
        target = id_of(database, "phuongvi-1")
        response = api.as_("camkhe").post(f"/v1/accounts/{target}/reset")
        body = response.json()
        assert response.headers["cache-control"] == "no-store"
        assert body["client_secret"] is None
        refusal(head.get("/v1/me"), 401, "invalid_token")
        refusal(signed_in(api, "phuongvi-1"), 401, "bad_credentials")
        assert signed_in(api, "phuongvi-1", body["code"]).json()["scope"] == ""
        stored = account(database, "phuongvi-1")
        assert (stored.password_hash, stored.code_digest) == (None, digest(body["code"]))
        assert len(grants_of(database, "phuongvi-1")) == 1

    def test_the_admin_resets_no_one_who_sees_members_but_may_disable_her(
        self, api: Api, database: Database
    ) -> None:
        admin = api.as_("admin")
        for name in ("phutho", "camkhe", "phuongvi", "phuongvi-1", "auditor"):
            before = account(database, name)
            right = exceeds(admin.post(f"/v1/accounts/{before.id}/reset"))
            assert right == "appointments:read"
            assert account(database, name) == before
        assert signed_in(api, "phuongvi").json()["scope"]
        target = id_of(database, "phuongvi")
        assert admin.post(f"/v1/accounts/{target}/disable").json()["status"] == "disabled"

    def test_nor_one_who_will_see_members_tomorrow(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        tomorrow = (local_today() + timedelta(days=1)).isoformat()
        grant = {"unit_id": unit_id["phuongvi"], "role": "auditor", "valid_from": tomorrow}
        made = api.as_("phuongvi").post(
            "/v1/accounts", json=person(unit_id["phuongvi"], grants=[grant])
        )
        response = api.as_("admin").post(f"/v1/accounts/{made.json()['id']}/reset")
        assert exceeds(response) == "appointments:read"

    def test_an_officer_resets_no_one_who_holds_more(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        """Looked after by the commune, but with a role over the district."""
        grant = {"unit_id": unit_id["camkhe"], "role": "auditor"}
        body = person(unit_id["phuongvi"], grants=[grant])
        made = api.as_("camkhe").post("/v1/accounts", json=body).json()
        officer = api.as_("phuongvi")
        told = refusal(officer.post(f"/v1/accounts/{made['id']}/reset"), 403, "grant_exceeds_own")
        assert told["required_right"] == "accounts:read"
        # The grant itself is over a unit she does not see.
        ending = officer.delete(f"/v1/accounts/{made['id']}/grants/{made['grants'][0]['id']}")
        refusal(ending, 404, "not_found")
        assert len(grants_of(database, "lan")) == 1
