"""The way out of poverty: planned, followed, closed, checked on, and told when it fails."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from dateutil.relativedelta import relativedelta
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.support.escape_paths import EscapeCheck, EscapePath
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import Ids, done, forbidden, free_members, made
from tests.helpers.client import Api, counted, writing
from tests.helpers.homes import decide, home
from tests.helpers.when_run import WhenRun


def days(number: int) -> str:
    return (local_today() + timedelta(days=number)).isoformat()


@pytest.fixture
def poor(database: Database, unit_id: Ids) -> UUID:
    household_id = home(database, unit_id["phuongvi-1"])
    decide(database, household_id, "poor", "2023-01-01")
    return household_id


def plan(**more: Any) -> Json:
    return {
        "opened_on": days(-100),
        "target_on": days(300),
        "steps": [
            {"title": "Vay vốn nuôi bò", "responsible": "Bà Lan", "due_on": days(-10)},
            {"title": "Khoan giếng", "responsible": "Bà Hoa", "due_on": days(40)},
        ],
    } | more


def opened(api: Api, household_id: UUID, **more: Any) -> Json:
    answer = api.as_("phuongvi-1").post(
        f"/v1/households/{household_id}/escape-paths", json=plan(**more)
    )
    return made(answer)


def tasks(api: Api, who: str = "phuongvi", **query: str) -> list[tuple[str, str]]:
    items = done(api.as_(who).get("/v1/escape-tasks", params=query))["items"]
    return [(item["kind"], item["due_on"]) for item in items]


class TestOpen:
    def test_a_path_with_steps(self, api: Api, poor: UUID, unit_id: Ids) -> None:
        item = opened(api, poor)
        assert (item["state"], item["helper_id"]) == ("open", unit_id["phuongvi-1"])
        assert [s["title"] for s in item["steps"]] == ["Vay vốn nuôi bò", "Khoan giếng"]
        assert (item["steps_done"], item["steps_total"], item["checks"]) == (0, 2, [])
        [listed] = done(api.as_("phuongvi").get("/v1/escape-paths?state=open"))["items"]
        assert listed["id"] == item["id"]
        assert done(api.as_("tienluong").get("/v1/escape-paths"))["items"] == []

    def test_one_at_a_time_and_sent_twice(self, api: Api, poor: UUID, database: Database) -> None:
        ident = str(uuid4())
        item = opened(api, poor, id=ident)
        where = f"/v1/households/{poor}/escape-paths"
        head = api.as_("phuongvi-1")
        assert done(head.post(where, json=plan(id=ident)))["id"] == item["id"]
        refused(head.post(where, json=plan(id=ident, target_on=days(9))), 409, "id_taken")
        refused(head.post(where, json=plan()), 409, "path_open")
        with writing(database) as session:
            assert len(session.exec(select(EscapePath)).all()) == 1

    def test_a_member_may_be_responsible(
        self, api: Api, poor: UUID, database: Database, unit_id: Ids
    ) -> None:
        member = free_members(database, unit_id["phuongvi-1"])[0]
        step = {"title": "x", "responsible_member_id": str(member.id), "due_on": days(-1)}
        opened(api, poor, steps=[step])
        [task] = done(api.as_("phuongvi").get("/v1/escape-tasks"))["items"]
        assert task["responsible"] == member.full_name

    @pytest.mark.parametrize(
        ("more", "pointer", "code"),
        [
            ({"target_on": WhenRun(days, -200)}, "/target_on", "dates_reversed"),
            ({"opened_on": "2019-01-01"}, "/opened_on", "before_household"),
            ({"steps": []}, "/steps", "too_short"),
            (
                {"steps": [{"title": "x", "due_on": WhenRun(days, 1)}]},
                "/steps/0/responsible",
                "one_of_needed",
            ),
            (
                {"steps": [{"title": "x", "due_on": WhenRun(days, -400), "responsible": "y"}]},
                "/steps/0/due_on",
                "dates_reversed",
            ),
            ({"helper_id": 1}, "/helper_id", "unit_unknown"),
        ],
    )
    def test_bad_input(self, api: Api, poor: UUID, more: Json, pointer: str, code: str) -> None:
        answer = api.as_("phuongvi-1").post(
            f"/v1/households/{poor}/escape-paths", json=plan(**more)
        )
        pointed(answer, pointer, code)

    def test_who_may(self, api: Api, poor: UUID) -> None:
        where = f"/v1/households/{poor}/escape-paths"
        refused(api.as_("phuongvi-2").post(where, json=plan()), 404, "not_found")
        forbidden(api.as_("auditor").post(where, json=plan()), "poverty:write")
        item = opened(api, poor)
        refused(api.as_("phuongvi-2").get(f"/v1/escape-paths/{item['id']}"), 404, "not_found")
        forbidden(api.as_("auditor").get(f"/v1/escape-paths/{item['id']}"), "poverty:read")
        forbidden(api.as_("auditor").get("/v1/escape-tasks"), "poverty:read")


class TestFollow:
    def test_steps_are_due_until_done(self, api: Api, poor: UUID) -> None:
        item = opened(api, poor)
        assert tasks(api) == [("step", days(-10))]
        assert tasks(api, due_to=days(50)) == [("step", days(-10)), ("step", days(40))]
        step, head = item["steps"][0], api.as_("phuongvi-1")
        where = f"/v1/escape-steps/{step['id']}"
        stale = head.patch(where, json={"done_on": days(0)}, headers={"if-match": '"9"'})
        refused(stale, 412, "stale_revision")
        changed = done(head.patch(where, json={"done_on": days(0)}))
        assert changed["steps_done"] == 1
        assert tasks(api) == []
        refused(api.as_("phuongvi-2").patch(where, json={"title": "y"}), 404, "not_found")

    def test_an_escape_needs_the_decision_and_is_checked_on(
        self, api: Api, poor: UUID, database: Database
    ) -> None:
        item = opened(api, poor)
        head, where = api.as_("phuongvi-1"), f"/v1/escape-paths/{item['id']}"
        pointed(head.post(f"{where}/close", json={"state": "open"}), "/state", "not_in_list")
        refused(head.post(f"{where}/close", json={"state": "escaped"}), 409, "still_poor")
        decide(database, poor, "escaped_poverty", days(-30))
        body = {"state": "escaped", "effective_on": days(-30)}
        closed = done(head.post(f"{where}/close", json=body))
        assert [check["months"] for check in closed["checks"]] == [6, 12, 18]
        assert (
            closed["checks"][0]["due_on"]
            == (local_today() - timedelta(days=30) + relativedelta(months=6)).isoformat()
        )
        assert done(head.post(f"{where}/close", json=body)) == closed
        refused(head.post(f"{where}/close", json={"state": "improved"}), 409, "path_state")
        step = item["steps"][0]["id"]
        refused(head.patch(f"/v1/escape-steps/{step}", json={"title": "x"}), 409, "path_state")
        due = closed["checks"][0]["due_on"]
        assert tasks(api, due_to=due) == [("check", due)]
        check = closed["checks"][0]["id"]
        found = {"outcome": "holding", "note": "Bò đã đẻ."}
        done(head.post(f"/v1/escape-checks/{check}/done", json=found))
        assert tasks(api, due_to=due) == []
        early = head.post(f"/v1/escape-checks/{check}/done", json=found | {"done_on": days(-90)})
        pointed(early, "/done_on", "check_too_early")
        with writing(database) as session:
            stored = session.exec(select(EscapeCheck).where(col(EscapeCheck.months) == 6)).one()
        assert stored.done_on == local_today()

    def test_a_relapse_is_a_task_until_there_is_a_new_path(
        self, api: Api, poor: UUID, database: Database
    ) -> None:
        item = opened(api, poor)
        decide(database, poor, "escaped_poverty", days(-60))
        head = api.as_("phuongvi-1")
        close = {"state": "escaped", "effective_on": days(-60)}
        done(head.post(f"/v1/escape-paths/{item['id']}/close", json=close))
        assert tasks(api) == []
        decide(database, poor, "poor", days(-5))
        assert tasks(api) == [("relapse", days(-5))]
        assert done(head.get(f"/v1/escape-paths/{item['id']}"))["relapsed"] is True
        later = [{"title": "Làm lại", "responsible": "Bà Lan", "due_on": days(30)}]
        opened(api, poor, opened_on=days(-4), steps=later)
        assert tasks(api) == []

    def test_a_relapse_on_the_day_the_path_closed_is_a_task(
        self, api: Api, poor: UUID, database: Database
    ) -> None:
        item = opened(api, poor)
        decide(database, poor, "escaped_poverty", days(-60))
        head = api.as_("phuongvi-1")
        close = {"state": "escaped", "effective_on": days(-10)}
        done(head.post(f"/v1/escape-paths/{item['id']}/close", json=close))
        decide(database, poor, "poor", days(-10))
        assert tasks(api) == [("relapse", days(-10))]
        assert done(head.get(f"/v1/escape-paths/{item['id']}"))["relapsed"] is True

    def test_a_step_of_a_member_who_has_left_needs_another(
        self, api: Api, poor: UUID, database: Database, unit_id: Ids
    ) -> None:
        gone, other = free_members(database, unit_id["phuongvi-1"])[:2]
        step = {"title": "x", "responsible_member_id": str(gone.id), "due_on": days(40)}
        item = opened(api, poor, steps=[step])
        officer = api.as_("phuongvi")
        made(officer.post(f"/v1/members/{gone.id}/death", json={"died_on": days(-1)}))
        assert tasks(api) == [("responsible", days(40))]
        where = f"/v1/escape-steps/{item['steps'][0]['id']}"
        refused(
            officer.patch(where, json={"responsible_member_id": str(gone.id)}), 409, "member_state"
        )
        both = {"responsible": "Bà Lan", "responsible_member_id": str(other.id)}
        pointed(officer.patch(where, json=both), "/responsible", "not_together")
        done(officer.patch(where, json={"responsible_member_id": str(other.id)}))
        assert tasks(api) == []
        [step] = done(officer.patch(where, json={"responsible": "Bà Lan"}))["steps"]
        assert (step["responsible"], step["responsible_member_id"]) == ("Bà Lan", None)

    def test_tasks_take_one_statement(self, api: Api, poor: UUID, database: Database) -> None:
        opened(api, poor)
        officer = api.as_("phuongvi")
        officer.get("/v1/me")
        with counted(database) as statements:
            officer.get("/v1/escape-tasks")
        assert len([s for s in statements if "escape_step" in s]) == 1
