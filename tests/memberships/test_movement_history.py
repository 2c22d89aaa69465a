"""Random lives of members, held to a plain model of them: what happened to whom on which day.

The model knows no spells and no intervals, only a list of what happened; who was where on a day it
finds out by telling the story up to that day. Every figure of every unit must come out the same.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col, func, select

from app.clock import local_today
from app.db import Database
from app.models.members.members import Member
from app.models.members.spells import DepartureReason, Membership
from app.models.memberships.transfers import Transfer
from app.services.memberships import tacit
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, writing
from tests.helpers.soak import seeds

# Day 0 to day 60, which is today.
LAST = 60
LONG_AGO = -3_000
BRANCHES = ("phuongvi-1", "phuongvi-2", "tienluong-1", "tienluong-2")
REASONS = [reason.value for reason in DepartureReason]


def on(day: int) -> str:
    return (local_today() - timedelta(days=LAST - day)).isoformat()


@dataclass
class Event:
    """`day` is the first of the new state; out of the union when `to` is None."""

    kind: str
    day: int
    to: str | None
    reason: str | None = None


@dataclass
class Pending:
    id: str
    to: str
    day: int | None
    asked_by: str
    consented: bool


@dataclass
class Person:
    id: str
    name: str
    born: str
    events: list[Event] = field(default_factory=list)
    pending: Pending | None = None
    # The day on which she was entered, when nobody knew when she joined.
    entered: int | None = None

    @property
    def counted(self) -> list[Event]:
        """What counts: who was entered late is there from then on, whatever happened before."""
        if self.entered is None:
            return self.events
        past = [event for event in self.events if event.day < self.entered]
        where = past[-1].to if past else None
        came = [Event("entered", self.entered, where)] if where else []
        return came + self.events[len(past) :]

    def place(self, day: int) -> str | None:
        """Where she was on a day: the story told up to it."""
        where = None
        for event in self.counted:
            if event.day <= day:
                where = event.to
        return where

    @property
    def branch(self) -> str | None:
        return self.events[-1].to if self.events else None

    @property
    def status(self) -> str:
        if self.branch:
            return "transferring" if self.pending else "active"
        return "deceased" if self.events and self.events[-1].kind == "death" else "left"


class World:
    """Acts at random, done over HTTP and by the model side by side; both must agree on refusals."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds, seed: int) -> None:
        self.rng = Random(seed)
        self.database = database
        self.unit_id = unit_id
        self.district = api.as_("camkhe")
        self.heads = {branch: api.as_(branch) for branch in BRANCHES}
        self.people: list[Person] = []
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        with writing(database) as session:
            statement = select(Member.branch_id, func.count()).group_by(col(Member.branch_id))
            counts = dict(session.exec(statement).all())
        self.others = {name: counts[unit_id[name]] for name in BELOW["camkhe"]}

    def judge(self, act: str, answer: Any, *, legal: bool) -> bool:
        told = (act, legal, answer.status_code, answer.text)
        assert answer.status_code < 500, told
        assert answer.is_success == legal, told
        (self.done if legal else self.refused)[act] += 1
        return legal

    def someone(self) -> Person:
        return self.rng.choice(self.people)

    def day(self, around: int) -> int:
        """Mostly possible, sometimes too early; never in the future."""
        return min(LAST, max(0, around + self.rng.randint(-3, 20)))

    def step(self) -> None:
        acts = [
            (self.admit, 2),
            (self.enter, 2),
            (self.transfer, 4),
            (self.ask, 10),
            (self.answer, 8),
            (self.wait, 3),
            (self.depart, 3),
            (self.die, 1),
            (self.readmit, 5),
            (self.correct, 5),
            (self.annul, 2),
        ]
        if len(self.people) < 10:
            self.admit()
            return
        [act] = self.rng.choices([a for a, _ in acts], [weight for _, weight in acts])
        act()

    def admit(self) -> None:
        branch, day = self.rng.choice(BRANCHES), self.rng.randint(1, 40)
        name = f"Hà Thị {self.rng.choice(('Mơ', 'Mận', 'Đào', 'Lê'))}"
        body = {"full_name": name, "birth_date": "1980-05", "joined_on": on(day)}
        answer = self.district.post("/v1/members", json=body | {"branch_id": self.unit_id[branch]})
        self.judge("admit", answer, legal=True)
        person = Person(answer.json()["id"], name, "1980-05", [Event("admission", day, branch)])
        self.people.append(person)

    def enter(self) -> None:
        """Somebody who joined nobody knows when, entered on one of the days."""
        branch, day = self.rng.choice(BRANCHES), self.rng.randint(1, LAST)
        body = {"full_name": "Hà Thị Sen", "birth_date": "1980-05", "joined_on": None}
        answer = self.district.post("/v1/members", json=body | {"branch_id": self.unit_id[branch]})
        self.judge("enter", answer, legal=True)
        joined = Event("admission", LONG_AGO, branch)
        person = Person(answer.json()["id"], "Hà Thị Sen", "1980-05", [joined], entered=day)
        with writing(self.database) as session:
            session.execute(
                sa.update(Membership)
                .where(col(Membership.member_id) == UUID(person.id))
                .values(counted_from=date.fromisoformat(on(day)))
            )
        self.people.append(person)

    def transfer(self) -> None:
        """In one step, by the district."""
        person, to = self.someone(), self.rng.choice(BRANCHES)
        since = self.day(person.events[-1].day if person.events else 0)
        body = {"to_branch_id": self.unit_id[to], "effective_on": on(since)}
        answer = self.district.post(f"/v1/members/{person.id}/transfers", json=body)
        legal = (
            person.branch is not None
            and person.branch != to
            and person.pending is None
            and since >= person.events[-1].day
        )
        if self.judge("transfer", answer, legal=legal):
            person.events.append(Event("transfer", since, to))

    def ask(self) -> None:
        """From one side, the source or the target."""
        person, to = self.someone(), self.rng.choice(BRANCHES)
        if person.branch is None:
            return
        side = self.rng.choice(("source", "target"))
        since = self.rng.choice([None, self.day(person.events[-1].day)])
        body: Json = {"to_branch_id": self.unit_id[to]}
        if since is not None:
            body["effective_on"] = on(since)
        if side == "target":
            body |= {"full_name": person.name, "birth_date": person.born}
        asking = self.heads[person.branch if side == "source" else to]
        answer = asking.post(f"/v1/members/{person.id}/transfers", json=body)
        first = LAST if since is None else since
        legal = person.branch != to and person.pending is None and first >= person.events[-1].day
        if self.judge("ask", answer, legal=legal):
            person.pending = Pending(answer.json()["id"], to, since, side, side == "source")

    def answer(self) -> None:
        waiting = [person for person in self.people if person.pending is not None]
        if not waiting:
            return
        person = self.rng.choice(waiting)
        pending = person.pending
        assert pending is not None
        assert person.branch is not None
        act = self.rng.choice(("consent", "accept", "accept", "refuse", "cancel"))
        asked_side = person.branch if pending.asked_by == "source" else pending.to
        who = {"consent": person.branch, "accept": pending.to, "cancel": asked_side}
        body = {"reason": "Chưa được"} if act == "refuse" else None
        head = self.heads[who.get(act) or self.rng.choice((person.branch, pending.to))]
        answer = head.post(f"/v1/transfers/{pending.id}/{act}", json=body)
        since = LAST if pending.day is None else pending.day
        arrives = pending.consented and since >= person.events[-1].day
        if self.judge(act, answer, legal=arrives if act == "accept" else True):
            self.apply(person, pending, act)

    def apply(self, person: Person, pending: Pending, act: str) -> None:
        if act == "consent":
            pending.consented = True
            return
        if act == "accept":
            since = LAST if pending.day is None else pending.day
            person.events.append(Event("transfer", since, pending.to))
        person.pending = None

    def wait(self) -> None:
        """Nobody answers in time: the job goes on, or refuses what cannot be done."""
        waiting = [person for person in self.people if person.pending is not None]
        if not waiting:
            return
        person = self.rng.choice(waiting)
        pending = person.pending
        assert pending is not None
        with writing(self.database) as session:
            session.execute(
                sa.update(Transfer)
                .where(col(Transfer.id) == UUID(pending.id))
                .values(due_on=local_today())
            )
        assert tacit.approve_due(self.database) == 1
        self.done["wait"] += 1
        since = LAST if pending.day is None else pending.day
        arrives = since >= person.events[-1].day
        act = ("accept" if arrives else "refuse") if pending.consented else "consent"
        self.apply(person, pending, act)

    def depart(self) -> None:
        reason = self.rng.choice(REASONS)
        self.leave("departure", "departures", "effective_on", reason)

    def die(self) -> None:
        self.leave("death", "death", "died_on", None)

    def leave(self, kind: str, path: str, name: str, reason: str | None) -> None:
        person = self.someone()
        day = self.day(person.events[-1].day if person.events else 0)
        body = {name: on(day)} | ({"reason": reason} if reason else {})
        answer = self.district.post(f"/v1/members/{person.id}/{path}", json=body)
        legal = person.branch is not None and day >= person.events[-1].day
        if self.judge(kind, answer, legal=legal):
            person.events.append(Event(kind, day, None, reason))
            person.pending = None

    def readmit(self) -> None:
        person, to = self.someone(), self.rng.choice(BRANCHES)
        day = self.day(person.events[-1].day if person.events else 0)
        body = {"branch_id": self.unit_id[to], "effective_on": on(day)}
        answer = self.district.post(f"/v1/members/{person.id}/readmissions", json=body)
        after = not person.events or day >= person.events[-1].day
        if self.judge("readmit", answer, legal=person.status == "left" and after):
            kind = "readmission" if person.events else "admission"
            person.events.append(Event(kind, day, to))

    def spells(self, person: Person) -> list[Json]:
        items = self.district.get(f"/v1/members/{person.id}/memberships").json()["items"]
        return [item for item in items if item["annulled_at"] is None]

    def correct(self) -> None:
        """Another day for one event: between those before and after it, whichever end names it."""
        person = self.someone()
        if not person.events:
            return
        place = self.rng.randrange(len(person.events))
        event = person.events[place]
        began = [number for number, e in enumerate(person.events) if e.to is not None]
        spells = self.spells(person)
        assert len(spells) == len(began)
        reopens = event.to is None and self.rng.random() < 0.6
        day = min(LAST, max(0, event.day + self.rng.randint(-15, 15)))
        body: Json
        if (
            place in began and (place == 0 or self.rng.random() < 0.5)
        ) or event.kind == "readmission":
            spell, body = spells[began.index(place)], {"valid_from": on(day)}
        else:  # by the last day of the spell that it ended
            spell, body = spells[began.index(place - 1)], {"valid_to": on(day - 1)}
        if reopens:
            body = {"valid_to": None}
        answer = self.district.patch(f"/v1/memberships/{spell['id']}", json=body)
        is_last = place == len(person.events) - 1
        if reopens:
            if self.judge("reopen", answer, legal=is_last):
                person.events.pop()
            return
        before = person.events[place - 1].day if place else 0
        after = LAST if is_last else person.events[place + 1].day
        # What is as it was is no correction, however the other day is written.
        legal = day == event.day or before <= day <= after
        if self.judge("correct", answer, legal=legal):
            event.day = day
            if place == 0:
                person.entered = None

    def annul(self) -> None:
        gone = [person for person in self.people if person.branch is None]
        person = self.rng.choice(gone) if gone and self.rng.random() < 0.3 else self.someone()
        spells = self.spells(person)
        if not spells:
            return
        place = self.rng.choice((-1, -1, 0))
        spell = spells[place]
        path = f"/v1/memberships/{spell['id']}/annul"
        answer = self.district.post(path, json={"note": "Ghi nhầm"})
        if self.judge("annul", answer, legal=spell is spells[-1]):
            ended = person.events.pop() if person.events[-1].to is None else None
            if person.events.pop().kind == "transfer" and ended is not None:
                # She left, or died, all the same: where she was before.
                person.events.append(ended)
                self.done["annul_before_the_end"] += 1
            person.pending = None
            if not person.events:
                person.entered = None

    # -- what the model says

    def expected(self, names: set[str], first: int, last: int) -> Json:
        told: Json = dict.fromkeys(
            ("admitted", "readmitted", "transferred_in", "transferred_out", "left", "died"), 0
        )
        told |= {
            "entered_undated": 0,
            "transferred_within": 0,
            "by_reason": dict.fromkeys(REASONS, 0),
        }
        for person in self.people:
            where = None
            for event in person.counted:
                came, went = event.to in names, where in names
                where, past = event.to, where
                if not first <= event.day <= last:
                    continue
                if event.kind == "transfer":
                    if came and went:
                        told["transferred_within"] += 1
                    elif came or went:
                        told["transferred_in" if came else "transferred_out"] += 1
                elif event.kind == "entered":
                    told["entered_undated"] += came
                elif came:
                    told["admitted"] += 1
                    told["readmitted"] += event.kind == "readmission"
                elif went and past is not None:
                    told["died" if event.kind == "death" else "left"] += 1
                    if event.reason:
                        told["by_reason"][event.reason] += 1
        return told | {
            "opening": self.count(names, first - 1),
            "closing": self.count(names, last),
        }

    def count(self, names: set[str], day: int) -> int:
        living = sum(person.place(day) in names for person in self.people)
        return living + sum(self.others[name] for name in names)

    def movement(self, unit: str, first: int, last: int, by: str = "") -> Json:
        path = f"/v1/units/{self.unit_id[unit]}/movement?from={on(first)}&to={on(last)}"
        path += by and f"&by={by}"
        answer = self.district.get(path)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found


BELOW: dict[str, set[str]] = {branch: {branch} for branch in BRANCHES}
for commune in ("phuongvi", "tienluong"):
    BELOW[commune] = {f"{commune}-{number}" for number in (1, 2, 3, 4)}
BELOW["camkhe"] = BELOW["phuongvi"] | BELOW["tienluong"]
BY = {"branch": BELOW["camkhe"], "commune": {"phuongvi", "tienluong"}}


@pytest.mark.drawn
@pytest.mark.parametrize("seed", seeds(1))
def test_every_count_of_every_period_is_right(
    api: Api, database: Database, unit_id: UnitIds, seed: int
) -> None:
    world = World(api, database, unit_id, seed)
    kinds = {
        "enter",
        "transfer",
        "ask",
        "consent",
        "accept",
        "refuse",
        "cancel",
        "wait",
        "correct",
        "annul",
    }
    kinds |= {"departure", "death", "readmit", "reopen", "annul_before_the_end"}
    # The history is worth the test: every act was both done and, where it can be, refused.
    refusable = {"transfer", "accept", "departure", "correct", "annul"}
    while (
        (acts := sum(world.done.values())) < 220
        or not kinds <= world.done.keys()
        or not refusable <= world.refused.keys()
    ):
        assert acts < 600, (kinds - world.done.keys(), refusable - world.refused.keys())
        world.step()

    dates = [sorted(world.rng.choices(range(1, LAST + 1), k=2)) for _ in range(8)]
    for first, last in [[1, LAST], [1, 1], [LAST, LAST], *dates]:
        told = {unit: world.movement(unit, first, last) for unit in BELOW}
        for unit, names in BELOW.items():
            expected = world.expected(names, first, last)
            assert {name: told[unit][name] for name in expected} == expected, (unit, first, last)
            assert told[unit]["closing"] == balance(told[unit])
            # A period ends as the next begins, and as the unit is counted on that day.
            if last < LAST:
                assert world.movement(unit, last + 1, LAST)["opening"] == told[unit]["closing"]
            path = f"/v1/units/{unit_id[unit]}?as_of={on(last)}"
            assert world.district.get(path).json()["member_count"] == told[unit]["closing"]
        for by in ("branch", "commune"):
            parts = world.movement("camkhe", first, last, by)["items"]
            slugs = {unit: slug for slug, unit in unit_id.items()}
            assert {slugs[part["unit"]["id"]] for part in parts} == BY[by]
            for part in parts:
                alone = world.movement(slugs[part["unit"]["id"]], first, last)
                assert part == {name: alone[name] for name in part}
        communes = [told["phuongvi"], told["tienluong"]]
        for name in ("opening", "closing", "admitted", "left", "died"):
            assert sum(commune[name] for commune in communes) == told["camkhe"][name]
        # What is within a district crosses the border of its communes or stays within one.
        for name in ("transferred_in", "transferred_out"):
            crossing = sum(commune[name] + commune["transferred_within"] for commune in communes)
            assert crossing == told["camkhe"]["transferred_within"]

    for unit in BELOW:
        today = world.district.get(f"/v1/units/{unit_id[unit]}").json()["member_count"]
        assert today == world.movement(unit, LAST, LAST)["closing"]
    shown = {
        person.id: world.district.get(f"/v1/members/{person.id}").json() for person in world.people
    }
    for person in world.people:
        assert shown[person.id]["status"] == person.status
        if person.branch is not None:
            assert shown[person.id]["branch_id"] == unit_id[person.branch]


def balance(told: Json) -> int:
    came = told["opening"] + told["admitted"] + told["entered_undated"] + told["transferred_in"]
    left: int = came - told["transferred_out"] - told["left"] - told["died"]
    return left
