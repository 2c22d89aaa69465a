"""What a phone sends is done once, and answered: the queue goes on whatever becomes of one of them."""

import json
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.db import Database
from app.models.attendance.attendance import Attendance, Capture
from app.models.kernel.changes import Change, ChangeSource
from app.models.sync.operations import PushedOperation
from tests.helpers.answers import Json, UnitIds
from tests.helpers.captures import hold, members_of
from tests.helpers.client import Api, writing
from tests.helpers.operations import edit, known, operation, push, verdicts
from tests.helpers.races import at_commit

PATH = "/v1/sync/operations"


def record(api: Api, member: Json) -> Json:
    found: Json = api.get(f"/v1/members/{member['id']}").json()
    return found


class TestQueue:
    def test_goes_on_after_one_that_is_refused_for_ever(self, head: Api, someone: Json) -> None:
        first = edit(someone, address="Khu 1, nhà văn hoá")
        never = edit(someone, birth_date="2999")
        third = edit(someone, occupation="Trồng chè")
        answers = push(head, first, never, third)
        assert [each["verdict"] for each in answers] == ["applied", "refused", "applied"]
        assert [each["next"] for each in answers] == ["nothing", "correct", "nothing"]
        problem = answers[1]["problem"]
        assert problem["code"] == "validation_failed"
        assert [each["pointer"] for each in problem["errors"]] == ["/patch/birth_date"]
        now = record(head, someone)
        assert (now["address"], now["occupation"]) == ("Khu 1, nhà văn hoá", "Trồng chè")
        assert now["birth_date"] == someone["birth_date"]
        assert answers[2]["revision"] == now["revision"] == someone["revision"] + 2

    def test_the_verdict_is_read_on_another_phone_of_the_account(
        self, api: Api, head: Api, someone: Json
    ) -> None:
        never = edit(someone, full_name="")
        [answer] = push(head, never)
        other = api.as_("phuongvi-1")
        assert known(other, never) == answer
        english = other.get(f"{PATH}/{never['op_id']}", headers={"accept-language": "en"}).json()
        assert english["problem"]["code"] == answer["problem"]["code"]
        assert english["problem"]["detail"] != answer["problem"]["detail"]
        listed = other.get(f"{PATH}?verdict=refused").json()["items"]
        assert listed == [answer]
        assert other.get(f"{PATH}?verdict=held").json()["items"] == []

    def test_changes_carry_the_operation(
        self, head: Api, someone: Json, database: Database
    ) -> None:
        sent = edit(someone, address="Khu 1")
        push(head, sent)
        with writing(database) as session:
            change = session.exec(
                select(Change)
                .where(col(Change.entity_id) == someone["id"])
                .order_by(col(Change.id).desc())
            ).first()
            row = session.exec(select(PushedOperation)).one()
        assert change is not None
        assert (change.source, change.source_ref) == (ChangeSource.sync, sent["op_id"])
        assert change.request_id
        assert row.patch is None


class TestAgain:
    def test_what_was_done_is_a_duplicate_of_the_same_revision(
        self, head: Api, someone: Json
    ) -> None:
        sent = edit(someone, address="Khu 1")
        [first] = push(head, sent)
        [second] = push(head, sent)
        assert second == first | {"verdict": "duplicate"}
        assert record(head, someone)["revision"] == first["revision"]
        twice = edit(record(head, someone), address="Khu 2")
        assert verdicts(head, twice, twice) == ["applied", "duplicate"]

    def test_what_was_refused_is_refused_again(self, head: Api, someone: Json) -> None:
        sent = edit(someone, gender="neither")
        assert push(head, sent) == push(head, sent)

    @pytest.mark.parametrize("name", ["patch", "base_rev", "occurred_at", "depends_on"])
    def test_another_body_is_refused_and_nothing_of_the_batch_is_done(
        self, head: Api, someone: Json, name: str
    ) -> None:
        sent = edit(someone, address="Khu 1")
        push(head, sent)
        now = record(head, someone)
        others = {
            "patch": {"address": "Khu 9"},
            "base_rev": 0,
            "occurred_at": "2026-01-01T00:00:00Z",
            "depends_on": [str(uuid4())],
        }
        before = edit(now, occupation="Trồng chè")
        answer = head.post(PATH, json={"items": [before, sent | {name: others[name]}]})
        assert answer.status_code == 422
        assert answer.json()["code"] == "operation_reused"
        assert [each["pointer"] for each in answer.json()["errors"]] == ["/items/1/op_id"]
        assert record(head, someone) == now

    def test_two_under_one_id_in_one_batch(self, head: Api, someone: Json) -> None:
        sent = edit(someone, address="Khu 1")
        answer = head.post(PATH, json={"items": [sent, sent | {"patch": {"address": "Khu 2"}}]})
        assert (answer.status_code, answer.json()["code"]) == (422, "operation_reused")
        assert record(head, someone) == someone

    def test_at_the_same_moment_it_is_done_once(
        self, head: Api, someone: Json, database: Database
    ) -> None:
        batch = [edit(someone, address="Khu 1"), edit(someone, occupation="Trồng chè")]
        first, second = at_commit(database, lambda: push(head, *batch), lambda: push(head, *batch))
        done = [{one["verdict"], two["verdict"]} for one, two in zip(first, second, strict=True)]
        assert done == [{"applied", "duplicate"}] * 2
        assert record(head, someone)["revision"] == someone["revision"] + 2

    def test_an_id_of_another_account_is_unknown_and_free(
        self, api: Api, head: Api, officer: Api, someone: Json
    ) -> None:
        sent = edit(someone, address="Khu 1")
        push(head, sent)
        assert officer.get(f"{PATH}/{sent['op_id']}").status_code == 404
        assert officer.get(PATH).json()["items"] == []
        again = edit(record(officer, someone), address="Khu 2") | {"op_id": sent["op_id"]}
        assert verdicts(officer, again) == ["applied"]
        assert known(head, sent)["verdict"] == "applied"


class TestBadInput:
    def test_unknown_kinds_and_ids(self, head: Api, someone: Json) -> None:
        odd: list[Json] = [
            operation("member.marry", someone["id"], {}),
            operation("member.update", "no-id", {"address": "x"}, base_rev=1),
            edit(someone, address="Khu 1") | {"op_id": "no-id"},
            edit(someone, address="Khu 1") | {"depends_on": "x"},
            edit(someone, address="Khu 1") | {"more": 1},
            edit(someone, address="Khu 1") | {"base_rev": -1},
            edit(someone, address="Khu 1") | {"patch": None},
        ]
        answers = push(head, *odd, edit(someone, address="Khu 1"))
        assert [each["verdict"] for each in answers] == ["refused"] * 7 + ["applied"]
        pointers = [
            [error["pointer"] for error in each["problem"]["errors"]] for each in answers[:7]
        ]
        assert pointers == [
            *(["/kind"], ["/id"], ["/op_id"], ["/depends_on"], ["/more"], ["/base_rev"], ["/patch"])
        ]
        assert answers[2]["op_id"] is None
        assert known(head, odd[0]) == answers[0]

    def test_items_that_are_none(self, head: Api) -> None:
        answer = head.post(PATH, json={"items": [1, None, "x", [], {}]})
        assert [each["verdict"] for each in answer.json()["items"]] == ["refused"] * 5
        assert head.post(PATH, json={"items": []}).status_code == 422
        assert head.post(PATH, json=[]).status_code == 422

    def test_what_no_text_can_be(self, head: Api, someone: Json) -> None:
        body = json.dumps({"items": [edit(someone, address="\ud800")]})
        for _ in range(2):
            answer = head.post(PATH, content=body, headers={"content-type": "application/json"})
            assert answer.json()["items"][0]["verdict"] == "refused"

    def test_too_many(self, head: Api, someone: Json) -> None:
        answer = head.post(PATH, json={"items": [{}] * 501})
        assert answer.status_code == 413
        assert answer.json()["code"] == "batch_too_large"
        assert "500" in answer.json()["detail"]
        answer = head.post(PATH, json={"items": [edit(someone, address="x")] * 100_000})
        assert answer.status_code == 413

    @pytest.mark.parametrize("encoding", ["gzip", "br"])
    def test_packed_bodies_are_not_read(self, head: Api, encoding: str) -> None:
        answer = head.post(
            PATH,
            content=b"\x1f\x8b\x08\x00",
            headers={"content-encoding": encoding, "content-type": "application/json"},
        )
        assert (answer.status_code, answer.json()["code"]) == (415, "encoding_unsupported")

    def test_fields_out_of_reach(self, head: Api, someone: Json) -> None:
        hidden = edit(someone, ethnicity="02")
        derived = edit(someone, revision=7, branch_id=1)
        answers = push(head, hidden, derived)
        assert [each["verdict"] for each in answers] == ["refused", "refused"]
        assert answers[0]["problem"]["code"] == "forbidden"
        assert [each["pointer"] for each in answers[0]["problem"]["errors"]] == ["/patch/ethnicity"]
        assert {each["code"] for each in answers[1]["problem"]["errors"]} == {"unknown_field"}
        assert record(head, someone) == someone

    def test_of_another_branch(self, head: Api, officer: Api, unit_id: UnitIds) -> None:
        stranger = officer.get(f"/v1/members?limit=1&unit={unit_id['phuongvi-2']}").json()["items"][
            0
        ]
        sent, nobody = (
            edit(stranger, address="x"),
            edit(stranger | {"id": str(uuid4())}, address="x"),
        )
        answers = push(head, sent, nobody)
        assert [each["problem"]["code"] for each in answers] == ["not_found", "not_found"]
        assert record(officer, stranger)["revision"] == stranger["revision"]

    @pytest.mark.parametrize("username", ["auditor", "member", "admin"])
    def test_without_the_right(self, api: Api, someone: Json, username: str) -> None:
        [answer] = push(api.as_(username), edit(someone, address="x"))
        assert answer["verdict"] == "refused"
        assert answer["problem"]["code"] in ("forbidden", "not_found")

    def test_nobody(self, api: Api, someone: Json) -> None:
        assert api.post(PATH, json={"items": [edit(someone, address="x")]}).status_code == 401


class TestRepaired:
    @pytest.mark.parametrize("year", ["1970", "2100"])
    def test_a_clock_that_is_wrong(self, head: Api, someone: Json, year: str) -> None:
        sent = edit(someone, address="Khu 1") | {"occurred_at": f"{year}-01-01T00:00:00+07:00"}
        [answer] = push(head, sent)
        assert answer["verdict"] == "applied"
        assert [(each["pointer"], each["code"]) for each in answer["warnings"]] == [
            ("/occurred_at", "clock_put_right")
        ]

    def test_a_name_with_letters_that_look_alike(self, head: Api, someone: Json) -> None:
        [answer] = push(head, edit(someone, full_name="Nguyễn Thị Hоa"))  # a Cyrillic о
        assert answer["verdict"] == "applied"
        assert answer["warnings"][0]["pointer"] == "/patch/full_name"
        assert record(head, someone)["full_name"] == "Nguyễn Thị Hoa"


class TestCaptures:
    def test_are_taken_into_the_ledger(
        self, head: Api, database: Database, unit_id: UnitIds
    ) -> None:
        branch = unit_id["phuongvi-1"]
        session_id = hold(database, [branch])
        [member_id, *_] = members_of(database, branch)
        capture_id = str(uuid4())
        patch = {"session_id": str(session_id), "kind": "roster", "member_id": str(member_id)}
        sent = operation("capture.add", capture_id, patch)
        assert verdicts(head, sent) == ["applied"]
        assert verdicts(head, sent) == ["duplicate"]
        with writing(database) as session:
            capture = session.get(Capture, UUID(capture_id))
            count = session.execute(
                sa.select(sa.func.count()).where(col(Attendance.session_id) == session_id)
            ).scalar_one()
        assert capture is not None
        assert (capture.member_id, count) == (member_id, 1)
        item = patch | {"id": capture_id, "occurred_at": sent["occurred_at"]}
        item.pop("session_id")
        [same] = head.post(f"/v1/sessions/{session_id}/captures", json={"items": [item]}).json()[
            "items"
        ]
        assert same["verdict"] == "stored"

    def test_come_before_their_session(self, head: Api) -> None:
        patch = {"session_id": str(uuid4()), "kind": "head_count", "count": 12}
        [answer] = push(head, operation("capture.add", str(uuid4()), patch))
        assert answer["verdict"] == "applied"
        assert [each["code"] for each in answer["warnings"]] == ["capture_awaits_session"]

    def test_that_say_nothing_are_refused(self, head: Api) -> None:
        patch = {"session_id": str(uuid4()), "kind": "head_count", "id": str(uuid4())}
        first, second = push(
            head,
            operation("capture.add", str(uuid4()), patch),
            operation("capture.add", str(uuid4()), {n: v for n, v in patch.items() if n != "id"}),
        )
        assert [each["code"] for each in first["problem"]["errors"]] == ["unknown_field"]
        assert [each["pointer"] for each in second["problem"]["errors"]] == ["/patch/count"]
