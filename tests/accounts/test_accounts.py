import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
import time_machine
from fastapi import FastAPI
from httpx2 import Response
from sqlmodel import col, func, select

from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Grant, Role
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.models.kernel.changes import Change, ChangeSource
from app.models.kernel.idempotency import IdempotentAnswer
from app.models.kernel.sessions import AuthSession, RevokedReason
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.security import canonical_code, digest
from app.services.kernel import changes
from app.services.kernel.changes import Origin
from tests.helpers.client import PASSWORD, Api, as_written, writing
from tests.helpers.reading import Reading
from tests.helpers.serving import given

Ids = dict[str, int]


def refusal(response: Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    return body


def pointers(response: Response) -> list[tuple[str, str]]:
    body = refusal(response, 422, "validation_failed")
    return [(error["pointer"], error["code"]) for error in body["errors"]]


def forbidden(response: Response, right: str) -> None:
    assert refusal(response, 403, "forbidden")["required_right"] == right


def exceeds(response: Response) -> str:
    """The right that she who grants does not hold herself."""
    right: str = refusal(response, 403, "grant_exceeds_own")["required_right"]
    return right


def account(database: Database, username: str) -> Account:
    with writing(database) as session:
        return session.exec(select(Account).where(col(Account.username) == username)).one()


def id_of(database: Database, username: str) -> UUID:
    return account(database, username).id


def count(database: Database, model: type[Any]) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(model)).one()


def grants_of(database: Database, username: str) -> list[Grant]:
    owner = id_of(database, username)
    with writing(database) as session:
        held = select(Grant).where(col(Grant.account_id) == owner).order_by(col(Grant.id))
        return list(session.exec(held).all())


def person(unit: int, username: str = "lan", **more: object) -> dict[str, Any]:
    body = {"username": username, "display_name": "Nguyễn Thị Lan", "unit_id": unit}
    return body | more


def signed_in(api: Api, username: str, password: str = PASSWORD) -> Response:
    sent = {"grant_type": "password", "username": username, "password": password}
    return api.post("/v1/auth/token", data=sent)


def at_once(app: FastAPI, signed: Api, calls: list[Callable[[Api], Response]]) -> list[Response]:
    """The answers to requests that start in the same instant."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[Api], Response]) -> Response:
        mine = Api(app, signed.headers)
        start.wait()
        return call(mine)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


class TestRequiresLogin(Reading):
    def test_every_endpoint(self, api: Api) -> None:
        one = f"/v1/accounts/{uuid4()}"
        for method, path in (
            ("GET", "/v1/accounts"),
            ("POST", "/v1/accounts"),
            ("GET", one),
            ("PATCH", one),
            ("POST", f"{one}/disable"),
            ("POST", f"{one}/enable"),
            ("POST", f"{one}/reset"),
            ("POST", f"{one}/grants"),
            ("DELETE", f"{one}/grants/{uuid4()}"),
        ):
            response = api.request(method, path)
            refusal(response, 401, "not_authenticated")
            assert response.headers["www-authenticate"].startswith("Bearer ")


class TestListAccounts(Reading):
    def names(self, api: Api, query: str = "") -> list[str]:
        items = api.get(f"/v1/accounts?limit=200{query}").json()["items"]
        return [item["username"] for item in items]

    def test_each_officer_sees_the_accounts_of_her_units(self, api: Api) -> None:
        phuongvi = ["member", "phuongvi", *(f"phuongvi-{n}" for n in range(1, 5))]
        tienluong = ["tienluong", *(f"tienluong-{n}" for n in range(1, 5))]
        district = sorted(["camkhe", *phuongvi, *tienluong])
        province = sorted(["admin", "auditor", "phutho", *district])
        assert self.names(api.as_("phuongvi")) == sorted(phuongvi)
        assert self.names(api.as_("tienluong")) == sorted(tienluong)
        assert self.names(api.as_("camkhe")) == district
        for name in ("phutho", "admin", "auditor"):
            assert self.names(api.as_(name)) == province

    def test_forbidden_for_a_branch_head_and_a_member(self, api: Api) -> None:
        forbidden(api.as_("phuongvi-1").get("/v1/accounts"), "accounts:read")
        forbidden(api.as_("member").get("/v1/accounts"), "accounts:read")

    def test_shows_the_grants_and_no_secret(self, api: Api, unit_id: Ids) -> None:
        items = api.as_("phuongvi").get("/v1/accounts?q=phuongvi-1").json()["items"]
        [item] = items
        assert item.keys() == {
            "id",
            "kind",
            "username",
            "display_name",
            "status",
            "unit",
            "member_id",
            "grants",
            "revision",
        }
        [grant] = item["grants"]
        assert (grant["role"], grant["unit"]["id"]) == ("branch_head", unit_id["phuongvi-1"])
        assert (item["kind"], item["status"]) == ("person", "active")

    def test_filters(self, api: Api, unit_id: Ids) -> None:
        officer = api.as_("camkhe")
        commune = f"&unit={unit_id['tienluong']}"
        assert self.names(officer, f"&unit={unit_id['tienluong-2']}") == ["tienluong-2"]
        assert self.names(officer, commune) == ["tienluong", *self.names(officer, "&q=tienluong-")]
        assert self.names(officer, "&q=VI-3") == ["phuongvi-3"]
        assert self.names(officer, "&q=%25") == []
        assert self.names(officer, "&q=_") == []
        assert self.names(officer, "&kind=client") == []
        assert self.names(officer, "&status=disabled") == []
        assert self.names(officer, "&kind=person&status=active") == self.names(officer)

    def test_a_filter_by_a_unit_out_of_sight_is_like_one_by_none(
        self, api: Api, unit_id: Ids
    ) -> None:
        officer = api.as_("phuongvi")
        for unit in (unit_id["tienluong"], unit_id["phutho"], 999_999):
            answer = officer.get(f"/v1/accounts?unit={unit}")
            assert pointers(answer) == [("/unit", "unit_unknown")]
        assert self.names(officer, f"&unit={unit_id['phuongvi']}") == self.names(officer)
        everyone = api.as_("phutho")
        assert self.names(everyone, f"&unit={unit_id['tienluong-2']}") == ["tienluong-2"]

    def test_pages_hold_everyone_once(self, api: Api) -> None:
        officer = api.as_("phutho")
        seen: list[str] = []
        path: str | None = "/v1/accounts?limit=4"
        while path:
            page = officer.get(path)
            body = page.json()
            assert len(body["items"]) <= 4
            seen += [item["username"] for item in body["items"]]
            cursor = body["next_cursor"]
            path = f"/v1/accounts?limit=4&cursor={cursor}" if cursor else None
            assert ("link" in page.headers) == (cursor is not None)
        assert seen == self.names(officer)

    def test_parameters_wrong(self, api: Api) -> None:
        officer = api.as_("phuongvi")
        for query, expected in (
            ("limit=0", ("/limit", "too_small")),
            ("limit=201", ("/limit", "too_large")),
            ("unit=0", ("/unit", "too_small")),
            ("unit=2147483648", ("/unit", "too_large")),
            ("status=gone", ("/status", "not_in_list")),
            ("kind=robot", ("/kind", "not_in_list")),
            ("q=" + "x" * 65, ("/q", "too_long")),
            ("cursor=abc", ("/cursor", "cursor_invalid")),
            ("sort=username", ("/sort", "unknown_field")),
            ("fields=password_hash", ("/fields", "not_in_list")),
        ):
            assert pointers(officer.get(f"/v1/accounts?{query}")) == [expected]

    def test_the_whole_list_as_csv_has_no_secret_either(self, api: Api) -> None:
        response = api.as_("phuongvi").get("/v1/accounts", headers={"accept": "text/csv"})
        lines = response.text.removeprefix("\ufeff").splitlines()
        assert lines[0] == "id,kind,username,display_name,status,unit,member_id,grants,revision"
        assert len(lines) == 7
        assert "argon2" not in response.text


class TestGetAccount(Reading):
    def test_one_in_scope(self, api: Api, database: Database, unit_id: Ids) -> None:
        target = id_of(database, "phuongvi-1")
        for name in ("phuongvi", "camkhe", "phutho", "admin", "auditor"):
            body = api.as_(name).get(f"/v1/accounts/{target}").json()
            assert (body["id"], body["username"]) == (str(target), "phuongvi-1")
            assert body["unit"]["id"] == unit_id["phuongvi-1"]

    def test_one_of_another_commune_or_above_is_404(self, api: Api, database: Database) -> None:
        officer = api.as_("phuongvi")
        for name in ("tienluong", "tienluong-1", "camkhe", "phutho", "admin"):
            refusal(officer.get(f"/v1/accounts/{id_of(database, name)}"), 404, "not_found")
        refusal(officer.get(f"/v1/accounts/{uuid4()}"), 404, "not_found")
        assert pointers(officer.get("/v1/accounts/phuongvi")) == [("/account_id", "id_invalid")]

    def test_a_branch_head_sees_no_account_not_even_her_own(
        self, api: Api, database: Database
    ) -> None:
        head = api.as_("phuongvi-1")
        for name in ("phuongvi-1", "member", "tienluong"):
            forbidden(head.get(f"/v1/accounts/{id_of(database, name)}"), "accounts:read")
        forbidden(head.get(f"/v1/accounts/{uuid4()}"), "accounts:read")

    def test_the_tag_answers_304(self, api: Api, database: Database) -> None:
        officer = api.as_("phuongvi")
        path = f"/v1/accounts/{id_of(database, 'phuongvi-1')}"
        tag = officer.get(path).headers["etag"]
        again = officer.get(path, headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")


class TestWhatIsShown:
    def test_a_closed_branch_still_is_of_its_commune(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("phuongvi")
        branch = officer.post(
            "/v1/units",
            json={
                "level": "branch",
                "name": "Chi hội 9",
                "parent_id": unit_id["phuongvi"],
                "opened_on": "2020-01-01",
            },
        ).json()
        officer.post("/v1/accounts", json=person(branch["id"]))
        closing = {"closed_on": local_today().isoformat(), "successor_ids": []}
        closed = officer.post(f"/v1/units/{branch['id']}/close", json=closing)
        assert closed.status_code == 200

        def found(unit: int) -> list[str]:
            items = api.as_("phutho").get(f"/v1/accounts?q=lan&unit={unit}").json()["items"]
            return [item["username"] for item in items]

        for unit in ("phuongvi", "camkhe", "phutho"):
            assert found(unit_id[unit]) == ["lan"]
        assert found(branch["id"]) == ["lan"]
        assert found(unit_id["phuongvi-1"]) == []

    def test_a_role_over_a_unit_out_of_sight_is_not_shown(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        target, above = id_of(database, "phuongvi-1"), api.as_("camkhe")
        given = above.post(
            f"/v1/accounts/{target}/grants",
            json={"unit_id": unit_id["tienluong-2"], "role": "branch_head"},
        ).json()
        both = [unit_id["phuongvi-1"], unit_id["tienluong-2"]]

        def shown(body: dict[str, Any]) -> list[int]:
            return [grant["unit"]["id"] for grant in body["grants"]]

        officer, path = api.as_("phuongvi"), f"/v1/accounts/{target}"
        assert shown(given) == both
        assert shown(officer.get(path).json()) == both[:1]
        assert shown(officer.get("/v1/accounts?q=phuongvi-1").json()["items"][0]) == both[:1]
        assert shown(officer.patch(path, json={"display_name": "Mai"}).json()) == both[:1]
        assert shown(officer.post(f"{path}/disable").json()) == both[:1]
        # She holds less than the account does, so she cannot give it back.
        assert exceeds(officer.post(f"{path}/enable")) == "appointments:read"
        assert shown(above.post(f"{path}/enable").json()) == both
        assert shown(api.as_("phuongvi-1").get("/v1/me").json()) == both


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
        assert (stored.password_hash, stored.secret_digest) == (None, None)
        assert stored.code_digest == digest(made["code"])
        [held] = grants_of(database, stored.username)
        assert (held.role, held.unit_id) == (Role.branch_head, unit_id["phuongvi-2"])
        assert (held.valid_from, held.valid_to) == (local_today(), None)
        assert held.granted_by == id_of(database, "phuongvi")
        shown = officer.get(response.headers["location"]).json()
        assert shown == {name: made[name] for name in shown}
        assert shown.keys() & {"code", "client_secret"} == set()

    def test_registers_a_client(self, api: Api, database: Database, unit_id: Ids) -> None:
        body = person(unit_id["phuongvi"], "may-xa", kind="client")
        made = api.as_("phuongvi").post("/v1/accounts", json=body).json()
        assert (made["kind"], made["status"], made["code"]) == ("client", "active", None)
        assert made["code_expires_at"] is None
        stored = account(database, "may-xa")
        assert stored.secret_digest == digest(made["client_secret"])
        assert (stored.password_hash, stored.code_digest) == (None, None)

    def test_it_is_in_the_change_log(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        grant = {"unit_id": unit_id["phuongvi"], "role": "auditor"}
        made = officer.post("/v1/accounts", json=person(unit_id["phuongvi"], grants=[grant])).json()
        listed = officer.get(f"/v1/changes?entity=account&id={made['id']}").json()["items"]
        [created] = listed
        assert created["operation"] == "created"
        assert created["account_id"] == str(id_of(database, "phuongvi"))
        assert created["after"]["username"] == "lan"
        assert created["after"]["code_digest"] == "set"
        granted = officer.get(f"/v1/changes?entity=grant&id={made['grants'][0]['id']}").json()
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
        assert pointers(response) == [("/unit_id", "unit_unknown")]
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
            ("secret_digest", "x"),
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
        body, key = person(unit_id["phuongvi"], kind=kind), {"idempotency-key": "moi-lan"}
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
        assert digest(reset.json()[secret]) in (stored.code_digest, stored.secret_digest)

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


class TestAddGrant:
    def add(self, api: Api, database: Database, username: str, **body: object) -> Response:
        target = id_of(database, username)
        return api.post(f"/v1/accounts/{target}/grants", json=body)

    def test_gives_access_at_once(
        self, api: Api, app: FastAPI, database: Database, unit_id: Ids
    ) -> None:
        head = api.as_("phuongvi-1")
        hidden = f"/v1/units/{unit_id['phuongvi-2']}"
        refusal(head.get(hidden), 404, "not_found")
        before = grants_of(database, "phuongvi-1")
        officer = api.as_("phuongvi")
        tag = officer.get(f"/v1/accounts/{id_of(database, 'phuongvi-1')}").headers["etag"]
        response = self.add(
            officer, database, "phuongvi-1", unit_id=unit_id["phuongvi-2"], role="branch_head"
        )
        assert response.status_code == 201
        assert [grant["unit"]["id"] for grant in response.json()["grants"]] == [
            unit_id["phuongvi-1"],
            unit_id["phuongvi-2"],
        ]
        assert head.get(hidden).json()["id"] == unit_id["phuongvi-2"]
        after = grants_of(database, "phuongvi-1")
        assert after[:-1] == before
        assert after[-1].granted_by == id_of(database, "phuongvi")
        # The account's own row did not change; what is shown of it did.
        fresh = officer.get(
            f"/v1/accounts/{id_of(database, 'phuongvi-1')}", headers={"if-none-match": tag}
        )
        assert len(fresh.json()["grants"]) == 2

    def test_no_one_grants_more_than_she_has(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        before = count(database, Grant)
        admin = api.as_("admin")
        for role, unit in (
            ("province_officer", "phutho"),
            ("district_officer", "camkhe"),
            ("commune_officer", "phuongvi"),
            ("branch_head", "phuongvi-1"),
            ("auditor", "phuongvi"),
            ("integration_reader", "phutho"),
            ("integration_writer", "phuongvi"),
        ):
            response = self.add(admin, database, "member", unit_id=unit_id[unit], role=role)
            assert exceeds(response) == "appointments:read", role
        # To herself neither.
        own = self.add(admin, database, "admin", unit_id=unit_id["phutho"], role="auditor")
        assert exceeds(own) == "appointments:read"
        assert count(database, Grant) == before
        given = self.add(admin, database, "member", unit_id=unit_id["phuongvi"], role="admin")
        assert given.json()["grants"][-1]["role"] == "admin"

    def test_a_commune_officer_grants_in_her_commune_only(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        before = count(database, Grant)
        officer = api.as_("phuongvi")
        for role, unit in (
            ("province_officer", "phutho"),
            ("district_officer", "camkhe"),
            ("commune_officer", "tienluong"),
            ("branch_head", "tienluong-1"),
            ("auditor", "camkhe"),
            ("admin", "phutho"),
        ):
            response = self.add(officer, database, "phuongvi-1", unit_id=unit_id[unit], role=role)
            assert pointers(response) == [("/unit_id", "unit_unknown")]
        response = self.add(officer, database, "phuongvi-1", unit_id=10**6, role="auditor")
        assert pointers(response) == [("/unit_id", "unit_unknown")]
        assert count(database, Grant) == before

    def test_a_role_at_the_wrong_level(self, api: Api, database: Database, unit_id: Ids) -> None:
        before = count(database, Grant)
        officer = api.as_("phutho")
        for role, unit, level in (
            ("province_officer", "phuongvi", "tỉnh"),
            ("district_officer", "phutho", "huyện"),
            ("commune_officer", "phuongvi-1", "xã"),
            ("branch_head", "phuongvi", "chi hội"),
        ):
            response = self.add(officer, database, "phuongvi-1", unit_id=unit_id[unit], role=role)
            assert pointers(response) == [("/unit_id", "unit_level_wrong")]
            assert response.json()["errors"][0]["hint"] == f"Cần cấp {level}."
        assert count(database, Grant) == before

    def test_dates_reversed_and_a_single_day(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, today = api.as_("phuongvi"), local_today()
        body = {"unit_id": unit_id["phuongvi"], "role": "auditor"}
        yesterday = (today - timedelta(days=1)).isoformat()
        for dates in (
            {"valid_to": yesterday},
            {"valid_from": "2030-01-02", "valid_to": "2030-01-01"},
        ):
            response = self.add(officer, database, "phuongvi-1", **body, **dates)
            assert pointers(response) == [("/valid_to", "dates_reversed")]
        assert len(grants_of(database, "phuongvi-1")) == 1
        one_day = {"valid_from": today.isoformat(), "valid_to": today.isoformat()}
        response = self.add(officer, database, "phuongvi-1", **body, **one_day)
        assert response.json()["grants"][-1]["valid_to"] == today.isoformat()

    def test_a_closed_unit_takes_no_new_role(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        today = local_today()
        with writing(database) as session:
            session.execute(
                sa.update(Unit).where(col(Unit.id) == unit_id["phuongvi-4"]).values(closed_on=today)
            )
        officer = api.as_("phuongvi")
        body = {"unit_id": unit_id["phuongvi-4"], "role": "branch_head"}
        tomorrow = (today + timedelta(days=1)).isoformat()
        response = self.add(officer, database, "phuongvi-1", **body, valid_from=tomorrow)
        refusal(response, 409, "unit_closed")
        assert len(grants_of(database, "phuongvi-1")) == 1
        # Its last day is still a day of its own.
        response = self.add(officer, database, "phuongvi-1", **body)
        assert len(response.json()["grants"]) == 2

    def test_the_same_role_twice(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        before = grants_of(database, "phuongvi-1")
        body = {"unit_id": unit_id["phuongvi-1"], "role": "branch_head"}
        told = refusal(self.add(officer, database, "phuongvi-1", **body), 409, "grant_exists")
        assert "vai trò chi hội trưởng" in told["detail"]
        assert grants_of(database, "phuongvi-1") == before

    def test_a_role_over_a_group_shows_nothing_and_breaks_nothing(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("phuongvi")
        group = officer.post(
            "/v1/units",
            json={
                "level": "group",
                "group_kind": "team",
                "name": "Tổ 1",
                "parent_id": unit_id["phuongvi-1"],
                "opened_on": "2020-01-01",
            },
        ).json()
        given = self.add(officer, database, "member", unit_id=group["id"], role="auditor")
        assert given.json()["grants"][-1]["unit"]["level"] == "group"
        member = api.as_("member")
        assert member.get("/v1/members").json()["items"] == []
        assert member.get("/v1/units").json()["items"] == []
        refusal(member.get(f"/v1/units/{unit_id['phuongvi-1']}"), 404, "not_found")

    def test_it_holds_from_its_first_day_to_its_last(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        today = local_today()
        first, last = today + timedelta(days=2), today + timedelta(days=4)
        officer = api.as_("phuongvi")
        self.add(
            officer,
            database,
            "member",
            unit_id=unit_id["phuongvi-3"],
            role="branch_head",
            valid_from=first.isoformat(),
            valid_to=last.isoformat(),
        )
        shown = api.as_("phuongvi").get(f"/v1/accounts/{id_of(database, 'member')}").json()
        assert [grant["valid_from"] for grant in shown["grants"]][-1] == first.isoformat()
        path = f"/v1/units/{unit_id['phuongvi-3']}"

        def at(day: date, hour: int) -> Response:
            # Days are days in Vietnam: seven hours ahead of UTC.
            instant = datetime(day.year, day.month, day.day, hour, tzinfo=UTC) - timedelta(hours=7)
            with time_machine.travel(instant, tick=False):
                return api.as_("member").get(path)

        forbidden(at(first - timedelta(days=1), 23), "units:read")
        assert at(first, 0).json()["id"] == unit_id["phuongvi-3"]
        assert at(last, 23).json()["id"] == unit_id["phuongvi-3"]
        forbidden(at(last + timedelta(days=1), 0), "units:read")

    def test_one_wholly_in_the_past_has_no_effect(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        body = {"unit_id": unit_id["phuongvi"], "role": "auditor"}
        past = {"valid_from": "2020-01-01", "valid_to": "2020-12-31"}
        response = self.add(api.as_("phuongvi"), database, "member", **body, **past)
        assert [grant["role"] for grant in response.json()["grants"]] == ["member"]
        assert api.as_("member").get("/v1/me").json()["rights"] == []
        assert len(grants_of(database, "member")) == 2

    def test_who_may_not(self, api: Api, database: Database, unit_id: Ids) -> None:
        before = count(database, Grant)
        body = {"unit_id": unit_id["phuongvi-1"], "role": "member"}
        refusal(self.add(api.as_("tienluong"), database, "phuongvi-1", **body), 404, "not_found")
        forbidden(self.add(api.as_("auditor"), database, "phuongvi-1", **body), "accounts:write")
        forbidden(self.add(api.as_("phuongvi-1"), database, "phuongvi-1", **body), "accounts:read")
        forbidden(self.add(api.as_("member"), database, "member", **body), "accounts:read")
        assert count(database, Grant) == before


class TestWhoeverInvited:
    """She may have kept the way in: the account takes no role that she does not hold."""

    def kept(self, api: Api, username: str, code: str) -> Api:
        """A device signed in by the code, with a password of its own."""
        token = signed_in(api, username, code).json()["access_token"]
        device = Api(api.app, {"authorization": f"Bearer {token}"})
        body = {"current_password": code, "new_password": "một mật khẩu mới dài"}
        assert device.post("/v1/me/password", json=body).status_code == 204
        return device

    @pytest.mark.parametrize("armed_by", ["invitation", "reset"])
    def test_an_admin_does_not_come_to_read_members_by_it(
        self, api: Api, database: Database, unit_id: Ids, armed_by: str
    ) -> None:
        admin, officer = api.as_("admin"), api.as_("phuongvi")
        inviter = admin if armed_by == "invitation" else officer
        made = inviter.post("/v1/accounts", json=person(unit_id["phuongvi"])).json()
        path = f"/v1/accounts/{made['id']}"
        if armed_by == "reset":
            made = admin.post(f"{path}/reset").json()
        spy = self.kept(api, "lan", made["code"])
        for role, unit, called in (
            ("commune_officer", "phuongvi", "cán bộ Hội cấp xã"),
            ("auditor", "phuongvi", "người giám sát"),
            ("branch_head", "phuongvi-1", "chi hội trưởng"),
        ):
            body = {"unit_id": unit_id[unit], "role": role}
            told = refusal(officer.post(f"{path}/grants", json=body), 409, "reset_first")
            assert f"vai trò {called}" in told["detail"]
            assert "cấp lại mã đăng nhập" in told["detail"]
        assert grants_of(database, "lan") == []
        assert account(database, "lan").armed_by == id_of(database, "admin")
        forbidden(spy.get("/v1/members"), "members:read")

        reset = officer.post(f"{path}/reset").json()
        assert account(database, "lan").armed_by == id_of(database, "phuongvi")
        refusal(spy.get("/v1/me"), 401, "invalid_token")
        body = {"unit_id": unit_id["phuongvi"], "role": "commune_officer"}
        assert officer.post(f"{path}/grants", json=body).status_code == 201
        refusal(spy.get("/v1/members"), 401, "invalid_token")
        refusal(signed_in(api, "lan", "một mật khẩu mới dài"), 401, "bad_credentials")
        own = self.kept(api, "lan", reset["code"])
        assert own.get("/v1/members?limit=1").json()["items"]

    def test_a_role_that_she_holds_herself_needs_no_reset(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        """Invited by the province, let in by the commune; and by an admin as an admin."""
        made = api.as_("phutho").post("/v1/accounts", json=person(unit_id["phuongvi"])).json()
        body = {"unit_id": unit_id["phuongvi-1"], "role": "branch_head"}
        answer = api.as_("phuongvi").post(f"/v1/accounts/{made['id']}/grants", json=body)
        assert [grant["role"] for grant in answer.json()["grants"]] == ["branch_head"]
        other = person(unit_id["phuongvi"], "mai")
        made = api.as_("admin").post("/v1/accounts", json=other).json()
        body = {"unit_id": unit_id["phuongvi"], "role": "admin"}
        answer = api.as_("phutho").post(f"/v1/accounts/{made['id']}/grants", json=body)
        assert [grant["role"] for grant in answer.json()["grants"]] == ["admin"]

    def test_nor_one_that_she_gives_herself(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("phuongvi")
        made = officer.post("/v1/accounts", json=person(unit_id["phuongvi-1"])).json()
        own = self.kept(api, "lan", made["code"])
        for role, unit in (("branch_head", "phuongvi-1"), ("commune_officer", "phuongvi")):
            body = {"unit_id": unit_id[unit], "role": role}
            answer = officer.post(f"/v1/accounts/{made['id']}/grants", json=body)
            assert answer.json()["grants"][-1]["role"] == role
        assert own.get("/v1/members?limit=1").json()["items"]

    def test_one_of_another_commune_or_above_needs_it(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        made = api.as_("phuongvi").post("/v1/accounts", json=person(unit_id["phuongvi"])).json()
        above = api.as_("phutho")
        for role, unit in (("commune_officer", "tienluong"), ("district_officer", "camkhe")):
            body = {"unit_id": unit_id[unit], "role": role}
            answer = above.post(f"/v1/accounts/{made['id']}/grants", json=body)
            refusal(answer, 409, "reset_first")
        assert grants_of(database, "lan") == []

    def test_it_counts_what_she_holds_now(self, api: Api, database: Database, unit_id: Ids) -> None:
        made = api.as_("phuongvi").post("/v1/accounts", json=person(unit_id["phuongvi"])).json()
        [held] = grants_of(database, "phuongvi")
        above = api.as_("camkhe")
        ended = f"/v1/appointments/{held.appointment_id}/end"
        assert above.post(ended, json={"reason": "resigned"}).json()["ended_reason"] == "resigned"
        body = {"unit_id": unit_id["phuongvi-1"], "role": "branch_head"}
        answer = above.post(f"/v1/accounts/{made['id']}/grants", json=body)
        refusal(answer, 409, "reset_first")
        assert grants_of(database, "lan") == []

    def test_the_secret_of_a_client_is_a_way_in_too(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        client = person(unit_id["phuongvi"], "may-xa", kind="client")
        made = api.as_("admin").post("/v1/accounts", json=client).json()
        officer, path = api.as_("phuongvi"), f"/v1/accounts/{made['id']}"
        body = {"unit_id": unit_id["phuongvi"], "role": "integration_reader"}
        refusal(officer.post(f"{path}/grants", json=body), 409, "reset_first")
        renewed = officer.post(f"{path}/reset").json()["client_secret"]
        assert officer.post(f"{path}/grants", json=body).status_code == 201
        for secret, code in ((made["client_secret"], 401), (renewed, 200)):
            sent = {"client_id": "may-xa", "client_secret": secret}
            answer = api.post("/v1/auth/token", data={"grant_type": "client_credentials"} | sent)
            assert answer.status_code == code

    def test_it_is_in_no_answer_about_accounts(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("phuongvi")
        made = officer.post("/v1/accounts", json=person(unit_id["phuongvi"]))
        path = f"/v1/accounts/{made.json()['id']}"
        answers = [
            made,
            officer.get(path),
            officer.get("/v1/accounts"),
            officer.get("/v1/accounts", headers={"accept": "application/x-ndjson"}),
            officer.post(f"{path}/reset"),
            officer.get("/v1/me"),
        ]
        assert account(database, "lan").armed_by == id_of(database, "phuongvi")
        assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 200, 200]
        assert ["armed_by" in answer.text for answer in answers] == [False] * 6
        chosen = person(unit_id["phuongvi"], "mai", armed_by=None)
        assert pointers(officer.post("/v1/accounts", json=chosen)) == [
            ("/armed_by", "unknown_field")
        ]


class TestEndGrant:
    def test_access_is_lost_at_once_and_the_record_stays(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        helper, officer = api.as_("member"), api.as_("phuongvi")
        target, [own] = id_of(database, "member"), grants_of(database, "member")
        body = {"unit_id": unit_id["phuongvi-1"], "role": "branch_head"}
        officer.post(f"/v1/accounts/{target}/grants", json=body)
        assert helper.get("/v1/members?limit=1").json()["items"]
        held = grants_of(database, "member")[-1]
        response = officer.delete(f"/v1/accounts/{target}/grants/{held.id}")
        assert response.status_code == 200
        assert [grant["id"] for grant in response.json()["grants"]] == [str(own.id)]
        forbidden(helper.get("/v1/members?limit=1"), "members:read")
        assert helper.get("/v1/me").json()["rights"] == []
        assert grants_of(database, "member") == [own]
        listed = officer.get(f"/v1/changes?entity=grant&id={held.id}").json()["items"]
        assert listed[-1]["operation"] == "deleted"
        assert listed[-1]["before"]["role"] == "branch_head"
        again = officer.delete(f"/v1/accounts/{target}/grants/{held.id}")
        refusal(again, 404, "not_found")

    def test_a_grant_goes_with_its_account_only(self, api: Api, database: Database) -> None:
        officer = api.as_("phuongvi")
        [other] = grants_of(database, "phuongvi-2")
        for grant in (other.id, uuid4()):
            path = f"/v1/accounts/{id_of(database, 'phuongvi-1')}/grants/{grant}"
            refusal(officer.delete(path), 404, "not_found")
        assert grants_of(database, "phuongvi-2") == [other]

    def test_who_may_not(self, api: Api, database: Database) -> None:
        [held] = grants_of(database, "phuongvi-1")
        path = f"/v1/accounts/{id_of(database, 'phuongvi-1')}/grants/{held.id}"
        refusal(api.as_("tienluong").delete(path), 404, "not_found")
        forbidden(api.as_("auditor").delete(path), "accounts:write")
        forbidden(api.as_("phuongvi-1").delete(path), "accounts:read")
        assert grants_of(database, "phuongvi-1") == [held]


class TestAdminSeesNoMember(Reading):
    def test_no_list_no_detail_no_change_no_count(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        admin = api.as_("admin")
        with writing(database) as session:
            member = session.exec(select(Member.id).limit(1)).one()
        forbidden(admin.get("/v1/members"), "members:read")
        forbidden(admin.get(f"/v1/members/{member}"), "members:read")
        forbidden(admin.get(f"/v1/members/{uuid4()}"), "members:read")
        forbidden(admin.get("/v1/members", headers={"accept": "text/csv"}), "members:read")
        changes = admin.get("/v1/changes?limit=200").json()["items"]
        assert {change["entity"] for change in changes} == {"unit", "account", "grant"}
        assert admin.get("/v1/changes?entity=member").json()["items"] == []
        history = admin.get(f"/v1/changes/history?entity=member&id={member}")
        refusal(history, 404, "not_found")
        unit = admin.get(f"/v1/units/{unit_id['phuongvi']}").json()
        assert unit["member_count"] is None
        officer = api.as_("phuongvi").get(f"/v1/units/{unit_id['phuongvi']}").json()
        assert officer["member_count"] > 0


class TestAuditorChangesNothing(Reading):
    def test_reads_all_of_the_province(self, api: Api, unit_id: Ids) -> None:
        auditor = api.as_("auditor")
        communes = {
            item["commune_id"]
            for branch in ("phuongvi-1", "tienluong-1")
            for item in auditor.get(f"/v1/members?branch={unit_id[branch]}").json()["items"]
        }
        assert communes == {unit_id["phuongvi"], unit_id["tienluong"]}
        assert auditor.get("/v1/changes?entity=grant&limit=1").json()["items"]

    def test_writes_nothing(self, api: Api, database: Database, unit_id: Ids) -> None:
        auditor = api.as_("auditor")
        with writing(database) as session:
            member = session.exec(select(Member.id).limit(1)).one()
        unit = f"/v1/units/{unit_id['phuongvi']}"
        new_member = {
            "full_name": "Nguyễn Thị Lan",
            "birth_date": "1990",
            "joined_on": None,
            "branch_id": unit_id["phuongvi-1"],
        }
        forbidden(auditor.post("/v1/members", json=new_member), "members:write")
        forbidden(
            auditor.patch(f"/v1/members/{member}", json={"full_name": "Lan"}), "members:write"
        )
        forbidden(auditor.patch(unit, json={"phone": "0210"}), "units:write")
        forbidden(auditor.post("/v1/accounts", json=person(unit_id["phuongvi"])), "accounts:write")


class TestChangesOfAccounts:
    def test_there_is_no_way_around_the_log(self, database: Database) -> None:
        """Changing an account without saying who does it fails: nothing goes unlogged."""
        target = id_of(database, "phuongvi-1")
        before = count(database, Change)
        with pytest.raises(RuntimeError, match="origin"), writing(database) as session:
            session.get_one(Account, target).display_name = "Không ai"
        assert count(database, Change) == before
        with writing(database) as session:
            changes.attribute(session, Origin(ChangeSource.cli))
            session.get_one(Account, target).display_name = "Có người"
        assert count(database, Change) == before + 1
