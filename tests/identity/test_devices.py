"""Devices: enrolment, who sees and manages them, the session that belongs to one."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import col

from app.db import Database
from app.models.kernel.accounts import Account
from app.services.kernel.actors import load_actor
from tests.helpers.client import Api, writing
from tests.identity.auth import new_client, pointers, refusal, sessions_of
from tests.identity.devices import PHONE, Phone, enrolled, stored


class TestEnrolment:
    def test_a_phone_enrols_under_its_own_id(self, api: Api, database: Database) -> None:
        phone = Phone(api, "phuongvi-1")
        assert phone.bound_to is None
        answer = phone.enrol()
        assert answer.status_code == 201
        assert answer.headers["location"] == phone.path
        device = answer.json()
        assert device["account"]["username"] == "phuongvi-1"
        assert {name: device[name] for name in PHONE} == PHONE
        flags = ("id", "state", "current", "signed_in", "revoked_at", "wiped_at")
        assert [device[name] for name in flags] == [phone.id, "enrolled", True, True, None, None]
        [row] = stored(database)
        [opened] = sessions_of(database, "phuongvi-1")
        assert (str(row.id), row.account_id, opened.device_id) == (
            phone.id,
            opened.account_id,
            row.id,
        )
        with database.reading() as db:
            actor = load_actor(db, opened.id)
        assert actor is not None
        assert actor.device_id == UUID(phone.id)
        assert phone.api.get(phone.path).json()["current"] is True

    def test_sent_again_it_takes_the_new_version_and_is_the_same_device(
        self, api: Api, database: Database
    ) -> None:
        phone = enrolled(api, "phuongvi-1")
        again = phone.enrol(app_version="1.5.0")
        assert (again.status_code, again.json()["app_version"]) == (200, "1.5.0")
        assert again.json()["revision"] == 1
        refusal(phone.enrol(platform="ios"), 409, "id_taken")
        [row] = stored(database)
        assert (row.name, row.app_version) == (PHONE["name"], "1.5.0")

    def test_a_device_that_was_renamed_enrols_again(self, api: Api, database: Database) -> None:
        first = enrolled(api, "phuongvi-1")
        named = api.as_("phuongvi").patch(first.path, json={"name": "Máy chi hội 1"})
        assert named.status_code == 200
        second = Phone(api, "phuongvi-1", None)
        second.id = first.id
        answer = second.enrol()
        assert (answer.status_code, answer.json()["name"]) == (200, "Máy chi hội 1")
        assert answer.json()["current"] is True
        assert [row.name for row in stored(database)] == ["Máy chi hội 1"]

    def test_the_id_of_another_account_is_taken(self, api: Api, database: Database) -> None:
        """A phone that changed hands enrols under an id of its own."""
        first = enrolled(api, "phuongvi-1")
        second = Phone(api, "phuongvi-2", first.id)
        assert second.bound_to is None
        refusal(second.enrol(), 409, "id_taken")
        [row] = stored(database)
        [opened] = sessions_of(database, "phuongvi-2")
        assert opened.device_id is None
        assert row.account_id == sessions_of(database, "phuongvi-1")[0].account_id
        second.id = str(uuid4())
        assert second.enrol().status_code == 201
        assert first.api.get("/v1/me").status_code == 200

    def test_signing_in_again_names_the_device(self, api: Api, database: Database) -> None:
        phone = enrolled(api, "phuongvi-1")
        assert Phone(api, "phuongvi-1", phone.id).bound_to == phone.id
        assert Phone(api, "phuongvi-1", str(uuid4())).bound_to is None
        bound = [each.device_id for each in sessions_of(database, "phuongvi-1")]
        assert bound == [UUID(phone.id), UUID(phone.id), None]

    def test_a_session_stays_with_its_device(self, api: Api, database: Database) -> None:
        """A thief would else take it over to another device before the stolen one is revoked."""
        phone = enrolled(api, "phuongvi-1")
        first, phone.id = phone.id, str(uuid4())
        refused = refusal(phone.enrol(), 409, "session_has_device")
        assert refused["device_id"] == first
        assert [str(each.id) for each in stored(database)] == [first]

    def test_an_account_has_a_limit_of_devices(self, api: Api, database: Database) -> None:
        database.settings.most_devices = 2
        phones = [enrolled(api, "phuongvi-1") for _ in range(2)]
        third = Phone(api, "phuongvi-1")
        refusal(third.enrol(), 409, "too_many_devices")
        assert phones[0].enrol().status_code == 200
        enrolled(api, "phuongvi-2")
        assert phones[1].api.post(f"{phones[0].path}/revoke", json={}).status_code == 200
        assert third.enrol().status_code == 201

    @pytest.mark.race
    def test_two_phones_at_once_do_not_pass_the_limit(
        self, app: FastAPI, api: Api, database: Database
    ) -> None:
        database.settings.most_devices = 1
        phones = [Phone(Api(app), "phuongvi-1") for _ in range(2)]
        start = threading.Barrier(2)

        def enrol(phone: Phone) -> int:
            start.wait()
            return phone.enrol().status_code

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(enrol, phones)) == [201, 409]
        assert len(stored(database)) == 1

    def test_what_is_no_device_is_refused(self, api: Api, database: Database) -> None:
        phone = Phone(api, "phuongvi-1")
        for wrong, told in (
            ({"id": "x"}, [("/id", "id_invalid")]),
            ({"name": " "}, [("/name", "too_short")]),
            ({"name": "x" * 121}, [("/name", "too_long")]),
            ({"platform": "symbian"}, [("/platform", "not_in_list")]),
            ({"app_version": "mới"}, [("/app_version", "wrong_format")]),
            ({"account_id": str(uuid4())}, [("/account_id", "unknown_field")]),
        ):
            assert pointers(phone.enrol(**wrong)) == told
        assert stored(database) == []

    def test_programs_have_no_device(self, api: Api, database: Database) -> None:
        made = new_client(api, "phuongvi")
        sent = {
            "grant_type": "client_credentials",
            "client_id": made["username"],
            "client_secret": made["client_secret"],
        }
        token = api.post("/v1/auth/token", data=sent).json()
        assert token["device_id"] is None
        headers = {"authorization": f"Bearer {token['access_token']}"}
        answer = api.post("/v1/devices", json={"id": str(uuid4()), **PHONE}, headers=headers)
        refusal(answer, 409, "wrong_account_kind")
        assert stored(database) == []


class TestWhoSeesThem:
    @pytest.fixture
    def phone(self, api: Api) -> Phone:
        return enrolled(api, "phuongvi-1")

    @pytest.mark.parametrize("username", ["phuongvi", "camkhe", "phutho", "admin", "auditor"])
    def test_who_may_see_the_account_sees_its_devices(
        self, api: Api, phone: Phone, username: str
    ) -> None:
        officer = api.as_(username)
        [listed] = officer.get("/v1/devices").json()["items"]
        assert listed["id"] == phone.id
        assert listed["current"] is False
        assert officer.get(phone.path).json() == listed

    @pytest.mark.parametrize("username", ["phuongvi-2", "tienluong", "tienluong-1", "member"])
    def test_for_all_others_they_do_not_exist(self, api: Api, phone: Phone, username: str) -> None:
        other = api.as_(username)
        path = phone.path
        assert other.get("/v1/devices").json()["items"] == []
        refusal(other.get(path), 404, "not_found")
        refusal(other.patch(path, json={"name": "x"}), 404, "not_found")
        refusal(other.post(f"{path}/revoke", json={"wipe": True}), 404, "not_found")
        assert phone.api.get("/v1/me").status_code == 200

    def test_who_only_reads_accounts_ends_no_device(self, api: Api, phone: Phone) -> None:
        answer = api.as_("auditor").post(f"{phone.path}/revoke", json={})
        assert refusal(answer, 403, "forbidden")["required_right"] == "accounts:write"
        assert phone.api.get("/v1/me").status_code == 200

    def test_the_list_is_of_an_account_a_unit_a_state(
        self, api: Api, phone: Phone, unit_id: dict[str, int]
    ) -> None:
        mine = enrolled(api, "phuongvi")

        def listed(query: str) -> set[str]:
            return {each["id"] for each in mine.api.get(f"/v1/devices?{query}").json()["items"]}

        assert listed("") == {phone.id, mine.id}
        owner = mine.api.get("/v1/me").json()["id"]
        assert listed(f"account={owner}") == {mine.id}
        assert listed(f"unit={unit_id['phuongvi-1']}") == {phone.id}
        assert listed(f"unit={unit_id['phuongvi']}") == {phone.id, mine.id}
        assert listed(f"unit={unit_id['phuongvi-2']}") == set()
        assert listed("state=revoked") == set()
        mine.api.post(f"{phone.path}/revoke", json={})
        assert listed("state=revoked") == {phone.id}
        assert listed("state=enrolled") == {mine.id}
        refused = pointers(mine.api.get(f"/v1/devices?unit={unit_id['tienluong']}"))
        assert refused == [("/unit", "unit_unknown")]

    def test_a_device_gets_another_name(self, api: Api, phone: Phone, database: Database) -> None:
        first = {"if-match": '"1"'}
        body = {"name": "Máy khu 1"}
        named = api.as_("phuongvi").patch(phone.path, json=body, headers=first)
        assert (named.json()["name"], named.json()["revision"]) == ("Máy khu 1", 2)
        stale = phone.api.patch(phone.path, json={"name": "x"}, headers=first)
        refusal(stale, 412, "stale_revision")
        [row] = stored(database)
        assert row.name == "Máy khu 1"

    def test_the_officers_of_the_unit_it_was_handed_to_manage_it(
        self, api: Api, phone: Phone, unit_id: dict[str, int], database: Database
    ) -> None:
        with writing(database) as session:
            session.execute(
                sa.update(Account)
                .where(col(Account.username) == "phuongvi-1")
                .values(unit_id=unit_id["tienluong"])
            )
        assert api.as_("phuongvi").get("/v1/devices").json()["items"] == []
        [listed] = api.as_("tienluong").get("/v1/devices").json()["items"]
        assert listed["unit"]["id"] == unit_id["tienluong"]
