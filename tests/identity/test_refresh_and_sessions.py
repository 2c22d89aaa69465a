"""Auth."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
from fastapi import FastAPI
from httpx2 import Response

from app.db import Database
from app.models.kernel.sessions import RevokedReason
from app.security.secret_texts import digest
from tests.helpers.client import Api
from tests.identity.auth import (
    SessionsOnly,
    me,
    pointers,
    refresh_row,
    refreshed,
    refusal,
    sessions_of,
    signed_in,
)


class TestRefresh(SessionsOnly):
    def test_a_refresh_token_is_exchanged_for_a_new_pair(
        self, api: Api, database: Database
    ) -> None:
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            first = signed_in(api, "phuongvi", device="máy 1").json()
            [before] = sessions_of(database, "phuongvi")
            clock.shift(timedelta(days=10))
            response = refreshed(api, first["refresh_token"])
            second = response.json()
            assert response.headers["cache-control"] == "no-store"
            assert second["refresh_token"] != first["refresh_token"]
            assert second["access_token"] != first["access_token"]
            assert second["scope"] == first["scope"]
            assert me(api, second["access_token"]).json()["username"] == "phuongvi"
            [after] = sessions_of(database, "phuongvi")
            assert (after.id, after.device) == (before.id, "máy 1")
            assert after.last_used_at == before.last_used_at + timedelta(days=10)
            assert after.expires_at == before.expires_at + timedelta(days=10)
            used = refresh_row(database, first["refresh_token"])
            fresh = refresh_row(database, second["refresh_token"])
            assert used is not None
            assert fresh is not None
            assert used.used_at == after.last_used_at
            assert (fresh.used_at, fresh.session_id) == (None, before.id)

    def test_a_token_used_twice_ends_the_whole_session(self, api: Api, database: Database) -> None:
        other_device = signed_in(api, "phuongvi", device="máy 2").json()
        first = signed_in(api, "phuongvi", device="máy 1").json()
        second = refreshed(api, first["refresh_token"]).json()
        stolen = refreshed(api, first["refresh_token"])
        told = refusal(stolen, 401, "refresh_refused")
        assert told["error"] == "invalid_grant"
        assert "www-authenticate" in stolen.headers
        refusal(refreshed(api, second["refresh_token"]), 401, "refresh_refused")
        for pair in (first, second):
            refusal(me(api, pair["access_token"]), 401, "invalid_token")
        by_device = {each.device: each for each in sessions_of(database, "phuongvi")}
        assert by_device["máy 1"].revoked_reason is RevokedReason.refresh_reused
        assert by_device["máy 1"].revoked_at is not None
        assert by_device["máy 2"].revoked_at is None
        assert refreshed(api, other_device["refresh_token"]).json()["token_type"] == "Bearer"

    @pytest.mark.race
    def test_of_two_at_once_one_wins_and_the_session_ends(
        self, app: FastAPI, api: Api, database: Database
    ) -> None:
        token = signed_in(api, "phuongvi").json()["refresh_token"]
        start = threading.Barrier(2)

        def once(_: int) -> Response:
            mine = Api(app)
            start.wait()
            return refreshed(mine, token)

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(once, range(2)))
        winner, loser = sorted(answers, key=lambda answer: answer.status_code)
        assert winner.status_code == 200
        refusal(loser, 401, "refresh_refused")
        [ended] = sessions_of(database, "phuongvi")
        assert ended.revoked_reason is RevokedReason.refresh_reused
        refusal(me(api, winner.json()["access_token"]), 401, "invalid_token")
        refusal(refreshed(api, winner.json()["refresh_token"]), 401, "refresh_refused")

    def test_a_session_not_used_for_30_days_is_over(self, api: Api, database: Database) -> None:
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            first = signed_in(api, "phuongvi").json()
            clock.shift(timedelta(days=30, seconds=-1))
            second = refreshed(api, first["refresh_token"]).json()
            clock.shift(timedelta(days=30))
            refusal(refreshed(api, second["refresh_token"]), 401, "refresh_refused")
            [over] = sessions_of(database, "phuongvi")
            assert over.revoked_at is None
            unused = refresh_row(database, second["refresh_token"])
            assert unused is not None
            assert unused.used_at is None

    def test_what_is_no_refresh_token_is_refused(self, api: Api, database: Database) -> None:
        pair = signed_in(api, "phuongvi").json()
        [stored] = sessions_of(database, "phuongvi")
        for wrong in (
            "unknown",
            pair["access_token"],
            digest(pair["refresh_token"]),
            pair["refresh_token"].swapcase(),
            pair["refresh_token"] + " ",
            str(stored.id),
        ):
            refusal(refreshed(api, wrong), 401, "refresh_refused")
        assert refreshed(api, pair["refresh_token"]).json()["token_type"] == "Bearer"


class TestRevoke(SessionsOnly):
    def revoke(self, api: Api, token: str, **more: str) -> None:
        response = api.post("/v1/auth/revoke", data={"token": token} | more)
        assert (response.status_code, response.content) == (200, b"")

    @pytest.mark.parametrize("which", ["refresh_token", "access_token"])
    def test_either_token_ends_the_session(self, api: Api, database: Database, which: str) -> None:
        other = signed_in(api, "phuongvi", device="máy 2").json()
        pair = signed_in(api, "phuongvi", device="máy 1").json()
        self.revoke(api, pair[which])
        refusal(me(api, pair["access_token"]), 401, "invalid_token")
        refusal(refreshed(api, pair["refresh_token"]), 401, "refresh_refused")
        by_device = {each.device: each for each in sessions_of(database, "phuongvi")}
        assert by_device["máy 1"].revoked_reason is RevokedReason.signed_out
        assert by_device["máy 2"].revoked_at is None
        assert me(api, other["access_token"]).json()["username"] == "phuongvi"

    def test_a_token_used_up_still_ends_its_session(self, api: Api, database: Database) -> None:
        first = signed_in(api, "phuongvi").json()
        second = refreshed(api, first["refresh_token"]).json()
        self.revoke(api, first["refresh_token"])
        refusal(me(api, second["access_token"]), 401, "invalid_token")
        [ended] = sessions_of(database, "phuongvi")
        assert ended.revoked_reason is RevokedReason.signed_out

    def test_an_unknown_token_is_no_error(self, api: Api, database: Database) -> None:
        pair = signed_in(api, "phuongvi").json()
        for token in ("unknown", "a.b.c", "é", "\ufffd" * 50, digest(pair["refresh_token"])):
            self.revoke(api, token, token_type_hint="refresh_token")
        assert me(api, pair["access_token"]).json()["username"] == "phuongvi"
        [opened] = sessions_of(database, "phuongvi")
        assert opened.revoked_at is None

    def test_the_hint_is_only_a_hint(self, api: Api) -> None:
        pair = signed_in(api, "phuongvi").json()
        self.revoke(api, pair["refresh_token"], token_type_hint="access_token")
        refusal(me(api, pair["access_token"]), 401, "invalid_token")

    def test_the_first_reason_stays(self, api: Api, database: Database) -> None:
        first = signed_in(api, "phuongvi").json()
        refreshed(api, first["refresh_token"])
        refusal(refreshed(api, first["refresh_token"]), 401, "refresh_refused")
        [before] = sessions_of(database, "phuongvi")
        self.revoke(api, first["refresh_token"])
        [after] = sessions_of(database, "phuongvi")
        assert after.revoked_reason is RevokedReason.refresh_reused
        assert after.revoked_at == before.revoked_at

    def test_a_form_with_something_wrong(self, api: Api) -> None:
        sent = {"token_type_hint": "x"}
        assert pointers(api.post("/v1/auth/revoke", data=sent)) == [("/token", "required")]
        sent = {"token": "x", "all": "true"}
        assert pointers(api.post("/v1/auth/revoke", data=sent)) == [("/all", "unknown_field")]
        refusal(api.post("/v1/auth/revoke", json={"token": "x"}), 415, "unsupported_media_type")


class TestSessions(SessionsOnly):
    def test_requires_login(self, api: Api) -> None:
        for method, path in (
            ("GET", "/v1/auth/sessions"),
            ("DELETE", "/v1/auth/sessions"),
            ("DELETE", f"/v1/auth/sessions/{uuid4()}"),
        ):
            response = api.request(method, path)
            refusal(response, 401, "not_authenticated")
            assert response.headers["www-authenticate"].startswith("Bearer ")

    def test_lists_my_devices_the_last_used_first(self, api: Api, database: Database) -> None:
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            signed_in(api, "tienluong", device="của người khác")
            signed_in(api, "phuongvi", device="máy bàn")
            clock.shift(60)
            mine = signed_in(api, "phuongvi", device="điện thoại").json()
            ended = signed_in(api, "phuongvi", device="máy cũ").json()
            api.post("/v1/auth/revoke", data={"token": ended["refresh_token"]})
            headers = {"authorization": f"Bearer {mine['access_token']}"}
            items = api.get("/v1/auth/sessions", headers=headers).json()["items"]
        assert [(item["device"], item["current"]) for item in items] == [
            ("điện thoại", True),
            ("máy bàn", False),
        ]
        stored = {each.device: each for each in sessions_of(database, "phuongvi")}
        assert items[0]["id"] == str(stored["điện thoại"].id)
        assert items[0]["user_agent"] == "testclient"

    def test_a_device_out_of_time_is_not_listed(self, api: Api) -> None:
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            signed_in(api, "phuongvi", device="bỏ quên")
            clock.shift(timedelta(days=30))
            mine = api.as_("phuongvi")
            items = mine.get("/v1/auth/sessions").json()["items"]
        assert [item["device"] for item in items] == ["test"]

    def test_ends_one_device(self, api: Api, database: Database) -> None:
        lost = signed_in(api, "phuongvi", device="bị mất").json()
        mine = api.as_("phuongvi")
        [stored] = [each for each in sessions_of(database, "phuongvi") if each.device == "bị mất"]
        response = mine.delete(f"/v1/auth/sessions/{stored.id}")
        assert (response.status_code, response.content) == (204, b"")
        refusal(me(api, lost["access_token"]), 401, "invalid_token")
        refusal(refreshed(api, lost["refresh_token"]), 401, "refresh_refused")
        assert mine.get("/v1/me").json()["username"] == "phuongvi"
        reasons = {each.device: each.revoked_reason for each in sessions_of(database, "phuongvi")}
        assert reasons == {"bị mất": RevokedReason.signed_out, "test": None}
        refusal(mine.delete(f"/v1/auth/sessions/{stored.id}"), 404, "not_found")

    def test_the_session_of_another_person_is_404_and_goes_on(
        self, api: Api, database: Database
    ) -> None:
        theirs = api.as_("phuongvi-1")
        [stored] = sessions_of(database, "phuongvi-1")
        for name in ("phuongvi", "admin", "phutho"):
            response = api.as_(name).delete(f"/v1/auth/sessions/{stored.id}")
            refusal(response, 404, "not_found")
        assert theirs.get("/v1/me").json()["username"] == "phuongvi-1"
        [after] = sessions_of(database, "phuongvi-1")
        assert after.revoked_at is None

    def test_an_id_that_is_none(self, api: Api) -> None:
        mine = api.as_("phuongvi")
        refusal(mine.delete(f"/v1/auth/sessions/{uuid4()}"), 404, "not_found")
        assert pointers(mine.delete("/v1/auth/sessions/1")) == [("/session_id", "id_invalid")]

    def test_signs_all_my_devices_out(self, api: Api, database: Database) -> None:
        pair = signed_in(api, "phuongvi").json()
        mine, other = api.as_("phuongvi"), api.as_("phuongvi-1")
        response = mine.delete("/v1/auth/sessions")
        assert (response.status_code, response.content) == (204, b"")
        refusal(mine.get("/v1/me"), 401, "invalid_token")
        refusal(me(api, pair["access_token"]), 401, "invalid_token")
        refusal(refreshed(api, pair["refresh_token"]), 401, "refresh_refused")
        reasons = {each.revoked_reason for each in sessions_of(database, "phuongvi")}
        assert reasons == {RevokedReason.signed_out}
        assert other.get("/v1/me").json()["username"] == "phuongvi-1"
