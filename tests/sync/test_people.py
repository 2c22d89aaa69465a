"""People whose records may not be changed, or are forgotten; units that are being changed."""

from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_today
from app.db import Database
from app.errors import Problem
from app.models.members.members import Member
from app.models.sync.operations import PushedOperation
from app.services.kernel.access import Actor
from app.services.kernel.holdings import Person
from app.services.members import record
from app.services.sync import forgetting, waiting
from tests.helpers.answers import Json
from tests.helpers.client import Api, writing
from tests.helpers.operations import edit, known, push, verdicts


def marked(database: Database, member: Json, **values: object) -> None:
    with writing(database) as session:
        of_her = sa.update(Member).where(col(Member.id) == UUID(member["id"]))
        session.execute(of_her.values(**values))


def person(member: Json) -> Person:
    return Person(UUID(member["id"]), (), (), (), (), frozenset({member["full_name"]}), frozenset())


@pytest.mark.parametrize(
    ("values", "code"),
    [({"restricted": True}, "member_restricted"), ({"erased_on": local_today}, "member_erased")],
)
def test_records_that_may_not_be_changed(
    head: Api, someone: Json, database: Database, values: Json, code: str
) -> None:
    marked(database, someone, **{n: v() if callable(v) else v for n, v in values.items()})
    [answer] = push(head, edit(someone, address="Khu 1"))
    assert (answer["verdict"], answer["problem"]["code"]) == ("refused", code)


def test_a_unit_that_is_being_changed_holds_one_operation_and_not_the_batch(
    head: Api, someone: Json, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = head.get("/v1/members?limit=2").json()["items"][1]
    update = record.update
    wait = 3

    def busy(session: Session, actor: Actor, member_id: UUID, *rest: Any) -> object:
        if str(member_id) == someone["id"]:
            raise Problem("unit_being_reorganised", retry_after=wait)
        return update(session, actor, member_id, *rest)

    sent = edit(someone, address="Khu 1")
    with monkeypatch.context() as during:
        during.setattr(record, "update", busy)
        answers = push(head, sent, edit(other, address="Khu 2"))
        assert waiting.tend(database) == 0
    assert [each["verdict"] for each in answers] == ["held", "applied"]
    assert (answers[0]["waits_for"], answers[0]["problem"]["code"]) == (
        "retry",
        "unit_being_reorganised",
    )
    assert waiting.tend(database) == 1
    assert known(head, sent)["verdict"] == "applied"


class TestForgotten:
    def test_what_waits_about_her_and_what_was_told(
        self, head: Api, officer: Api, someone: Json, database: Database
    ) -> None:
        officer.patch(f"/v1/members/{someone['id']}", json={"address": "Khu 9"})
        waits, told = edit(someone, address="Nhà bà Xuyến"), edit(someone, full_name="Trần Thị Hоa")
        push(head, waits, told)
        with writing(database) as session:
            counted = forgetting.forget_about(session, [person(someone)])
        assert counted == {PushedOperation: 2}
        with writing(database) as session:
            rows = session.exec(select(PushedOperation).order_by(col(PushedOperation.id))).all()
        assert [(row.patch, row.waits_for) for row in rows] == [(None, None)] * 2
        assert [row.code for row in rows] == ["operation_forgotten", None]
        assert "Xuyến" not in (rows[0].told or "")
        assert officer.get("/v1/sync/inbox").json()["items"] == []
        assert known(head, waits)["verdict"] == "refused"

    def test_what_waits_about_somebody_else_and_names_her(
        self, head: Api, officer: Api, someone: Json, database: Database
    ) -> None:
        _, other, third = head.get("/v1/members?limit=3").json()["items"]
        for each in (other, third):
            officer.patch(f"/v1/members/{each['id']}", json={"address": "Khu 9", "occupation": "x"})
        named = edit(other, address=f"Ở nhờ nhà {someone['full_name']}")
        push(head, named, edit(third, occupation="Trồng chè"))
        with writing(database) as session:
            counted = forgetting.forget_about(session, [person(someone)])
        assert counted == {PushedOperation: 1}
        assert known(head, named)["problem"]["code"] == "operation_forgotten"
        assert len(officer.get("/v1/sync/inbox").json()["items"]) == 1

    def test_what_was_refused_keeps_a_reason_that_says_nothing_of_her(
        self, head: Api, someone: Json, database: Database
    ) -> None:
        never = edit(someone, birth_date="2999")
        awaits = edit(someone, address="Nhà bà Xuyến") | {"depends_on": [str(uuid4())]}
        assert verdicts(head, never, awaits) == ["refused", "held"]
        with writing(database) as session:
            counted = forgetting.forget_about(session, [person(someone)])
        assert counted == {PushedOperation: 2}
        for sent in (never, awaits):
            found = known(head, sent)
            assert (found["verdict"], found["next"]) == ("refused", "pull")
            assert (found["problem"]["code"], found["problem"]["errors"]) == (
                "operation_forgotten",
                [],
            )
