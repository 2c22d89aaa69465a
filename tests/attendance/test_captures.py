"""Captures: every item a verdict, one fact a person, counts that explain themselves."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, func, select

from app.clock import utc_now
from app.db import Database
from app.models.attendance.attendance import Attendance, Capture
from app.models.kernel.changes import Change
from tests.helpers.answers import Json, UnitIds
from tests.helpers.captures import add_room, counts, hold, item, members_of, send, tapped
from tests.helpers.client import Api, counted, writing


@pytest.fixture
def branch(unit_id: UnitIds) -> int:
    return unit_id["phuongvi-1"]


@pytest.fixture
def meeting(database: Database, branch: int) -> UUID:
    return hold(database, [branch])


@pytest.fixture
def roster(database: Database, branch: int) -> list[UUID]:
    return members_of(database, branch)


def stored(database: Database) -> tuple[int, int, int]:
    with writing(database) as session:
        captures, facts = (
            session.exec(select(func.count()).select_from(table)).one()
            for table in (Capture, Attendance)
        )
        logged = session.exec(
            select(func.count()).select_from(Change).where(col(Change.entity) == "attendance")
        ).one()
    return captures, facts, logged


def fact(database: Database, session_id: UUID, member_id: UUID) -> Attendance:
    with writing(database) as session:
        return session.get_one(Attendance, (session_id, member_id))


def verdicts(answers: list[Json]) -> list[tuple[str, str]]:
    return [(answer["verdict"], answer["attendance"]) for answer in answers]


def admit(api: Api, branch: int, number: int) -> list[UUID]:
    return [
        UUID(
            api.post(
                "/v1/members",
                json={
                    "branch_id": branch,
                    "full_name": f"Lê Thị {'ABCDEGHIKLMNOPQRSTUVXY'[n]}a",
                    "birth_date": "1980",
                    "joined_on": "2020-01-01",
                },
            ).json()["id"]
        )
        for n in range(number)
    ]


class TestTwoPhones:
    def test_count_people_once_and_heads_beside_them(
        self, head: Api, database: Database, branch: int, meeting: UUID, roster: list[UUID]
    ) -> None:
        """A roster of 60; 41 on both phones, 9 on one only; 63 heads."""
        people = [*roster, *admit(head, branch, 60 - len(roster))]
        began = utc_now().replace(microsecond=0) - timedelta(minutes=50)
        one = [tapped(each, began + timedelta(seconds=n)) for n, each in enumerate(people[:45])]
        other = [
            tapped(each, began + timedelta(seconds=90 - n)) for n, each in enumerate(people[4:50])
        ]
        send(head, meeting, [*one, item("head_count", count=63)], device_id="phone A")
        answers = send(head, meeting, [*other, item("head_count", count=63)], device_id="phone B")
        assert [answer["attendance"] for answer in answers].count("already") == 41
        assert [answer["attendance"] for answer in answers].count("new") == 5
        found = counts(head, meeting)
        assert found["roster_size"] == 60
        assert found["distinct_people"] == found["participations"] == 50
        assert (found["head_count"], found["unnamed_gap"], found["over_named"]) == (63, 13, 0)
        assert found["rate"] == round(50 / 60, 4)
        assert found["guests"] == found["pending_identity"] == found["visitors"] == 0
        assert stored(database) == (45 + 46 + 2, 50, 50 + earlier_on_the_other_phone())
        # The earliest time wins, whichever phone came first.
        assert fact(database, meeting, people[44]).attended_at == began + timedelta(seconds=44)
        assert fact(database, meeting, people[10]).attended_at == began + timedelta(seconds=10)


def earlier_on_the_other_phone() -> int:
    """Of members 4..44, noted n seconds after the start by one phone and 90 - (n - 4) by the other."""
    return sum(90 - (n - 4) < n for n in range(4, 45))


class TestJointRooms:
    def test_have_their_own_heads_and_names(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        """The commune meets online; two branches follow it, each behind one connection."""
        commune, branches = unit_id["phuongvi"], [unit_id["phuongvi-1"], unit_id["phuongvi-2"]]
        meeting = hold(database, [commune])
        rooms = [
            add_room(database, meeting, f"Điểm cầu {n}", each) for n, each in enumerate(branches)
        ]
        people = [members_of(database, each) for each in branches]
        one, two = (api.as_(name) for name in ("phuongvi-1", "phuongvi-2"))
        for head, room, here, heads in zip((one, two), rooms, people, (12, 30), strict=True):
            at: Json = {"room_id": str(room)}
            answers = send(
                head,
                meeting,
                [
                    *(tapped(each, **at) for each in here[:10]),
                    item("head_count", count=heads, guests=1, **at),
                    item("roster", name="Trần Văn Khách", is_guest=True, **at),
                ],
            )
            assert {answer["verdict"] for answer in answers} == {"stored"}
        # One of them was also online herself before: she is one person, and was there first online.
        online = item("online", utc_now() - timedelta(minutes=55), member_id=str(people[0][0]))
        assert verdicts(send(one, meeting, [online])) == [("stored", "already")]
        found = counts(api.as_("phuongvi"), meeting)
        assert (found["distinct_people"], found["head_count"]) == (20, 42)
        assert found["guests"] == 2
        assert [
            (room["name"], room["people"], room["head_count"], room["unnamed_gap"])
            for room in found["rooms"]
        ] == [("Điểm cầu 0", 9, 12, 2), ("Điểm cầu 1", 10, 30, 19)]
        assert found["unnamed_gap"] == 21
        assert {mode["mode"]: mode["people"] for mode in found["by_mode"]} == {
            "in_person": 19,
            "online": 1,
            "proxy": 0,
        }
        by_unit = {each["unit"]["id"]: each for each in found["by_unit"]}
        assert by_unit[branches[0]]["people"] == by_unit[branches[1]]["people"] == 10
        assert by_unit[branches[0]]["roster_size"] == len(people[0])

        # The head of one branch counts her own people, and nobody else's.
        own = counts(one, meeting)
        assert (own["scope"], own["distinct_people"]) == ("units", 10)
        assert [each["unit"]["id"] for each in own["by_unit"]] == [branches[0]]
        assert own["head_count"] is None
        assert own["roster_size"] == len(people[0])
        listed = one.get(f"/v1/sessions/{meeting}/attendees").json()["items"]
        assert {UUID(each["member_id"]) for each in listed} == set(people[0][:10])

    def test_last_head_count_of_a_room_holds(
        self, head: Api, meeting: UUID, roster: list[UUID]
    ) -> None:
        now = utc_now()
        send(
            head,
            meeting,
            [
                item("head_count", now - timedelta(minutes=10), count=20),
                item("head_count", now - timedelta(minutes=40), count=200),
                *(tapped(each) for each in roster[:21]),
            ],
        )
        found = counts(head, meeting)
        assert (found["head_count"], found["unnamed_gap"], found["over_named"]) == (20, 0, 1)

    def test_guests_are_among_the_heads(
        self, head: Api, database: Database, branch: int, meeting: UUID, roster: list[UUID]
    ) -> None:
        """36 heads of whom 2 are guests: with 33 names one is missing, with 35 one is too many."""
        people = [*roster, *admit(head, branch, 35 - len(roster))]
        send(head, meeting, [item("head_count", count=36, guests=2)])
        send(head, meeting, [tapped(each) for each in people[:33]])
        found = counts(head, meeting)
        assert (found["guests"], found["unnamed_gap"], found["over_named"]) == (2, 1, 0)
        send(head, meeting, [tapped(each) for each in people[33:35]])
        found = counts(head, meeting)
        assert (found["distinct_people"], found["head_count"]) == (35, 36)
        assert (found["guests"], found["unnamed_gap"], found["over_named"]) == (2, 0, 1)
        # Named ones are those who were counted, until there are more of them.
        names = [item("roster", name=f"Trần Văn {n}", is_guest=True) for n in "ABC"]
        send(head, meeting, names[:2])
        assert counts(head, meeting)["over_named"] == 1
        send(head, meeting, names[2:])
        found = counts(head, meeting)
        assert (found["guests"], found["over_named"]) == (3, 2)


class TestSameAgain:
    def test_same_id_gets_the_same_answer(
        self, head: Api, database: Database, meeting: UUID, roster: list[UUID]
    ) -> None:
        items = [tapped(each) for each in roster[:5]] + [item("head_count", count=9)]
        first = send(head, meeting, items)
        before = stored(database)
        assert send(head, meeting, items[::-1]) == first[::-1]
        assert stored(database) == before == (6, 5, 5)

    def test_same_id_with_other_content_is_refused_and_changes_nothing(
        self, head: Api, database: Database, meeting: UUID, roster: list[UUID]
    ) -> None:
        sent = tapped(roster[0])
        send(head, meeting, [sent])
        [answer] = send(head, meeting, [sent | {"member_id": str(roster[1])}])
        assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "id_taken")
        assert stored(database) == (1, 1, 1)

    def test_twice_in_one_batch(
        self, head: Api, database: Database, meeting: UUID, roster: list[UUID]
    ) -> None:
        sent = tapped(roster[0])
        other = sent | {"note": "khác"}
        answers = send(head, meeting, [sent, sent, tapped(roster[0]), other])
        assert verdicts(answers) == [
            ("stored", "new"),
            ("stored", "new"),
            ("stored", "already"),
            ("refused", "none"),
        ]
        assert stored(database) == (2, 1, 1)

    def test_of_another_session_is_taken(
        self, head: Api, database: Database, branch: int, meeting: UUID, roster: list[UUID]
    ) -> None:
        sent = tapped(roster[0])
        send(head, meeting, [sent])
        [answer] = send(head, hold(database, [branch]), [sent])
        assert answer["problem"]["code"] == "id_taken"

    @pytest.mark.race
    @pytest.mark.parametrize("together", [4])
    def test_phones_at_the_same_moment(
        self, head: Api, database: Database, meeting: UUID, roster: list[UUID], together: int
    ) -> None:
        """Four phones send the same people in other orders, and each its batch twice."""
        batches = [[tapped(each) for each in roster[n:] + roster[:n]] for n in range(together)]
        with ThreadPoolExecutor(2 * together) as pool:
            answers = list(pool.map(lambda batch: send(head, meeting, batch), batches * 2))
        assert answers[:together] == answers[together:]
        outcomes = [each["attendance"] for answer in answers[:together] for each in answer]
        assert outcomes.count("new") == len(roster)
        assert outcomes.count("already") == (together - 1) * len(roster)
        captures, facts, logged = stored(database)
        assert (captures, facts) == (together * len(roster), len(roster))
        assert logged >= facts
        assert counts(head, meeting)["distinct_people"] == len(roster)


class TestBadItems:
    def test_each_gets_a_verdict_and_the_others_are_stored(
        self, head: Api, database: Database, meeting: UUID, roster: list[UUID]
    ) -> None:
        good = tapped(roster[0])
        bad: list[Any] = [
            {},
            "not an item",
            tapped("no uuid"),
            tapped(roster[1], kind="telepathy"),
            tapped(roster[1], occurred_at="yesterday"),
            tapped(roster[1], count=3),
            tapped(roster[1], name="Lê Thị Hai"),
            item("roster"),
            item("head_count"),
            item("head_count", count=-1),
            item("head_count", count=2, guests=3),
            item("qr"),
            item("qr", token="x" * 301),
            item("online", member_id=str(roster[1]), minutes=-1),
            tapped(roster[1], unknown=1),
        ]
        answers = send(head, meeting, [*bad, good])
        assert verdicts(answers) == [*[("refused", "none")] * len(bad), ("stored", "new")]
        pointers = [answer["problem"]["errors"][0]["pointer"] for answer in answers[:-1]]
        assert pointers[2] == "/items/2/member_id"
        assert pointers[4] == "/items/4/occurred_at"
        assert pointers[5] == "/items/5/count"
        assert pointers[8] == "/items/8/count"
        assert all(answer["problem"]["code"] == "validation_failed" for answer in answers[:-1])
        assert stored(database) == (1, 1, 1)

    def test_too_many_are_413(self, head: Api, database: Database, meeting: UUID) -> None:
        items = [item("head_count", count=1)] * 501
        answer = head.post(f"/v1/sessions/{meeting}/captures", json={"items": items})
        assert (answer.status_code, answer.json()["code"]) == (413, "batch_too_large")
        assert "500" in answer.json()["detail"]
        assert stored(database) == (0, 0, 0)

    def test_none_at_all_are_422(self, head: Api, meeting: UUID) -> None:
        answer = head.post(f"/v1/sessions/{meeting}/captures", json={"items": []})
        assert answer.status_code == 422

    def test_somebody_unknown_waits_for_a_name(
        self, head: Api, api: Api, database: Database, meeting: UUID, unit_id: UnitIds
    ) -> None:
        """Whoever is out of sight is as unknown as whoever does not exist."""
        stranger = members_of(database, unit_id["tienluong-1"])[0]
        answers = send(head, meeting, [tapped(uuid4()), tapped(stranger)])
        for answer in answers:
            assert (answer["verdict"], answer["attendance"]) == ("stored", "pending_identity")
            assert answer["flags"] == ["member_unknown"]
        found = counts(head, meeting)
        assert (found["distinct_people"], found["pending_identity"]) == (0, 2)


class TestAccess:
    def test_other_branch_is_held_as_if_it_did_not_exist(
        self, api: Api, database: Database, meeting: UUID, roster: list[UUID]
    ) -> None:
        stranger = api.as_("tienluong-1")
        answers = send(stranger, meeting, [tapped(roster[0])])
        assert verdicts(answers) == verdicts(send(stranger, uuid4(), [tapped(roster[0])]))
        assert verdicts(answers) == [("held", "none")]
        assert stranger.get(f"/v1/sessions/{meeting}/attendance").status_code == 404
        assert stranger.get(f"/v1/sessions/{meeting}/attendees").status_code == 404
        assert stranger.get(f"/v1/sessions/{meeting}/captures").status_code == 404

    def test_auditor_reads_and_may_not_write(
        self, api: Api, database: Database, head: Api, meeting: UUID, roster: list[UUID]
    ) -> None:
        send(head, meeting, [tapped(roster[0])])
        auditor = api.as_("auditor")
        assert counts(auditor, meeting)["distinct_people"] == 1
        answer = auditor.post(
            f"/v1/sessions/{meeting}/captures", json={"items": [tapped(roster[1])]}
        )
        assert answer.status_code == 403
        assert answer.json()["required_right"] == "attendance:write"

    @pytest.mark.parametrize("who", ["member", "admin"])
    def test_others_may_not(self, api: Api, meeting: UUID, roster: list[UUID], who: str) -> None:
        answer = api.as_(who).post(
            f"/v1/sessions/{meeting}/captures", json={"items": [tapped(roster[0])]}
        )
        assert answer.status_code == 403


class TestStatements:
    def test_are_few_whatever_the_size_of_the_batch(
        self, head: Api, database: Database, meeting: UUID, roster: list[UUID]
    ) -> None:
        def cost(items: list[Json]) -> int:
            with counted(database) as statements:
                send(head, meeting, items)
            return len([each for each in statements if "auth_session" not in each])

        few, many = (cost([tapped(each) for each in some]) for some in (roster[:2], roster[2:41]))
        assert few == many <= 14
        assert cost([tapped(each) for each in roster[1:41]]) <= many + 1
