"""Who holds a right over a unit holds it over what was merged into it, for the days before."""

from datetime import date
from typing import Any

import pytest

from app.db import Database
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import UnitClose, UnitCreate, UnitLevel
from app.services.kernel import changes
from app.services.reorganisations import acts
from app.services.units import roots
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.cadres import done, free_members, made
from tests.helpers.client import Api
from tests.units.test_units_history import officer as officer_of_all
from tests.units.units import ago, closed, opened


def count(api: Api, **query: Any) -> int:
    people: int = done(api.get("/v1/members/count", params=query))["people"]
    return people


class World:
    """A commune with a branch and a woman in it, who has gone before both were closed."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        self.officer = api.as_("phutho")
        self.commune = opened(self.officer, "commune", unit_id["camkhe"], "Xã Cũ", code="08398")
        self.branch = opened(self.officer, "branch", self.commune, "Chi hội khu cũ")
        self.woman = free_members(database, unit_id["tienluong-1"])[0]
        body = {"full_name": "Trần Thị Cũ", "birth_date": "1970", "branch_id": self.branch}
        self.member = made(self.officer.post("/v1/members", json=body | {"joined_on": ago(300)}))
        gone = {"reason": "works_far_away", "effective_on": ago(40)}
        made(self.officer.post(f"/v1/members/{self.member['id']}/departures", json=gone))

    def close(self, *successors: int, kind: str = "merge") -> None:
        closed(self.officer, self.branch, ago(30), kind="abolish")
        closed(self.officer, self.commune, ago(30), *successors, kind=kind)


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds) -> World:
    return World(api, database, unit_id)


def reading(world: World, api: Api) -> list[int]:
    """Whether the old units, and the member of then, answer."""
    paths = [
        f"/v1/units/{world.commune}?as_of={ago(31)}",
        f"/v1/units/{world.branch}?as_of={ago(31)}",
        f"/v1/members/{world.member['id']}",
        f"/v1/members/{world.member['id']}/memberships",
    ]
    return [api.get(path).status_code for path in paths]


def test_the_successor_sees_what_was_merged_into_it(
    api: Api, world: World, unit_id: UnitIds
) -> None:
    successor, other = api.as_("phuongvi"), api.as_("tienluong")
    before = count(successor, as_of=ago(50))
    assert reading(world, successor) == [404] * 4
    world.close(unit_id["phuongvi"])
    fresh = api.as_("phuongvi")
    assert reading(world, fresh) == [200] * 4
    assert reading(world, other) == [404] * 4
    # The people of then are counted; those of today, and of the unit as it stood, are the same.
    assert count(fresh, as_of=ago(50)) == before + 1
    assert count(fresh, as_of=ago(50), unit=unit_id["phuongvi"]) == before
    assert count(fresh, as_of=ago(50), unit=world.commune) == 1
    assert count(fresh) == count(fresh, unit=unit_id["phuongvi"])
    found = done(fresh.get(f"/v1/units?code=08398&as_of={ago(31)}"))["items"]
    assert [item["id"] for item in found] == [world.commune]
    [item] = done(fresh.get("/v1/members", params={"q": "Trần Thị Cũ", "status": "left"}))["items"]
    assert item["id"] == world.member["id"]


def test_nobody_has_what_was_divided(api: Api, world: World, unit_id: UnitIds) -> None:
    world.close(unit_id["phuongvi"], unit_id["tienluong"], kind="split")
    for username in ("phuongvi", "tienluong"):
        assert reading(world, api.as_(username)) == [404] * 4


def test_nobody_has_what_was_merged_into_two(api: Api, world: World, unit_id: UnitIds) -> None:
    world.close(unit_id["phuongvi"], unit_id["tienluong"])
    for username in ("phuongvi", "tienluong"):
        assert reading(world, api.as_(username)) == [404] * 4


def test_what_has_closed_takes_nothing_new(api: Api, world: World, unit_id: UnitIds) -> None:
    world.close(unit_id["phuongvi"])
    officer = api.as_("phuongvi")
    body: Json = {"full_name": "Hà Thị Mới", "birth_date": "1980", "branch_id": world.branch}
    body["joined_on"] = ago(3)
    refused(officer.post("/v1/members", json=body), 409, "unit_closed")


def test_what_was_merged_into_that(api: Api, world: World, unit_id: UnitIds) -> None:
    """A merger of mergers: the last successor has all of it."""
    between = opened(world.officer, "commune", unit_id["camkhe"], "Xã Giữa")
    world.close(between)
    closed(world.officer, between, ago(10), unit_id["phuongvi"], kind="merge")
    assert reading(world, api.as_("phuongvi")) == [200] * 4


def test_of_a_province_that_was_merged(api: Api, database: Database, unit_id: UnitIds) -> None:
    """Its communes answer at their dates to the province that it went into."""
    with database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        opened_on = date(1997, 1, 1)
        level = UnitLevel.province
        other = roots.plant(session, level=level, name="Tỉnh Cũ", code="26", opened_on=opened_on)
        everywhere = officer_of_all(other)
        new = UnitCreate(
            level=UnitLevel.commune, name="Xã Xưa", parent_id=other, opened_on=opened_on
        )
        commune = acts.create(session, everywhere, new).id
        for unit, successor in ((commune, unit_id["phuongvi"]), (other, unit_id["phutho"])):
            merged: dict[str, Any] = {"effective_on": "2025-07-01", "kind": "merge"}
            body = UnitClose.model_validate(merged | {"successor_ids": [successor]})
            acts.close(session, everywhere, unit, body)
    province = api.as_("phutho")
    for unit, name in ((other, "Tỉnh Cũ"), (commune, "Xã Xưa")):
        assert done(province.get(f"/v1/units/{unit}?as_of=2025-06-30"))["name"] == name
        refused(api.as_("tienluong").get(f"/v1/units/{unit}?as_of=2025-06-30"), 404, "not_found")
    listed = done(province.get("/v1/units?level=commune&as_of=2025-06-30"))["items"]
    assert commune in [item["id"] for item in listed]
    assert commune not in [
        item["id"] for item in done(province.get("/v1/units?level=commune"))["items"]
    ]
