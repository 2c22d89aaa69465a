"""Versions of the app that are served: where an older one is refused, and where it never is."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from fastapi import FastAPI

from app.api.http.routing import routes_of
from app.api.http.server import serving
from app.clock import local_today
from app.config import BadSettings
from app.db import Database
from app.models.identity.devices import Platform
from app.services.identity.app_versions import app_versions
from tests.helpers.client import Api
from tests.helpers.serving import give
from tests.identity.auth import pointers, refusal
from tests.identity.devices import Phone, enrolled, stored

Serve = Callable[..., None]


@pytest.fixture
def serve(app: FastAPI, database: Database, tmp_path: Path) -> Serve:
    """Put another table under the server: of Android, what is oldest from so many days on."""

    def put(oldest: dict[int, str]) -> None:
        days = {local_today() + timedelta(days): version for days, version in oldest.items()}
        lines = [{"valid_from": day, "oldest": version} for day, version in days.items()]
        file = tmp_path / f"{uuid4()}.yaml"
        file.write_text(yaml.safe_dump({"android": lines}))
        database.settings.app_versions_file = file
        settings = serving(app).settings.model_copy(update={"app_versions_file": file})
        give(app, settings=settings)

    return put


def version(value: str) -> dict[str, str]:
    return {"x-app-version": value}


class TestTooOld:
    def test_gets_426_from_pull_and_enrolment(
        self, api: Api, serve: Serve, database: Database
    ) -> None:
        serve({-1: "1.4"})
        phone = Phone(api, "phuongvi-1")
        body = {"id": phone.id, "name": "Máy", "platform": "android", "app_version": "1.4.0"}
        for answer in (
            phone.api.get("/v1/sync/plan", headers=version("android/1.3.9")),
            phone.api.get("/v1/sync/changes", headers=version("android/1.3.9")),
            phone.api.post("/v1/devices", json=body, headers=version("android/1.3.9")),
            phone.enrol(app_version="1.3.9"),
        ):
            told = refusal(answer, 426, "app_too_old")
            said = (told["platform"], told["version"], told["oldest"])
            assert said == ("android", "1.3.9", "1.4")
            assert "cập nhật lên phiên bản 1.4" in told["detail"]
        english = version("android/1.3.9") | {"accept-language": "en"}
        assert "update to 1.4" in phone.api.get("/v1/sync/plan", headers=english).json()["detail"]
        assert stored(database) == []

    def test_and_everything_else_as_before(self, api: Api, serve: Serve) -> None:
        """What was recorded is taken: tokens, reports, confirmations and all that is written."""
        phone = enrolled(api, "phuongvi-1")
        serve({-1: "9.0"})
        phone.api.headers |= version("android/1.3.9")
        assert Phone(api, "phuongvi-1", phone.id).bound_to == phone.id
        assert phone.refreshed().status_code == 200
        body = {"sent_at": "2026-11-30T09:00:00+07:00", "unsent": 0, "app_version": "1.3.9"}
        assert phone.api.post(f"{phone.path}/report", json=body).status_code == 204
        assert phone.api.get("/v1/members").status_code == 200
        assert phone.api.post("/v1/auth/revoke", data={"token": phone.refresh}).status_code == 200

    def test_is_said_by_the_routes_that_give_records_to_keep(self, app: FastAPI) -> None:
        refusing = {route.operation_id for route in routes_of(app) if route.refuses_old_apps}
        assert refusing == {"get_sync_plan", "pull_changes", "enrol_device"}

    def test_a_revoked_phone_is_told_that_first(self, api: Api, serve: Serve) -> None:
        phone = enrolled(api, "phuongvi-1")
        serve({-1: "9.0"})
        api.as_("phuongvi").post(f"{phone.path}/revoke", json={"wipe": True})
        answer = phone.api.get("/v1/sync/plan", headers=version("android/1.0"))
        assert refusal(answer, 401, "device_revoked")["wipe"] is True


class TestTheHeader:
    @pytest.mark.parametrize(
        ("given", "status"),
        [
            ("android/1.4", 200),
            ("android/1.4.0", 200),
            ("android/1.4.0-beta.2", 200),
            ("android/1.10", 200),
            ("android/99.0", 200),
            ("ios/0.1", 200),
            ("android/1.3.99", 426),
            ("android/0", 426),
        ],
    )
    def test_names_the_platform_and_the_version(
        self, api: Api, serve: Serve, given: str, status: int
    ) -> None:
        """A version of tomorrow is served, and so is a platform without a line."""
        serve({-1: "1.4"})
        answer = api.as_("phuongvi-1").get("/v1/sync/plan", headers=version(given))
        assert answer.status_code == status

    @pytest.mark.parametrize(
        "given", ["", "1.4", "android", "android/", "android/x", "android/1..4", "a/1" + "1" * 99]
    )
    def test_what_names_none_is_refused(self, api: Api, given: str) -> None:
        answer = api.as_("phuongvi-1").get("/v1/sync/plan", headers=version(given))
        assert pointers(answer) == [("/x-app-version", "wrong_format")]

    def test_an_unknown_platform_is_refused(self, api: Api) -> None:
        answer = api.as_("phuongvi-1").get("/v1/sync/plan", headers=version("symbian/1.4"))
        assert pointers(answer) == [("/x-app-version", "not_in_list")]
        assert answer.json()["errors"][0]["allowed"] == ["android", "ios"]

    def test_who_sends_none_is_no_app(self, api: Api, serve: Serve) -> None:
        serve({-1: "9.0"})
        assert api.as_("phuongvi-1").get("/v1/sync/plan").status_code == 200


class TestTheTable:
    def test_a_line_holds_from_its_day_on(self, api: Api, serve: Serve) -> None:
        serve({-9: "1.0", 0: "1.4", 30: "2.0"})
        head = api.as_("phuongvi-1")
        asked = [
            head.get("/v1/sync/plan", headers=version(f"android/{each}")).status_code
            for each in ("1.3", "1.4", "2.0")
        ]
        assert asked == [426, 200, 200]

    def test_the_last_day_is_known_before(self, api: Api, serve: Serve) -> None:
        serve({-9: "1.0", 30: "2.0"})
        phone = enrolled(api, "phuongvi-1")
        last = (local_today() + timedelta(days=29)).isoformat()
        assert phone.api.get(phone.path).json()["app_supported_until"] == last
        assert phone.enrol(app_version="2.0").json()["app_supported_until"] is None

    def test_ours_is_sound(self) -> None:
        assert app_versions().last_day(Platform.android, "1.0") is None

    @pytest.mark.parametrize(
        "table",
        [
            {"symbian": [{"valid_from": date(2026, 1, 1), "oldest": "1.0"}]},
            {"android": []},
            {"android": [{"valid_from": date(2026, 1, 1), "oldest": "new"}]},
            {"android": [{"valid_from": date(2026, 1, 1), "oldest": "1.0"}] * 2},
            {"android": [{"valid_from": date(2026, 1, 1), "oldest": "1.0", "to": "2.0"}]},
        ],
    )
    def test_one_that_is_not_is_refused_at_the_start(
        self, tmp_path: Path, table: dict[str, object]
    ) -> None:
        file = tmp_path / "app_versions.yaml"
        file.write_text(yaml.safe_dump(table))
        with pytest.raises(BadSettings, match=str(file)):
            app_versions(file)
        with pytest.raises(BadSettings, match="nowhere"):
            app_versions(tmp_path / "nowhere.yaml")
