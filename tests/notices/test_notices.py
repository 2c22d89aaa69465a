"""Who is notified of what, once: those who must act, and those who are invited."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlmodel import col

from app.api.http.routing import routes_of
from app.clock import local_today
from app.db import Database
from app.models.base import table_of
from app.models.kernel.access import Grant
from app.services.events.notices import EventNotice
from app.services.kernel.manifest import manifest
from app.services.notices import inbox
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import account, done, free_members, made
from tests.helpers.client import Api, writing
from tests.helpers.homes import home
from tests.helpers.meetings import acted, announced, items, sitting

INBOX = "/v1/me/notifications"
Work = Callable[[], int]


def told(api: Api, kind: str | None = None) -> list[Json]:
    return [each for each in items(api, INBOX) if kind in (None, each["kind"])]


@pytest.fixture
def member(api: Api) -> Api:
    return api.as_("member")


class TestInvited:
    def test_when_it_is_announced_changed_and_cancelled(
        self, head: Api, member: Api, work: Work
    ) -> None:
        event_id, session_id = announced(head, title="Họp", place="Nhà văn hoá")
        assert told(member) == []
        work()
        [invitation] = told(member)
        assert invitation["kind"] == "event_announced"
        assert (invitation["title"], invitation["place"]) == ("Họp", "Nhà văn hoá")
        assert invitation["text"] == "Chị được mời dự"
        assert (invitation["event_id"], invitation["session_id"]) == (event_id, None)
        assert member.get(invitation["link"]).status_code == 200
        moved = sitting(9)
        done(head.patch(f"/v1/sessions/{session_id}", json=moved))
        done(head.patch(f"/v1/sessions/{session_id}", json={"late_after": 5}))
        work()
        [changed] = told(member, "session_changed")
        assert changed["link"] == f"/v1/sessions/{session_id}"
        acted(head, f"/v1/events/{event_id}/cancel", {"reason": "Bão"})
        work()
        [cancelled] = told(member, "event_cancelled")
        assert (cancelled["state"], cancelled["text"]) == ("cancelled", "Sự kiện đã huỷ")
        assert len(told(member)) == 3
        assert told(head) == []  # who has done it knows

    def test_once_and_not_of_a_draft(self, head: Api, member: Api, work: Work) -> None:
        event = made(head.post("/v1/events", json={"title": "Họp", "kind": "meeting"}))
        path = f"/v1/events/{event['id']}"
        made(head.post(f"{path}/sessions", json=sitting(5)))
        done(head.patch(path, json={"place": "Sân đình"}))
        assert work() == 0
        for _ in range(2):
            acted(head, f"{path}/announce")
        assert work() == 1
        assert [each["kind"] for each in told(member)] == ["event_announced"]
        english = member.get(INBOX, headers={"accept-language": "en"}).json()["items"]
        assert [each["text"] for each in english] == ["You are invited"]

    def test_of_a_rule_once_for_all_its_sessions(self, head: Api, member: Api, work: Work) -> None:
        event_id, _ = announced(head)
        work()
        rule = {"rule": "FREQ=WEEKLY;COUNT=8", **sitting(20)}
        acted(head, f"/v1/events/{event_id}/recurrence", rule)
        acted(head, f"/v1/events/{event_id}/recurrence", rule)
        work()
        assert len(told(member, "event_changed")) == 1

    def test_who_has_left_is_told_nothing(
        self, api: Api, head: Api, member: Api, work: Work
    ) -> None:
        announced(head)
        work()
        assert len(told(member)) == 1
        her = done(member.get("/v1/me"))["member_id"]
        left = {"reason": "moved_away"}
        made(api.as_("phuongvi").post(f"/v1/members/{her}/departures", json=left))
        announced(head, title="Sau")
        work()
        assert told(member) == []


class TestWhoMustAct:
    def test_of_a_transfer_the_side_whose_turn_it_is(
        self, api: Api, head: Api, unit_id: UnitIds, database: Database
    ) -> None:
        [her, *_] = free_members(database, unit_id["phuongvi-1"])
        target = api.as_("tienluong-1")
        body = {"to_branch_id": unit_id["tienluong-1"], "reason": "Theo chồng"}
        transfer = made(head.post(f"/v1/members/{her.id}/transfers", json=body))
        [waits] = told(target)
        assert waits["kind"] == "transfer_waits"
        assert waits["title"] == "Hồ sơ chuyển sinh hoạt chờ xử lý"
        assert waits["unit"]["id"] == unit_id["tienluong-1"]
        assert target.get(waits["link"]).json()["id"] == transfer["id"]
        assert told(head) == told(api.as_("tienluong")) == []
        done(target.post(f"/v1/transfers/{transfer['id']}/accept"))
        assert told(target) == []  # it waits no longer

    def test_of_a_correction_the_head_of_the_branch(self, head: Api, member: Api) -> None:
        asked = {"changes": {"full_name": "Trần Thị Mơ"}}
        correction = made(member.post("/v1/me/corrections", json=asked))
        [waits] = told(head, "correction_waits")
        assert waits["entity_id"] == correction["id"]
        assert head.get(waits["link"]).status_code == 200
        done(member.post(f"/v1/me/corrections/{correction['id']}/cancel"))
        assert told(head) == []

    def test_of_a_privacy_request_who_may_decide_it(self, api: Api, member: Api) -> None:
        her = done(member.get("/v1/me"))["member_id"]
        officer = api.as_("phuongvi")
        body = {"kind": "access", "channel": "paper"}
        answer = officer.post(f"/v1/members/{her}/privacy-requests", json=body)
        request = made(answer)
        assert told(officer) == []
        named = [name for name in ("camkhe", "phutho") if told(api.as_(name))]
        assert named
        [waits] = told(api.as_(named[0]), "privacy_request_waits")
        assert waits["entity_id"] == request["id"]

    def test_of_support_another_than_the_proposer(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        household = home(database, unit_id["phuongvi-1"])
        officer = api.as_("phuongvi")
        body = {
            "kind": "gift",
            "deprivation": "water",
            "given_on": "2026-11-02",
            "quantity": 2,
            "quantity_unit": "piece",
            "value_vnd": 3_000_000,
            "provider": "Hội LHPN xã",
        }
        answer = officer.post(f"/v1/households/{household}/support", json=body)
        assert answer.status_code == 201, answer.text
        assert told(officer) == []
        others = [api.as_(name) for name in ("camkhe", "phutho")]
        assert any(told(each, "support_waits") for each in others)

    def test_who_lost_the_right_sees_nothing(
        self, api: Api, head: Api, member: Api, database: Database
    ) -> None:
        made(member.post("/v1/me/corrections", json={"changes": {"full_name": "Trần Thị Mơ"}}))
        assert len(told(head)) == 1
        today = table_of(Grant).update().values(valid_to=local_today() - timedelta(days=1))
        mine = col(Grant.account_id) == account(database, "phuongvi-1").id
        with writing(database) as session:
            session.execute(today.where(mine))
        assert told(head) == []


def test_a_notice_comes_once(head: Api, member: Api, database: Database, work: Work) -> None:
    announced(head)
    work()
    [row] = told(member)
    to = [account(database, "member").id]
    with writing(database) as session:
        inbox.deliver(session, EventNotice.event_announced, UUID(row["entity_id"]), to)
    assert told(member) == [row]


def test_every_link_is_an_address_to_read(app: FastAPI) -> None:
    reads = {route.path for route in routes_of(app) if route.method == "GET"}
    shapes = {path.replace("{", "").replace("}", "") for path in reads}
    for kind in manifest().notices.values():
        link = kind.link.partition("?")[0].split("/")
        assert any(
            len(link) == len(shape.split("/"))
            and all(
                a == b or a.startswith("{") for a, b in zip(link, shape.split("/"), strict=True)
            )
            for shape in shapes
        ), kind.name
