"""A fleet of devices, each mostly offline: nothing that was written is lost, done twice or unexplained.

One number draws all of it. What fails is reported with the acts that concern it.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
import time_machine
from sqlmodel import col

from app.api.http.server import serving
from app.clock import utc_now
from app.db import Database
from app.models.attendance.attendance import Capture
from app.models.kernel.changes import Operation
from app.models.members.members import Member
from app.models.sync.operations import PushedOperation, WaitsFor
from app.models.sync.pull import MOST_BYTES
from app.services.sync import waiting
from tests.helpers import soak
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, writing
from tests.helpers.phone import Slice, differing, fresh_slice, listed
from tests.sync.acts import Acts
from tests.sync.fleet import PATH, Device, Story
from tests.sync.ledger import Ledger

HEADS = ("phuongvi-1", "phuongvi-1", "phuongvi-2", "tienluong-1", "phuongvi", "tienluong", "member")
MORE = ("phuongvi-3", "phuongvi-4", "tienluong-2", "tienluong-3", "tienluong-4", "auditor")
DEVICES = len(HEADS) if soak.TIMES == 1 else 50
STEPS = 100 if soak.TIMES == 1 else soak.longer(200)
CALM_EVERY = 50 if soak.TIMES == 1 else 500
OFFICERS = ("phuongvi", "tienluong", "camkhe")
# The whole of it stays within the life of a session.
NIGHTS = 20


class Fleet:
    def __init__(self, api: Api, database: Database, unit_id: UnitIds, seed: int) -> None:
        self.api = api
        self.database = database
        self.acts = Acts(api, database, unit_id, seed)
        self.random = self.acts.random
        self.story = Story()
        self.ledger = Ledger(database)
        accounts = HEADS if soak.TIMES == 1 else (*HEADS, *MORE)
        self.devices = [
            Device(
                f"{accounts[at % len(accounts)]}#{at}",
                api.as_(accounts[at % len(accounts)]),
                self.random,
                self.story,
            )
            for at in range(DEVICES)
        ]
        for device in self.devices:
            device.phone.pull()

    def step(self) -> None:
        self.story.step += 1
        device = self.random.choice(self.devices)
        drawn = self.random.random()
        if drawn < 0.5:
            for _ in range(self.random.randint(1, 4)):
                device.write()
        elif drawn < 0.65:
            device.push()
        elif drawn < 0.75:
            device.pull()
        elif drawn < 0.8:
            self.decide()
        else:
            before = {**self.acts.done}
            self.acts.one()
            done = self.acts.done.keys() - before.keys() or "again or refused"
            self.story.note("union", f"act {done}")

    def decide(self) -> None:
        """An officer takes up something of the inbox."""
        officer = self.api.as_(self.random.choice(OFFICERS))
        waits = sorted(listed(officer, "/v1/sync/inbox"))
        if not waits:
            return
        path = f"/v1/sync/inbox/{self.random.choice(waits)}"
        accepted = self.random.random() < 0.6
        answer = (
            officer.post(f"{path}/accept", json={})
            if accepted
            else officer.post(f"{path}/decline", json={"reason": "Đã ghi khác"})
        )
        self.story.note("officer", f"{path} accepted={accepted} {answer.status_code}")
        assert answer.status_code < 500, answer.text

    # -- calm

    def calm(self) -> None:
        """The network is good for an hour: all is sent and pulled, and compared."""
        for device in list(self.devices):
            if device.phone.ask().status_code == 401:  # the account went with its owner's record
                self.devices.remove(device)
            else:
                device.push_all()
        waiting.tend(self.database)
        waiting.follow_up(self.database)
        self.ledger.read_on()
        of_account: defaultdict[str, list[Device]] = defaultdict(list)
        for device in self.devices:
            of_account[device.username].append(device)
        for devices in of_account.values():
            fresh = fresh_slice(devices[0].api)
            for device in devices:
                self._ensure_slice(device, fresh)
            self._ensure_verdicts(devices)
        self._ensure_inbox()
        self._ensure_rows()

    def _ensure_slice(self, device: Device, fresh: Slice) -> None:
        """It has what a phone of its account that begins now is given."""
        device.phone.max_bytes = MOST_BYTES
        device.phone.pull()
        assert device.phone.started_over == [], device.name
        for kind, key in differing(device.phone, fresh):
            have, due = (each.get(kind, {}).get(key) for each in (device.phone.slice, fresh))
            pytest.fail(f"{kind} {key}: has {have}, is {due}\n{self._told(device.name, key)}")

    def _ensure_inbox(self) -> None:
        """Nothing waits unseen, and nothing waits for what has come: for an officer, or for one that
        waits itself."""
        names = ("id", "op_id", "waits_for", "waits_on")
        with writing(self.database) as session:
            rows = session.execute(
                sa.select(*(getattr(PushedOperation, name) for name in names)).where(
                    col(PushedOperation.waits_for).is_not(None)
                )
            ).all()
        seen = listed(self.api.as_("phutho"), "/v1/sync/inbox")
        waits = {row.op_id for row in rows}
        for row in rows:
            is_decided = row.waits_for is WaitsFor.decision and str(row.id) in seen
            is_after = row.waits_for is WaitsFor.predecessor and row.waits_on in waits
            assert is_decided or is_after, f"{row.waits_for} {self._of_operation(str(row.op_id))}"

    def _ensure_verdicts(self, devices: Sequence[Device]) -> None:
        """As another phone of the account reads them."""
        found = self._verdicts(devices[0].api)
        assert found.keys() == {op_id for device in devices for op_id in device.sent}
        for device in devices:
            for op_id, sent in device.sent.items():
                told = self._wrong_with(sent, device.answers[op_id], found[op_id])
                assert told is None, f"{told}\n{found[op_id]}\n{self._of_operation(op_id)}"

    def _verdicts(self, api: Api) -> dict[str, Json]:
        rows: dict[str, Json] = {}
        asked: Json = {"limit": 200}
        while True:
            page = api.get(PATH, params=asked).json()
            rows |= {row["op_id"]: row for row in page["items"]}
            if page["next_cursor"] is None:
                return rows
            asked["cursor"] = page["next_cursor"]

    def _wrong_with(self, sent: Json, heard: Json, found: Json) -> str | None:
        """What is wrong with a verdict."""
        verdict = found["verdict"]
        settled = heard["verdict"] in ("applied", "merged", "duplicate", "refused")
        was_done = heard["verdict"] != "refused"
        if settled and was_done != (verdict in ("applied", "merged")):
            return f"it was {heard['verdict']} before"
        if settled and heard["revision"] != found["revision"]:
            return "it had another revision before"
        changes = self.ledger.of_operation[sent["op_id"]]
        # In parts, where some of its fields have waited: no field is written by it two times.
        twice = Counter(
            (each.entity, each.entity_id, each.operation, name)
            for each in changes
            for name in each.after or {}
        )
        if any(count > 1 for count in twice.values()):
            return f"done twice: {twice}"
        if verdict in ("applied", "merged"):
            return self._wrong_with_done(sent, changes)
        problem = found["problem"]
        if problem is None or not problem["detail"] or not problem["code"]:
            return "no reason is given"
        if verdict == "refused" and problem["code"] not in _DECIDED and changes:
            return "refused, and something of it was done"
        return None

    def _wrong_with_done(self, sent: Json, changes: Sequence[Any]) -> str | None:
        if sent["kind"] == "capture.add":
            with writing(self.database) as session:
                kept = session.get(Capture, UUID(sent["id"]))
            return None if kept is not None else "the capture is not in the ledger"
        if not changes:
            return None if sent["kind"] in _REPEATING else "done, and no change is logged"
        if sent["kind"] in _CREATING:
            created = [each for each in changes if each.operation is Operation.created]
            mine = [each for each in created if each.entity_id == sent["id"]]
            return None if len(mine) == 1 else "its record was not made once"
        return None

    def _ensure_rows(self) -> None:
        """Each address is the one of the last change that is logged of it."""
        with writing(self.database) as session:
            rows = session.execute(sa.select(col(Member.id), col(Member.address))).all()
        last = self.ledger.addresses
        for row in rows:
            key = str(row.id)
            assert last.get(key, row.address) == row.address, self._told("", key)

    def _of_operation(self, op_id: str) -> str:
        [(device, sent)] = [
            (each, each.sent[op_id]) for each in self.devices if op_id in each.sent
        ] or [(self.devices[0], {"id": op_id})]
        return self._told(device.name, op_id, sent["id"])

    def _told(self, name: str, *ids: str) -> str:
        logged = [
            f"      log: {each.at} {each.entity} {each.operation} {each.revision} "
            f"{each.source_ref} {each.before} -> {each.after}"
            for record_id in ids
            for each in self.ledger.of_record[record_id]
        ]
        return "\n".join([self.story.about(name, *ids), *logged])


# Kinds whose record has the id that the phone gave it.
_CREATING = (
    *("member.create", "household.create", "event.create", "session.create"),
    *("visit.add", "support.add", "correction.ask"),
)
# What may say what is so already: she heads it, or the same answer was entered.
_REPEATING = ("household.change_head", "rsvp.set", "rsvp.own")
_DECIDED = ("operation_declined", "operation_rewritten", "operation_undecided")


@pytest.mark.drawn
def test_nothing_is_lost(
    api: Api, database: Database, unit_id: UnitIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = serving(api.app).settings
    monkeypatch.setattr(settings, "access_token_seconds", 40 * 86_400)
    night = max(STEPS // NIGHTS, 34)
    with time_machine.travel(utc_now()) as clock:
        fleet = Fleet(api, database, unit_id, soak.SEED)
        for step in range(1, STEPS + 1):
            fleet.step()
            if step % night == 0:
                clock.shift(timedelta(days=1))
            if step % CALM_EVERY == 0:
                fleet.calm()
