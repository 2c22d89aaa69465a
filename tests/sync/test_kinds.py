"""A head's day without a network: each kind of operation does what the API's own operation does."""

from datetime import datetime, timedelta, timezone
from uuid import uuid4

import pytest

from app.clock import local_today
from app.db import Database
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api
from tests.helpers.meetings import at, made, sessions
from tests.helpers.operations import edit, known, operation, push, verdicts
from tests.sync.test_former_holders import INBOX, entries, lose, received

NAME = "Đặng Thị Kim Thoa"


@pytest.fixture
def newcomer(unit_id: UnitIds) -> Json:
    patch = {
        "branch_id": unit_id["phuongvi-1"],
        "full_name": NAME,
        "birth_date": "1971",
        "joined_on": None,
    }
    return operation("member.create", str(uuid4()), patch)


@pytest.fixture
def household(unit_id: UnitIds) -> Json:
    head = {"full_name": NAME, "birth_date": "1971", "gender": "female", "relation": "head"}
    patch = {"branch_id": unit_id["phuongvi-1"], "people": [head]}
    return operation("household.create", str(uuid4()), patch)


class TestMembers:
    def test_an_edit_before_its_admission(self, head: Api, newcomer: Json) -> None:
        change = operation("member.update", newcomer["id"], {"address": "Khu 1"})
        later = operation("member.update", newcomer["id"], {"address": "Khu 2"})
        assert verdicts(head, change) == ["held"]
        assert verdicts(head, newcomer, later) == ["applied", "applied"]
        assert known(head, change)["verdict"] == "applied"
        found = head.get(f"/v1/members/{newcomer['id']}").json()
        assert (found["full_name"], found["revision"]) == (NAME, 3)
        assert verdicts(head, newcomer) == ["duplicate"]

    def test_somebody_on_record_already_is_admitted_with_a_warning(
        self, head: Api, newcomer: Json
    ) -> None:
        again = newcomer | {"id": str(uuid4()), "op_id": str(uuid4())}
        first, second = push(head, newcomer, again)
        assert (first["verdict"], second["verdict"]) == ("applied", "applied")
        assert [each["code"] for each in second["warnings"]] == ["duplicate_suspected"]
        assert second["warnings"][0]["pointer"] == "/patch/full_name"

    def test_an_id_that_is_taken(self, head: Api, someone: Json, newcomer: Json) -> None:
        [answer] = push(head, newcomer | {"id": someone["id"]})
        assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "id_taken")


class TestHouseholds:
    def test_ids_out_of_scope_are_as_those_of_nothing(
        self, api: Api, head: Api, someone: Json, household: Json, unit_id: UnitIds
    ) -> None:
        theirs = household | {"op_id": str(uuid4())}
        theirs["patch"] = household["patch"] | {"branch_id": unit_id["tienluong-1"]}
        assert verdicts(api.as_("tienluong"), theirs) == ["applied"]
        for household_id in (theirs["id"], str(uuid4())):
            linked = edit(someone, household_id=household_id)
            patch = {"household_id": household_id, "visited_on": "2026-01-01", "visitors": ["Lan"]}
            answers = push(head, linked, operation("visit.add", str(uuid4()), patch))
            for answer in answers:
                [error] = answer["problem"]["errors"]
                assert (error["pointer"], error["code"]) == (
                    "/patch/household_id",
                    "household_unknown",
                )

    def test_made_changed_and_visited(self, head: Api, officer: Api, household: Json) -> None:
        made = household["id"]
        before = [household["op_id"]]
        changed = operation("household.update", made, {"merit": True}, depends_on=before)
        day = local_today().isoformat()
        visit = operation(
            "visit.add",
            str(uuid4()),
            {"household_id": made, "visited_on": day, "visitors": ["Lan"]},
            depends_on=before,
        )
        support = operation(
            "support.add",
            str(uuid4()),
            {"household_id": made, "kind": "gift", "given_on": day, "value_vnd": 500_000},
            depends_on=before,
        )
        answers = push(head, support, visit, changed, household)
        assert [each["verdict"] for each in answers] == ["applied"] * 4, answers
        found = head.get(f"/v1/households/{made}").json()
        assert found["merit"] is True
        [visited] = head.get(f"/v1/households/{made}/visits").json()["items"]
        assert (visited["id"], visited["visitors"]) == (visit["id"], ["Lan"])
        [given] = head.get(f"/v1/households/{made}/support").json()["items"]
        assert given["id"] == support["id"]

    def test_fields_of_a_household_are_compared(
        self, head: Api, officer: Api, household: Json
    ) -> None:
        push(head, household)
        seen = head.get(f"/v1/households/{household['id']}").json()
        officer.patch(f"/v1/households/{household['id']}", json={"code": "H-1"})
        both = edit(seen, code="H-2", merit=True) | {"kind": "household.update"}
        [answer] = push(head, both)
        assert (answer["verdict"], answer["fields"]) == ("conflict", ["code"])
        now = head.get(f"/v1/households/{household['id']}").json()
        assert (now["code"], now["merit"]) == ("H-1", True)
        [entry] = entries(officer)
        assert (entry["sent"], entry["present"]) == ({"code": "H-2"}, {"code": "H-1"})

    def test_a_visit_by_who_has_lost_the_branch(
        self, head: Api, officer: Api, household: Json, database: Database
    ) -> None:
        push(head, household)
        received(database, household["id"])
        lose(database, "phuongvi-1", 3)
        patch = {
            "household_id": household["id"],
            "visited_on": local_today().isoformat(),
            "visitors": ["Lan"],
            "note": "Cần sửa mái",
        }
        sent = operation("visit.add", str(uuid4()), patch)
        assert verdicts(head, sent) == ["held"]
        [entry] = entries(officer)
        assert (entry["values_of"], entry["sent"], entry["present"]) == (
            "household_visit",
            patch,
            {},
        )
        done = officer.post(f"{INBOX}/{entry['id']}/accept", json={})
        assert done.status_code == 200, done.text
        [visit] = officer.get(f"/v1/households/{household['id']}/visits").json()["items"]
        assert (visit["note"], visit["account_id"]) == ("Cần sửa mái", entry["account_id"])


class TestMeetings:
    def test_a_meeting_that_was_planned_and_held_offline(self, head: Api, someone: Json) -> None:
        event = operation("event.create", str(uuid4()), {"title": "Họp", "kind": "meeting"})
        held = operation(
            "session.create",
            str(uuid4()),
            {"event_id": event["id"], "starts_at": at(0, 8), "ends_at": at(0, 10)},
            depends_on=[event["op_id"]],
        )
        came = operation(
            "capture.add",
            str(uuid4()),
            {"session_id": held["id"], "kind": "roster", "member_id": someone["id"]},
            depends_on=[held["op_id"]],
        )
        answers = push(head, came, held, event)
        assert [each["verdict"] for each in answers] == ["applied"] * 3, answers
        counts = head.get(f"/v1/sessions/{held['id']}/attendance").json()
        assert counts["distinct_people"] == 1

    def test_two_who_change_an_event(self, head: Api, officer: Api) -> None:
        event = made(head)
        done = officer.patch(f"/v1/events/{event['id']}", json={"title": "Họp chi hội"})
        assert done.status_code == 200, done.text
        both = edit(event, title="Họp tổ", place="Nhà văn hoá") | {"kind": "event.update"}
        [answer] = push(head, both)
        assert (answer["verdict"], answer["fields"]) == ("conflict", ["title"])
        now = head.get(f"/v1/events/{event['id']}").json()
        assert (now["title"], now["place"]) == ("Họp chi hội", "Nhà văn hoá")

    def test_an_edit_by_the_second_host_is_compared_as_well(
        self, api: Api, officer: Api, unit_id: UnitIds
    ) -> None:
        hosts = [unit_id["phuongvi-1"], unit_id["phuongvi-2"]]
        event = made(officer, host_unit_ids=hosts)
        assert officer.patch(f"/v1/events/{event['id']}", json={"title": "Họp"}).is_success
        both = edit(event, title="Họp tổ", place="Nhà văn hoá") | {"kind": "event.update"}
        [answer] = push(api.as_("phuongvi-2"), both)
        assert (answer["verdict"], answer["fields"]) == ("conflict", ["title"])
        now = officer.get(f"/v1/events/{event['id']}").json()
        assert (now["title"], now["place"]) == ("Họp", "Nhà văn hoá")

    def test_the_same_time_in_another_zone_is_no_conflict(self, head: Api, officer: Api) -> None:
        sitting = sessions(head, made(head))[0]
        ends = datetime.fromisoformat(sitting["ends_at"]) + timedelta(hours=1)
        path = f"/v1/sessions/{sitting['id']}"
        assert officer.patch(path, json={"ends_at": ends.isoformat()}).status_code == 200
        same = ends.astimezone(timezone(timedelta(hours=7))).isoformat()
        sent = edit(sitting, ends_at=same) | {"kind": "session.update"}
        assert verdicts(head, sent) == ["merged"]
