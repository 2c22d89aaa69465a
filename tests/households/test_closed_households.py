"""A household that is closed takes nothing more: each act says so, and writes nothing."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, func, select

from app.clock import local_today
from app.db import Database
from app.models.kernel.changes import Change
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.cadres import done
from tests.helpers.client import Api, writing
from tests.helpers.homes import home


def day(later: int) -> str:
    return (local_today() + timedelta(days=later)).isoformat()


@pytest.fixture
def closed(officer: Api, database: Database, unit_id: UnitIds) -> Json:
    path = f"/v1/households/{home(database, unit_id['phuongvi-1'])}"
    people = done(officer.get(path))["people"]
    last = day(-9)
    item = done(officer.post(f"{path}/close", json={"effective_on": last}))
    return {
        "path": path,
        "people": [each["person_id"] for each in people],
        "last": item["closed_on"],
    }


def written(database: Database) -> int:
    with writing(database) as session:
        return session.exec(select(func.count(col(Change.id)))).one()


def acts(closed: Json, unit_id: UnitIds, other: Any) -> dict[str, Json]:
    """Where each act is sent to, and its body."""
    _, second, *_ = closed["people"]
    decision = {"decision_number": "12/QĐ-UBND", "decided_on": day(0), "valid_from": day(0)}
    return {
        "people": {"full_name": "Hà Thị Con", "birth_date": "2017", "relation": "child"},
        f"people/{second}/leave": {},
        "head": {"head_id": second},
        "split": {"head_id": second, "people": [{"person_id": second, "relation": "head"}]},
        "join": {"into_id": str(other)},
        "move": {"branch_id": unit_id["phuongvi-2"]},
        "close": {},
        "assessments": {
            "assessed_on": day(0),
            "source": "union_visit",
            "answers": {},
            "income_per_person": 900_000,
        },
        "poverty-status": decision | {"class": "poor"},
        "escape-paths": {
            "target_on": day(90),
            "steps": [{"title": "Vay vốn", "responsible": "Lan", "due_on": day(90)}],
        },
    }


def test_every_act_is_refused(api: Api, closed: Json, database: Database, unit_id: UnitIds) -> None:
    other = home(database, unit_id["phuongvi-1"])
    officer = api.as_("phuongvi")
    before, item = written(database), done(officer.get(closed["path"]))
    for act, body in acts(closed, unit_id, other).items():
        answer = officer.post(f"{closed['path']}/{act}", json=body)
        refused(answer, 409, "household_closed")
    assert written(database) == before
    assert done(officer.get(closed["path"])) == item


def test_none_joins_it(officer: Api, closed: Json, database: Database, unit_id: UnitIds) -> None:
    other = f"/v1/households/{home(database, unit_id['phuongvi-1'])}"
    before = written(database)
    into = {"into_id": closed["path"].rsplit("/", 1)[1]}
    refused(officer.post(f"{other}/join", json=into), 409, "household_closed")
    assert written(database) == before
