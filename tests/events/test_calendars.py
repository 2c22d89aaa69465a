"""Calendars for phones: feeds by a secret address, and of one event."""

from typing import Any
from uuid import uuid4

import pytest
from icalendar import Calendar
from sqlmodel import col, select

from app.clock import local_day, local_today
from app.db import Database
from app.models.base import table_of
from app.models.events.calendar_links import CalendarLink
from app.models.kernel.accounts import Account, AccountStatus
from app.services.events import calendars
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api, writing
from tests.helpers.meetings import acted, announced, items, made, sitting


def entries(api: Api, path: str) -> list[Any]:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    return list(Calendar.from_ical(answer.content).walk("VEVENT"))


def link(api: Api, unit_id: int | None = None) -> Json:
    answer = api.post("/v1/me/calendars", json={"unit_id": unit_id})
    assert answer.status_code == 201, answer.text
    body: Json = answer.json()
    return body


class TestFeeds:
    def test_of_a_unit_has_what_is_announced_and_no_secret(
        self, api: Api, head: Api, unit_id: UnitIds
    ) -> None:
        made(head, title="Nháp")
        online = sitting(mode="hybrid", join_url="https://zoom.example/j/9")
        announced(head, place="Nhà văn hoá khu 1", organiser="Nguyễn Thị A", sessions=[online])
        announced(api.as_("phuongvi"), title="Cả xã")
        announced(api.as_("phuongvi-2"), title="Chi hội khác")
        feed = link(head, unit_id["phuongvi-1"])["path"]
        found = {str(entry["summary"]): entry for entry in entries(api, feed)}
        assert found.keys() == {"Sinh hoạt tháng 12", "Cả xã"}
        own = found["Sinh hoạt tháng 12"]
        assert (str(own["location"]), str(own["status"])) == ("Nhà văn hoá khu 1", "CONFIRMED")
        text = api.get(feed).text
        assert "zoom.example" not in text
        assert "Nguyễn" not in text

    def test_has_the_name_of_whose_it_is(self, api: Api, head: Api, unit_id: UnitIds) -> None:
        """Without one, phones show the secret address."""
        event_id, _ = announced(head, title="Ngày hội; gói bánh, chưng")
        found = {
            str(Calendar.from_ical(each.get(path).content)["x-wr-calname"])
            for each, path in (
                (api, link(head, unit_id["phuongvi-1"])["path"]),
                (api, link(api.as_("member"))["path"]),
                (head, f"/v1/events/{event_id}/calendar.ics"),
            )
        }
        unit = head.get(f"/v1/units/{unit_id['phuongvi-1']}").json()["name"]
        member = api.as_("member").get("/v1/me/member").json()["full_name"]
        assert found == {unit, member, "Ngày hội; gói bánh, chưng"}

    def test_of_more_than_it_holds_what_comes_is_first_and_the_oldest_is_cut(
        self,
        api: Api,
        head: Api,
        unit_id: UnitIds,
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(calendars, "MOST_ENTRIES", 4)
        made(head, title="Nháp", sessions=[sitting(5)])
        days = (-200, -90, -30, 3, 40)
        announced(head, title="Tết", sessions=[sitting(day) for day in days])
        announced(api.as_("phuongvi"), title="Cả xã", sessions=[sitting(20)])
        feed = link(head, unit_id["phuongvi-1"])["path"]
        today = local_today()
        starts = [entry.decoded("dtstart") for entry in entries(api, feed)]
        assert [(local_day(each) - today).days for each in starts] == [-30, 3, 20, 40]
        monkeypatch.setattr(calendars, "MOST_ENTRIES", 2)
        starts = [entry.decoded("dtstart") for entry in entries(api, feed)]
        assert [(local_day(each) - today).days for each in starts] == [3, 20]

    def test_does_not_change_unless_something_does(
        self, api: Api, head: Api, unit_id: UnitIds
    ) -> None:
        event_id, _ = announced(head)
        feed = link(head, unit_id["phuongvi-1"])["path"]
        tag = api.get(feed).headers["etag"]
        assert api.get(feed, headers={"if-none-match": tag}).status_code == 304
        acted(head, f"/v1/events/{event_id}/cancel", {"reason": "Bão"})
        changed = api.get(feed, headers={"if-none-match": tag})
        assert changed.status_code == 200
        assert b"STATUS:CANCELLED" in changed.content

    def test_of_a_member_is_her_agenda(self, api: Api) -> None:
        announced(api.as_("phuongvi"), title="Cả xã")
        announced(api.as_("tienluong"), title="Xã bên")
        feed = link(api.as_("member"))["path"]
        assert [str(entry["summary"]) for entry in entries(api, feed)] == ["Cả xã"]

    def test_opens_nothing_once_revoked(
        self, api: Api, head: Api, unit_id: UnitIds, database: Database
    ) -> None:
        made_ = link(head, unit_id["phuongvi-1"])
        token = made_["path"].split("/")[-1].removesuffix(".ics")
        with writing(database) as session:
            stored = session.exec(select(CalendarLink.token_digest)).one()
        assert token not in stored
        [listed] = items(head, "/v1/me/calendars")
        assert "path" not in listed
        stranger = api.as_("phuongvi-2")
        assert items(stranger, "/v1/me/calendars") == []
        refused(stranger.delete(f"/v1/me/calendars/{made_['id']}"), 404, "not_found")
        assert head.delete(f"/v1/me/calendars/{made_['id']}").status_code == 204
        refused(api.get(made_["path"]), 404, "not_found")
        refused(api.get(f"/v1/calendars/{'x' * 43}.ics"), 404, "not_found")

    def test_ends_with_the_account_of_its_owner(
        self, api: Api, head: Api, unit_id: UnitIds, database: Database
    ) -> None:
        feed = link(head, unit_id["phuongvi-1"])["path"]
        assert entries(api, feed) == []
        with writing(database) as session:
            session.execute(
                table_of(Account)
                .update()
                .where(col(Account.username) == "phuongvi-1")
                .values(status=AccountStatus.disabled)
            )
        refused(api.get(feed), 404, "not_found")

    def test_is_of_units_in_scope_alone(self, api: Api, head: Api, unit_id: UnitIds) -> None:
        answer = head.post("/v1/me/calendars", json={"unit_id": unit_id["phuongvi-2"]})
        pointed(answer, "/unit_id", "unit_unknown")
        refused(api.as_("auditor").post("/v1/me/calendars", json={}), 404, "no_own_record")

    def test_the_secret_is_not_kept_for_a_replay(self, head: Api, unit_id: UnitIds) -> None:
        key = {"idempotency-key": "k1"}
        body = {"unit_id": unit_id["phuongvi-1"]}
        first = head.post("/v1/me/calendars", json=body, headers=key).json()
        again = head.post("/v1/me/calendars", json=body, headers=key).json()
        assert (again["id"], again["path"]) == (first["id"], None)


class TestOneEvent:
    def test_is_a_file_for_whoever_sees_it(self, api: Api, head: Api) -> None:
        event = made(head, sessions=[sitting(3), sitting(4)])
        path = f"/v1/events/{event['id']}/calendar.ics"
        assert [str(entry["status"]) for entry in entries(head, path)] == ["TENTATIVE"] * 2
        refused(api.as_("phuongvi-2").get(path), 404, "not_found")
        refused(head.get(f"/v1/events/{uuid4()}/calendar.ics"), 404, "not_found")
