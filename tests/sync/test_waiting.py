"""What comes out of order is held, seen, done when its predecessor has come, and never waits for ever."""

from datetime import timedelta
from itertools import permutations
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.clock import utc_now
from app.db import Database
from app.models.sync.operations import PushedOperation
from app.services.privacy import retention
from app.services.sync import waiting
from tests.helpers.answers import Json
from tests.helpers.client import Api, writing
from tests.helpers.operations import edit, known, operation, push, verdicts


def chain(member: Json) -> list[Json]:
    """Three edits of one field, each after the one before."""
    made: list[Json] = []
    for address in ("Khu 1", "Khu 2", "Khu 3"):
        before = [made[-1]["op_id"]] if made else []
        made.append(edit(member, address=address) | {"depends_on": before})
    return made


def address(api: Api, member: Json) -> str:
    found: str = api.get(f"/v1/members/{member['id']}").json()["address"]
    return found


def aged(database: Database, days: int) -> None:
    with writing(database) as session:
        session.execute(
            sa.update(PushedOperation).values(received_at=utc_now() - timedelta(days=days))
        )


class TestOrder:
    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_in_any_order_all_are_done_in_theirs(
        self, head: Api, someone: Json, order: tuple[int, ...]
    ) -> None:
        sent = chain(someone)
        answers = push(head, *(sent[at] for at in order))
        assert [each["verdict"] for each in answers] == ["applied"] * 3
        assert address(head, someone) == "Khu 3"
        revisions = [known(head, each)["revision"] for each in sent]
        assert revisions == [someone["revision"] + n for n in (1, 2, 3)]

    def test_one_by_one_they_are_held_and_seen(self, head: Api, someone: Json) -> None:
        first, second, third = chain(someone)
        [held] = push(head, third)
        assert (held["verdict"], held["waits_for"], held["waits_on"], held["next"]) == (
            "held",
            "predecessor",
            second["op_id"],
            "wait",
        )
        assert push(head, third) == [held]
        assert head.get("/v1/sync/operations?verdict=held").json()["items"] == [held]
        assert verdicts(head, first) == ["applied"]
        assert known(head, third)["verdict"] == "held"
        assert verdicts(head, second) == ["applied"]
        assert known(head, third)["verdict"] == "applied"
        assert address(head, someone) == "Khu 3"

    def test_a_second_edit_is_done_at_once_when_the_first_is_there(
        self, head: Api, someone: Json
    ) -> None:
        first, second, _ = chain(someone)
        push(head, first)
        assert verdicts(head, second) == ["applied"]

    def test_an_edit_without_its_record_waits_for_it(self, head: Api) -> None:
        sent = operation("member.update", str(uuid4()), {"address": "Khu 1"})
        [answer] = push(head, sent)
        assert (answer["verdict"], answer["waits_on"]) == ("held", sent["id"])

    def test_whether_such_a_record_is_of_others_is_not_told(
        self, head: Api, officer: Api, api: Api
    ) -> None:
        theirs = api.as_("tienluong").get("/v1/members?limit=1").json()["items"][0]
        sent = operation("member.update", theirs["id"], {"address": "Khu 1"})
        [answer] = push(head, sent)
        assert (answer["verdict"], answer["waits_on"]) == ("held", theirs["id"])

    def test_a_refused_one_refuses_those_after_it_for_its_reason(
        self, head: Api, someone: Json
    ) -> None:
        first, second, third = chain(someone)
        first["patch"] = {"birth_date": "2999"}
        answers = push(head, third, second, first)
        assert [each["verdict"] for each in answers] == ["refused"] * 3
        assert [each["problem"]["code"] for each in answers] == [
            *("predecessor_refused", "predecessor_refused", "validation_failed")
        ]
        [because] = answers[1]["problem"]["errors"]
        assert (because["pointer"], because["code"]) == ("/depends_on", "validation_failed")
        assert because["detail"] == answers[2]["problem"]["detail"]
        assert address(head, someone) == someone["address"]


class TestCircles:
    def test_on_itself(self, head: Api, someone: Json) -> None:
        sent = edit(someone, address="Khu 1")
        [answer] = push(head, sent | {"depends_on": [sent["op_id"]]})
        assert [each["code"] for each in answer["problem"]["errors"]] == ["depends_in_circle"]

    def test_of_several(self, head: Api, someone: Json) -> None:
        first, second, third = chain(someone)
        answers = push(head, first | {"depends_on": [third["op_id"]]}, second, third)
        assert [each["verdict"] for each in answers] == ["refused"] * 3
        codes = [each["problem"]["code"] for each in answers]
        assert sorted(codes) == ["predecessor_refused", "predecessor_refused", "validation_failed"]
        assert address(head, someone) == someone["address"]


class TestEnd:
    def test_what_never_comes_ends_with_a_verdict(
        self, head: Api, someone: Json, database: Database
    ) -> None:
        first, second, third = chain(someone)
        push(head, second, third)
        aged(database, waiting.MISSING.days - 1)
        assert waiting.follow_up(database) == 0
        aged(database, waiting.MISSING.days + 1)
        assert waiting.follow_up(database) == 1
        codes = [known(head, each)["problem"]["code"] for each in (second, third)]
        assert codes == ["predecessor_missing", "predecessor_refused"]
        assert verdicts(head, first) == ["applied"]
        with writing(database) as session:
            kept = session.execute(sa.select(col(PushedOperation.patch))).scalars().all()
        assert kept == [None, None, None]

    def test_what_was_left_behind_by_a_kill_goes_on(
        self, head: Api, someone: Json, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second, _ = chain(someone)
        push(head, second)
        with monkeypatch.context() as killed:
            killed.setattr(waiting, "go_on", lambda *_: None)
            push(head, first)
        assert known(head, second)["verdict"] == "held"
        assert waiting.tend(database) == 1
        assert known(head, second)["verdict"] == "applied"

    def test_what_nobody_decides_ends_too(
        self, head: Api, officer: Api, someone: Json, database: Database
    ) -> None:
        officer.patch(f"/v1/members/{someone['id']}", json={"address": "Khu 9"})
        sent = edit(someone, address="Khu 1")
        push(head, sent)
        aged(database, waiting.UNDECIDED.days - 1)
        assert waiting.follow_up(database) == 0
        aged(database, waiting.UNDECIDED.days + 1)
        assert waiting.follow_up(database) == 1
        assert known(head, sent)["problem"]["code"] == "operation_undecided"
        assert officer.get("/v1/sync/inbox").json()["items"] == []

    def test_verdicts_are_kept_for_400_days(
        self, head: Api, someone: Json, database: Database
    ) -> None:
        sent = edit(someone, address="Khu 1")
        push(head, sent)
        aged(database, 399)
        retention.forget_due(database)
        assert verdicts(head, sent) == ["duplicate"]
        aged(database, 401)
        retention.forget_due(database)
        assert head.get(f"/v1/sync/operations/{sent['op_id']}").status_code == 404
