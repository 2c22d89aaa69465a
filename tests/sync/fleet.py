"""Simulated devices: each writes offline, and pulls and pushes over a network that fails."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from uuid import UUID

import pytest

from app.clock import local_today
from app.models.sync.operations import PushedOperation
from app.models.sync.pull import MOST_BYTES
from app.services.sync import verdicts, waiting
from tests.helpers.answers import Json
from tests.helpers.client import Api
from tests.helpers.meetings import at
from tests.helpers.operations import operation
from tests.helpers.phone import Phone
from tests.sync.acts import words

PATH: Final = "/v1/sync/operations"
_FAULTS: Final = ("none", "none", "none", "lost before", "lost after", "cut", "killed")
_MUCH_TALKED_OF: Final = 4


@dataclass(slots=True)
class Story:
    """What the devices did, so that a failure is reported with what concerns it alone."""

    step: int = 0
    lines: list[tuple[str, str]] = field(default_factory=list)

    def note(self, who: str, text: str) -> None:
        self.lines.append((who, f"{self.step:5} {who}: {text}"))

    def about(self, who: str, *ids: str) -> str:
        """The acts of a device that name one of these ids, with its pulls and pushes."""
        told = [
            line
            for device, line in self.lines
            if any(each in line for each in ids) or (device == who and "op " not in line)
        ]
        return "\n".join(told[-60:])


class KilledError(RuntimeError):
    """The server's process ends here."""


@contextmanager
def killed(after: int, *, committed: bool) -> Iterator[None]:
    """The request dies at an operation: before its transaction is committed, or just after."""
    left = iter(range(after))
    keep, go_on = verdicts.keep, waiting.go_on

    def dies_within(row: PushedOperation, outcome: verdicts.Outcome) -> None:
        keep(row, outcome)
        if next(left, None) is None:
            raise KilledError

    def dies_between(*given: Any) -> None:
        if next(left, None) is None:
            raise KilledError
        go_on(*given)

    with pytest.MonkeyPatch.context() as patch:
        if committed:
            patch.setattr(waiting, "go_on", dies_between)
        else:
            patch.setattr(verdicts, "keep", dies_within)
        yield


class Device:
    """A phone with a queue. `sent` is all that was ever written on it, `answers` what it has heard."""

    def __init__(self, name: str, api: Api, random: Random, story: Story) -> None:
        self.name = name
        self.username = name.partition("#")[0]
        self.api = api
        self.random = random
        self.story = story
        self.phone = Phone(api)
        self.queue: list[Json] = []
        self.sent: dict[str, Json] = {}
        self.answers: dict[str, Json] = {}
        self.made: dict[str, str] = {}

    # -- offline

    def write(self) -> None:
        writes: Sequence[Callable[[], None]] = (
            *(self._edit, self._edit, self._edit, self._edit_twice, self._edit_own),
            *(self._admit, self._house, self._change_house, self._visit, self._visit),
            *(self._meet, self._capture, self._capture, self._rename_event, self._wrong),
            *(self._join, self._leave, self._head, self._minutes, self._minutes),
            *(self._answer, self._answer, self._answer_own, self._ask),
        )
        self.random.choice(writes)()

    def _add(self, kind: str, patch: Json, record_id: str | None = None, **more: Any) -> Json:
        sent = operation(kind, record_id or self._id(), patch, **more) | {"op_id": self._id()}
        self.queue.append(sent)
        self.sent[sent["op_id"]] = sent
        self.story.note(self.name, f"op {sent['op_id']} {kind} {sent['id']} {patch} {more}")
        return sent

    def _id(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def _some(self, kind: str) -> str | None:
        """Half of the time one of the few that everybody writes about."""
        rows = sorted(self.phone.rows[kind])
        if rows and self.random.random() < 0.5:
            rows = rows[:_MUCH_TALKED_OF]
        return self.random.choice(rows) if rows else None

    def _word(self) -> str:
        return words(self.random.getrandbits(40))

    def _change(self, kind: str, **patch: Any) -> None:
        record_id = self._some(kind)
        if record_id is not None:
            revision, _ = self.phone.said[kind, record_id]
            self._add(f"{kind}.update", patch, record_id, base_rev=revision)

    def _edit(self) -> None:
        patch = {"address": f"Khu {self._word()}"}
        if self.random.random() < 0.3:
            patch["occupation"] = f"Trồng {self._word()}"
        self._change("member", **patch)

    def _edit_twice(self) -> None:
        member_id = self._some("member")
        if member_id is None:
            return
        revision, _ = self.phone.said["member", member_id]
        before: list[str] = []
        for name in ("address", "address", "occupation"):
            patch = {name: f"Khu {self._word()}"}
            sent = self._add(
                "member.update", patch, member_id, base_rev=revision, depends_on=[*before]
            )
            if self.random.random() < 0.5:
                before.append(sent["op_id"])

    def _edit_own(self) -> None:
        """What was made on this phone, perhaps not sent yet."""
        if self.made:
            member_id = self.random.choice(sorted(self.made))
            patch = {"address": f"Khu {self._word()}"}
            self._add("member.update", patch, member_id, depends_on=[self.made[member_id]])

    def _branch(self) -> int | None:
        rows = self.phone.rows["unit"].values()
        branches = sorted(int(row["id"]) for row in rows if row["level"] == "branch")
        return self.random.choice(branches) if branches else None

    def _admit(self) -> None:
        patch = {
            "branch_id": self._branch(),
            "full_name": f"Bùi Thị {self._word()}",
            "birth_date": "1981",
            "joined_on": "2015",
        }
        made = self._add("member.create", patch)
        self.made[made["id"]] = made["op_id"]

    def _house(self) -> None:
        head = {
            "full_name": f"Bùi Văn {self._word()}",
            "birth_date": "1971",
            "gender": "male",
            "relation": "head",
        }
        made = self._add("household.create", {"branch_id": self._branch(), "people": [head]})
        if self.random.random() < 0.5:
            self._visit_at(made["id"], depends_on=[made["op_id"]])

    def _change_house(self) -> None:
        self._change("household", address=f"Ngõ {self._word()}")

    def _person(self) -> tuple[str, str] | None:
        """A household, and somebody in it."""
        household_id = self._some("household")
        if household_id is None:
            return None
        people = self.phone.rows["household"][household_id]["people"]
        return (household_id, self.random.choice(people)["person_id"]) if people else None

    def _join(self) -> None:
        """Somebody new, who perhaps becomes head at once; or a member."""
        household_id = self._some("household")
        if household_id is None:
            return
        patch = {"household_id": household_id, "relation": "other"}
        member_id = self._some("member") if self.random.random() < 0.3 else None
        who = {"full_name": f"Bùi Thị {self._word()}", "gender": "female"}
        joined = self._add(
            "household_person.add", patch | ({"member_id": member_id} if member_id else who)
        )
        if self.random.random() < 0.5:
            head = {"head_id": member_id or joined["id"]}
            self._add("household.change_head", head, household_id, depends_on=[joined["op_id"]])

    def _leave(self) -> None:
        if found := self._person():
            self._add("household_person.remove", {"household_id": found[0]}, found[1])

    def _head(self) -> None:
        if found := self._person():
            self._add("household.change_head", {"head_id": found[1]}, found[0])

    def _visit(self) -> None:
        household_id = self._some("household")
        if household_id is not None:
            self._visit_at(household_id)

    def _visit_at(self, household_id: str, **more: Any) -> None:
        patch = {
            "household_id": household_id,
            "visited_on": local_today().isoformat(),
            "visitors": [f"Bùi Thị {self._word()}"],
        }
        self._add("visit.add", patch, **more)

    def _meet(self) -> None:
        event = self._add("event.create", {"title": f"Họp {self._word()}", "kind": "meeting"})
        patch = {"event_id": event["id"], "starts_at": at(0, 8), "ends_at": at(0, 10)}
        held = self._add("session.create", patch, depends_on=[event["op_id"]])
        self._capture_at(held["id"], depends_on=[held["op_id"]])

    def _capture(self) -> None:
        session_id = self._some("session")
        if session_id is not None:
            self._capture_at(session_id)

    def _capture_at(self, session_id: str, **more: Any) -> None:
        member_id = self._some("member")
        if member_id is not None:
            patch = {"session_id": session_id, "kind": "roster", "member_id": member_id}
            self._add("capture.add", patch, **more)

    def _rename_event(self) -> None:
        self._change("event", title=f"Sinh hoạt {self._word()}")

    def _minutes(self) -> None:
        session_id = self._some("session")
        if session_id is not None:
            parts: list[Json] = [
                {"body": f"Bàn về {self._word()}"},
                {"decisions": [{"text": f"Mua {self._word()}"}]},
            ]
            part = self.random.choice(parts)
            revision = self.random.choice([None, None, 1, 2])
            self._add("minutes.update", part, session_id, base_rev=revision)

    def _answer(self) -> None:
        session_id, member_id = self._some("session"), self._some("member")
        if session_id is not None and member_id is not None:
            patch = {"member_id": member_id, "answer": self.random.choice(["yes", "no"])}
            revision = self.random.choice([None, 1])
            self._add("rsvp.set", patch, session_id, base_rev=revision)

    def _answer_own(self) -> None:
        """To a session that she read about while online."""
        answer = self.api.get("/v1/sessions", params={"state": "planned"})
        if answer.is_success and (sessions := answer.json()["items"]):
            session_id = self.random.choice(sessions)["id"]
            self._add("rsvp.own", {"answer": "maybe", "reason": self._word()}, session_id)

    def _ask(self) -> None:
        self._add("correction.ask", {"changes": {"address": f"Khu {self._word()}"}})

    def _wrong(self) -> None:
        """What no server takes: the queue goes on."""
        self._change("member", birth_date="2999")

    # -- on the network

    def push(self) -> None:
        """A part of the queue, sometimes out of its order, with a fault of the network."""
        batch = self.queue[: self.random.randint(1, 12)]
        if self.random.random() < 0.3:
            self.random.shuffle(batch)
        if batch:
            self._send(batch, self.random.choice(_FAULTS))

    def push_all(self) -> None:
        while self.queue:
            self._send(self.queue[:100], "none")

    def _send(self, batch: Sequence[Json], fault: str) -> None:
        self.story.note(self.name, f"pushes {len(batch)}, {fault}")
        if fault == "lost before":
            return
        if fault == "cut":
            text = json.dumps({"items": [*batch]}).encode()
            headers = {"content-type": "application/json"}
            answer = self.api.post(
                PATH, content=text[: self.random.randrange(len(text))], headers=headers
            )
            assert answer.status_code in (400, 401, 422), answer.text
            return
        if fault == "killed":
            after = self.random.randrange(len(batch))
            with killed(after, committed=self.random.random() < 0.5):
                self.api.post(PATH, json={"items": [*batch]})
            return
        answer = self.api.post(PATH, json={"items": [*batch]})
        if answer.status_code == 401:  # the account went with its owner's record
            self.queue.clear()
            return
        assert answer.status_code == 200, self.story.about(self.name) + answer.text
        if fault == "none":
            self._hear(batch, answer.json()["items"])

    def _hear(self, batch: Sequence[Json], items: Sequence[Json]) -> None:
        for sent, item in zip(batch, items, strict=True):
            assert item["op_id"] == sent["op_id"]
            self.queue.remove(sent)
            self.answers[sent["op_id"]] = item
            code = item["problem"] and item["problem"]["code"]
            self.story.note(
                self.name, f"op {sent['op_id']} {sent['id']} is {item['verdict']} {code}"
            )

    def pull(self) -> None:
        """A few small pages, of which some are lost on their way."""
        self.phone.max_bytes = self.random.choice([10_000, 30_000, MOST_BYTES])
        for _ in range(self.random.randint(1, 3)):
            answer = self.phone.ask()
            if answer.status_code == 200 and self.random.random() < 0.8:
                self.phone.take(answer.json())
        self.story.note(self.name, "pulls")
