"""Answers to invitations, minutes and requests to correct a record, written without a network."""

from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.db import Database
from app.errors import Problem
from app.models.events.minutes import SessionMinutes
from app.models.kernel.accounts import Account
from app.models.members.members import Member
from app.services.events import minutes, rsvps
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, writing
from tests.helpers.meetings import acted, announced, items, sitting
from tests.helpers.operations import known, operation, push, verdicts
from tests.helpers.races import at_commit
from tests.identity.devices import enrolled
from tests.sync.test_former_holders import INBOX, entries, lose, received


@pytest.fixture
def home(api: Api, database: Database, unit_id: UnitIds) -> Api:
    """The head of the branch the account `member` is a member in."""
    names = {number: name for name, number in unit_id.items()}
    branch = sa.select(col(Member.branch_id)).join(
        Account, col(Account.member_id) == col(Member.id)
    )
    with writing(database) as session:
        found = session.execute(branch.where(col(Account.username) == "member")).scalar_one()
    return api.as_(names[found])


@pytest.fixture
def her(api: Api) -> Api:
    return api.as_("member")


@pytest.fixture
def session_id(home: Api) -> str:
    return announced(home)[1]


@pytest.fixture
def her_id(her: Api) -> str:
    found: str = her.get("/v1/me/member").json()["id"]
    return found


def entered(session_id: str, member_id: str, answer: str, **more: object) -> Json:
    patch = {"member_id": member_id, "answer": answer}
    return operation("rsvp.set", session_id, patch, **more)


def given(api: Api, session_id: str) -> Json:
    [found] = items(api, f"/v1/sessions/{session_id}/rsvps")
    return found


class TestAnswers:
    def test_entered_for_a_member_and_changed_on_the_same_phone(
        self, home: Api, session_id: str, her_id: str
    ) -> None:
        first, second = (entered(session_id, her_id, each) for each in ("yes", "no"))
        answers = push(home, first, second)
        assert [each["verdict"] for each in answers] == ["applied"] * 2
        now = given(home, session_id)
        assert (now["answer"], now["by_herself"]) == ("no", False)
        assert answers[1]["revision"] == now["revision"] == 2
        assert verdicts(home, first, second) == ["duplicate"] * 2

    def test_her_own_of_meanwhile_stays(
        self, home: Api, her: Api, session_id: str, her_id: str
    ) -> None:
        acted(her, f"/v1/sessions/{session_id}/rsvps/own", {"answer": "no", "reason": "Đi ca"})
        sent = entered(session_id, her_id, "yes")
        [answer] = push(home, sent)
        assert (answer["verdict"], answer["next"]) == ("refused", "pull")
        assert answer["problem"]["code"] == "operation_superseded"
        now = given(home, session_id)
        assert (now["answer"], now["reason"], now["by_herself"]) == ("no", "Đi ca", True)
        seen = entered(session_id, her_id, "yes", base_rev=now["revision"])
        assert verdicts(home, seen) == ["applied"]
        assert (given(home, session_id)["answer"], given(home, session_id)["reason"]) == (
            "yes",
            None,
        )

    def test_a_reason_that_was_not_sent_is_part_of_the_answer(
        self, home: Api, her: Api, session_id: str, her_id: str
    ) -> None:
        acted(her, f"/v1/sessions/{session_id}/rsvps/own", {"answer": "no", "reason": "Đi ca"})
        [answer] = push(home, entered(session_id, her_id, "no"))
        assert answer["problem"]["code"] == "operation_superseded"
        assert given(home, session_id)["reason"] == "Đi ca"

    def test_the_same_answer_is_none_that_differs(
        self, home: Api, her: Api, session_id: str, her_id: str
    ) -> None:
        acted(her, f"/v1/sessions/{session_id}/rsvps/own", {"answer": "no"})
        [answer] = push(home, entered(session_id, her_id, "no"))
        assert answer["verdict"] == "merged"

    def test_her_own(self, home: Api, her: Api, session_id: str, her_id: str) -> None:
        sent = operation("rsvp.own", session_id, {"answer": "maybe"})
        [answer] = push(her, sent)
        assert (answer["verdict"], answer["revision"]) == ("applied", 1)
        assert (given(home, session_id)["member_id"], given(home, session_id)["by_herself"]) == (
            her_id,
            True,
        )
        acted(home, f"/v1/sessions/{session_id}/rsvps", {"member_id": her_id, "answer": "yes"})
        other = operation("rsvp.own", session_id, {"answer": "no"}, base_rev=1)
        [answer] = push(her, other)
        assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "operation_superseded")
        assert given(home, session_id)["answer"] == "yes"
        assert entries(home) == []

    def test_two_at_once(
        self, *, home: Api, her: Api, session_id: str, her_id: str, database: Database
    ) -> None:
        own = operation("rsvp.own", session_id, {"answer": "no"})
        first, second = at_commit(
            database,
            lambda: verdicts(home, entered(session_id, her_id, "yes")),
            lambda: verdicts(her, own),
        )
        assert sorted([*first, *second]) == ["applied", "refused"]
        assert given(home, session_id)["answer"] == ("yes" if first == ["applied"] else "no")

    def test_for_whom_nobody_may_answer(
        self, api: Api, session_id: str, her_id: str, home: Api
    ) -> None:
        stranger = api.as_("tienluong-1")
        for member_id in (her_id, str(uuid4())):
            [answer] = push(stranger, entered(session_id, member_id, "yes"))
            [error] = answer["problem"]["errors"]
            assert (error["pointer"], error["code"]) == ("/patch/member_id", "member_unknown")
        nobody = api.as_("auditor")
        [answer] = push(nobody, operation("rsvp.own", session_id, {"answer": "yes"}))
        assert answer["verdict"] == "refused"
        assert items(home, f"/v1/sessions/{session_id}/rsvps") == []


class TestMinutes:
    def test_begun_and_gone_on_with_offline(self, home: Api, session_id: str) -> None:
        first = operation("minutes.update", session_id, {"body": "Bàn về giống chè"})
        due = [{"text": "Mua giống", "who": "Lan", "due_on": "2027-01-05"}]
        second = operation("minutes.update", session_id, {"decisions": due})
        assert verdicts(home, first, second) == ["applied"] * 2
        now = home.get(f"/v1/sessions/{session_id}/minutes").json()
        assert (now["body"], now["decisions"], now["revision"]) == ("Bàn về giống chè", due, 2)
        assert known(home, second)["revision"] == 2
        same = operation("minutes.update", session_id, {"decisions": due}, base_rev=1)
        assert verdicts(home, same) == ["applied"]

    def test_two_who_write_the_same_part(
        self, home: Api, officer: Api, session_id: str, database: Database
    ) -> None:
        path = f"/v1/sessions/{session_id}/minutes"
        theirs = officer.patch(path, json={"body": "Theo cán bộ xã"})
        if theirs.status_code != 200:  # another commune than hers
            officer = officer.as_("camkhe")
            theirs = officer.patch(path, json={"body": "Theo cán bộ"})
        assert theirs.status_code == 200, theirs.text
        sent = operation(
            "minutes.update", session_id, {"body": "Theo chi hội", "decisions": [{"text": "Mua"}]}
        )
        [answer] = push(home, sent)
        assert (answer["verdict"], answer["fields"]) == ("conflict", ["body", "decisions"])
        [entry] = entries(home)
        assert (entry["entity"], entry["sent"]["body"], entry["present"]["body"]) == (
            "minutes",
            "Theo chi hội",
            theirs.json()["body"],
        )
        done = home.post(f"{INBOX}/{entry['id']}/accept", json={"fields": ["body"]})
        assert done.status_code == 200, done.text
        now = home.get(path).json()
        assert (now["body"], now["decisions"]) == ("Theo chi hội", [])
        with writing(database) as session:
            count = sa.select(sa.func.count()).select_from(SessionMinutes)
            assert session.execute(count).scalar_one() == 1

    def test_not_once_they_are_signed(self, home: Api) -> None:
        _, session_id = announced(home, sessions=[sitting(0)])
        path = f"/v1/sessions/{session_id}"
        home.patch(f"{path}/minutes", json={"body": "Xong"})
        acted(home, f"{path}/hold")
        assert home.post(f"{path}/minutes/sign").status_code == 200
        [answer] = push(home, operation("minutes.update", session_id, {"body": "Khác"}))
        assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "minutes_signed")
        assert home.get(f"{path}/minutes").json()["body"] == "Xong"

    def test_a_second_host_writes_them_by_the_same_rules(
        self, api: Api, unit_id: UnitIds, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, two = api.as_("phuongvi-1"), api.as_("phuongvi-2")
        hosts = [unit_id["phuongvi-1"], unit_id["phuongvi-2"]]
        _, session_id = announced(api.as_("phuongvi"), host_unit_ids=hosts, sessions=[sitting(0)])
        path = f"/v1/sessions/{session_id}"
        assert one.patch(f"{path}/minutes", json={"body": "Một"}).status_code == 200
        first = operation("minutes.update", session_id, {"body": "Hai"}, base_rev=1)
        assert verdicts(two, first) == ["applied"]
        assert one.patch(f"{path}/minutes", json={"body": "Ba"}).status_code == 200

        update, tries = minutes.update, iter(range(1))

        def reorganised_first(*given: Any) -> Any:
            if next(tries, None) is not None:
                raise Problem("unit_being_reorganised", retry_after=5)
            return update(*given)

        other = operation("minutes.update", session_id, {"body": "Bốn"}, base_rev=1)
        with monkeypatch.context() as patch:
            patch.setattr(minutes, "update", reorganised_first)
            [answer] = push(two, other)
        assert (answer["verdict"], answer["waits_for"]) == ("held", "retry")
        assert one.get(f"{path}/minutes").json()["body"] == "Ba"

        acted(one, f"{path}/hold")
        assert one.post(f"{path}/minutes/sign").status_code == 200
        late = operation("minutes.update", session_id, {"body": "Năm"}, base_rev=1)
        [answer] = push(two, late)
        assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "minutes_signed")
        assert one.get(f"{path}/minutes").json()["body"] == "Ba"

    def test_of_others_they_are_not_there(
        self, api: Api, home: Api, session_id: str, database: Database
    ) -> None:
        home.patch(f"/v1/sessions/{session_id}/minutes", json={"body": "Xong"})
        stranger = api.as_("tienluong-1")
        for target in (session_id, str(uuid4())):
            [answer] = push(stranger, operation("minutes.update", target, {"body": "Khác"}))
            assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "not_found")
        begun = home.get(f"/v1/sessions/{session_id}/minutes").json()
        received(database, begun["id"])
        lose(database, home.get("/v1/me").json()["username"], 3)
        [answer] = push(home, operation("minutes.update", session_id, {"body": "Khác"}))
        assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "unit_lost")

    def test_begun_by_two_at_once(
        self, home: Api, api: Api, session_id: str, database: Database
    ) -> None:
        other = api.as_("camkhe")
        first, second = at_commit(
            database,
            lambda: verdicts(home, operation("minutes.update", session_id, {"body": "Chi hội"})),
            lambda: verdicts(other, operation("minutes.update", session_id, {"body": "Huyện"})),
        )
        assert sorted([*first, *second]) == ["applied", "conflict"]

    def test_the_api_begins_none_where_a_revision_was_expected(
        self, home: Api, session_id: str
    ) -> None:
        answer = home.patch(
            f"/v1/sessions/{session_id}/minutes",
            json={"body": "Xong"},
            headers={"if-match": '"1"'},
        )
        assert answer.status_code == 412


class TestCorrections:
    def test_a_member_asks_for_one(self, her: Api, home: Api, her_id: str) -> None:
        patch = {"changes": {"full_name": "Hà Thị Mới"}, "note": "Viết sai"}
        sent = operation("correction.ask", str(uuid4()), patch)
        assert verdicts(her, sent) == ["applied"]
        [asked] = items(her, "/v1/me/corrections")
        assert (asked["id"], asked["state"], asked["note"]) == (sent["id"], "pending", "Viết sai")
        assert [each["id"] for each in items(home, "/v1/correction-requests")] == [sent["id"]]
        assert verdicts(her, sent) == ["duplicate"]
        assert home.get(f"/v1/members/{her_id}").json()["full_name"] != "Hà Thị Mới"

    def test_rules_are_those_of_the_api(self, api: Api, her: Api) -> None:
        empty = operation("correction.ask", str(uuid4()), {"changes": {}})
        odd = operation("correction.ask", str(uuid4()), {"changes": {"birth_date": "2999"}})
        first, second = push(her, empty, odd)
        assert [each["pointer"] for each in first["problem"]["errors"]] == ["/patch/changes"]
        assert [each["pointer"] for each in second["problem"]["errors"]] == [
            "/patch/changes/birth_date"
        ]
        nobody = operation("correction.ask", str(uuid4()), {"changes": {"address": "Khu 1"}})
        [answer] = push(api.as_("auditor"), nobody)
        assert answer["verdict"] == "refused"

    @pytest.mark.parametrize("name", ["correction.ask", "rsvp.own"])
    def test_nobody_hands_it_in_for_her(
        self, api: Api, officer: Api, someone: Json, session_id: str, name: str
    ) -> None:
        phone = enrolled(api, "phuongvi-1")
        own = {
            "correction.ask": operation(name, str(uuid4()), {"changes": {"address": "Khu 1"}}),
            "rsvp.own": operation(name, session_id, {"answer": "yes"}),
        }[name]
        after = operation(
            "member.update", someone["id"], {"address": "Khu 2"}, base_rev=someone["revision"]
        )
        refused, done = push(officer, own, after, for_device=phone.id)
        assert (refused["verdict"], refused["problem"]["code"]) == (
            "refused",
            "operation_of_herself",
        )
        assert done["verdict"] == "applied"


def test_what_is_there_is_found_by_what_names_it(
    home: Api, session_id: str, her_id: str, database: Database
) -> None:
    with writing(database) as session:
        assert minutes.id_of(session, UUID(session_id)) is None
        assert rsvps.id_of(session, UUID(session_id), UUID(her_id)) is None
    push(home, operation("minutes.update", session_id, {"body": "x"}))
    push(home, entered(session_id, her_id, "yes"))
    with writing(database) as session:
        assert minutes.id_of(session, UUID(session_id)) is not None
        assert (
            str(rsvps.id_of(session, UUID(session_id), UUID(her_id)))
            == given(home, session_id)["id"]
        )
