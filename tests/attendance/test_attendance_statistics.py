"""Attendance over time: rates of a unit, who stays away, what one member attended."""

from datetime import timedelta
from uuid import UUID

import pytest

from app.clock import local_today, utc_now
from app.db import Database
from tests.helpers.answers import Json, UnitIds
from tests.helpers.captures import hold, members_of, send, tapped
from tests.helpers.client import Api, counted


@pytest.fixture
def branch(unit_id: UnitIds) -> int:
    return unit_id["phuongvi-1"]


@pytest.fixture
def roster(database: Database, branch: int) -> list[UUID]:
    return members_of(database, branch)


@pytest.fixture
def three_meetings(head: Api, database: Database, branch: int, roster: list[UUID]) -> list[UUID]:
    """Ten, twenty and ten came to the last three; one was never held and does not count."""
    now = utc_now().replace(microsecond=0)
    held = []
    for days, people in ((63, roster[:10]), (33, roster[:20]), (3, roster[10:20])):
        began = now - timedelta(days=days)
        held.append(hold(database, [branch], starts_at=began))
        send(head, held[-1], [tapped(each, began) for each in people])
    hold(database, [branch], starts_at=now - timedelta(days=1), state="planned")
    return held


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


class TestAbsentees:
    def test_missed_the_last_ones_in_succession(
        self,
        head: Api,
        database: Database,
        branch: int,
        three_meetings: list[UUID],
        roster: list[UUID],
    ) -> None:
        def absent(meetings: int) -> set[UUID]:
            path = f"/v1/units/{branch}/absentees?meetings={meetings}&limit=200"
            return {UUID(each["member_id"]) for each in head.get(path).json()["items"]}

        assert absent(1) == set(roster) - set(roster[10:20])
        assert absent(2) == absent(3) == set(roster[20:])
        assert absent(4) == set()
        [first, *_] = head.get(f"/v1/units/{branch}/absentees?meetings=1").json()["items"]
        assert first["missed"] == 1
        exported = head.get(f"/v1/units/{branch}/absentees?format=csv")
        assert exported.headers["content-type"].startswith("text/csv")

    def test_costs_the_same_for_few_and_many(
        self, head: Api, database: Database, branch: int, three_meetings: list[UUID]
    ) -> None:
        costs = set()
        for limit in (2, 20):
            with counted(database) as statements:
                head.get(f"/v1/units/{branch}/absentees?limit={limit}")
            costs.add(len(statements))
        assert len(costs) == 1


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
