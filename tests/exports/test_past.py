"""Exports of a past day: what the lists of that day say."""

from datetime import timedelta

import pytest

from app.clock import local_today
from tests.exports.asking import Work, exported, rows_of
from tests.exports.test_shown import exports_seen
from tests.helpers.answers import Json, UnitIds, pointed
from tests.helpers.client import Api
from tests.helpers.phone import listed
from tests.kernel.changes import done


@pytest.fixture
def before() -> str:
    return (local_today() - timedelta(days=400)).isoformat()


@pytest.mark.parametrize("unit", [None, "phuongvi-1"])
def test_it_is_what_the_lists_of_the_day_say(
    officer: Api, unit_id: UnitIds, work: Work, before: str, unit: str | None
) -> None:
    somebody = done(officer.get(f"/v1/members?limit=1&unit={unit_id['phuongvi-1']}"))["items"][0]
    body = {"to_branch_id": unit_id["phuongvi-2"], "reason": "Chuyển nơi ở"}
    done(officer.post(f"/v1/members/{somebody['id']}/transfers", json=body))
    of_unit: Json = {} if unit is None else {"unit": unit_id[unit]}
    manifest = exported(officer, work, as_of=before, **of_unit)
    assert manifest["kinds"] == ["unit", "member"]
    assert (manifest["as_of"], manifest["watermark"]) == (before, None)
    members = listed(officer, "/v1/members", as_of=before, restricted="false", **of_unit)
    assert rows_of(officer, manifest, "member") == members
    assert members[somebody["id"]]["branch_id"] == unit_id["phuongvi-1"]
    under = {} if unit is None else {"under": unit_id[unit]}
    units = listed(officer, "/v1/units", as_of=before, **under)
    found = rows_of(officer, manifest, "unit")
    own = {} if unit is None else {str(unit_id[unit]): found[str(unit_id[unit])]}
    assert found == units | own
    # Each was shown by herself: many stand elsewhere now.
    [seen] = exports_seen(officer, f"/v1/members/{somebody['id']}")
    assert seen["times"] == 1
    [noted] = done(officer.get("/v1/export-log"))["items"]
    assert noted["filters"]["as_of"] == before


def test_chosen_fields_of_a_day(officer: Api, work: Work, before: str) -> None:
    fields = {"member": ["full_name", "not_dated"]}
    manifest = exported(officer, work, kinds=["member"], as_of=before, fields=fields, format="csv")
    assert manifest["files"][0]["columns"] == ["id", "full_name", "not_dated"]


def test_what_has_no_past(officer: Api, work: Work, before: str) -> None:
    body: Json = {"kinds": ["member", "household"], "as_of": before}
    pointed(officer.post("/v1/exports", json=body), "/kinds/1", "kind_not_dated")
    tomorrow = (local_today() + timedelta(days=1)).isoformat()
    body = {"kinds": ["member"], "as_of": tomorrow}
    pointed(officer.post("/v1/exports", json=body), "/as_of", "date_in_future")
    mark = exported(officer, work, kinds=["member"])["watermark"]
    body = {"since": mark, "as_of": before}
    pointed(officer.post("/v1/exports", json=body), "/as_of", "not_together")
