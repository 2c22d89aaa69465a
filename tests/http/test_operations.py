"""Every operation of the contract has a name in both languages and an example that was seen."""

from functools import cache
from typing import Any

import pytest

from app.api.http.contract import conflicts_of, subset
from app.api.http.recorded import RECORDED, SUMMARIES, capability_of, recorded, vietnamese
from app.api.http.routing import Route, routes_of
from app.data_files import load
from app.main import contract_app
from tests.helpers import recording

APP = contract_app()
ROUTES = [route for route in routes_of(APP) if route.include_in_schema]


@cache
def whole() -> dict[str, Any]:
    """Made when the first test asks: who only collects tests, and PostgreSQL's turn, need none of it."""
    contract: dict[str, Any] = APP.openapi()
    return contract


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation_id)
class TestOperation:
    def test_has_a_vietnamese_name(self, route: Route) -> None:
        assert vietnamese(route)

    def test_has_an_example_of_its_answer(self, route: Route) -> None:
        answers = whole()["paths"][route.path_format][route.method.lower()]["responses"]
        content = answers[str(route.status_code)].get("content", {})
        if "schema" in content.get("application/json", {}) and not route.public:
            example = recorded(route).get("answer")
            assert example is not None, "run `make recorded`"
            assert recording.fits(route, example)

    def test_lists_its_own_conflicts(self, route: Route) -> None:
        answers = whole()["paths"][route.path_format][route.method.lower()]["responses"]
        if "409" in answers:
            assert answers["409"]["description"].split(" | ") == conflicts_of(route)
            assert 0 < len(conflicts_of(route)) < 30


def test_no_name_is_left_of_an_operation_that_is_gone() -> None:
    there = {(capability_of(route), route.operation_id) for route in ROUTES}
    for folder in (SUMMARIES, RECORDED):
        named = {(path.stem, name) for path in folder.iterdir() for name in load(path)}
        assert named <= there


def test_a_phone_gets_what_a_head_or_a_member_can_do() -> None:
    operations = {
        operation["operationId"]
        for item in subset(whole(), "mobile")["paths"].values()
        for operation in item.values()
    }
    needed = {"sign_in", "get_me", "list_members", "create_member", "capture", "get_own_record"}
    assert needed <= operations
    assert not operations & {"create_unit", "merge_members", "approve_support", "reset_account"}
