"""A branch does not close while households stand in it, and none comes to one that has closed."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from httpx2 import Response
from sqlmodel import col, func, select

from app.clock import local_today
from app.db import Database
from app.models.households.households import Household
from app.models.kernel.units import Unit
from tests.helpers.answers import refused
from tests.helpers.cadres import done, made
from tests.helpers.client import Api, as_written, writing
from tests.helpers.homes import home


@pytest.fixture
def officer(api: Api) -> Api:
    return api.as_("phuongvi")


@pytest.fixture
def branch_id(officer: Api, unit_id: dict[str, int]) -> int:
    body = {"level": "branch", "name": "Chi hội khu 9", "parent_id": unit_id["phuongvi"]}
    branch: int = made(officer.post("/v1/units", json=body | {"opened_on": "2019-01-01"}))["id"]
    return branch


def ago(days: int) -> str:
    return (local_today() - timedelta(days=days)).isoformat()


def close(api: Api, branch_id: int, last_day: str) -> Response:
    after = date.fromisoformat(last_day) + timedelta(days=1)
    body = {"effective_on": after.isoformat(), "kind": "abolish"}
    return api.post(f"/v1/units/{branch_id}/close", json=body)


def closed_on(database: Database, branch_id: int) -> object:
    with writing(database) as session:
        return session.get_one(Unit, branch_id).closed_on


def test_a_branch_with_households_does_not_close(
    officer: Api, database: Database, branch_id: int, unit_id: dict[str, int]
) -> None:
    household_id = home(database, branch_id)
    body = refused(close(officer, branch_id, ago(0)), 409, "households_in_unit")
    assert "Chi hội khu 9 còn hộ gia đình" in body["detail"]
    assert closed_on(database, branch_id) is None
    moved = officer.post(
        f"/v1/households/{household_id}/move",
        json={"branch_id": unit_id["phuongvi-1"], "effective_on": ago(5)},
    )
    assert moved.status_code == 200, moved.text
    early = refused(close(officer, branch_id, ago(8)), 409, "unit_date_conflict")
    assert as_written(ago(6)) in early["detail"]
    done(close(officer, branch_id, ago(5)))
    assert closed_on(database, branch_id) == local_today() - timedelta(days=5)


def test_no_household_comes_to_a_closed_branch(
    officer: Api, database: Database, branch_id: int, unit_id: dict[str, int]
) -> None:
    household_id = home(database, unit_id["phuongvi-1"])
    done(close(officer, branch_id, ago(5)))
    person = {"full_name": "Lò Thị Hoa", "gender": "female", "relation": "head"}
    formed = officer.post(
        "/v1/households",
        json={"branch_id": branch_id, "opened_on": ago(20), "people": [person]},
    )
    refused(formed, 409, "unit_closed")
    moved = officer.post(
        f"/v1/households/{household_id}/move",
        json={"branch_id": branch_id, "effective_on": ago(20)},
    )
    refused(moved, 409, "unit_closed")
    with writing(database) as session:
        there = select(func.count()).where(col(Household.branch_id) == branch_id)
        assert session.exec(there).one() == 0
        stays = session.get_one(Household, UUID(str(household_id)))
        assert stays.branch_id == unit_id["phuongvi-1"]
