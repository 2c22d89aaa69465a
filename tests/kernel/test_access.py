from datetime import date
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from httpx2 import Response
from sqlmodel import col, select

from app.clock import utc_now
from app.db import Database
from app.models.kernel.access import ROLE_RIGHTS, Grant, Right, Role
from app.models.kernel.accounts import Account, AccountStatus
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.members import Member
from app.services.kernel import changes
from tests.helpers.client import Api, counted, writing
from tests.helpers.reading import Reading

Ids = dict[str, int]
OFFICERS = {
    "phuongvi": (["commune_officer"], 1),
    "camkhe": (["district_officer"], 1),
    "phutho": (["province_officer"], 2),
}


def refusal(response: Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    return body


def pointers(response: Response) -> list[tuple[str, str]]:
    body = refusal(response, 422, "validation_failed")
    return [(error["pointer"], error["code"]) for error in body["errors"]]


def explain(api: Api, right: str, **target: object) -> dict[str, Any]:
    body: dict[str, Any] = api.get("/v1/access/explain", params={"right": right} | target).json()
    return body


def granters(body: dict[str, Any]) -> list[tuple[int, list[str], int]]:
    return [
        (granter["unit"]["id"], granter["roles"], granter["holders"])
        for granter in body["who_may_grant"]
    ]


def member_of(database: Database, branch: int) -> str:
    with writing(database) as session:
        found = select(Member.id).where(col(Member.branch_id) == branch).limit(1)
        return str(session.exec(found).one())


class TestListRoles(Reading):
    def test_requires_login(self, api: Api) -> None:
        refusal(api.get("/v1/access/roles"), 401, "not_authenticated")

    @pytest.mark.parametrize("username", ["phutho", "admin", "member"])
    def test_everyone_may_read_the_whole_table(self, api: Api, username: str) -> None:
        items = api.as_(username).get("/v1/access/roles").json()["items"]
        assert {item["role"]: item["rights"] for item in items} == {
            role.value: sorted(right.value for right in rights)
            for role, rights in ROLE_RIGHTS.items()
        }
        assert len(items) == len(Role)

    def test_the_admin_sees_no_member_and_the_auditor_writes_nothing(self, api: Api) -> None:
        items = api.as_("member").get("/v1/access/roles").json()["items"]
        rights = {item["role"]: item["rights"] for item in items}
        assert not [right for right in rights["admin"] if right.startswith("members:")]
        assert {right.split(":")[1] for right in rights["auditor"]} == {"read"}
        assert rights["member"] == []


class TestExplain(Reading):
    def test_requires_login(self, api: Api) -> None:
        refusal(api.get("/v1/access/explain?right=members:read&unit=1"), 401, "not_authenticated")

    def test_allowed_by_which_grant(self, api: Api, unit_id: Ids) -> None:
        for name, role, over in (
            ("phuongvi-1", "branch_head", "phuongvi-1"),
            ("phuongvi", "commune_officer", "phuongvi"),
            ("camkhe", "district_officer", "camkhe"),
            ("phutho", "province_officer", "phutho"),
        ):
            mine = api.as_(name)
            body = explain(mine, "members:write", unit=unit_id["phuongvi-1"])
            [held] = mine.get("/v1/me").json()["grants"]
            assert body == {
                "allowed": True,
                "right": "members:write",
                "unit": {
                    "id": unit_id["phuongvi-1"],
                    "level": "branch",
                    "name": "Chi hội khu 1",
                },
                "by_grant": held,
                "who_may_grant": [],
            }
            assert (held["role"], held["unit"]["id"]) == (role, unit_id[over])

    def test_what_explain_says_is_what_happens(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        for name in ("phuongvi-1", "phuongvi", "auditor", "admin"):
            mine = api.as_(name)
            for branch in ("phuongvi-1", "phuongvi-2", "tienluong-1"):
                member = member_of(database, unit_id[branch])
                answer = mine.get(f"/v1/members/{member}")
                allowed = explain(mine, "members:read", unit=unit_id[branch])["allowed"]
                assert allowed == (answer.status_code == 200), (name, branch)
                if allowed:
                    phone = explain(mine, "members:phone", member=member)["allowed"]
                    assert phone == ("phone" not in answer.json()["masked"]), (name, branch)

    def test_who_may_grant_names_the_nearest_first(self, api: Api, unit_id: Ids) -> None:
        body = explain(api.as_("phuongvi-1"), "members:religion", unit=unit_id["phuongvi-1"])
        assert (body["allowed"], body["by_grant"]) == (False, None)
        assert body["unit"]["id"] == unit_id["phuongvi-1"]
        assert granters(body) == [(unit_id[unit], *held) for unit, held in OFFICERS.items()]

    def test_who_runs_accounts_may_grant_their_rights_only(self, api: Api, unit_id: Ids) -> None:
        head = api.as_("phuongvi-1")
        body = explain(head, "accounts:write", unit=unit_id["phuongvi-1"])
        assert granters(body) == [
            (unit_id["phuongvi"], ["commune_officer"], 1),
            (unit_id["camkhe"], ["district_officer"], 1),
            (unit_id["phutho"], ["admin", "province_officer"], 3),
        ]

    def test_the_highest_officer_finds_no_one_above_her(self, api: Api, unit_id: Ids) -> None:
        body = explain(api.as_("admin"), "members:read", unit=unit_id["phutho"])
        assert body["allowed"] is False
        assert granters(body) == [(unit_id["phutho"], ["province_officer"], 2)]

    def test_a_hidden_unit_looks_like_none_at_all(self, api: Api, unit_id: Ids) -> None:
        for name in ("phuongvi-1", "phuongvi", "tienluong-1"):
            mine = api.as_(name)
            nothing = explain(mine, "members:read", unit=2**31 - 1)
            assert (nothing["allowed"], nothing["unit"]) == (False, None)
            hidden = [
                unit_id[unit]
                for unit in ("phuongvi-2", "phuongvi", "tienluong", "tienluong-1", "camkhe")
                if unit_id[unit] not in visible_units(mine)
            ]
            assert len(hidden) >= 3
            for unit in hidden:
                answer = mine.get(f"/v1/access/explain?right=members:read&unit={unit}")
                assert answer.json() == nothing
                # Who may grant is said for her own unit, never for the hidden one.
                assert granters(nothing)[-1][0] == unit_id["phutho"]

    def test_a_member_in_scope(self, api: Api, database: Database, unit_id: Ids) -> None:
        head = api.as_("phuongvi-1")
        member = member_of(database, unit_id["phuongvi-1"])
        body = explain(head, "members:write", member=member)
        assert body["allowed"] is True
        assert body["by_grant"]["role"] == "branch_head"
        assert body["unit"]["id"] == unit_id["phuongvi-1"]
        body = explain(head, "members:ethnicity", member=member)
        assert body["allowed"] is False
        assert granters(body)[0] == (unit_id["phuongvi"], ["commune_officer"], 1)

    def test_a_member_out_of_scope_is_404(self, api: Api, database: Database, unit_id: Ids) -> None:
        head = api.as_("phuongvi-1")
        hidden = [member_of(database, unit_id[unit]) for unit in ("phuongvi-2", "tienluong-1")]
        for member in (*hidden, str(uuid4())):
            path = f"/v1/access/explain?right=members:read&member={member}"
            refusal(head.get(path), 404, "not_found")

    def test_who_sees_no_member_at_all_learns_nothing_of_one(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        mine = api.as_("admin")
        known = member_of(database, unit_id["phuongvi-1"])
        answers = [
            refusal(
                mine.get(f"/v1/access/explain?right=members:read&member={member}"),
                403,
                "forbidden",
            )
            for member in (known, uuid4())
        ]
        assert {answer["required_right"] for answer in answers} == {"members:read"}
        assert answers[0] | {"request_id": ""} == answers[1] | {"request_id": ""}

    def test_an_account_without_rights_is_told_who_can_help(self, api: Api, unit_id: Ids) -> None:
        body = explain(api.as_("member"), "units:read", unit=unit_id["phuongvi-1"])
        assert (body["allowed"], body["unit"]) == (False, None)
        assert [unit for unit, _, _ in granters(body)] == [unit_id[name] for name in OFFICERS]

    def test_a_query_with_something_wrong(self, api: Api) -> None:
        mine = api.as_("phuongvi")
        member = uuid4()
        for query, expected in (
            ("right=members:read", ("/unit", "one_of_needed")),
            (f"right=members:read&unit=1&member={member}", ("/unit", "one_of_needed")),
            ("unit=1", ("/right", "required")),
            ("right=members:everything&unit=1", ("/right", "not_in_list")),
            ("right=members:read&unit=0", ("/unit", "too_small")),
            ("right=members:read&unit=2147483648", ("/unit", "too_large")),
            ("right=members:read&unit=x", ("/unit", "wrong_type")),
            ("right=members:read&member=x", ("/member", "id_invalid")),
            ("right=members:read&unit=1&account=phutho", ("/account", "unknown_field")),
        ):
            response = mine.get(f"/v1/access/explain?{query}")
            assert pointers(response) == [expected], query
            assert response.json()["errors"][0]["in"] == "query"

    def test_every_right_can_be_asked_for(self, api: Api, unit_id: Ids) -> None:
        for name, role in (("phuongvi-1", Role.branch_head), ("phuongvi", Role.commune_officer)):
            mine = api.as_(name)
            allowed = {
                right
                for right in Right
                if explain(mine, right.value, unit=unit_id[name])["allowed"]
            }
            assert allowed == ROLE_RIGHTS[role]

    def test_it_costs_as_much_for_the_province_as_for_a_branch(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        sent = []
        for name in ("phuongvi-1", "phutho"):
            mine = api.as_(name)
            with counted(database) as statements:
                explain(mine, "members:read", unit=unit_id["phuongvi-1"])
            sent.append(len(statements))
        assert sent[0] == sent[1]


def visible_units(api: Api) -> set[int]:
    return {item["id"] for item in api.get("/v1/units?limit=200").json()["items"]}


class TestWithoutAGrant:
    def test_a_refusal_names_who_looks_after_the_account(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        with writing(database) as session:
            ids = sa.select(col(Account.id)).where(col(Account.username) == "phuongvi-1")
            session.execute(sa.delete(Grant).where(col(Grant.account_id).in_(ids)))
        problem = api.as_("phuongvi-1").get("/v1/members").json()
        assert problem["code"] == "forbidden"
        assert problem["units"][0]["unit"]["id"] == unit_id["phuongvi"]


class TestTheCentre:
    def test_its_officer_reaches_every_province(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        opened = date(1930, 10, 20)
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            now = utc_now()
            centre = Unit(
                level=UnitLevel.central,
                name="Trung ương Hội",
                name_key="trung uong hoi",
                sort_key="trung uong hoi",
                opened_on=opened,
                created_at=now,
                updated_at=now,
            )
            session.add(centre)
            session.flush()
            officer = session.exec(select(Account).where(col(Account.username) == "phutho-2")).one()
            held = select(Grant).where(col(Grant.account_id) == officer.id)
            grant = session.exec(held).one()
            grant.role, grant.unit_id = Role.central_officer, centre.id
            session.flush()
        mine = api.as_("phutho-2")
        assert mine.get(f"/v1/units/{unit_id['phuongvi-1']}").status_code == 200
        counted_by = [each.get("/v1/members/count").json() for each in (mine, api.as_("phutho"))]
        assert counted_by[0] == counted_by[1]


class TestWhoMayGrant:
    def test_a_disabled_officer_can_grant_nothing(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        with writing(database) as session:
            session.execute(
                sa.update(Account)
                .where(col(Account.username) == "phuongvi")
                .values(status=AccountStatus.disabled)
            )
        body = explain(api.as_("phuongvi-1"), "members:religion", unit=unit_id["phuongvi-1"])
        assert [unit for unit, _, _ in granters(body)] == [unit_id["camkhe"], unit_id["phutho"]]

    def test_a_403_names_the_right_and_the_same_units(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        head = api.as_("phuongvi-1")
        response = head.patch(f"/v1/units/{unit_id['phuongvi-1']}", json={"phone": "02103"})
        told = refusal(response, 403, "forbidden")
        assert told["required_right"] == "units:write"
        explained = explain(head, "units:write", unit=unit_id["phuongvi-1"])
        assert told["units"] == explained["who_may_grant"]
        english = head.patch(
            f"/v1/units/{unit_id['phuongvi-1']}",
            json={"phone": "02103"},
            headers={"accept-language": "en"},
        ).json()
        assert english["detail"] == "You need the right units:write over this unit."
