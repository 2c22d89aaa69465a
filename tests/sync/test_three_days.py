"""A head with two phones and no network for three days loses nothing."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine

from app.api.http.server import serving
from app.clock import local_today, utc_now
from app.db import Database
from app.services.sync import waiting
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api
from tests.helpers.meetings import announced, at
from tests.helpers.operations import operation, push
from tests.helpers.phone import Phone, differing, fresh_slice, listed
from tests.kernel.changes import done

INBOX = "/v1/sync/inbox"


class Offline:
    """A phone with what is written on it, in its order, with the revisions that it has seen."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.phone = Phone(api)
        self.phone.pull()
        self.queue: list[Json] = []

    def write(self, kind: str, patch: Json, record_id: str | None = None, **more: Any) -> Json:
        sent = operation(kind, record_id or str(uuid4()), patch, **more)
        self.queue.append(sent)
        return sent

    def correct(self, member_id: str, **patch: Any) -> Json:
        revision, _ = self.phone.said["member", member_id]
        return self.write("member.update", patch, member_id, base_rev=revision)

    def capture(self, session_id: str, member_id: str, **more: Any) -> Json:
        patch = {"session_id": session_id, "kind": "roster", "member_id": member_id}
        return self.write("capture.add", patch, **more)


def meeting_offline(phone: Offline, member_ids: list[str]) -> str:
    """Planned, held and written up without a network; the id of its session."""
    event = phone.write("event.create", {"title": "Họp chi hội", "kind": "meeting"})
    patch = {"event_id": event["id"], "starts_at": at(0, 8), "ends_at": at(0, 10)}
    held = phone.write("session.create", patch, depends_on=[event["op_id"]])
    for member_id in member_ids:
        phone.capture(held["id"], member_id, depends_on=[held["op_id"]])
    minutes = {"body": "Bàn về vốn vay", "decisions": [{"text": "Lập tổ vay vốn"}]}
    phone.write("minutes.update", minutes, held["id"], depends_on=[held["op_id"]])
    return str(held["id"])


def test_nothing_is_lost(
    api: Api, database: Database, unit_id: UnitIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving(api.app).settings, "access_token_seconds", 40 * 86_400)
    with time_machine.travel(utc_now()) as clock:
        officer, head = (api.as_(name) for name in ("phuongvi", "phuongvi-1"))
        branch = unit_id["phuongvi-1"]
        units = {"host_unit_ids": [branch], "invited_unit_ids": [branch]}
        _, planned = announced(officer, **units)
        one, two = (Offline(api.as_("phuongvi-1")) for _ in range(2))
        people = sorted(one.phone.rows["member"])
        both, merged, contested, moved = people[:4]

        # The first day: a meeting, somebody new, corrections.
        held = meeting_offline(one, people[:3])
        new = one.write(
            "member.create",
            {
                "branch_id": branch,
                "full_name": "Bùi Thị Mới",
                "birth_date": "1981",
                "joined_on": None,
            },
        )
        one.write("member.update", {"address": "Khu 7"}, new["id"], depends_on=[new["op_id"]])
        one.capture(held, new["id"], depends_on=[new["op_id"]])
        one.correct(merged, address="Khu 8")
        clock.shift(timedelta(days=1))

        # The second day, on the other phone, which knows nothing of the first one.
        two.correct(merged, occupation="Trồng chè")
        two.correct(contested, phone="0912 345 670")
        house = {"branch_id": branch, "people": [_head_of_family()]}
        home = two.write("household.create", house)
        visit = {"visited_on": local_today().isoformat(), "visitors": ["Lan"]}
        two.write("visit.add", visit | {"household_id": home["id"]}, depends_on=[home["op_id"]])
        clock.shift(timedelta(days=1))

        # The third: both phones take down who comes; the officers work on, online.
        for phone in (one, two):
            phone.capture(planned, both)
        one.correct(moved, address="Khu 9")
        done(officer.patch(f"/v1/members/{contested}", json={"phone": "0987 654 321"}))
        done(
            officer.post(
                f"/v1/members/{moved}/transfers", json={"to_branch_id": unit_id["phuongvi-2"]}
            )
        )
        clock.shift(timedelta(days=1))

        # The network is there, and bad: an answer is lost, and what was sent comes again, backwards.
        push(one.api, *one.queue[:5])
        push(one.api, *one.queue)
        push(two.api, *reversed(two.queue))
        push(two.api, *two.queue)
        waiting.tend(database)
        for decides in (officer, api.as_("phuongvi-2")):
            for entry in listed(decides, INBOX):
                done(decides.post(f"{INBOX}/{entry}/accept", json={}))

        # Every verdict, as any phone of hers reads it.
        found = _verdicts(head)
        written = {sent["op_id"] for each in (one, two) for sent in each.queue}
        assert {row["op_id"] for row in found} == written
        assert [row for row in found if row["verdict"] not in ("applied", "merged")] == []

        # What was written is there, and once.
        members = listed(api.as_("phuongvi"), "/v1/members")
        assert (members[merged]["address"], members[merged]["occupation"]) == ("Khu 8", "Trồng chè")
        assert members[new["id"]]["address"] == "Khu 7"
        assert members[contested]["phone"] == "+84912345670"
        assert (members[moved]["address"], members[moved]["branch_id"]) == (
            "Khu 9",
            unit_id["phuongvi-2"],
        )
        assert done(head.get(f"/v1/sessions/{held}/attendance"))["distinct_people"] == 4
        assert done(head.get(f"/v1/sessions/{planned}/attendance"))["distinct_people"] == 1
        assert done(head.get(f"/v1/sessions/{held}/minutes"))["body"] == "Bàn về vốn vay"
        assert len(done(head.get(f"/v1/households/{home['id']}/visits"))["items"]) == 1

        # And both phones have what a new one is given.
        for phone in (one, two):
            phone.phone.pull()
            assert phone.phone.started_over == []
            assert differing(phone.phone, fresh_slice(head)) == []


def _head_of_family() -> Json:
    name = {"full_name": "Bùi Văn Nam", "birth_date": "1971", "gender": "male"}
    return name | {"relation": "head"}


def _verdicts(api: Api) -> list[Json]:
    page = done(api.get("/v1/sync/operations?limit=200"))
    assert page["next_cursor"] is None
    rows: list[Json] = page["items"]
    return rows
