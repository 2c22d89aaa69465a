"""Accounts."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
import time_machine
from fastapi import FastAPI
from httpx2 import Response
from sqlmodel import col

from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Grant
from app.models.kernel.units import Unit
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
    signed_in,
)
from tests.helpers.client import Api, writing
from tests.helpers.programs import ABOUT


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
        own = body | {"unit_id": unit_id["tienluong-1"]}
        refusal(self.add(api.as_("tienluong"), database, "phuongvi-1", **own), 404, "not_found")
        forbidden(self.add(api.as_("auditor"), database, "phuongvi-1", **body), "accounts:write")
        forbidden(self.add(api.as_("phuongvi-1"), database, "phuongvi-1", **body), "accounts:read")
        forbidden(self.add(api.as_("member"), database, "member", **body), "units:read")
        assert count(database, Grant) == before


class TestWhoeverInvited:
    """Who made the account may still be able to sign in as it: it takes no role that she does not hold."""

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
        assert above.post(ended, json={"reason": "resigned"}).json()["reason"] == "resigned"
        body = {"unit_id": unit_id["phuongvi-1"], "role": "branch_head"}
        answer = above.post(f"/v1/accounts/{made['id']}/grants", json=body)
        refusal(answer, 409, "reset_first")
        assert grants_of(database, "lan") == []

    def test_the_secret_of_a_client_is_a_way_in_too(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        client = person(unit_id["phuongvi"], "may-xa", **ABOUT)
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
        listed = officer.get(f"/v1/changes?kinds=grant&entity_id={held.id}").json()["items"]
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
