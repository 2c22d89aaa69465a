"""A fault of the server at one operation: it is kept and tried again, and nothing else waits for it."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from app.clock import utc_now
from app.db import Database
from app.models.sync.operations import OperationItem, PushedOperation
from app.services.kernel.access import Actor
from app.services.sync import taking, waiting
from app.services.sync.verdicts import Outcome
from tests.helpers.answers import Json
from tests.helpers.client import Api, writing
from tests.helpers.operations import edit, known, operation, push, verdicts

CROP = "Trồng chè"


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Occupations at which the server fails, after it has written them."""
    found = {CROP}
    real = taking.outcome_of

    def outcome_of(session: Session, actor: Actor, row: Any, item: OperationItem) -> Outcome:
        done = real(session, actor, row, item)
        if item.patch.get("occupation") in found:
            raise ZeroDivisionError
        return done

    monkeypatch.setattr(taking, "outcome_of", outcome_of)
    return found


@pytest.mark.usefixtures("faults")
def test_the_queue_goes_on(head: Api, someone: Json) -> None:
    sent = [edit(someone, occupation=CROP), edit(someone, address="Khu 1")]
    held, done = push(head, *sent)
    assert (held["verdict"], held["waits_for"], held["next"]) == ("held", "retry", "wait")
    assert held["problem"]["code"] == "operation_failed"
    assert done["verdict"] == "applied"
    now = head.get(f"/v1/members/{someone['id']}").json()
    assert (now["address"], now["occupation"]) == ("Khu 1", someone["occupation"])
    assert now["revision"] == someone["revision"] + 1
    assert verdicts(head, *sent) == ["held", "duplicate"]


def test_it_is_done_once_the_server_is_mended(
    head: Api, someone: Json, database: Database, faults: set[str]
) -> None:
    failing = edit(someone, occupation=CROP)
    after = edit(someone, address="Khu 2") | {"depends_on": [failing["op_id"]]}
    assert verdicts(head, failing, after) == ["held", "held"]
    assert waiting.tend(database) == waiting.follow_up(database) == 0
    faults.clear()
    assert waiting.tend(database) == 0  # this is done each minute, and would fail each minute
    assert waiting.follow_up(database) == 1
    assert [known(head, each)["verdict"] for each in (failing, after)] == ["applied"] * 2
    now = head.get(f"/v1/members/{someone['id']}").json()
    assert (now["address"], now["occupation"]) == ("Khu 2", CROP)


@pytest.mark.usefixtures("faults")
def test_one_that_waited_keeps_no_other_waiting(head: Api, someone: Json) -> None:
    first = edit(someone, hometown="Hạ Hoà")
    before = {"depends_on": [first["op_id"]]}
    failing = edit(someone, occupation=CROP) | before
    other = edit(someone, address="Khu 1") | before
    push(head, failing, other, first)
    assert known(head, failing)["problem"]["code"] == "operation_failed"
    assert known(head, other)["verdict"] == "applied"
    assert head.get(f"/v1/members/{someone['id']}").json()["address"] == "Khu 1"


@pytest.mark.usefixtures("faults")
def test_it_ends_with_a_verdict(head: Api, someone: Json, database: Database) -> None:
    failing = edit(someone, occupation=CROP)
    push(head, failing)
    with writing(database) as session:
        long_ago = utc_now() - waiting.MISSING - timedelta(days=1)
        session.execute(sa.update(PushedOperation).values(received_at=long_ago))
    assert waiting.follow_up(database) == 1
    ended = known(head, failing)
    assert (ended["verdict"], ended["next"]) == ("refused", "correct")
    assert ended["problem"]["code"] == "operation_given_up"


def test_what_came_for_nothing_wakes_none_that_wait(
    head: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def again(*given: object) -> list[object]:
        tried.append(given)
        return []

    monkeypatch.setattr(waiting, "again", again)
    missing = str(uuid4())
    sent = [operation("member.update", missing, {"address": f"Khu {n}"}) for n in range(3)]
    refused = operation("member.update", missing, {"birth_date": "2999"})
    assert verdicts(head, *sent, refused) == ["held"] * 3 + ["refused"]
    assert tried == []


def test_a_long_chain_whose_beginning_is_missing_is_kept(head: Api, someone: Json) -> None:
    before, sent = str(uuid4()), []
    for n in range(30):
        sent.append(edit(someone, address=f"Khu {n}") | {"depends_on": [before]})
        before = sent[-1]["op_id"]
    assert verdicts(head, *sent) == ["held"] * 30
    first = edit(someone, address="Khu 30") | {
        "op_id": sent[0]["depends_on"][0],
        "depends_on": [before],
    }
    [refused] = push(head, first)
    assert [each["code"] for each in refused["problem"]["errors"]] == ["depends_in_circle"]
    assert {known(head, each)["problem"]["code"] for each in sent} == {"predecessor_refused"}


def test_a_database_that_is_away_keeps_the_batch_on_the_phone(
    head: Api, someone: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = edit(someone, address="Khu 1")

    def away(*_: Any) -> Outcome:
        raise OperationalError("", {}, Exception())

    with monkeypatch.context() as patched:
        patched.setattr(taking, "outcome_of", away)
        answer = head.post("/v1/sync/operations", json={"items": [sent]})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert head.get(f"/v1/sync/operations/{sent['op_id']}").status_code == 404
    assert verdicts(head, sent) == ["applied"]


@pytest.mark.parametrize(
    "odd",
    [
        {"kind": "\ud800"},
        {"kind": "x" * 100},
        {"id": "\ud800"},
        {"\ud800": 1},
        {"patch": {"\ud800": 1}},
        {"patch": {"address": "\ud800"}},
        {"patch": {"address": {"\ud800": "\ud800"}}},
        {"patch": {"address": 1e400}},
        {"patch": {"party_joined_on": 10**400}},
    ],
    ids=ascii,
)
def test_what_no_database_takes_is_refused_and_the_next_is_done(
    head: Api, someone: Json, odd: Json
) -> None:
    after = edit(someone, address="Khu 1")
    answer = head.post(
        "/v1/sync/operations",
        content=json.dumps({"items": [edit(someone, address="Khu 2") | odd, after]}),
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 200, answer.text
    assert [each["verdict"] for each in answer.json()["items"]] == ["refused", "applied"]
    assert head.get("/v1/sync/operations").status_code == 200
