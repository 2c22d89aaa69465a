"""Women of 18 and over in the areas of branches, and the rate of attraction."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlmodel import func, select

from app.clock import local_today
from app.db import Database
from app.models.figures.women import WomenCount
from app.models.kernel.changes import Change
from tests.figures.test_figures import asked, explained
from tests.helpers.answers import Json, UnitIds, pointed
from tests.helpers.client import Api, writing

DAY = timedelta(days=1)
PATH = "/v1/women-counts"


def body(branch: int, women: int = 80, days: int = 0, **more: object) -> Json:
    as_of = (local_today() - days * DAY).isoformat()
    return {"branch_id": branch, "as_of": as_of, "women": women} | more


def stored(database: Database) -> tuple[int, int]:
    with writing(database) as session:
        counts = [session.exec(select(func.count()).select_from(t)) for t in (WomenCount, Change)]
        return counts[0].one(), counts[1].one()


def rate(api: Api, unit: int) -> Json:
    return asked(api, unit, "women.attraction_rate")[0]


def test_a_head_enters_those_of_her_branch(
    api: Api, head: Api, unit_id: UnitIds, database: Database
) -> None:
    branch = unit_id["phuongvi-1"]
    sent = body(branch, source="Danh sách nhân khẩu thôn")
    del sent["branch_id"]
    answer = head.post(PATH, json=sent)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made == sent | {"id": made["id"], "branch_id": branch, "revision": 1}
    assert head.get(PATH).json()["items"] == [made]
    with writing(database) as session:
        of_it = select(Change).where(Change.entity_id == made["id"])
        change = session.exec(of_it).one()
    assert (change.entity, (change.after or {})["women"]) == ("women_count", 80)


def test_the_same_is_not_entered_twice(officer: Api, unit_id: UnitIds, database: Database) -> None:
    sent = body(unit_id["phuongvi-1"], id=str(uuid4()))
    assert officer.post(PATH, json=sent).status_code == 201
    before = stored(database)
    assert officer.post(PATH, json=sent).status_code == 200
    answer = officer.post(PATH, json=body(unit_id["phuongvi-1"], 81))
    assert (answer.status_code, answer.json()["code"]) == (409, "women_counted")
    assert stored(database) == before


def test_a_wrong_number_is_corrected(officer: Api, unit_id: UnitIds) -> None:
    made = officer.post(PATH, json=body(unit_id["phuongvi-1"], 800)).json()
    path = f"{PATH}/{made['id']}"
    answer = officer.patch(path, json={"women": 80}, headers={"if-match": '"1"'})
    assert (answer.status_code, answer.json()["women"]) == (200, 80)
    stale = officer.patch(path, json={"women": 79}, headers={"if-match": '"1"'})
    assert stale.status_code == 412
    assert asked(officer, unit_id["phuongvi-1"], "women.adult")[0]["value"] == 80


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"women": -1}, "/women"),
        ({"women": 1.5}, "/women"),
        ({"branch_id": 999_999}, "/branch_id"),
    ],
)
def test_a_bad_value_is_named(
    officer: Api, unit_id: UnitIds, database: Database, change: Json, pointer: str
) -> None:
    before = stored(database)
    answer = officer.post(PATH, json=body(unit_id["phuongvi-1"]) | change)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert stored(database) == before


def test_a_day_that_has_not_come_is_named(
    officer: Api, unit_id: UnitIds, database: Database
) -> None:
    before, tomorrow = stored(database), body(unit_id["phuongvi-1"], days=-1)
    pointed(officer.post(PATH, json=tomorrow), "/as_of", "date_in_future")
    assert stored(database) == before


def test_a_commune_is_no_branch(officer: Api, unit_id: UnitIds) -> None:
    answer = officer.post(PATH, json=body(unit_id["phuongvi"]))
    assert answer.json()["errors"][0]["code"] == "unit_level_wrong"


def test_those_of_others_are_out_of_reach(
    api: Api, officer: Api, unit_id: UnitIds, database: Database
) -> None:
    made = officer.post(PATH, json=body(unit_id["phuongvi-1"])).json()
    other = api.as_("tienluong-1")
    before = stored(database)
    assert other.get(PATH).json()["items"] == []
    assert other.patch(f"{PATH}/{made['id']}", json={"women": 1}).status_code == 404
    assert other.post(PATH, json=body(unit_id["phuongvi-1"])).status_code == 422
    auditor = api.as_("auditor")
    assert auditor.get(PATH).json()["items"] == [made]
    assert auditor.patch(f"{PATH}/{made['id']}", json={"women": 1}).status_code == 403
    assert api.as_("admin").get(PATH).status_code == 403
    assert stored(database) == before


def test_the_rate_is_known_when_every_branch_is(officer: Api, unit_id: UnitIds) -> None:
    branches = [unit_id[f"phuongvi-{number}"] for number in (1, 2, 3, 4)]
    for branch in branches[:3]:
        assert officer.post(PATH, json=body(branch, 100, days=40)).status_code == 201
    # The newest count of each holds.
    assert officer.post(PATH, json=body(branches[0], 60)).status_code == 201
    women = asked(officer, branches[0], "members.women")[0]["value"]
    assert rate(officer, branches[0])["value"] == round(100 * women / 60, 1)
    whole = rate(officer, unit_id["phuongvi"])
    assert whole["value"] is None
    assert {"indicator": "women.branches", "value": 3} in whole["terms"]
    assert officer.post(PATH, json=body(branches[3], 140)).status_code == 201
    women = asked(officer, unit_id["phuongvi"], "members.women")[0]["value"]
    assert rate(officer, unit_id["phuongvi"])["value"] == round(100 * women / 400, 1)
    told = explained(officer, "women.adult", unit_id["phuongvi"])
    assert sorted(each["amount"] for each in told["items"]) == [60, 100, 100, 140]
    assert told["value"] == 400
    # Once another branch is part of one, what was counted of it before is not of its area.
    merged: Json = {"effective_on": local_today().isoformat(), "kind": "merge"}
    merged |= {"successor_ids": [branches[1]]}
    assert officer.post(f"/v1/units/{branches[2]}/close", json=merged).status_code == 200
    assert rate(officer, branches[1])["value"] is None
    assert officer.post(PATH, json=body(branches[1], 210)).status_code == 201
    assert rate(officer, unit_id["phuongvi"])["value"] == round(100 * women / 410, 1)
