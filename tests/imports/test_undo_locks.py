"""In which order an undo keeps records from other writers (docs/decisions/0025)."""

import re
from uuid import UUID

import pytest

from app.db import Database
from app.services.households import households
from app.services.imports.of_appointments import APPOINTMENTS
from app.services.imports.of_reviews import POVERTY_DECISIONS
from tests.helpers.answers import Json
from tests.helpers.branch_world import ago
from tests.helpers.cadres import Ids, appoint, free_members, made
from tests.helpers.client import Api, counted, writing

_LOCKS = re.compile(r"FROM (\w+) .*FOR (?:NO KEY )?(?:UPDATE|SHARE)", re.DOTALL)


def test_all_units_then_all_holders_then_the_posts(
    api: Api, database: Database, unit_id: Ids
) -> None:
    if database.on_sqlite:
        pytest.skip("one writer")
    officer, units = api.as_("phuongvi"), (unit_id["phuongvi-2"], unit_id["phuongvi-1"])
    posts = [
        UUID(made(appoint(officer, free_members(database, unit)[0], unit, "branch_deputy"))["id"])
        for unit in units
    ]
    with writing(database) as session, counted(database) as statements:
        APPOINTMENTS.hold(session, posts)
    locked = [found[1] for each in statements if (found := _LOCKS.search(each))]
    assert locked == ["unit", "unit", "member", "appointment"]


def test_households_in_their_order_whatever_that_of_their_decisions(
    api: Api, database: Database, unit_id: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer = api.as_("phuongvi")
    homes = sorted(_household(officer, unit_id["phuongvi-1"], name) for name in ("Hà", "Lò"))
    decisions = [UUID(_decided(officer, home)) for home in reversed(homes)]
    held: list[str] = []
    monkeypatch.setattr(households, "hold", lambda _, home: held.append(str(home)))
    with writing(database) as session:
        POVERTY_DECISIONS.hold(session, sorted(decisions))
    assert held == homes


def _household(api: Api, branch: int, name: str) -> str:
    head = {"full_name": f"{name} Thị Mười", "gender": "female", "relation": "head"}
    body: Json = {"branch_id": branch, "opened_on": ago(800), "people": [head]}
    return str(made(api.post("/v1/households", json=body))["id"])


def _decided(api: Api, household: str) -> str:
    decided = {"class": "poor", "decision_number": "7/QĐ", "decided_on": ago(690)}
    path = f"/v1/households/{household}/poverty-status"
    return str(made(api.post(path, json=decided | {"valid_from": ago(690)}))["id"])
