"""What somebody reports is stored like all else, and is unknown, not zero, where nobody did."""

from datetime import timedelta

import pytest

from app.clock import local_today
from app.db import Database
from app.services.figures import folding, recounting, rollups
from tests.figures.test_figures import asked
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, counted

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "MONTHS", 1)


def women(api: Api, unit: int) -> float | None:
    value: float | None = asked(api, unit, "women.adult")[0]["value"]
    return value


def enter(api: Api, branch: int, number: int, days: int = 0) -> None:
    as_of = (local_today() - days * DAY).isoformat()
    sent = {"branch_id": branch, "as_of": as_of, "women": number}
    assert api.post("/v1/women-counts", json=sent).status_code == 201


def lend(api: Api, unit: int, borrowers: int) -> None:
    sent: Json = {"unit_id": unit, "scheme": "vbsp", "source": "NHCSXH"}
    sent |= {
        "as_of": local_today().isoformat(),
        "groups": 1,
        "borrowers": borrowers,
        "outstanding_vnd": 0,
        "overdue_vnd": 0,
    }
    answer = api.post("/v1/loan-figures", json=sent)
    assert answer.status_code == 201, answer.text


def test_nothing_is_not_zero_whether_or_not_it_is_folded(
    database: Database, api: Api, officer: Api, unit_id: UnitIds
) -> None:
    commune, first, second = (unit_id[n] for n in ("phuongvi", "phuongvi-1", "phuongvi-2"))
    folding.fold(database)
    assert women(officer, commune) is None
    enter(officer, first, 0)
    assert (women(officer, commune), women(officer, first), women(officer, second)) == (0, 0, None)
    folding.fold(database)
    with counted(database) as statements:
        found = [women(officer, unit) for unit in (commune, first, second)]
    assert found == [0, 0, None]
    assert not any("FROM women_count" in text for text in statements), "what is stored is read"
    enter(officer, second, 40)
    assert (women(officer, commune), women(officer, second)) == (40, 40)
    assert women(api.as_("camkhe"), unit_id["tienluong"]) is None
    folding.fold(database)
    assert women(officer, commune) == 40
    assert recounting.check(database, repair=False) == []


def test_loans_are_stored(database: Database, officer: Api, unit_id: UnitIds) -> None:
    def borrowers() -> float | None:
        value: float | None = asked(officer, unit_id["phuongvi"], "loans.borrowers")[0]["value"]
        return value

    folding.fold(database)
    assert borrowers() is None
    lend(officer, unit_id["phuongvi-1"], 7)
    assert borrowers() == 7
    folding.fold(database)
    lend(officer, unit_id["phuongvi"], 5)
    assert borrowers() == 12
    folding.fold(database)
    with counted(database) as statements:
        assert borrowers() == 12
    assert not any("FROM loan_figure" in text for text in statements)
    assert recounting.check(database, repair=False) == []


def test_a_branch_that_grew_is_to_be_counted_again(
    database: Database, officer: Api, unit_id: UnitIds
) -> None:
    """By a merger, which the log has where the other branch was; until it is taken back."""
    grown, gone = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
    enter(officer, grown, 60, days=1)
    folding.fold(database)
    merged: Json = {"effective_on": local_today().isoformat(), "kind": "merge"}
    merged |= {"successor_ids": [grown]}
    assert officer.post(f"/v1/units/{gone}/close", json=merged).status_code == 200
    assert women(officer, grown) is None
    folding.fold(database)
    assert women(officer, grown) is None
    assert recounting.check(database, repair=False) == []
    [done] = officer.get("/v1/reorganisations").json()["items"]
    answer = officer.post(f"/v1/reorganisations/{done['id']}/revert")
    assert answer.status_code == 200, answer.text
    assert women(officer, grown) == 60
    folding.fold(database)
    assert women(officer, grown) == 60
    assert recounting.check(database, repair=False) == []
