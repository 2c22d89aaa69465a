"""Who is born, moves in, leaves, or becomes head, noted without a network."""

from datetime import timedelta
from uuid import uuid4

import pytest

from app.clock import local_today, utc_now
from app.db import Database
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api
from tests.helpers.operations import known, operation, push, verdicts
from tests.sync.test_former_holders import INBOX, entries, lose, received

SON = {"full_name": "Hà Văn Út", "gender": "male", "birth_date": "2001", "relation": "child"}


@pytest.fixture
def home(head: Api, unit_id: UnitIds) -> Json:
    first = {"full_name": "Hà Thị Cả", "gender": "female", "relation": "head"}
    body = {"branch_id": unit_id["phuongvi-1"], "opened_on": "2020-01-01", "people": [first]}
    answer = head.post("/v1/households", json=body)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


def added(home: Json, **patch: object) -> Json:
    body = SON | {"household_id": home["id"]} | patch
    return operation("household_person.add", str(uuid4()), body)


def removed(home: Json, person_id: str, **patch: object) -> Json:
    body = {"household_id": home["id"], "reason": "moved_out"} | patch
    return operation("household_person.remove", person_id, body)


def people(api: Api, home: Json) -> dict[str, str]:
    found = api.get(f"/v1/households/{home['id']}").json()["people"]
    return {each["person_id"]: each["relation"] for each in found}


def test_one_moves_in_becomes_head_and_the_other_leaves(head: Api, home: Json) -> None:
    [first] = home["people"]
    son = added(home, effective_on="2024-01-01")
    heads = operation(
        "household.change_head",
        home["id"],
        {"head_id": son["id"], "effective_on": "2025-01-01"},
        depends_on=[son["op_id"]],
    )
    leaves = removed(home, first["person_id"], effective_on="2025-06-01") | {
        "depends_on": [heads["op_id"]]
    }
    assert verdicts(head, leaves, heads, son) == ["applied"] * 3
    assert people(head, home) == {son["id"]: "head"}
    events = head.get(f"/v1/households/{home['id']}/events").json()["items"]
    assert [(each["kind"], each["effective_on"]) for each in events][1:] == [
        ("person_added", "2024-01-01"),
        ("head_changed", "2025-01-01"),
        ("person_left", "2025-06-01"),
    ]
    assert verdicts(head, leaves, heads, son) == ["duplicate"] * 3


@pytest.mark.parametrize(
    ("noted", "expected"),
    [
        (timedelta(days=2), timedelta(days=2)),
        (timedelta(days=-2), timedelta()),  # a clock ahead of ours
        (timedelta(days=365 * 50), timedelta()),  # one that began again
    ],
)
def test_what_says_no_day_is_of_the_day_it_was_noted(
    head: Api, unit_id: UnitIds, noted: timedelta, expected: timedelta
) -> None:
    """A household, who came into it, who heads it and who left it, all sent days later."""
    at = {"occurred_at": (utc_now() - noted).isoformat()}
    day = (local_today() - expected).isoformat()
    house = {"branch_id": unit_id["phuongvi-1"], "people": [SON | {"relation": "head"}]}
    made = operation("household.create", str(uuid4()), house) | at
    came = added(made, full_name="Hà Văn Hai") | at
    heads = operation("household.change_head", made["id"], {"head_id": came["id"]}) | at
    assert verdicts(head, made, came, heads) == ["applied"] * 3
    home = head.get(f"/v1/households/{made['id']}").json()
    [gone] = [each["person_id"] for each in home["people"] if each["person_id"] != came["id"]]
    assert verdicts(head, removed(made, gone) | at) == ["applied"]
    assert home["opened_on"] == day
    events = head.get(f"/v1/households/{made['id']}/events").json()["items"]
    assert {each["effective_on"] for each in events} == {day}
    patch = {"household_id": made["id"], "visited_on": day, "visitors": ["Lan"]}
    assert verdicts(head, operation("visit.add", str(uuid4()), patch) | at) == ["applied"]


def test_a_day_that_is_said_is_that_day(head: Api, home: Json) -> None:
    sent = added(home, effective_on="2024-01-01")
    assert verdicts(head, sent | {"occurred_at": utc_now().isoformat()}) == ["applied"]
    events = head.get(f"/v1/households/{home['id']}/events").json()["items"]
    assert events[-1]["effective_on"] == "2024-01-01"


def test_a_member_moves_in(head: Api, home: Json, someone: Json) -> None:
    patch = {"household_id": home["id"], "member_id": someone["id"], "relation": "other"}
    sent = operation("household_person.add", str(uuid4()), patch)
    [answer] = push(head, sent)
    if someone["household_id"] is not None:
        assert answer["problem"]["code"] == "person_in_household"
    else:
        assert answer["verdict"] == "applied"
        assert people(head, home)[someone["id"]] == "other"


def test_as_the_rules_of_the_api_have_it(head: Api, home: Json) -> None:
    [first] = home["people"]
    answers = push(
        head,
        removed(home, first["person_id"]),
        removed(home, str(uuid4())),
        added(home, relation="head"),
        added(home, effective_on=(local_today() + timedelta(days=1)).isoformat()),
        added(home, id=str(uuid4())),
        operation("household.change_head", home["id"], {"head_id": str(uuid4())}),
    )
    assert [each["verdict"] for each in answers] == ["refused"] * 6
    found = [
        (each["problem"]["code"], [error["pointer"] for error in each["problem"]["errors"]])
        for each in answers
    ]
    assert found == [
        ("head_must_stay", []),
        ("validation_failed", ["/patch/person_id"]),
        ("validation_failed", ["/patch/relation"]),
        ("validation_failed", ["/patch/effective_on"]),
        ("validation_failed", ["/patch/id"]),
        ("validation_failed", ["/patch/head_id"]),
    ]
    assert people(head, home) == {first["person_id"]: "head"}


def test_of_another_branch_it_is_unknown(api: Api, head: Api, home: Json) -> None:
    stranger = api.as_("tienluong-1")
    [first] = home["people"]
    elsewhere = home | {"id": str(uuid4())}
    for found in (home, elsewhere):
        sent = [added(found), removed(found, first["person_id"])]
        for answer in push(stranger, *sent):
            [error] = answer["problem"]["errors"]
            assert (error["pointer"], error["code"]) == (
                "/patch/household_id",
                "household_unknown",
            )
        change = operation("household.change_head", found["id"], {"head_id": first["person_id"]})
        [answer] = push(stranger, change)
        assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "not_found")
    assert people(head, home) == {first["person_id"]: "head"}


def test_a_birth_noted_by_who_has_lost_the_branch(
    head: Api, officer: Api, home: Json, database: Database
) -> None:
    received(database, home["id"])
    lose(database, "phuongvi-1", 3)
    sent = added(home)
    assert verdicts(head, sent) == ["held"]
    [entry] = entries(officer)
    assert (entry["kind"], entry["values_of"], entry["sent"]) == (
        "household_person.add",
        "household_person",
        sent["patch"],
    )
    done = officer.post(f"{INBOX}/{entry['id']}/accept", json={})
    assert done.status_code == 200, done.text
    assert people(officer, home)[sent["id"]] == "child"
    assert known(head, sent)["verdict"] == "applied"


def test_the_id_of_somebody_else_is_taken(head: Api, home: Json, someone: Json) -> None:
    first = added(home)
    assert verdicts(head, first) == ["applied"]
    for taken in (first["id"], someone["id"], home["people"][0]["person_id"]):
        [answer] = push(head, added(home, full_name="Hà Văn Cả") | {"id": taken})
        assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "id_taken")
    assert len(people(head, home)) == 2
