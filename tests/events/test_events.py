"""Events and sessions: who plans and sees them, what each state lets change, recurrence."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from sqlmodel import col, select

from app.clock import VIETNAM, local_today
from app.db import Database
from app.models.events.events import Event, EventSession, EventSessionUnit
from app.models.kernel.changes import Change
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api, counted, writing
from tests.helpers.meetings import acted, announced, at, made, meeting, sessions, sitting
from tests.helpers.when_run import WhenRun


@pytest.fixture
def neighbour(api: Api) -> Api:
    return api.as_("phuongvi-2")


@pytest.fixture
def commune(api: Api) -> Api:
    return api.as_("phuongvi")


@pytest.fixture
def member(api: Api) -> Api:
    return api.as_("member")


class TestPlanning:
    def test_a_meeting_of_ones_own_branch_needs_no_unit(
        self, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        event = made(head)
        own = unit_id["phuongvi-1"]
        assert (event["state"], event["sessions"]) == ("draft", 1)
        assert (event["host_unit_ids"], event["invited_unit_ids"]) == ([own], [own])
        assert event["hosts"][0]["id"] == own
        with writing(database) as session:
            row = session.exec(select(Event)).one()
            units = session.exec(select(EventSessionUnit)).all()
            change = session.exec(select(Change).where(col(Change.entity) == "event")).one()
        assert (row.branch_id, row.commune_id) == (own, unit_id["phuongvi"])
        assert {(unit.role.value, unit.unit_id) for unit in units} == {
            ("host", own),
            ("invited", own),
        }
        assert change.after is not None
        assert change.after["title"] == "Sinh hoạt tháng 12"

    def test_the_same_id_and_content_is_no_second_event(
        self, head: Api, database: Database
    ) -> None:
        body = meeting(id=str(uuid4()))
        body["sessions"][0]["id"] = str(uuid4())
        assert head.post("/v1/events", json=body).status_code == 201
        assert head.post("/v1/events", json=body).status_code == 200
        refused(head.post("/v1/events", json=body | {"title": "Khác"}), 409, "id_taken")
        with writing(database) as session:
            assert len(session.exec(select(Event)).all()) == 1
            assert len(session.exec(select(EventSession)).all()) == 1

    @pytest.mark.race
    def test_the_same_request_twice_at_once_is_one_event(
        self, head: Api, database: Database
    ) -> None:
        body = meeting(id=str(uuid4()))
        body["sessions"][0]["id"] = str(uuid4())
        together = Barrier(2)

        def send(_: int) -> int:
            together.wait()
            return head.post("/v1/events", json=body).status_code

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(send, range(2))) == [200, 201]
        with writing(database) as session:
            assert len(session.exec(select(EventSession)).all()) == 1

    def test_the_id_of_another_branch_tells_nothing(self, head: Api, neighbour: Api) -> None:
        body = meeting(id=str(uuid4()))
        assert head.post("/v1/events", json=body).status_code == 201
        refused(neighbour.post("/v1/events", json=body), 409, "id_taken")

    def test_a_name_of_a_kind_is_understood(self, head: Api) -> None:
        assert made(head, kind="Tập huấn")["kind"] == "training"
        pointed(head.post("/v1/events", json=meeting(kind="x")), "/kind", "event_kind_unknown")

    def test_units_out_of_scope_do_not_exist(self, head: Api, unit_id: UnitIds) -> None:
        other = [unit_id["phuongvi-2"]]
        answer = head.post("/v1/events", json=meeting(invited_unit_ids=other))
        pointed(answer, "/invited_unit_ids/0", "unit_unknown")
        answer = head.post("/v1/events", json=meeting(host_unit_ids=other))
        pointed(answer, "/host_unit_ids/0", "unit_unknown")

    def test_who_may_only_read_is_told_the_right(self, api: Api, unit_id: UnitIds) -> None:
        body = meeting(host_unit_ids=[unit_id["phuongvi-1"]])
        refusal = refused(api.as_("auditor").post("/v1/events", json=body), 403, "forbidden")
        assert refusal["required_right"] == "events:write"

    def test_who_writes_for_none_or_several_names_the_host(self, member: Api) -> None:
        answer = member.post("/v1/events", json=meeting())
        pointed(answer, "/host_unit_ids", "host_not_yours")

    @pytest.mark.parametrize(
        ("wrong", "pointer", "code"),
        [
            ({"starts_at": "2026-11-21T19:30:00"}, "/sessions/0/starts_at", "instant_invalid"),
            ({"starts_at": 5}, "/sessions/0/starts_at", "instant_invalid"),
            (
                {"starts_at": "1950-01-01T00:00:00Z"},
                "/sessions/0/starts_at",
                "instant_out_of_range",
            ),
            ({"ends_at": WhenRun(at, 6)}, "/sessions/0/ends_at", "ends_before_start"),
            ({"ends_at": WhenRun(at, 30)}, "/sessions/0/ends_at", "session_too_long"),
            ({"join_url": "javascript:alert(1)"}, "/sessions/0/join_url", "wrong_format"),
            ({"mode": "tv"}, "/sessions/0/mode", "not_in_list"),
        ],
    )
    def test_bad_sessions_are_pointed_at_and_nothing_is_saved(
        self, head: Api, database: Database, wrong: Json, pointer: str, code: str
    ) -> None:
        answer = head.post("/v1/events", json=meeting(sessions=[sitting() | wrong]))
        pointed(answer, pointer, code)
        with writing(database) as session:
            assert session.exec(select(Event)).all() == []


class TestSight:
    def test_a_draft_is_its_hosts_own(
        self, head: Api, commune: Api, neighbour: Api, api: Api, unit_id: UnitIds
    ) -> None:
        invited = [unit_id["phuongvi-1"], unit_id["phuongvi-2"]]
        event = made(commune, host_unit_ids=[unit_id["phuongvi"]], invited_unit_ids=invited)
        path = f"/v1/events/{event['id']}"
        for stranger in (head, neighbour, api.as_("tienluong"), api.as_("member")):
            refused(stranger.get(path), 404, "not_found")
            assert stranger.get("/v1/events").json()["items"] == []
            assert stranger.get("/v1/sessions").json()["items"] == []
        acted(commune, f"{path}/announce")
        for guest in (head, neighbour, api.as_("phutho")):
            assert guest.get(path).status_code == 200
            assert [item["id"] for item in guest.get("/v1/events").json()["items"]] == [event["id"]]
            assert len(guest.get("/v1/sessions").json()["items"]) == 1
        for stranger in (api.as_("phuongvi-3"), api.as_("tienluong")):
            refused(stranger.get(path), 404, "not_found")
            refused(stranger.get(f"{path}/sessions"), 404, "not_found")
            assert stranger.get("/v1/events").json()["items"] == []
            assert stranger.get("/v1/sessions").json()["items"] == []

    def test_what_invites_a_commune_invites_its_branches_and_members(
        self, head: Api, commune: Api, member: Api
    ) -> None:
        event = made(commune)
        acted(commune, f"/v1/events/{event['id']}/announce")
        for guest in (head, member):
            assert guest.get(f"/v1/events/{event['id']}").status_code == 200
            assert len(guest.get("/v1/events").json()["items"]) == 1
            assert len(guest.get("/v1/sessions").json()["items"]) == 1
        assert len(member.get("/v1/me/events").json()["items"]) == 1

    def test_a_guest_who_reads_may_not_write(self, head: Api, commune: Api) -> None:
        event = made(commune)
        acted(commune, f"/v1/events/{event['id']}/announce")
        answer = head.patch(f"/v1/events/{event['id']}", json={"title": "Khác"})
        assert refused(answer, 403, "forbidden")["required_right"] == "events:write"
        [held] = sessions(head, event)
        refused(head.post(f"/v1/sessions/{held['id']}/close"), 403, "forbidden")

    def test_the_join_link_is_for_those_invited(
        self, head: Api, commune: Api, api: Api, unit_id: UnitIds
    ) -> None:
        online = sitting(mode="online", join_url="https://zoom.example/j/1")
        event = made(commune, invited_unit_ids=[unit_id["phuongvi-1"]], sessions=[online])
        acted(commune, f"/v1/events/{event['id']}/announce")
        for reader, link in ((head, online["join_url"]), (commune, online["join_url"])):
            [seen] = sessions(reader, event)
            assert (seen["join_url"], seen["masked"]) == (link, [])
        auditor = api.as_("auditor")
        [seen] = sessions(auditor, event)
        assert (seen["join_url"], seen["masked"]) == (None, ["join_url"])
        assert auditor.get(f"/v1/sessions/{seen['id']}").json()["join_url"] is None
        csv = auditor.get("/v1/sessions?format=csv").text
        assert "zoom.example" not in csv

    def test_filters_and_pages(self, head: Api, unit_id: UnitIds, api: Api) -> None:
        first = made(head, tag="5 không 3 sạch", sessions=[sitting(3), sitting(10)])
        second = made(head, title="Tập huấn tiết kiệm", kind="training", sessions=[sitting(5)])
        listed = head.get("/v1/events").json()["items"]
        assert [item["id"] for item in listed] == [second["id"], first["id"]]

        def found(query: str) -> list[str]:
            answer = head.get(f"/v1/events?{query}")
            assert answer.status_code == 200, answer.text
            return [item["id"] for item in answer.json()["items"]]

        assert found("kind=training") == found("q=tap huan") == [second["id"]]
        assert found("tag=5 không 3 sạch") == [first["id"]]
        assert found("state=announced") == []
        assert found(f"unit={unit_id['phuongvi-1']}") == found("mine=true")
        day = at(10)[:10]
        assert found(f"from={day}&to={day}") == [first["id"]]
        pointed(head.get("/v1/events?from=2026-02-01&to=2026-01-01"), "/to", "dates_reversed")
        pointed(head.get(f"/v1/events?unit={unit_id['phuongvi-2']}"), "/unit", "unit_unknown")
        page = head.get("/v1/events?limit=1").json()
        rest = head.get(f"/v1/events?limit=1&cursor={page['next_cursor']}").json()
        assert [page["items"][0]["id"], rest["items"][0]["id"]] == [second["id"], first["id"]]
        starts: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = head.get(f"/v1/sessions?limit=1{cursor and '&cursor=' + cursor}").json()
            starts += [item["starts_at"] for item in answer["items"]]
            cursor = answer["next_cursor"]
        assert len(starts) == 3
        assert starts == sorted(starts)
        assert api.as_("phuongvi").get("/v1/events?mine=true").json()["items"] == []

    def test_a_list_asks_few_questions(self, commune: Api, database: Database) -> None:
        """Who asks (2), where she stands herself (2), and the list: whatever is in it."""
        for _ in range(3):
            made(commune)
        with counted(database) as statements:
            commune.get("/v1/events")
        assert len(statements) == 5, statements
        with counted(database) as statements:
            commune.get("/v1/sessions")
        assert len(statements) == 6, statements


class TestStates:
    def test_the_life_of_a_meeting(self, head: Api, commune: Api, unit_id: dict[str, int]) -> None:
        event = made(head, sessions=[sitting(0, starts_at=at(0, 0), ends_at=at(0, 2))])
        path = f"/v1/events/{event['id']}"
        [held] = sessions(head, event)
        refused(head.post(f"/v1/sessions/{held['id']}/hold"), 409, "event_state")
        assert acted(head, f"{path}/announce")["state"] == "announced"
        assert acted(head, f"{path}/announce")["state"] == "announced"
        pointed(
            commune.patch(path, json={"host_unit_ids": [unit_id["phuongvi-2"]]}),
            "/host_unit_ids",
            "frozen_field",
            status=409,
        )
        assert acted(head, f"/v1/sessions/{held['id']}/hold")["state"] == "held"
        assert head.get(path).json()["state"] == "held"
        pointed(head.patch(path, json={"kind": "visit"}), "/kind", "frozen_field", status=409)
        assert head.patch(path, json={"agenda": "1. Điểm danh"}).status_code == 200
        answer = head.patch(
            f"/v1/sessions/{held['id']}", json={"starts_at": at(-3), "ends_at": at(-3, 21)}
        )
        pointed(answer, "/starts_at", "other_day", status=409)
        closed = acted(head, f"/v1/sessions/{held['id']}/close")
        assert closed["state"] == "closed"
        assert closed["closed_at"] is not None
        assert acted(head, f"/v1/sessions/{held['id']}/close")["revision"] == closed["revision"]
        assert head.get(path).json()["state"] == "closed"
        refused(head.patch(path, json={"agenda": "2"}), 409, "event_state")
        refused(head.patch(f"/v1/sessions/{held['id']}", json={"title": "x"}), 409, "session_state")
        refused(head.post(f"{path}/sessions", json=sitting()), 409, "event_state")
        refused(head.post(f"{path}/cancel", json={"reason": "mưa"}), 409, "event_state")

    def test_a_day_to_come_was_not_held(self, head: Api) -> None:
        event = made(head)
        acted(head, f"/v1/events/{event['id']}/announce")
        [planned] = sessions(head, event)
        refused(head.post(f"/v1/sessions/{planned['id']}/hold"), 409, "session_not_yet")
        refused(head.post(f"/v1/sessions/{planned['id']}/close"), 409, "session_not_yet")

    def test_nothing_is_announced_without_a_session(self, head: Api) -> None:
        event = made(head, sessions=[])
        refused(head.post(f"/v1/events/{event['id']}/announce"), 409, "event_without_sessions")

    def test_calling_off_takes_the_sessions_with_it(self, head: Api) -> None:
        event = made(head, sessions=[sitting(3), sitting(4)])
        path = f"/v1/events/{event['id']}"
        acted(head, f"{path}/announce")
        assert acted(head, f"{path}/cancel", {"reason": "Bão"})["reason"] == "Bão"
        assert {each["state"] for each in sessions(head, event)} == {"cancelled"}

    def test_the_last_planned_session_takes_the_event_with_it(self, head: Api) -> None:
        event = made(head, sessions=[sitting(3), sitting(4)])
        acted(head, f"/v1/events/{event['id']}/announce")
        first, second = sessions(head, event)
        acted(head, f"/v1/sessions/{first['id']}/cancel", {"reason": "mưa"})
        assert head.get(f"/v1/events/{event['id']}").json()["state"] == "announced"
        acted(head, f"/v1/sessions/{second['id']}/cancel", {"reason": "mưa"})
        assert head.get(f"/v1/events/{event['id']}").json()["state"] == "cancelled"

    def test_a_change_needs_the_revision_it_is_based_on(self, head: Api) -> None:
        event = made(head)
        path = f"/v1/events/{event['id']}"
        tag = head.get(path).headers["etag"]
        assert head.get(path, headers={"if-none-match": tag}).status_code == 304
        changed = head.patch(path, json={"title": "Mới"}, headers={"if-match": tag})
        assert (changed.status_code, changed.json()["revision"]) == (200, 2)
        stale = head.patch(path, json={"title": "Cũ"}, headers={"if-match": tag})
        refused(stale, 412, "stale_revision")

    def test_a_moved_session_moves_in_the_calendar(self, head: Api) -> None:
        event = made(head, sessions=[sitting(3), sitting(4)])
        first, second = sessions(head, event)
        moved = {"starts_at": at(9), "ends_at": at(9, 21)}
        assert head.patch(f"/v1/sessions/{first['id']}", json=moved).status_code == 200
        items = head.get("/v1/sessions").json()["items"]
        assert [(each["id"], each["number"]) for each in items] == [
            (second["id"], 1),
            (first["id"], 2),
        ]

    def test_an_event_follows_its_units(self, commune: Api, head: Api, unit_id: UnitIds) -> None:
        own = [unit_id["phuongvi-1"]]
        event = made(commune, host_unit_ids=own)
        assert head.get(f"/v1/events/{event['id']}").status_code == 200
        other = [unit_id["phuongvi-2"]]
        answer = commune.patch(
            f"/v1/events/{event['id']}", json={"host_unit_ids": other, "invited_unit_ids": other}
        )
        assert answer.status_code == 200
        refused(head.get(f"/v1/events/{event['id']}"), 404, "not_found")
        assert head.get("/v1/sessions").json()["items"] == []

    def test_a_moved_branch_takes_its_events_along(
        self, api: Api, head: Api, unit_id: UnitIds, database: Database
    ) -> None:
        event = made(head)
        path = f"/v1/events/{event['id']}"
        assert api.as_("phuongvi").get(path).status_code == 200
        move = {
            "parent_id": unit_id["tienluong"],
            "effective_on": local_today().isoformat(),
        }
        answer = api.as_("phutho").post(f"/v1/units/{unit_id['phuongvi-1']}/moves", json=move)
        assert answer.status_code < 300, answer.text
        refused(api.as_("phuongvi").get(path), 404, "not_found")
        assert api.as_("phuongvi").get("/v1/sessions").json()["items"] == []
        new = api.as_("tienluong")
        assert new.get(path).status_code == 200
        assert len(new.get("/v1/events").json()["items"]) == 1
        assert len(new.get("/v1/sessions").json()["items"]) == 1
        with writing(database) as session:
            assert session.exec(select(EventSession.commune_id)).one() == unit_id["tienluong"]

    @pytest.mark.race
    def test_of_two_cancellations_at_once_one_comes_second(self, head: Api) -> None:
        event = made(head)
        acted(head, f"/v1/events/{event['id']}/announce")
        together = Barrier(2)

        def send(reason: str) -> Json:
            together.wait()
            return acted(head, f"/v1/events/{event['id']}/cancel", {"reason": reason})

        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(send, ("mưa", "bão"))
        assert first["reason"] == second["reason"]
        assert first["revision"] == second["revision"]


class TestRecurrence:
    def rule(self, rule: str, first: str = "2027-01-17T19:00:00+07:00") -> Json:
        start = datetime.fromisoformat(first)
        return {
            "rule": rule,
            "starts_at": first,
            "ends_at": (start + timedelta(hours=2)).isoformat(),
        }

    def test_every_third_sunday(self, head: Api) -> None:
        event = made(head, sessions=[])
        path = f"/v1/events/{event['id']}/recurrence"
        body = self.rule("FREQ=MONTHLY;BYDAY=3SU;COUNT=12")
        told = acted(head, path, body)
        assert told.pop("rule") == body["rule"]
        assert {name: value for name, value in told.items() if value} == {
            "sessions": 12,
            "created": 12,
        }
        listed = sessions(head, event)
        days = [datetime.fromisoformat(each["starts_at"]).astimezone(VIETNAM) for each in listed]
        assert {(day.weekday(), day.hour) for day in days} == {(6, 19)}
        assert [each["number"] for each in listed] == list(range(1, 13))
        again = acted(head, path, body)
        assert (again["created"], again["kept"]) == (0, 12)
        shorter = acted(head, path, self.rule("FREQ=MONTHLY;BYDAY=3SU;UNTIL=20270331"))
        assert (shorter["kept"], shorter["removed"]) == (3, 9)
        acted(head, f"/v1/events/{event['id']}/announce")
        other = acted(head, path, self.rule("FREQ=MONTHLY;BYDAY=3SU;COUNT=2"))
        assert (other["kept"], other["cancelled"]) == (2, 1)

    @pytest.mark.parametrize(
        ("rule", "code"),
        [
            ("FREQ=MONTHLY", "rule_unbounded"),
            ("FREQ=HOURLY;COUNT=3", "rule_invalid"),
            ("FREQ=DAILY;COUNT=0", "rule_invalid"),
            ("FREQ=DAILY;COUNT=3;INTERVAL=0", "rule_invalid"),
            ("FREQ=DAILY;COUNT=3;BYDAY=XX", "rule_invalid"),
            ("FREQ=DAILY;COUNT=3;BYMONTH=99;BYMONTHDAY=400", "rule_invalid"),
            ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3", "rule_empty"),
            ("FREQ=DAILY;UNTIL=2027", "rule_invalid"),
            ("FREQ=DAILY;COUNT=3;COUNT=4", "rule_invalid"),
            ("FREQ=DAILY;COUNT=201", "sessions_too_many"),
        ],
    )
    def test_bad_rules(self, head: Api, rule: str, code: str) -> None:
        event = made(head, sessions=[])
        answer = head.post(f"/v1/events/{event['id']}/recurrence", json=self.rule(rule))
        pointed(answer, "/rule", code)
        assert sessions(head, event) == []


class TestRooms:
    def test_a_joint_session_has_rooms(self, commune: Api, head: Api, unit_id: UnitIds) -> None:
        event = made(commune, sessions=[sitting(mode="hybrid")])
        [joint] = sessions(commune, event)
        path = f"/v1/sessions/{joint['id']}/rooms"
        body = {"id": str(uuid4()), "unit_id": unit_id["phuongvi-1"], "device_note": "Tivi"}
        room = commune.post(path, json=body)
        assert (room.status_code, room.json()["name"]) == (201, "Chi hội khu 1"), room.text
        assert commune.post(path, json=body).status_code == 200
        refused(commune.post(path, json=body | {"name": "x"}), 409, "id_taken")
        pointed(commune.post(path, json={}), "/name", "required")
        counted_ = commune.patch(f"/v1/rooms/{room.json()['id']}", json={"head_count": 31})
        assert counted_.json()["head_count"] == 31
        assert commune.get(f"/v1/sessions/{joint['id']}").json()["rooms"] == [counted_.json()]
        refused(head.patch(f"/v1/rooms/{body['id']}", json={"head_count": 1}), 404, "not_found")
        assert commune.delete(f"/v1/rooms/{body['id']}").status_code == 204
        assert commune.get(path).json()["items"] == []
        refused(commune.delete(f"/v1/rooms/{body['id']}"), 404, "not_found")


def test_days_beyond_all_calendars_are_answered(head: Api) -> None:
    for path in ("/v1/events", "/v1/sessions"):
        for query in ("to=2999-12-31", "from=1900-01-01"):
            assert head.get(f"{path}?{query}").status_code == 200, (path, query)
        for query in ("to=9999-12-31", "from=0001-01-01"):
            refused(head.get(f"{path}?{query}"), 422, "validation_failed")


def test_my_own_agenda_is_of_no_other_unit(head: Api) -> None:
    refused(head.get("/v1/me/events?unit=1"), 422, "validation_failed")


def test_the_place_of_a_session_is_that_of_its_event(api: Api, head: Api) -> None:
    elsewhere = sitting(9, place="Sân đình")
    announced(head, place="Nhà văn hoá khu 1", sessions=[sitting(8), elsewhere])
    found = api.as_("member").get("/v1/me/events").json()["items"]
    assert [each["place"] for each in found] == ["Nhà văn hoá khu 1", "Sân đình"]
