"""Whoever may do something in one branch only need not name it: no body requires `branch_id`."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI

from app.api.http.routing import routes_of
from app.db import Database
from tests.helpers.answers import Json, UnitIds, pointed
from tests.helpers.cadres import free_members
from tests.helpers.client import Api

NEW = {"full_name": "Hà Thị Mới", "birth_date": "1990", "joined_on": None}
HEAD = {"full_name": "Hà Thị Chủ", "gender": "female", "relation": "head"}
# A body without a branch for each operation that takes one; a filter that may be empty is none.
BODIES: dict[tuple[str, str], Json] = {
    ("POST", "/v1/members"): NEW,
    ("POST", "/v1/members/{member_id}/readmissions"): {"effective_on": "2025-03-02"},
    ("POST", "/v1/households"): {"people": [HEAD]},
    ("POST", "/v1/households/{household_id}/move"): {"address": "Khu 3"},
    ("POST", "/v1/women-counts"): {"as_of": "2025-03-02", "women": 90},
}
FILTERS = {("POST", "/v1/members/match")}


def takes_branch(schema: Any, document: Json) -> bool:
    """Whether `branch_id` is anywhere in a body, however deep; and is never required."""
    if isinstance(schema, list):
        return any(takes_branch(each, document) for each in schema)
    if not isinstance(schema, dict):
        return False
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return takes_branch(document["components"]["schemas"][name], document)
    properties = schema.get("properties", {})
    if "branch_id" in properties:
        assert "branch_id" not in schema.get("required", ())
        return True
    return takes_branch([*schema.values()], document)


def test_every_body_that_takes_a_branch_is_tried(app: FastAPI) -> None:
    document = app.openapi()
    found = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if takes_branch(operation.get("requestBody", {}), document)
    }
    assert found == BODIES.keys() | FILTERS
    assert len(list(routes_of(app))) > 100


@pytest.fixture
def path_of(api: Api, database: Database, unit_id: UnitIds) -> Callable[[tuple[str, str]], str]:
    """The address of an operation, over a record of the branch of phuongvi-1."""
    officer = api.as_("phuongvi")

    def path(operation: tuple[str, str]) -> str:
        member = str(free_members(database, unit_id["phuongvi-1"])[0].id)
        if "{member_id}" in operation[1]:
            left = {"reason": "other", "effective_on": "2025-03-01"}
            assert officer.post(f"/v1/members/{member}/departures", json=left).is_success
        body = {"branch_id": unit_id["phuongvi-1"], "people": [HEAD]}
        home = officer.post("/v1/households", json=body).json()["id"]
        return operation[1].format(member_id=member, household_id=home)

    return path


@pytest.mark.parametrize("operation", BODIES)
def test_is_hers_who_holds_one_and_asked_of_others(
    api: Api,
    unit_id: UnitIds,
    path_of: Callable[[tuple[str, str]], str],
    operation: tuple[str, str],
) -> None:
    path = path_of(operation)
    several = api.as_("phuongvi").request(operation[0], path, json=BODIES[operation])
    pointed(several, "/branch_id", "required")
    answer = api.as_("phuongvi-1").request(operation[0], path, json=BODIES[operation])
    assert answer.is_success, answer.text
    assert answer.json()["branch_id"] == unit_id["phuongvi-1"]
