"""Phones report what they have not sent; officers see it for their units, the worst first."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from app.db import Database
from tests.helpers.client import Api
from tests.identity.auth import pointers, refusal
from tests.identity.devices import Phone, enrolled, stored

# A Monday.
NOW = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)
Ids = dict[str, int]


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def ago(**before: float) -> str:
    return (NOW - timedelta(**before)).isoformat()


def report(phone: Phone, **said: object) -> None:
    body = {"sent_at": NOW.isoformat(), "unsent": 0} | said
    answer = phone.api.post(f"{phone.path}/report", json=body)
    assert answer.status_code == 204, answer.text


def health(api: Api, query: str = "") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = api.get(f"/v1/devices/health{query}").json()["items"]
    return items


@pytest.mark.usefixtures("clock")
class TestTheReport:
    @pytest.fixture
    def phone(self, api: Api) -> Phone:
        return enrolled(api, "phuongvi-1")

    def test_success_and_error_do_not_hide_each_other(self, api: Api, phone: Phone) -> None:
        """powersync-swift#156."""
        report(phone, last_error_at=ago(hours=2), last_error="no_network")
        report(phone, last_success_at=ago(hours=1))
        device = phone.api.get(phone.path).json()
        said = [device[name] for name in ("last_success_at", "last_error_at", "last_error")]
        assert said == ["2026-11-30T01:00:00Z", "2026-11-30T00:00:00Z", "no_network"]
        assert health(api.as_("phuongvi"))[0]["failing"] == 0
        report(phone, last_error_at=ago(minutes=5), last_error="storage_full")
        device = phone.api.get(phone.path).json()
        said = [device[name] for name in ("last_success_at", "last_error_at", "last_error")]
        assert said == ["2026-11-30T01:00:00Z", "2026-11-30T01:55:00Z", "storage_full"]
        assert health(api.as_("phuongvi"))[0]["failing"] == 1

    def test_what_comes_late_takes_nothing_back(self, phone: Phone) -> None:
        report(phone, last_success_at=ago(hours=1), last_error_at=ago(hours=1), last_error="new")
        report(phone, last_success_at=ago(hours=9), last_error_at=ago(hours=9), last_error="old")
        device = phone.api.get(phone.path).json()
        assert device["last_success_at"] == device["last_error_at"] == "2026-11-30T01:00:00Z"
        assert device["last_error"] == "new"

    @pytest.mark.parametrize("sent_at", ["1970-01-01T06:00:00Z", "2100-01-01T06:00:00Z"])
    def test_the_clock_of_the_phone_is_no_matter(self, phone: Phone, sent_at: str) -> None:
        since = (datetime.fromisoformat(sent_at) - timedelta(days=2)).isoformat()
        report(phone, sent_at=sent_at, unsent=3, unsent_since=since)
        device = phone.api.get(phone.path).json()
        assert device["unsent_since"] == "2026-11-28T02:00:00Z"

    def test_nothing_of_it_is_in_the_future(self, phone: Phone) -> None:
        report(phone, unsent=3, unsent_since=ago(days=-30))
        assert phone.api.get(phone.path).json()["unsent_since"] == "2026-11-30T02:00:00Z"

    def test_once_all_is_sent_nothing_waits(self, phone: Phone, database: Database) -> None:
        report(phone, unsent=3, unsent_since=ago(days=2), app_version="1.6.0")
        report(phone, unsent=0, unsent_since=ago(days=2))
        [row] = stored(database)
        assert (row.unsent, row.unsent_since, row.app_version) == (0, None, "1.6.0")
        assert row.revision == 1

    def test_only_the_phone_itself_reports(self, api: Api, phone: Phone) -> None:
        body = {"sent_at": NOW.isoformat(), "unsent": 9, "unsent_since": ago(days=9)}
        others = [Phone(api, "phuongvi-1").api, enrolled(api, "phuongvi-1").api]
        for other in (*others, api.as_("phuongvi"), api.as_("phuongvi-2")):
            refusal(other.post(f"{phone.path}/report", json=body), 404, "not_found")
        assert phone.api.get(phone.path).json()["reported_at"] is None

    def test_what_is_no_report_is_refused(self, phone: Phone) -> None:
        for wrong, told in (
            ({"unsent": 3}, ("/unsent_since", "required")),
            ({"unsent": -1}, ("/unsent", "too_small")),
            ({"unsent": 10**9}, ("/unsent", "too_large")),
            ({"last_error": "Chị Lan không gửi được"}, ("/last_error", "wrong_format")),
            ({"sent_at": "0001-01-01T00:00:00Z"}, ("/sent_at", "instant_out_of_range")),
            ({"app_version": "x"}, ("/app_version", "wrong_format")),
        ):
            body = {"sent_at": NOW.isoformat(), "unsent": 0} | wrong
            assert pointers(phone.api.post(f"{phone.path}/report", json=body)) == [told]


class TestOfficers:
    def test_see_their_units_the_worst_first(
        self, api: Api, clock: time_machine.Traveller, unit_id: Ids
    ) -> None:
        clock.move_to(NOW - timedelta(days=6))
        worst, second = enrolled(api, "phuongvi-1"), enrolled(api, "phuongvi-2")
        clock.move_to(NOW)
        fine, more = enrolled(api, "phuongvi"), enrolled(api, "phuongvi-1")
        enrolled(api, "tienluong-1")
        worst, second = (
            Phone(api, n, p.id) for n, p in (("phuongvi-1", worst), ("phuongvi-2", second))
        )
        report(second, unsent=100, unsent_since=ago(hours=3))
        report(worst, unsent=30, unsent_since=ago(days=6))
        report(more, unsent=1, unsent_since=ago(days=1))
        report(fine)
        items = health(api.as_("phuongvi"))
        assert [(each["unit"]["id"], each["devices"], each["unsent"]) for each in items] == [
            (unit_id["phuongvi-1"], 2, 31),
            (unit_id["phuongvi-2"], 1, 100),
            (unit_id["phuongvi"], 1, 0),
        ]
        name = items[0]["unit"]["name"]
        assert items[0]["unsent_since"] == "2026-11-24T02:00:00Z"
        assert items[0]["text_vi"] == (
            f"{name} còn 31 bản ghi chưa gửi, từ thứ Ba 24/11/2026; liên lạc lần cuối thứ Hai 30/11/2026."
        )
        assert items[0]["text_en"] == (
            f"{name} has 31 unsent records since Tuesday 2026-11-24; last heard from on Monday 2026-11-30."
        )
        assert "đã gửi hết" in items[2]["text_vi"]
        officer = api.as_("phuongvi")
        first = officer.get("/v1/devices/health?limit=2").json()
        rest = officer.get(f"/v1/devices/health?cursor={first['next_cursor']}").json()
        pages = first["items"] + rest["items"]
        assert pages == items
        assert health(officer, f"?unit={unit_id['phuongvi-2']}") == [items[1]]

    def test_revoked_phones_are_not_waited_for(
        self, api: Api, clock: time_machine.Traveller
    ) -> None:
        phone = enrolled(api, "phuongvi-1")
        report(phone, unsent=30, unsent_since=ago(days=6))
        officer = api.as_("phuongvi")
        assert len(health(officer)) == 1
        officer.post(f"{phone.path}/revoke", json={})
        assert health(officer) == []

    @pytest.mark.parametrize("username", ["phuongvi-1", "member"])
    def test_who_sees_no_accounts_sees_no_units(self, api: Api, username: str) -> None:
        answer = api.as_(username).get("/v1/devices/health")
        assert refusal(answer, 403, "forbidden")["required_right"] == "accounts:read"
