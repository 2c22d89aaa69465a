"""Accounts for all heads of a unit at once, and the sheet of their codes."""

import re
from html import unescape
from typing import Any

import pytest
from sqlmodel import Session, col, select

from app.clock import local_today
from app.db import Database
from app.errors import Problem
from app.models.kernel.access import Grant, Role
from app.models.kernel.accounts import Account
from app.models.kernel.changes import ChangeSource
from app.models.kernel.export_log import ExportRecord
from app.models.kernel.units import Unit, UnitLevel
from app.security.secret_texts import canonical_code, code_of, digest
from app.services.accounts import accounts
from app.services.identity.signin import Signin
from app.services.kernel import changes
from app.services.kernel.access import Actor
from tests.accounts.accounts import count, forbidden, pointers
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, done, made
from tests.helpers.client import Api, writing
from tests.helpers.rows import add_unit

CODE = re.compile("<strong>([0-9A-Z-]{19})</strong>")
NEW = "mat-khau-moi-cua-chi"


@pytest.fixture
def heads(officer: Api, database: Database, unit_id: Ids) -> list[str]:
    """The heads of two new branches, who have no account; all others of the demo have one."""
    with writing(database) as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        commune = session.get_one(Unit, unit_id["phuongvi"])
        branches = [
            add_unit(session, UnitLevel.branch, f"Chi hội khu {n}", commune).id for n in (7, 8)
        ]
    found = []
    for branch, name in zip(branches, ("Hà Thị Bảy", "Hà Thị Tám"), strict=True):
        body: Json = {"branch_id": branch, "full_name": name, "birth_date": "1970"}
        member = made(officer.post("/v1/members", json=body | {"joined_on": None}))
        post = {"member_id": member["id"], "unit_id": branch, "post": "branch_head"}
        since = {"basis": "elected", "valid_from": local_today().isoformat()}
        made(officer.post("/v1/appointments", json=post | since))
        found.append(member["id"])
    return found


def invite(api: Api, unit: int) -> Json:
    return done(api.post("/v1/accounts/heads", json={"unit_id": unit}))


def rows_on(page: str) -> list[list[str]]:
    rows = re.findall("<tr>(.*?)</tr>", page.partition("<tbody>")[2])
    return [[unescape(cell) for cell in re.findall("<td>(.*?)</td>", row)] for row in rows]


class TestInvite:
    def test_makes_an_account_with_the_role_of_the_post_for_each_head_without_one(
        self, officer: Api, database: Database, unit_id: Ids, heads: list[str]
    ) -> None:
        answer = invite(officer, unit_id["phuongvi"])
        new = [item for item in answer["items"] if item["outcome"] == "invited"]
        assert [item["member_id"] for item in new] == heads
        assert [item["username"] for item in new] == ["phuongvi.khu7", "phuongvi.khu8"]
        assert (answer["invited"], answer["refused"], answer["left"]) == (2, 0, 0)
        assert "code" not in str(answer["items"])
        with writing(database) as session:
            for item in new:
                account = session.exec(
                    select(Account).where(col(Account.username) == item["username"])
                ).one()
                grant = session.exec(select(Grant).where(col(Grant.account_id) == account.id)).one()
                assert (grant.role, grant.unit_id) == (Role.branch_head, item["unit"]["id"])
                assert (account.status.value, account.password_hash) == ("invited", None)

    def test_again_makes_only_what_is_missing(
        self, officer: Api, database: Database, unit_id: Ids, heads: list[str]
    ) -> None:
        first = invite(officer, unit_id["phuongvi"])
        before = count(database, Account)
        again = invite(officer, unit_id["phuongvi"])
        assert (again["invited"], again["has_account"]) == (0, len(first["items"]))
        assert count(database, Account) == before
        known = {item["member_id"]: item["username"] for item in again["items"]}
        assert {known[each] for each in heads} == {"phuongvi.khu7", "phuongvi.khu8"}

    def test_who_cannot_be_invited_keeps_nobody_out(
        self, api: Api, database: Database, unit_id: Ids, heads: list[str]
    ) -> None:
        """The administrator holds no right over members, so she invites no head (decision 0008)."""
        before = count(database, Account)
        answer = api.as_("admin").post("/v1/accounts/heads", json={"unit_id": unit_id["phuongvi"]})
        items = [item for item in done(answer)["items"] if item["outcome"] != "has_account"]
        assert {(item["outcome"], item["problem"]) for item in items} <= {
            ("refused", "validation_failed"),
            ("refused", "grant_exceeds_own"),
        }
        assert len(items) == len(heads)
        assert count(database, Account) == before

    def test_a_busy_server_refuses_nobody_and_invites_nobody(
        self,
        officer: Api,
        database: Database,
        unit_id: Ids,
        heads: list[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        before, create = count(database, Account), accounts.create

        def busy(session: Session, signin: Signin, actor: Actor, body: Any, **how: Any) -> Any:
            if str(body.member_id) == heads[1]:
                raise Problem("unavailable", retry_after=1)
            return create(session, signin, actor, body, **how)

        monkeypatch.setattr(accounts, "create", busy)
        body = {"unit_id": unit_id["phuongvi"]}
        answer = officer.post("/v1/accounts/heads", json=body)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert count(database, Account) == before

    def test_needs_the_right_and_the_sight(self, api: Api, unit_id: Ids) -> None:
        body = {"unit_id": unit_id["phuongvi"]}
        forbidden(api.as_("auditor").post("/v1/accounts/heads", json=body), "accounts:write")
        other = api.as_("tienluong").post("/v1/accounts/heads", json=body)
        assert pointers(other) == [("/unit_id", "unit_unknown")]


class TestSheet:
    def page(self, api: Api, unit: int) -> str:
        answer = api.get(f"/v1/units/{unit}/sign-in-codes")
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return str(answer.text)

    def test_has_codes_that_let_in_and_can_be_printed_again(
        self, api: Api, database: Database, unit_id: Ids, heads: list[str]
    ) -> None:
        officer = api.as_("phuongvi")
        invite(officer, unit_id["phuongvi"])
        page = self.page(officer, unit_id["phuongvi"])
        rows = rows_on(page)
        assert [row[3] for row in rows] == ["phuongvi.khu7", "phuongvi.khu8"]
        codes = CODE.findall(page)
        assert len({*codes}) == 2
        assert page.count("data:image/svg+xml") == 2
        assert CODE.findall(self.page(officer, unit_id["phuongvi"])) == codes
        with writing(database) as session:
            stored = session.exec(
                select(Account).where(col(Account.username) == "phuongvi.khu7")
            ).one()
            assert stored.code_digest == digest(codes[0])
            noted = session.exec(select(ExportRecord).order_by(col(ExportRecord.id).desc())).first()
            assert noted is not None
            assert (noted.path, noted.rows) == (
                f"/v1/units/{unit_id['phuongvi']}/sign-in-codes",
                2,
            )

        signed = api.post(
            "/v1/auth/token",
            data={"grant_type": "password", "username": "phuongvi.khu7", "password": codes[0]},
        )
        token = {"authorization": f"Bearer {done(signed)['access_token']}"}
        body = {"current_password": codes[0], "new_password": NEW}
        assert api.post("/v1/me/password", json=body, headers=token).status_code == 204
        page = self.page(officer, unit_id["phuongvi"])
        assert CODE.findall(page) == codes[1:]
        [used, _] = rows_on(page)
        assert used[4] == "<s>Đã dùng</s>"

    def test_shows_nobody_else_a_code(self, api: Api, unit_id: Ids, heads: list[str]) -> None:
        invite(api.as_("phuongvi"), unit_id["phuongvi"])
        for other in ("camkhe", "admin"):
            assert rows_on(self.page(api.as_(other), unit_id["phuongvi"])) == []
        forbidden(
            api.as_("auditor").get(f"/v1/units/{unit_id['phuongvi']}/sign-in-codes"),
            "accounts:write",
        )
        hidden = api.as_("tienluong").get(f"/v1/units/{unit_id['phuongvi']}/sign-in-codes")
        assert hidden.status_code == 404

    def test_a_code_that_was_reset_singly_is_not_printed(
        self, api: Api, database: Database, unit_id: Ids, heads: list[str]
    ) -> None:
        officer = api.as_("phuongvi")
        [one, _] = [
            i
            for i in invite(officer, unit_id["phuongvi"])["items"]
            if i["problem"] is None and i["outcome"] == "invited"
        ]
        fresh = done(officer.post(f"/v1/accounts/{one['account_id']}/reset"))["code"]
        page = self.page(officer, unit_id["phuongvi"])
        assert fresh not in page
        assert len(CODE.findall(page)) == 1
        with writing(database) as session:
            account = session.exec(
                select(Account).where(col(Account.username) == one["username"])
            ).one()
            assert account.code_digest == digest(fresh)

    def test_expired_codes_are_not_printed(
        self, api: Api, database: Database, unit_id: Ids, heads: list[str]
    ) -> None:
        officer = api.as_("phuongvi")
        invite(officer, unit_id["phuongvi"])
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            ended: Any = select(Account).where(col(Account.username) == "phuongvi.khu8")
            account = session.exec(ended).one()
            assert account.code_expires_at is not None
            account.code_expires_at = account.created_at
        assert len(CODE.findall(self.page(officer, unit_id["phuongvi"]))) == 1


def test_a_code_of_a_number_is_one_that_people_can_type() -> None:
    codes = {code_of(number) for number in (0, 1, 2**78, 2**128 - 1)}
    assert len(codes) == 4
    assert all(code == canonical_code(code.lower()) for code in codes)
