"""Figures in every tree, counted from rows and read from what is stored."""

import pytest

from app.db import Database
from app.services.figures import folding, rollups
from tests.figures.test_figures import asked
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, counted
from tests.helpers.soak import seeds
from tests.reorganisations.reformed import DAY, Reformed
from tests.units.units import ago

CODES = "members.total,movement.admitted,attendance.people,events.sessions,loans.borrowers"


def answers(reformed: Reformed) -> list[Json]:
    year = f"{reformed.today - 400 * DAY}..{reformed.today}"
    units = [reformed.id[name] for name in ("phutho", "camkhe", "phuongvi", "tienluong")]
    return [
        reformed.get(
            "/v1/figures",
            unit=unit,
            hierarchy=tree,
            indicators=CODES,
            period=year,
            by=by,
            fields="indicator,line,unit_id,first_day,value",
            limit=200,
        )["items"]
        for unit in units
        for tree in reformed.trees()
        for by in ("month", "child")
    ]


@pytest.mark.drawn
@pytest.mark.parametrize("seed", seeds(1))
def test_the_fold_changes_no_answer(
    api: Api,
    database: Database,
    unit_id: UnitIds,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rollups, "MONTHS", 14)
    api.as_("camkhe")
    reformed = Reformed(api, database, unit_id, seed)
    reformed.random.seed(seed)
    before = answers(reformed)
    folding.fold(database)
    reformed.random.seed(seed)
    assert answers(reformed) == before


def test_sums_serve_the_tree_of_today_once_nothing_stands_elsewhere(
    api: Api, database: Database, unit_id: UnitIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "MONTHS", 1)
    officer, today = api.as_("camkhe"), ago(0)
    body = {"effective_on": ago(3), "kind": "merge", "successor_ids": [unit_id["phuongvi-2"]]}
    assert officer.post(f"/v1/units/{unit_id['phuongvi-1']}/close", json=body).status_code == 200
    folding.fold(database)

    def total(tree: str) -> float:
        period = f"{today}..{today}"
        items = asked(officer, unit_id["camkhe"], "members.total", period=period, hierarchy=tree)
        value: float = items[0]["value"]
        return value

    with counted(database) as statements:
        assert total("as_is") == total("as_was")
    assert not any("JOIN figure_day" in text for text in statements), "units are not added up"
