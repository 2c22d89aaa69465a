"""Answers to invitations, reminders and the inbox, minutes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from app.clock import local_today, utc_now
from app.db import Database
from app.models.base import table_of
from app.models.events.minutes import SessionMinutes
from app.models.events.reminders import Reminder
from app.models.events.rsvps import Rsvp
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from app.models.kernel.changes import ChangeSource
from app.models.members.members import Member
from app.models.notices.notifications import Notification
from app.services.events import reminders
from app.services.kernel import changes
from app.services.notices import inbox
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api, counted, writing
from tests.helpers.meetings import acted, announced, at, items, made, sessions, sitting


@pytest.fixture
def home(api: Api, database: Database, unit_id: UnitIds) -> Api:
    """The head of the branch the account `member` is a member in."""
    names = {number: name for name, number in unit_id.items()}
    with writing(database) as session:
        branch_id = session.exec(
            select(Member.branch_id)
            .join(Account, col(Account.member_id) == col(Member.id))
            .where(col(Account.username) == "member")
        ).one()
    return api.as_(names[branch_id])


@pytest.fixture
def stranger(api: Api) -> Api:
    return api.as_("tienluong-1")


@pytest.fixture
def member(api: Api) -> Api:
    return api.as_("member")


def of_branch(head: Api) -> list[Json]:
    return items(head, "/v1/members?limit=5")


def reminded(api: Api) -> list[Json]:
    inbox_ = items(api, "/v1/me/notifications")
    return [each for each in inbox_ if each["kind"] == "event_reminder"]


class TestAnswers:
    def test_she_answers_for_herself_and_may_change_her_mind(
        self, home: Api, member: Api, database: Database
    ) -> None:
        _, session_id = announced(home)
        path = f"/v1/sessions/{session_id}/rsvps/own"
        refused(member.get(path), 404, "not_found")
        assert acted(member, path, {"answer": "maybe"})["by_herself"] is True
        again = acted(member, path, {"answer": "no", "reason": "Ca đêm"})
        assert (again["answer"], again["revision"]) == ("no", 2)
        assert acted(member, path, {"answer": "no", "reason": "Ca đêm"})["revision"] == 2
        assert member.get(path).json() == again
        with writing(database) as session:
            row = session.exec(select(Rsvp)).one()
        assert (row.answer.value, row.reason) == ("no", "Ca đêm")
        [seen] = items(home, f"/v1/sessions/{session_id}/rsvps")
        assert (seen["reason"], seen["by_herself"]) == ("Ca đêm", True)

    def test_the_head_answers_for_her_members(self, home: Api, stranger: Api) -> None:
        _, session_id = announced(home)
        path = f"/v1/sessions/{session_id}/rsvps"
        first, second, third, *_ = of_branch(home)
        for person, answer in ((first, "yes"), (second, "yes"), (third, "no")):
            told = acted(home, path, {"member_id": person["id"], "answer": answer})
            assert (told["full_name"], told["by_herself"]) == (person["full_name"], False)
        count = home.get(f"{path}/count").json()
        assert (count["yes"], count["no"], count["maybe"]) == (2, 1, 0)
        assert count["invited"] == home.get("/v1/members/count").json()["people"]
        assert count["unanswered"] == count["invited"] - 3
        assert len(items(home, f"{path}?answer=yes")) == 2
        body = {"member_id": of_branch(stranger)[0]["id"], "answer": "yes"}
        pointed(home.post(path, json=body), "/member_id", "member_unknown")
        refused(stranger.get(path), 404, "not_found")
        refused(stranger.get(f"{path}/count"), 404, "not_found")
        assert "Họ và tên" in home.get(f"{path}?format=csv").text

    def test_who_is_not_invited_cannot_answer(
        self, api: Api, home: Api, stranger: Api, member: Api, unit_id: UnitIds
    ) -> None:
        province = api.as_("phutho")
        event = made(
            province, host_unit_ids=[unit_id["phutho"]], invited_unit_ids=[unit_id["tienluong"]]
        )
        acted(province, f"/v1/events/{event['id']}/announce")
        [joint] = sessions(province, event)
        path = f"/v1/sessions/{joint['id']}"
        refused(member.post(f"{path}/rsvps/own", json={"answer": "yes"}), 404, "not_found")
        body = {"member_id": of_branch(home)[0]["id"], "answer": "yes"}
        pointed(province.post(f"{path}/rsvps", json=body), "/member_id", "not_invited")
        hers = {"member_id": of_branch(stranger)[0]["id"], "answer": "yes"}
        assert acted(stranger, f"{path}/rsvps", hers)["answer"] == "yes"
        assert province.get(f"{path}/rsvps/count").json()["yes"] == 1
        assert stranger.get(f"{path}/rsvps/count").json()["yes"] == 1
        assert api.as_("tienluong-2").get(f"{path}/rsvps/count").json()["yes"] == 0

    def test_a_club_invites_who_takes_part_in_it(
        self, api: Api, member: Api, unit_id: UnitIds, work: Callable[[], int]
    ) -> None:
        province = api.as_("phutho")
        club = province.post(
            "/v1/units",
            json={
                "level": "group",
                "group_kind": "club",
                "name": "CLB dân vũ",
                "parent_id": unit_id["phutho"],
                "opened_on": "2020-01-01",
            },
        ).json()["id"]
        event_id, session_id = announced(province, host_unit_ids=[club])
        path = f"/v1/sessions/{session_id}"
        refused(member.get(path), 404, "not_found")
        her_id = member.get("/v1/me").json()["member_id"]
        joined = province.post(f"/v1/groups/{club}/participations", json={"member_id": her_id})
        assert joined.status_code == 201, joined.text
        assert [item["event_id"] for item in items(member, "/v1/me/events")] == [event_id]
        assert acted(member, f"{path}/rsvps/own", {"answer": "yes"})["answer"] == "yes"
        assert province.get(f"{path}/rsvps/count").json()["invited"] == 1
        province.post(f"{path}/reminders", json={})
        work()
        assert len(reminded(member)) == 1

    def test_only_until_it_was_held(self, home: Api, member: Api) -> None:
        now = sitting(0, starts_at=at(0, 0), ends_at=at(0, 2))
        draft = made(home, sessions=[now])
        [held] = sessions(home, draft)
        path = f"/v1/sessions/{held['id']}"
        body = {"member_id": of_branch(home)[0]["id"], "answer": "yes"}
        refused(home.post(f"{path}/rsvps", json=body), 409, "event_state")
        refused(member.post(f"{path}/rsvps/own", json={"answer": "yes"}), 404, "not_found")
        acted(home, f"/v1/events/{draft['id']}/announce")
        acted(home, f"{path}/hold")
        refused(home.post(f"{path}/rsvps", json=body), 409, "session_state")

    def test_an_account_without_a_record_has_no_answer(self, api: Api, home: Api) -> None:
        _, session_id = announced(home)
        answer = api.as_("auditor").post(
            f"/v1/sessions/{session_id}/rsvps/own", json={"answer": "yes"}
        )
        refused(answer, 404, "no_own_record")

    @pytest.mark.race
    def test_two_answers_at_once_are_one(self, home: Api, database: Database) -> None:
        _, session_id = announced(home)
        body = {"member_id": of_branch(home)[0]["id"], "answer": "yes"}
        together = Barrier(2)

        def send(answer: str) -> int:
            together.wait()
            path = f"/v1/sessions/{session_id}/rsvps"
            return home.post(path, json=body | {"answer": answer}).status_code

        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(send, ("yes", "no"))) == [200, 200]
        with writing(database) as session:
            assert len(session.exec(select(Rsvp)).all()) == 1

    def test_a_list_is_one_question(self, home: Api, database: Database) -> None:
        _, session_id = announced(home)
        path = f"/v1/sessions/{session_id}/rsvps"
        for person in of_branch(home)[:3]:
            acted(home, path, {"member_id": person["id"], "answer": "yes"})
        with counted(database) as statements:
            assert len(items(home, path)) == 3
        # Who asks (2), the session and its units (2), where she stands herself (2), the list.
        assert len(statements) == 7, statements


class TestReminders:
    def test_reach_the_inbox_of_members_with_an_account(
        self, home: Api, member: Api, stranger: Api, work: Callable[[], int], database: Database
    ) -> None:
        _, session_id = announced(home)
        path = f"/v1/sessions/{session_id}/reminders"
        body = {"id": str(uuid4()), "text": "Nhớ mang sổ"}
        assert home.post(path, json=body).status_code == 201
        assert home.post(path, json=body).status_code == 200
        work()
        [told] = reminded(member)
        assert (told["title"], told["text"]) == ("Sinh hoạt tháng 12", "Nhớ mang sổ")
        assert reminded(stranger) == []
        with writing(database) as session:
            job_id = session.exec(select(Reminder.job_id)).one()
            reminders_ = select(Notification).where(col(Notification.kind) == "event_reminder")
            sent = len(session.exec(reminders_).all())
        job = home.get(f"/v1/jobs/{job_id}").json()
        assert (job["state"], job["result"]) == ("done", {"sent": sent})
        refused(home.delete(f"/v1/reminders/{body['id']}"), 409, "reminder_sent")

    def test_a_job_begun_again_adds_nothing(
        self, home: Api, database: Database, work: Callable[[], int]
    ) -> None:
        _, session_id = announced(home)
        home.post(f"/v1/sessions/{session_id}/reminders", json={})
        work()
        with writing(database) as session:
            reminder = session.exec(select(Reminder)).one()
            before = session.exec(select(Notification.id)).all()
            account_ids = list(session.exec(select(Notification.account_id)).all())
        with writing(database) as session:
            inbox.deliver(session, "event_reminder", reminder.id, account_ids)
        with writing(database) as session:
            assert session.exec(select(Notification.id)).all() == before
        assert before

    def test_who_has_said_no_is_left_alone(
        self, home: Api, member: Api, work: Callable[[], int]
    ) -> None:
        _, session_id = announced(home)
        acted(member, f"/v1/sessions/{session_id}/rsvps/own", {"answer": "no"})
        home.post(f"/v1/sessions/{session_id}/reminders", json={})
        work()
        assert reminded(member) == []

    def test_wait_for_their_time(
        self, home: Api, member: Api, work: Callable[[], int], database: Database
    ) -> None:
        _, session_id = announced(home)
        path = f"/v1/sessions/{session_id}/reminders"
        later = home.post(path, json={"send_at": at(6)}).json()
        assert later["job_id"] is None
        taken_back = home.post(path, json={"send_at": at(5)}).json()
        assert home.delete(f"/v1/reminders/{taken_back['id']}").status_code == 204
        assert reminders.send_due(database) == 0
        with writing(database) as session:
            for row in session.exec(select(Reminder)):
                session.execute(
                    table_of(Reminder)
                    .update()
                    .where(col(Reminder.id) == row.id)
                    .values(send_at=utc_now() - timedelta(minutes=1))
                )
        assert reminders.send_due(database) == 1
        assert reminders.send_due(database) == 0
        work()
        assert len(reminded(member)) == 1

    def test_none_of_who_may_no_longer_write_for_the_host(
        self, home: Api, database: Database
    ) -> None:
        _, session_id = announced(home)
        made_ = home.post(f"/v1/sessions/{session_id}/reminders", json={"send_at": at(6)})
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            reminder = session.get_one(Reminder, UUID(made_.json()["id"]))
            reminder.send_at = utc_now() - timedelta(minutes=1)
            for grant in session.exec(
                select(Grant).where(col(Grant.account_id) == reminder.account_id)
            ):
                grant.valid_to = local_today() - timedelta(days=1)
            session.flush()
        assert reminders.send_due(database) == 1
        with writing(database) as session:
            assert session.get(Reminder, UUID(made_.json()["id"])) is None

    def test_nobody_is_reminded_of_a_draft_or_by_a_guest(self, home: Api, member: Api) -> None:
        draft = made(home)
        [planned] = sessions(home, draft)
        path = f"/v1/sessions/{planned['id']}/reminders"
        refused(home.post(path, json={}), 409, "event_state")
        acted(home, f"/v1/events/{draft['id']}/announce")
        refused(member.post(path, json={}), 403, "forbidden")


class TestMinutes:
    def test_are_written_then_signed_for_good(self, home: Api, database: Database) -> None:
        event = made(home, sessions=[sitting(0, starts_at=at(0, 0), ends_at=at(0, 2))])
        acted(home, f"/v1/events/{event['id']}/announce")
        [held] = sessions(home, event)
        path = f"/v1/sessions/{held['id']}/minutes"
        refused(home.get(path), 404, "not_found")
        refused(home.post(f"{path}/sign"), 404, "not_found")
        body = {
            "body": "Chị em bàn việc thu gom rác thải nhựa.",
            "decisions": [
                {"text": "Thu gom chủ nhật", "who": "Chị Lan", "due_on": "2026-12-20"},
                {"text": "Mua thùng rác"},
            ],
            "photos": [{"title": "Ảnh toàn cảnh", "url": "https://anh.example/1.jpg"}],
        }
        written = home.patch(path, json=body)
        assert written.status_code == 200, written.text
        first, second = written.json()["decisions"]
        assert first["due_on"] == "2026-12-20"
        assert second == {"text": "Mua thùng rác", "who": None, "due_on": None}
        refused(home.post(f"{path}/sign"), 409, "session_state")
        acted(home, f"/v1/sessions/{held['id']}/close")
        changed = home.patch(path, json={"attachments": body["photos"]})
        assert changed.json()["revision"] == 2
        stale = home.post(f"{path}/sign", headers={"if-match": written.headers["etag"]})
        refused(stale, 412, "stale_revision")
        signed = home.post(f"{path}/sign", headers={"if-match": changed.headers["etag"]}).json()
        assert signed["signed_at"] is not None
        refused(home.patch(path, json={"body": "khác"}), 409, "minutes_signed")
        with writing(database) as session:
            assert session.exec(select(SessionMinutes.body)).one() == body["body"]

    def test_are_for_the_hosts_to_write_and_for_guests_to_read(
        self, api: Api, home: Api, stranger: Api, member: Api
    ) -> None:
        _, session_id = announced(home)
        path = f"/v1/sessions/{session_id}/minutes"
        assert home.patch(path, json={"body": "x"}).status_code == 200
        assert member.get(path).status_code == 200
        refused(member.patch(path, json={"body": "y"}), 403, "forbidden")
        refused(stranger.get(path), 404, "not_found")
        refused(stranger.patch(path, json={"body": "y"}), 404, "not_found")
        refused(api.as_("auditor").post(f"{path}/sign"), 403, "forbidden")

    def test_are_not_of_a_cancelled_session(self, home: Api) -> None:
        event_id, session_id = announced(home)
        acted(home, f"/v1/events/{event_id}/cancel", {"reason": "mưa"})
        answer = home.patch(f"/v1/sessions/{session_id}/minutes", json={"body": "x"})
        refused(answer, 409, "session_state")
