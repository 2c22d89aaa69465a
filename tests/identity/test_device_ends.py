"""A device is revoked and wiped: what the phone is answered, and what its confirmation does."""

from datetime import UTC, datetime, timedelta

import time_machine
from fastapi import FastAPI
from httpx2 import Response

from app.db import Database
from app.models.kernel.sessions import RevokedReason
from app.services.identity import sessions
from tests.helpers.client import PASSWORD, Api, writing
from tests.identity.auth import refusal, sessions_of
from tests.identity.devices import Phone, enrolled, stored


def told(answer: Response, phone: Phone, *, wipe: bool) -> None:
    body = refusal(answer, 401, "device_revoked")
    assert (body["device_id"], body["wipe"]) == (phone.id, wipe)


class TestRevoked:
    def test_the_phone_is_told_at_its_next_call_and_at_its_next_refresh(
        self, api: Api, database: Database
    ) -> None:
        lost, other = enrolled(api, "phuongvi-1"), enrolled(api, "phuongvi-1")
        answer = other.api.post(f"{lost.path}/revoke", json={})
        assert (answer.json()["state"], answer.json()["signed_in"]) == ("revoked", False)
        assert answer.json()["wipe_requested_at"] is None
        told(lost.api.get("/v1/me"), lost, wipe=False)
        told(lost.api.post("/v1/devices", json={}), lost, wipe=False)
        told(lost.refreshed(), lost, wipe=False)
        told(lost.refreshed(), lost, wipe=False)
        assert other.api.get("/v1/me").status_code == 200
        first, second = sessions_of(database, "phuongvi-1")
        assert first.revoked_reason is RevokedReason.device_revoked
        assert second.revoked_at is None

    def test_a_second_time_changes_nothing(self, api: Api, database: Database) -> None:
        phone = enrolled(api, "phuongvi-1")
        officer = api.as_("phuongvi")
        first = officer.post(f"{phone.path}/revoke", json={"wipe": True}).json()
        again = officer.post(f"{phone.path}/revoke", json={}).json()
        assert again == first
        assert first["wipe_requested_at"] is not None

    def test_its_password_does_not_bring_it_back(self, api: Api) -> None:
        """A thief who knows the password gets the same answer; a phone in good hands enrols anew."""
        phone = enrolled(api, "phuongvi-1")
        api.as_("phuongvi").post(f"{phone.path}/revoke", json={"wipe": True})
        sent = {"grant_type": "password", "username": "phuongvi-1", "device_id": phone.id}
        told(api.post("/v1/auth/token", data=sent | {"password": PASSWORD}), phone, wipe=True)
        wrong = api.post("/v1/auth/token", data=sent | {"password": "wrong-password-1"})
        refusal(wrong, 401, "bad_credentials")
        found = Phone(api, "phuongvi-1")
        found.id, new = phone.id, found.id
        told(found.enrol(), phone, wipe=True)
        found.id = new
        assert found.enrol().status_code == 201

    def test_a_session_that_ended_before_is_told_as_well(self, api: Api) -> None:
        phone = enrolled(api, "phuongvi-1")
        officer = api.as_("phuongvi")
        owner = phone.api.get("/v1/me").json()["id"]
        officer.post(f"/v1/accounts/{owner}/reset")
        refusal(phone.refreshed(), 401, "refresh_refused")
        officer.post(f"{phone.path}/revoke", json={"wipe": True})
        told(phone.refreshed(), phone, wipe=True)

    def test_a_lent_phone_wipes_what_is_of_that_account_only(self, api: Api) -> None:
        """Two heads use one phone: each account has a device of its own on it."""
        hers, of_the_other = enrolled(api, "phuongvi-1"), enrolled(api, "phuongvi-2")
        api.as_("phuongvi").post(f"{hers.path}/revoke", json={"wipe": True})
        told(hers.refreshed(), hers, wipe=True)
        assert of_the_other.refreshed().status_code == 200


class TestWiped:
    def test_the_phone_confirms_with_its_ended_session(self, api: Api, database: Database) -> None:
        phone = enrolled(api, "phuongvi-1")
        officer = api.as_("phuongvi")
        officer.post(f"{phone.path}/revoke", json={"wipe": True})
        phone.confirm_wiped()
        device = officer.get(phone.path).json()
        assert device["wiped_at"] >= device["wipe_requested_at"]
        told(phone.refreshed(), phone, wipe=False)
        first = stored(database)[0].wiped_at
        phone.confirm_wiped()
        assert stored(database)[0].wiped_at == first

    def test_only_what_was_asked_for_is_confirmed(self, api: Api, database: Database) -> None:
        phone = enrolled(api, "phuongvi-1")
        phone.confirm_wiped()
        api.as_("phuongvi").post(f"{phone.path}/revoke", json={})
        phone.confirm_wiped()
        for token in ("unknown", phone.access + "x", phone.id, "Ạ"):
            assert api.post("/v1/devices/wiped", json={"token": token}).status_code == 204
        assert stored(database)[0].wiped_at is None

    def test_a_phone_that_was_off_for_a_year_is_told(self, api: Api, database: Database) -> None:
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            kept, forgotten = enrolled(api, "phuongvi-1"), enrolled(api, "phuongvi-1")
            api.as_("phuongvi").post(f"{kept.path}/revoke", json={"wipe": True})
            api.as_("phuongvi").post(f"{forgotten.path}/revoke", json={})
            clock.shift(timedelta(days=365))
            with writing(database) as session:
                sessions.forget_old(session)
            told(kept.refreshed(), kept, wipe=True)
            refusal(forgotten.refreshed(), 401, "refresh_refused")
            kept.confirm_wiped()
            with writing(database) as session:
                sessions.forget_old(session)
            refusal(kept.refreshed(), 401, "refresh_refused")

    def test_each_act_is_in_the_change_log(self, api: Api) -> None:
        phone = enrolled(api, "phuongvi-1")
        phone.enrol(app_version="1.5.0")
        officer = api.as_("phuongvi")
        officer.patch(phone.path, json={"name": "Máy khu 1"})
        officer.post(f"{phone.path}/revoke", json={"wipe": True})
        phone.confirm_wiped()
        log = officer.get("/v1/changes?kinds=device").json()["items"]
        assert [(each["operation"], sorted(each["after"])) for each in log] == [
            (
                "created",
                ["account_id", "name", "platform", "revoked_at", "wipe_requested_at", "wiped_at"],
            ),
            ("updated", ["name"]),
            ("updated", ["revoked_at", "wipe_requested_at"]),
            ("updated", ["wiped_at"]),
        ]


class TestTheAccount:
    def test_a_disabled_account_keeps_its_devices(self, api: Api) -> None:
        """What was not sent is still on them."""
        phone = enrolled(api, "phuongvi-1")
        officer = api.as_("phuongvi")
        owner = phone.api.get("/v1/me").json()["id"]
        officer.post(f"/v1/accounts/{owner}/disable")
        refusal(phone.api.get("/v1/me"), 401, "invalid_token")
        refusal(phone.refreshed(), 401, "refresh_refused")
        device = officer.get(phone.path).json()
        assert (device["state"], device["signed_in"]) == ("enrolled", False)
        officer.post(f"/v1/accounts/{owner}/enable")
        assert Phone(api, "phuongvi-1", phone.id).bound_to == phone.id

    def test_last_seen_is_written_with_a_refresh_and_not_with_each_request(
        self, app: FastAPI, database: Database
    ) -> None:
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            phone = enrolled(Api(app), "phuongvi-1")
            seen = stored(database)[0].last_seen_at
            clock.shift(timedelta(minutes=10))
            phone.api.get("/v1/me")
            assert stored(database)[0].last_seen_at == seen
            assert phone.refreshed().status_code == 200
            assert stored(database)[0].last_seen_at == seen + timedelta(minutes=10)
