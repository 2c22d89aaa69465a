"""Attendance over time: rates of a unit, what one member attended."""

from datetime import timedelta
from uuid import UUID

from app.clock import local_today
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api


def asked(api: Api, unit: int, **query: object) -> Json:
    since = (local_today() - timedelta(days=100)).isoformat()
    answer = api.get(f"/v1/units/{unit}/attendance", params={"from": since, **query})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


class TestUnit:
    def test_people_participations_and_rate(
        self, head: Api, branch: int, three_meetings: list[UUID], roster: list[UUID]
    ) -> None:
        found = asked(head, branch)
        assert (found["sessions"], found["distinct_people"], found["participations"]) == (3, 20, 40)
        assert found["invitations"] == 3 * len(roster)
        assert found["rate"] == round(40 / (3 * len(roster)), 4)
        months = asked(head, branch, by="month")["items"]
        assert sum(month["participations"] for month in months) == 40
        assert sum(month["invitations"] for month in months) == 3 * len(roster)
        assert asked(head, branch, kind="training")["participations"] == 0

    def test_stays_as_it_was_when_members_move(
        self, api: Api, unit_id: UnitIds, three_meetings: list[UUID], roster: list[UUID]
    ) -> None:
        commune = api.as_("phuongvi")
        before = asked(commune, unit_id["phuongvi"], by="branch")
        for each in roster[:3]:
            path = f"/v1/members/{each}/transfers"
            commune.post(path, json={"to_branch_id": unit_id["phuongvi-2"]})
        assert asked(commune, unit_id["phuongvi"], by="branch") == before
        [item] = before["items"]
        assert (item["unit"]["id"], item["distinct_people"]) == (unit_id["phuongvi-1"], 20)
        [of_commune] = asked(commune, unit_id["phuongvi"], by="commune")["items"]
        assert of_commune["invitations"] == before["invitations"]
        district = asked(api.as_("camkhe"), unit_id["camkhe"])
        assert district["participations"] == before["participations"]

    def test_is_for_whoever_may_read_it(
        self, api: Api, branch: int, three_meetings: list[UUID]
    ) -> None:
        path = f"/v1/units/{branch}/attendance?from=2026-01-01"
        assert api.as_("tienluong-1").get(path).status_code == 404
        assert api.as_("admin").get(path).status_code == 403
        reversed_ = api.as_("phuongvi-1").get(f"{path}&to=2025-01-01")
        assert reversed_.status_code == 422


class TestMember:
    def test_history_the_last_first(
        self, head: Api, api: Api, three_meetings: list[UUID], roster: list[UUID]
    ) -> None:
        path = f"/v1/members/{roster[10]}/attendance"
        items = head.get(path).json()["items"]
        assert [UUID(each["session_id"]) for each in items] == three_meetings[:0:-1]
        page = head.get(f"{path}?limit=1").json()
        rest = head.get(f"{path}?limit=1&cursor={page['next_cursor']}").json()
        assert [*page["items"], *rest["items"]] == items
        assert api.as_("tienluong-1").get(path).status_code == 404

    def test_her_own(self, api: Api, three_meetings: list[UUID]) -> None:
        answer = api.as_("member").get("/v1/me/attendance")
        assert answer.status_code == 200
        assert api.as_("admin").get("/v1/me/attendance").json()["code"] == "no_own_record"


class TestEvent:
    def test_of_a_session(self, head: Api, three_meetings: list[UUID]) -> None:
        event = head.get(f"/v1/sessions/{three_meetings[0]}").json()["event_id"]
        found = head.get(f"/v1/events/{event}/attendance").json()
        assert (found["sessions"], found["distinct_people"], found["participations"]) == (1, 10, 10)
