"""What a phone may do offline is in the contract, by the kinds that capabilities declare."""

import pytest
from fastapi import FastAPI

from app.api.http.routing import routes_of
from app.services.kernel.manifest import manifest

KINDS = manifest().operations


@pytest.mark.parametrize("name", KINDS)
class TestKinds:
    def test_is_done_by_an_operation_of_the_api(self, shared_app: FastAPI, name: str) -> None:
        [route] = [
            each for each in routes_of(shared_app) if each.operation_id == KINDS[name].operation
        ]
        assert route.writes

    def test_is_about_records_that_the_log_follows(self, name: str) -> None:
        assert KINDS[name].entity in manifest().by_entity


def test_the_contract_says_what_works_offline(shared_app: FastAPI) -> None:
    said = {
        operation["operationId"]: operation["x-offline"]
        for item in shared_app.openapi()["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict) and "operationId" in operation
    }
    offline = {name: kind for name, kind in said.items() if kind is not False}
    assert offline == {kind.operation: kind.name for kind in KINDS.values()}
    assert len(said) > len(offline)
