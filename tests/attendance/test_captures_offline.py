"""What was noted without a network: late, after the closing, before the session is known, of who
has moved meanwhile, by clocks that are wrong. All of it is stored, flagged, and counted right."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.clock import local_day, local_today, utc_now
from app.db import Database
from app.models.attendance.attendance import Attendance, Capture, CaptureState
from app.models.base import new_id
from app.models.events.events import Event, EventSession, EventState
from app.models.kernel.changes import Change, ChangeSource
from app.services.attendance import held
from app.services.kernel import changes
from tests.helpers.answers import Json, UnitIds
from tests.helpers.captures import close, counts, hold, item, members_of, send, tapped
from tests.helpers.client import Api, writing


@pytest.fixture
def branch(unit_id: UnitIds) -> int:
    return unit_id["phuongvi-1"]


@pytest.fixture
def roster(database: Database, branch: int) -> list[UUID]:
    return members_of(database, branch)


def facts(database: Database, session_id: UUID) -> dict[UUID, Attendance]:
    with writing(database) as session:
        rows = session.exec(select(Attendance).where(col(Attendance.session_id) == session_id))
        return {row.member_id: row for row in rows}


def capture(database: Database, capture_id: str) -> Capture:
    with writing(database) as session:
        return session.get_one(Capture, UUID(capture_id))


class TestLate:
    def test_upload_the_next_week_is_stored_with_its_own_time(
        self, head: Api, database: Database, branch: int, roster: list[UUID]
    ) -> None:
        now = utc_now().replace(microsecond=0)
        began = now - timedelta(days=7)
        meeting = hold(database, [branch], starts_at=began)
        came = began + timedelta(minutes=5)
        [answer] = send(head, meeting, [tapped(roster[0], came)])
        assert (answer["verdict"], answer["attendance"]) == ("stored", "new")
        assert answer["flags"] == ["late"]
        assert facts(database, meeting)[roster[0]].attended_at == came
        assert facts(database, meeting)[roster[0]].local_date == local_day(began)

    def test_who_comes_late_is_told_by_the_rule_of_the_session(
        self, head: Api, database: Database, branch: int, roster: list[UUID]
    ) -> None:
        now = utc_now().replace(microsecond=0)
        meeting = hold(database, [branch], late_after=15)
        begin = now - timedelta(hours=1)
        answers = send(
            head,
            meeting,
            [
                tapped(roster[0], begin + timedelta(minutes=10)),
                tapped(roster[1], begin + timedelta(minutes=20)),
            ],
        )
        assert [answer["flags"] for answer in answers] == [[], ["came_late"]]

    def test_closing_freezes_and_what_comes_later_corrects_with_its_date(
        self, head: Api, database: Database, branch: int, roster: list[UUID]
    ) -> None:
        meeting = hold(database, [branch])
        send(head, meeting, [*(tapped(each) for each in roster[:3]), item("head_count", count=7)])
        close(database, meeting)
        [closing] = counts(head, meeting)["frozen"]
        assert (closing["number"], closing["distinct_people"]) == (0, 3)
        assert (closing["captures"], closing["head_count"]) == (4, 7)

        # What changes nothing is no correction.
        [known] = send(head, meeting, [tapped(roster[0])])
        assert (known["attendance"], known["flags"]) == ("already", ["after_close"])
        assert len(counts(head, meeting)["frozen"]) == 1

        for each in roster[3:5]:
            [answer] = send(head, meeting, [tapped(each)])
            assert (answer["attendance"], answer["flags"]) == ("new", ["after_close"])
        found = counts(head, meeting)
        assert found["distinct_people"] == 5
        assert found["frozen"][0] == closing
        [correction] = found["frozen"][1:]
        assert (correction["number"], correction["distinct_people"]) == (1, 5)
        assert correction["on"] == local_today().isoformat()

    def test_cancelled_meeting_is_no_error_either(
        self, head: Api, database: Database, branch: int, roster: list[UUID]
    ) -> None:
        meeting = hold(database, [branch], state="cancelled")
        [answer] = send(head, meeting, [tapped(roster[0])])
        assert (answer["verdict"], answer["flags"]) == ("stored", ["cancelled"])


class TestClocks:
    def test_are_put_right_by_the_time_of_sending(
        self, head: Api, database: Database, branch: int, roster: list[UUID]
    ) -> None:
        now = utc_now().replace(microsecond=0)
        meeting = hold(database, [branch])
        ahead = timedelta(hours=3)
        told = now - timedelta(minutes=20) + ahead
        [answer] = send(
            head, meeting, [tapped(roster[0], told)], sent_at=(utc_now() + ahead).isoformat()
        )
        assert answer["flags"] == ["skewed"]
        kept = capture(database, answer["id"])
        assert kept.skew is not None
        assert abs(kept.skew - 3 * 3600) <= 2
        assert kept.occurred_at == told
        assert abs(kept.happened_at - (now - timedelta(minutes=20))) <= timedelta(seconds=2)

    def test_a_phone_that_lost_its_clock_is_put_right_too(
        self, head: Api, database: Database, branch: int, roster: list[UUID]
    ) -> None:
        meeting, then = hold(database, [branch]), datetime(1970, 1, 1, 0, 10, tzinfo=UTC)
        sent = (then + timedelta(minutes=20)).isoformat()
        [answer] = send(head, meeting, [tapped(roster[0], then)], sent_at=sent)
        assert (answer["verdict"], answer["attendance"]) == ("stored", "new")
        kept = capture(database, answer["id"])
        assert abs(kept.happened_at - utc_now() + timedelta(minutes=20)) < timedelta(minutes=1)

    @pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(days=3_000)])
    def test_nothing_has_happened_in_the_future(
        self, head: Api, database: Database, branch: int, roster: list[UUID], ahead: timedelta
    ) -> None:
        now = utc_now().replace(microsecond=0)
        meeting = hold(database, [branch])
        [answer] = send(head, meeting, [tapped(roster[0], now + ahead)])
        assert (answer["verdict"], answer["flags"]) == ("stored", ["skewed"])
        kept = capture(database, answer["id"])
        assert kept.happened_at == kept.received_at
        assert kept.occurred_at == now + ahead

    def test_long_before_the_session_is_flagged(
        self, head: Api, database: Database, branch: int, roster: list[UUID]
    ) -> None:
        now = utc_now().replace(microsecond=0)
        meeting = hold(database, [branch])
        [answer] = send(head, meeting, [tapped(roster[0], now - timedelta(days=400))])
        assert (answer["verdict"], answer["flags"]) == ("stored", ["before_start"])


class TestMoved:
    def test_who_transfers_the_next_day_still_counts_in_the_old_branch(
        self, api: Api, head: Api, database: Database, unit_id: UnitIds, roster: list[UUID]
    ) -> None:
        now = utc_now().replace(microsecond=0)
        old, new = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
        meeting = hold(database, [old], starts_at=now - timedelta(days=1))
        [first] = send(head, meeting, [tapped(roster[0])])
        assert first["attendance"] == "new"
        before = counts(head, meeting)
        moved = api.as_("phuongvi").post(
            f"/v1/members/{roster[0]}/transfers", json={"to_branch_id": new}
        )
        assert moved.json()["state"] == "accepted"
        after = counts(head, meeting)
        assert after == before
        assert [each["unit"]["id"] for each in after["by_unit"]] == [old]
        assert facts(database, meeting)[roster[0]].branch_id == old
        # Captured after she has left, of the day before: it is the old branch's still.
        commune = api.as_("phuongvi")
        api.as_("phuongvi").post(f"/v1/members/{roster[1]}/transfers", json={"to_branch_id": new})
        [late] = send(head, meeting, [tapped(roster[1])])
        assert (late["attendance"], late["flags"]) == ("new", ["late"])
        assert facts(database, meeting)[roster[1]].branch_id == old
        assert counts(commune, meeting)["distinct_people"] == 2

    def test_phone_with_an_old_roster_is_flagged_and_credits_the_new_branch(
        self, api: Api, head: Api, database: Database, unit_id: UnitIds, roster: list[UUID]
    ) -> None:
        old, new = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
        yesterday = (local_today() - timedelta(days=1)).isoformat()
        api.as_("phuongvi").post(
            f"/v1/members/{roster[0]}/transfers",
            json={"to_branch_id": new, "effective_on": yesterday},
        )
        meeting = hold(database, [old])
        [answer] = send(head, meeting, [tapped(roster[0])])
        assert (answer["verdict"], answer["attendance"]) == ("stored", "new")
        assert answer["flags"] == ["moved"]
        assert facts(database, meeting)[roster[0]].branch_id == new
        found = counts(head, meeting)
        assert (found["distinct_people"], found["visitors"], found["rate"]) == (1, 1, 0.0)

    def test_who_has_left_the_union_is_counted_apart(
        self, head: Api, database: Database, branch: int, roster: list[UUID]
    ) -> None:
        left = head.post(
            f"/v1/members/{roster[0]}/departures",
            json={
                "reason": "resigned",
                "effective_on": (local_today() - timedelta(days=3)).isoformat(),
            },
        )
        assert left.status_code == 201, left.text
        meeting = hold(database, [branch])
        [answer] = send(head, meeting, [tapped(roster[0])])
        assert set(answer["flags"]) == {"moved", "not_a_member"}
        found = counts(head, meeting)
        assert (found["distinct_people"], found["non_members"]) == (0, 1)


class TestHeld:
    def test_until_its_session_arrives(
        self, head: Api, api: Api, database: Database, branch: int, roster: list[UUID]
    ) -> None:
        to_come = new_id()
        items = [tapped(each) for each in roster[:4]] + [item("head_count", count=6)]
        first = send(head, to_come, items)
        assert {answer["verdict"] for answer in first} == {"held"}
        assert send(head, to_come, items) == first
        # Somebody else's phone holds captures under the same id: they are not of this session.
        stranger = api.as_("tienluong-1")
        [foreign] = send(stranger, to_come, [tapped(roster[5])])

        meeting = hold(database, [branch], id=to_come)
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            assert held.release(session, to_come) == 5
            assert held.release(session, to_come) == 0
        found = counts(head, meeting)
        assert (found["distinct_people"], found["head_count"], found["unnamed_gap"]) == (4, 6, 2)
        again = send(head, to_come, items)
        assert [answer["verdict"] for answer in again] == ["stored"] * 5
        assert [answer["attendance"] for answer in again] == ["new"] * 4 + ["none"]
        assert capture(database, foreign["id"]).state is CaptureState.held

    def test_through_the_creation_of_the_session_over_http(
        self, head: Api, database: Database, roster: list[UUID]
    ) -> None:
        now = utc_now().replace(microsecond=0)
        to_come = new_id()
        items = [tapped(each) for each in roster[:2]]
        assert {answer["verdict"] for answer in send(head, to_come, items)} == {"held"}
        sitting = {
            "id": str(to_come),
            "starts_at": (now - timedelta(hours=1)).isoformat(),
            "ends_at": (now + timedelta(hours=1)).isoformat(),
        }
        body = {"title": "Họp ngoài đồng", "kind": "meeting", "sessions": [sitting]}
        assert head.post("/v1/events", json=body).status_code == 201
        assert counts(head, to_come)["distinct_people"] == 2
        assert [answer["attendance"] for answer in send(head, to_come, items)] == ["new", "new"]

    def test_for_whom_the_session_was_not_until_she_sends_again(
        self, api: Api, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        """A draft is its hosts' own: a branch that will be invited sends too early."""
        branch = unit_id["phuongvi-1"]
        meeting = hold(database, [unit_id["phuongvi"]])
        set_event_state(database, meeting, EventState.draft)
        sent = tapped(members_of(database, branch)[0])
        assert send(head, meeting, [sent])[0]["verdict"] == "held"
        set_event_state(database, meeting, EventState.announced)
        again = send(head, meeting, [sent])[0]
        assert (again["verdict"], again["attendance"]) == ("stored", "new")

    def test_is_looked_for_by_the_housekeeper(
        self, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        meeting = hold(database, [unit_id["phuongvi"]])
        set_event_state(database, meeting, EventState.draft)
        send(head, meeting, [tapped(members_of(database, unit_id["phuongvi-1"])[0])])
        assert held.release_due(database) == 0
        set_event_state(database, meeting, EventState.announced)
        assert held.release_due(database) == 1
        assert held.release_due(database) == 0
        assert counts(head, meeting)["distinct_people"] == 1


def set_event_state(database: Database, session_id: UUID, state: EventState) -> None:
    with writing(database) as session:
        of_session = sa.select(col(EventSession.event_id)).where(col(EventSession.id) == session_id)
        session.execute(sa.update(Event).where(col(Event.id).in_(of_session)).values(state=state))


class TestClosing:
    @pytest.mark.race
    def test_while_phones_are_capturing_loses_nobody(
        self, head: Api, database: Database, branch: int, roster: list[UUID]
    ) -> None:
        """What was counted at the closing and what came after it make all there is."""
        meeting = hold(database, [branch])

        def tap(member_id: UUID) -> Json:
            return send(head, meeting, [tapped(member_id)])[0]

        with ThreadPoolExecutor(6) as pool:
            first = [pool.submit(tap, each) for each in roster[:15]]
            closing = pool.submit(head.post, f"/v1/sessions/{meeting}/close")
            later = [pool.submit(tap, each) for each in roster[15:]]
            assert closing.result().status_code == 200
            answers = [each.result() for each in [*first, *later]]
        found = counts(head, meeting)
        in_time = [answer for answer in answers if "after_close" not in answer["flags"]]
        assert {answer["attendance"] for answer in answers} == {"new"}
        assert found["distinct_people"] == len(roster)
        assert found["frozen"][0]["distinct_people"] == len(in_time)
        assert found["frozen"][-1]["distinct_people"] == len(roster)


class TestAnnulled:
    def test_capture_counts_no_more_and_the_next_one_takes_its_place(
        self, head: Api, database: Database, branch: int, roster: list[UUID]
    ) -> None:
        now = utc_now().replace(microsecond=0)
        meeting = hold(database, [branch])
        early, later = now - timedelta(minutes=40), now - timedelta(minutes=20)
        mistaken, right = tapped(roster[0], early), tapped(roster[0], later)
        send(head, meeting, [mistaken, right])
        assert facts(database, meeting)[roster[0]].attended_at == early
        path = f"/v1/captures/{mistaken['id']}/annul"
        done = head.post(path, json={"reason": "bấm nhầm"})
        assert done.status_code == 200, done.text
        assert (done.json()["state"], done.json()["reason"]) == ("annulled", "bấm nhầm")
        assert facts(database, meeting)[roster[0]].attended_at == later
        head.post(f"/v1/captures/{right['id']}/annul", json={"reason": "không có mặt"})
        assert facts(database, meeting) == {}
        assert counts(head, meeting)["distinct_people"] == 0
        with writing(database) as session:
            operations = session.exec(
                select(Change.operation)
                .where(col(Change.entity) == "attendance")
                .order_by(col(Change.id))
            ).all()
        assert list(operations) == ["created", "updated", "deleted"]
        ledger = head.get(f"/v1/sessions/{meeting}/captures").json()["items"]
        assert [each["state"] for each in ledger] == ["annulled", "annulled"]

    def test_needs_a_reason_and_a_captor(
        self, head: Api, api: Api, database: Database, branch: int, roster: list[UUID]
    ) -> None:
        meeting = hold(database, [branch])
        sent = tapped(roster[0])
        send(head, meeting, [sent])
        path = f"/v1/captures/{sent['id']}/annul"
        assert head.post(path, json={}).status_code == 422
        for who, status in (("tienluong-1", 404), ("auditor", 403), ("member", 403)):
            assert api.as_(who).post(path, json={"reason": "x"}).status_code == status
        assert len(facts(database, meeting)) == 1

    def test_head_count_too(self, head: Api, database: Database, branch: int) -> None:
        now = utc_now().replace(microsecond=0)
        meeting = hold(database, [branch])
        good, typo = item("head_count", count=63), item("head_count", now, count=630)
        send(head, meeting, [good, typo])
        assert counts(head, meeting)["head_count"] == 630
        head.post(f"/v1/captures/{typo['id']}/annul", json={"reason": "gõ nhầm"})
        assert counts(head, meeting)["head_count"] == 63


class TestIdentified:
    def test_name_on_a_list(
        self, head: Api, database: Database, branch: int, roster: list[UUID]
    ) -> None:
        meeting = hold(database, [branch])
        her = head.get(f"/v1/members/{roster[0]}").json()
        [found, unknown] = send(
            head,
            meeting,
            [
                item("paper", name=her["full_name"].upper(), photo="lists/2026-11-26.jpg"),
                item("paper", name="Lê Thị Chưa Có Tên"),
            ],
        )
        assert (found["attendance"], found["member_id"]) == ("new", str(roster[0]))
        assert (unknown["attendance"], unknown["flags"]) == (
            "pending_identity",
            ["member_unknown"],
        )
        path = f"/v1/captures/{unknown['id']}/identify"
        named = head.post(path, json={"member_id": str(roster[1])})
        assert named.status_code == 200, named.text
        assert (named.json()["state"], named.json()["attendance"]) == ("stored", "new")
        assert set(facts(database, meeting)) == set(roster[:2])
        assert head.post(path, json={"member_id": str(roster[1])}).status_code == 200
        again = head.post(path, json={"member_id": str(roster[2])})
        assert (again.status_code, again.json()["code"]) == (409, "capture_state")
        assert head.post(path, json={"member_id": str(new_id())}).status_code == 409

    def test_two_of_one_name_wait(self, head: Api, database: Database, branch: int) -> None:
        for name in ("Bùi Thị Hoà", "Bùi Thị Hoa", "Bùi Thị Hoà"):
            head.post(
                "/v1/members",
                json={
                    "branch_id": branch,
                    "full_name": name,
                    "birth_date": "1975",
                    "joined_on": "2010-01-01",
                },
            )
        meeting = hold(database, [branch])
        answers = send(
            head,
            meeting,
            [item("paper", name=name) for name in ("Bùi Thị Hoa", "Bùi Thị Hoà", "bui thi hoa")],
        )
        assert [answer["attendance"] for answer in answers] == [
            "new",
            "pending_identity",
            "pending_identity",
        ]
        assert answers[1]["flags"] == answers[2]["flags"] == ["ambiguous"]
