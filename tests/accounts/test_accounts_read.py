"""Accounts."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import select

from app.clock import local_today
from app.db import Database
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change, ChangeSource
from app.models.members.members import Member
from app.services.kernel import changes
from app.services.kernel.changes import Origin
from tests.accounts.accounts import Ids, count, exceeds, forbidden, id_of, person, pointers, refusal
from tests.helpers.client import Api, writing
from tests.helpers.reading import Reading


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
        province = sorted(["admin", "auditor", "phutho", "phutho-2", *district])
        assert self.names(api.as_("phuongvi")) == sorted(phuongvi)
        assert self.names(api.as_("tienluong")) == sorted(tienluong)
        assert self.names(api.as_("camkhe")) == district
        for name in ("phutho", "admin", "auditor"):
            assert self.names(api.as_(name)) == province

    def test_of_one_member(self, api: Api) -> None:
        member = api.as_("member").get("/v1/me").json()["member_id"]
        officer = api.as_("phuongvi")
        assert self.names(officer, f"&member={member}") == ["member"]
        assert self.names(api.as_("tienluong"), f"&member={member}") == []

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
            "purpose",
            "contact",
            "networks",
            "valid_to",
            "grants",
            "past_grants",
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
        response = api.as_("phuongvi").get(
            "/v1/accounts?headings=api", headers={"accept": "text/csv"}
        )
        lines = response.text.removeprefix("\ufeff").splitlines()
        assert lines[0] == (
            "id,kind,username,display_name,status,unit,member_id,"
            "purpose,contact,networks,valid_to,grants,past_grants,revision"
        )
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
        closing = {
            "effective_on": (local_today() + timedelta(days=1)).isoformat(),
            "successor_ids": [],
        }
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
        assert admin.get("/v1/changes?kinds=member").json()["items"] == []
        history = admin.get(f"/v1/changes/history?entity=member&entity_id={member}")
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
        assert auditor.get("/v1/changes?kinds=grant&limit=1").json()["items"]

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
