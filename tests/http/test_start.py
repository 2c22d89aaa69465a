"""The start of a server: what is not needed yet is not built, and twice the routes take twice as long.

Counted, not timed; the figures are in benchmarks/README.md.
"""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from fastapi import FastAPI

from app.api.http.deps import ActorDep
from app.api.http.dispatch import include, index_routes
from app.api.http.routing import Router
from app.models.base import Output
from tests.conftest import ROOT

_STARTED = """
import json, sys
from app.api.http.routing import routes_of
from app.main import contract_app
from app.models.base import Input, Output

def below(model):
    return {model}.union(*map(below, model.__subclasses__()))

app = contract_app()
routes = routes_of(app)
models = below(Input) | below(Output)
print(json.dumps({
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
    "routes": len(routes),
    "by_fastapi": sum("fastapi" in vars(route) for route in routes),
    "models": len(models),
    "built": sum(model.__pydantic_complete__ for model in models),
}))
"""
# Heavy, and for few requests.
LATE = {
    "PIL",
    "alembic",
    "dbos",
    "icalendar",
    "phonenumbers",
    "pillow_heif",
    "psycopg",  # PostgreSQL alone
    "python_calamine",
    "rapidfuzz",
    "rich",
    "segno",
    "xlsxwriter",
}


@pytest.fixture(scope="module")
def started() -> dict[str, Any]:
    """What is there in a process that has just made the application."""
    told = subprocess.run(
        [sys.executable, "-c", _STARTED],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(told.stdout)
    return found


class TestStart:
    def test_leaves_to_fastapi_what_nobody_has_asked(self, started: dict[str, Any]) -> None:
        assert started["routes"] > 200
        assert started["by_fastapi"] == 0

    def test_builds_no_model_that_nobody_has_sent_or_asked(self, started: dict[str, Any]) -> None:
        assert started["models"] > 500
        assert started["built"] < started["models"] / 50

    def test_loads_no_library_that_few_requests_need(self, started: dict[str, Any]) -> None:
        assert {"fastapi", "sqlalchemy"} <= set(started["modules"])
        assert LATE & set(started["modules"]) == set()


class Made(Output):
    name: str


def routers(count: int) -> list[Router]:
    """Made-up resources, each of five operations like those of the application."""
    made = []
    for number in range(count):
        router = Router(prefix=f"/v1/made-up-{number}", tags=["made up"])
        for path in ("", "/count", "/{made_id}", "/{made_id}/parts", "/{made_id}/parts/{part_id}"):

            async def read(actor: ActorDep, made_id: str = "", part_id: str = "") -> Made:
                """A made-up operation."""
                return Made(name=made_id + part_id)

            router.get(path, response_model=Made)(read)
        made.append(router)
    return made


def calls(count: int) -> int:
    """The Python calls it takes to register so many resources."""
    seen = 0

    def counting(_: Any, event: str, __: Any) -> None:
        nonlocal seen
        seen += event in ("call", "c_call")

    sys.setprofile(counting)
    try:
        app = FastAPI()
        for router in routers(count):
            include(app, router)
        index_routes(app)
    finally:
        sys.setprofile(None)
    return seen


def test_twice_the_operations_are_twice_the_work() -> None:
    calls(1)  # what a process does once
    none, once, twice = calls(0), calls(50), calls(100)
    assert once > 2 * none
    assert twice - none < 2.1 * (once - none)
