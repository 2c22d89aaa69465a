"""A review of a commune's list in one act: an outcome for each household, in their order."""

from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import func, select

from app.db import Database
from app.models.poverty.poverty import Assessment, PovertyStatus
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import Ids, done, forbidden, made
from tests.helpers.client import Api, writing
from tests.poverty.test_poverty import CODES

TERMS = {"decision_number": "45/QĐ-UBND", "decided_on": "2025-12-20", "valid_from": "2026-01-01"}


def count(database: Database, model: type[Any]) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(model)).one()


def found(deprived: int, **more: Any) -> Json:
    answers = {code: n < deprived for n, code in enumerate(CODES)}
    body = {"assessed_on": "2025-10-01", "income_per_person": 1_400_000, "answers": answers}
    return body | {"source": "official_survey"} | more


@pytest.fixture
def homes(api: Api, unit_id: Ids) -> list[str]:
    officer = api.as_("phuongvi")
    made_ = []
    for n, branch in enumerate(("phuongvi-1", "phuongvi-2", "phuongvi-1")):
        head = {"full_name": f"Hà Thị {('An', 'Ba', 'Cúc')[n]}", "relation": "head"}
        body = {"branch_id": unit_id[branch], "opened_on": "2021-01-01", "people": [head]}
        made_.append(made(officer.post("/v1/households", json=body))["id"])
    return made_


def test_one_decision_covers_the_list(api: Api, database: Database, homes: list[str]) -> None:
    items = [
        {
            "household_id": homes[0],
            "assessment": found(3),
            "recognised": {"class": "poor", "causes": ["no_capital"]},
        },
        {"household_id": homes[1], "assessment": found(2), "recognised": {"class": "poor"}},
        {"household_id": homes[2], "assessment": found(1)},
    ]
    officer = api.as_("phuongvi")
    body = done(officer.post("/v1/poverty-reviews", json={"decision": TERMS, "items": items}))
    assert (body["stored"], body["same"], body["refused"]) == (3, 0, 0)
    poor, disputed, seen = body["items"]
    assert [each["household_id"] for each in body["items"]] == homes
    assert (poor["assessed_class"], poor["change"], poor["differs"]) == ("poor", "new", False)
    assert (disputed["assessed_class"], disputed["differs"]) == ("near_poor", True)
    assert (seen["decision_id"], seen["assessed_class"]) == (None, "near_poor")
    [status] = done(officer.get(f"/v1/households/{homes[0]}/poverty-status"))["items"]
    assert (status["id"], status["assessment_id"]) == (poor["decision_id"], poor["assessment_id"])
    assert (status["decision_number"], status["causes"]) == ("45/QĐ-UBND", ["no_capital"])
    assert (count(database, Assessment), count(database, PovertyStatus)) == (3, 2)
    for id_ in homes:
        log = done(officer.get(f"/v1/households/{id_}/access-log"))["items"]
        assert ["poverty"] in [row["fields"] for row in log]


def test_what_is_wrong_with_one_keeps_no_other_out(
    api: Api, database: Database, homes: list[str]
) -> None:
    items = [
        {
            "household_id": homes[0],
            "assessment": found(3),
            "recognised": {"class": "poor", "causes": ["nothing"]},
        },
        {"household_id": homes[1], "assessment": found(3), "recognised": {"class": "poor"}},
        {"household_id": homes[2], "assessment": found(3, assessed_on="2020-01-01")},
    ]
    officer = api.as_("phuongvi")
    body = done(officer.post("/v1/poverty-reviews", json={"decision": TERMS, "items": items}))
    assert [each["verdict"] for each in body["items"]] == ["refused", "stored", "refused"]
    first, _, last = (each["problem"] for each in body["items"])
    assert [(e["pointer"], e["code"]) for e in first["errors"]] == [
        ("/items/0/recognised/causes/0", "cause_unknown")
    ]
    assert last["errors"][0]["pointer"] == "/items/2/assessment/assessed_on"
    # Of a household that is refused nothing is stored: no assessment without its decision.
    assert (count(database, Assessment), count(database, PovertyStatus)) == (1, 1)


def test_sent_again_it_is_the_same(api: Api, database: Database, homes: list[str]) -> None:
    item = {"household_id": homes[0], "assessment": found(3, id=str(uuid4()))}
    recognised = {"id": str(uuid4()), "class": "poor"}
    item["recognised"] = recognised
    body = {"decision": TERMS, "items": [item]}
    officer = api.as_("phuongvi")
    first = done(officer.post("/v1/poverty-reviews", json=body))
    again = done(officer.post("/v1/poverty-reviews", json=body))
    assert (first["stored"], again["same"]) == (1, 1)
    assert again["items"][0] | {"verdict": "stored"} == first["items"][0]
    other = body | {"items": [item | {"recognised": recognised | {"class": "near_poor"}}]}
    [told] = done(officer.post("/v1/poverty-reviews", json=other))["items"]
    assert (told["verdict"], told["problem"]["code"]) == ("refused", "id_taken")
    assert (count(database, Assessment), count(database, PovertyStatus)) == (1, 1)


def test_what_is_not_a_list(api: Api, homes: list[str], unit_id: Ids) -> None:
    officer, path = api.as_("phuongvi"), "/v1/poverty-reviews"
    item = {"household_id": homes[0], "recognised": {"class": "poor"}}
    pointed(officer.post(path, json={"items": [item]}), "/decision", "required")
    body = {"decision": TERMS, "items": [item, item]}
    pointed(officer.post(path, json=body), "/items/1/household_id", "household_twice")
    nothing = {"decision": TERMS, "items": [{"household_id": homes[0]}]}
    pointed(officer.post(path, json=nothing), "/items/0/assessment", "one_of_needed")
    pointed(officer.post(path, json={"items": []}), "/items", "too_short")
    # Out of sight is as if it were not there.
    elsewhere = api.as_("tienluong").post(path, json={"decision": TERMS, "items": [item]})
    pointed(elsewhere, "/items/0/household_id", "household_unknown")
    unknown = {"decision": TERMS, "items": [item | {"household_id": str(uuid4())}]}
    pointed(officer.post(path, json=unknown), "/items/0/household_id", "household_unknown")
    refused(api.post(path, json=body), 401, "not_authenticated")


def test_who_may(api: Api, homes: list[str]) -> None:
    """A head visits, and decides nothing."""
    head, path = api.as_("phuongvi-1"), "/v1/poverty-reviews"
    item = {"household_id": homes[0], "assessment": found(3)}
    assert done(head.post(path, json={"items": [item]}))["stored"] == 1
    [told] = done(
        head.post(
            path, json={"decision": TERMS, "items": [item | {"recognised": {"class": "poor"}}]}
        )
    )["items"]
    assert (told["verdict"], told["problem"]["code"]) == ("refused", "forbidden")
    forbidden(api.as_("auditor").get(f"/v1/households/{homes[0]}/assessments"), "poverty:read")
