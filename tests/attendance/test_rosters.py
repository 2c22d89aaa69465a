"""The roster of a session with who came, and who stays away from meetings."""

from collections import Counter
from datetime import timedelta
from uuid import UUID

from app.clock import utc_now
from app.db import Database
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.captures import hold, item, send, tapped
from tests.helpers.client import Api, counted
from tests.helpers.meetings import announced, items


def roster_of(api: Api, session_id: object, query: str = "") -> dict[UUID, Json]:
    found = items(api, f"/v1/sessions/{session_id}/roster?limit=200{query}")
    return {UUID(each["member_id"]): each for each in found}


class TestRoster:
    def test_shows_who_came_and_who_did_not(
        self, head: Api, roster: list[UUID], three_meetings: list[UUID]
    ) -> None:
        everybody = roster_of(head, three_meetings[1])
        assert everybody.keys() == set(roster)
        came = {key for key, each in everybody.items() if each["state"] == "attended"}
        assert came == set(roster[:20])
        assert roster_of(head, three_meetings[1], "&state=attended").keys() == came
        absent = roster_of(head, three_meetings[1], "&state=absent")
        assert absent.keys() == set(roster[20:])
        assert {(each["mode"], each["attended_at"]) for each in absent.values()} == {(None, None)}
        assert everybody[roster[0]]["mode"] == "in_person"

    def test_nobody_is_absent_before_it_is_held(self, api: Api, head: Api) -> None:
        _, session_id = announced(head)
        member = api.as_("member")
        her = UUID(member.get("/v1/me").json()["member_id"])
        member.post(f"/v1/sessions/{session_id}/rsvps/own", json={"answer": "no"})
        found = roster_of(head, session_id)
        assert {each["state"] for each in found.values()} == {"invited"}
        assert found[her]["answer"] == "no"
        assert roster_of(head, session_id, "&state=absent") == {}

    def test_is_of_the_day_and_of_the_units_of_the_reader(
        self, api: Api, database: Database, unit_id: UnitIds, roster: list[UUID]
    ) -> None:
        began = utc_now().replace(microsecond=0) - timedelta(days=3)
        meeting = hold(database, [unit_id["phuongvi"]], starts_at=began)
        commune, head = api.as_("phuongvi"), api.as_("phuongvi-1")
        send(head, meeting, [tapped(roster[0], began), item("roster", name="Khách", is_guest=True)])
        assert roster_of(head, meeting).keys() == set(roster)
        other = unit_id["phuongvi-2"]
        assert roster_of(head, meeting, f"&branch={other}") == {}
        of_other = roster_of(commune, meeting, f"&branch={other}")
        assert {each["branch_id"] for each in of_other.values()} == {other}
        gone = {"to_branch_id": unit_id["phuongvi-2"]}
        commune.post(f"/v1/members/{roster[0]}/transfers", json=gone)
        assert roster_of(commune, meeting, f"&branch={other}") == of_other
        of_branch = roster_of(commune, meeting, f"&branch={unit_id['phuongvi-1']}")
        assert of_branch[roster[0]]["state"] == "attended"
        path = f"/v1/sessions/{meeting}/roster"
        refused(api.as_("tienluong-1").get(path), 404, "not_found")
        refused(api.as_("member").get(path), 403, "forbidden")

    def test_leaves_as_a_file(self, head: Api, three_meetings: list[UUID]) -> None:
        path = f"/v1/sessions/{three_meetings[0]}/roster"
        for form in ("csv", "xlsx", "ndjson"):
            answer = head.get(f"{path}?format={form}")
            assert answer.status_code == 200, answer.text
            assert f".{form}" in answer.headers["content-disposition"]


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
        for asked, missed in ((1, {1: 10, 3: len(roster) - 20}), (2, {3: len(roster) - 20})):
            path = f"/v1/units/{branch}/absentees?meetings={asked}&limit=200"
            assert Counter(each["missed"] for each in items(head, path)) == missed
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
