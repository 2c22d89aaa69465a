"""Fixtures of the tests of memberships."""

import pytest

from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api
from tests.memberships.memberships import Her, ago


@pytest.fixture
def source(api: Api) -> Api:
    """Head of the branch the member is in."""
    return api.as_("phuongvi-1")


@pytest.fixture
def target(api: Api) -> Api:
    """Head of a branch of another commune."""
    return api.as_("tienluong-1")


@pytest.fixture
def mover(source: Api) -> Json:
    found: Json = source.get("/v1/members?limit=1").json()["items"][0]
    return found


@pytest.fixture
def path(mover: Json) -> str:
    return f"/v1/members/{mover['id']}/transfers"


@pytest.fixture
def proof(mover: Json) -> Json:
    return {"full_name": mover["full_name"], "birth_date": mover["birth_date"]}


@pytest.fixture
def to_target(unit_id: UnitIds) -> Json:
    return {"to_branch_id": unit_id["tienluong-1"]}


@pytest.fixture
def requested(target: Api, path: str, to_target: Json, proof: Json) -> Json:
    """Asked for by the target: the source has not answered yet."""
    answer = target.post(path, json=to_target | proof)
    assert answer.status_code == 201, answer.text
    body: Json = answer.json()
    return body


@pytest.fixture
def consented(source: Api, path: str, to_target: Json) -> Json:
    """Asked for by the source: the target has not answered yet."""
    answer = source.post(path, json=to_target)
    assert answer.status_code == 201, answer.text
    body: Json = answer.json()
    return body


@pytest.fixture
def her(officer: Api, unit_id: UnitIds) -> Her:
    """A member of phuongvi-1 since 400 days."""
    body = {
        "branch_id": unit_id["phuongvi-1"],
        "full_name": "Hà Thị Mơ",
        "birth_date": "1980-05-17",
    }
    answer = officer.post("/v1/members", json=body | {"joined_on": ago(400), "phone": "0912345678"})
    assert answer.status_code == 201, answer.text
    return Her(officer, answer.json())
