"""A unit that goes elsewhere, as followers of the change log hear of it: by the change of the unit alone."""

from typing import Any

import pytest

from app.db import Database
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import done, free_members
from tests.helpers.client import Api
from tests.helpers.homes import home
from tests.kernel.changes import head, read
from tests.reorganisations.branches import Branches
from tests.units.units import ago, moved


class Follower:
    """Holds the members of a commune by their branch, and the units by the one above each."""

    def __init__(self, api: Api, database: Database, commune: int) -> None:
        self.api, self.database, self.commune = api, database, commune
        self.seq = head(database)
        self.members: dict[str, int] = {}
        page: Json = {"next_cursor": ""}
        while page["next_cursor"] is not None:
            path = f"/v1/members?unit={commune}&limit=200&cursor={page['next_cursor']}"
            page = done(api.get(path.removesuffix("&cursor=")))
            self.members |= {each["id"]: each["branch_id"] for each in page["items"]}

    def news(self) -> list[Json]:
        head(self.database)
        return read(self.api, f"&after={self.seq}")

    def of_unit(self, unit: int) -> tuple[Json, list[Json]]:
        """The change of the unit, and those of its rows; none of these comes before."""
        news = self.news()
        [own] = [
            each for each in news if (each["entity"], each["entity_id"]) == ("unit", str(unit))
        ]
        rows = [each for each in news if each["entity"] in ("member", "household", "membership")]
        assert all(each["seq"] > own["seq"] for each in rows)
        return own, rows

    def asked(self, branch: int) -> dict[str, Json]:
        """The members of a branch as they are now."""
        page = done(self.api.get(f"/v1/members?branch={branch}&limit=200"))
        return {each["id"]: each for each in page["items"]}


def ids(rows: list[Json], operation: str, entity: str = "member") -> set[str]:
    return {
        each["entity_id"]
        for each in rows
        if (each["entity"], each["operation"]) == (entity, operation)
    }


def done_or_gone(api: Api, path: str) -> int:
    return api.get(path).status_code


class Moving:
    def __init__(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        self.api, self.branch = api, unit_id["phuongvi-4"]
        self.home = str(home(database, self.branch))
        self.old, self.new = unit_id["phuongvi"], unit_id["tienluong"]
        self.losing = Follower(api.as_("phuongvi"), database, self.old)
        self.gaining = Follower(api.as_("tienluong"), database, self.new)
        self.above = Follower(api.as_("camkhe"), database, unit_id["camkhe"])

    def go(self, day: str) -> None:
        moved(self.api.as_("camkhe"), self.branch, self.new, day)


@pytest.fixture
def moving(api: Api, database: Database, unit_id: UnitIds) -> Moving:
    return Moving(api, database, unit_id)


def placed(own: Json) -> tuple[Any, ...]:
    return own["before"]["parent_id"], own["after"]["parent_id"], own["after"]["effective_on"]


def test_whose_unit_leaves_knows_from_it_which_rows_leave(moving: Moving) -> None:
    moving.go(ago(10))
    own, rows = moving.losing.of_unit(moving.branch)
    assert (own["operation"], *placed(own)) == ("left_scope", moving.old, moving.new, ago(10))
    assert rows == []
    leaving = {id_ for id_, branch in moving.losing.members.items() if branch == moving.branch}
    assert leaving
    gone = {done_or_gone(moving.losing.api, f"/v1/members/{id_}") for id_ in leaving}
    assert gone | {done_or_gone(moving.losing.api, f"/v1/households/{moving.home}")} == {404}


def test_to_whom_it_comes_asks_for_what_is_in_it(moving: Moving) -> None:
    moving.go(ago(0))
    own, rows = moving.gaining.of_unit(moving.branch)
    assert (own["operation"], *placed(own)) == ("entered_scope", moving.old, moving.new, ago(0))
    assert rows == []
    coming = moving.gaining.asked(moving.branch)
    assert coming
    assert coming.keys().isdisjoint(moving.gaining.members)
    assert {each["commune_id"] for each in coming.values()} == {moving.new}
    [household] = done(moving.gaining.api.get(f"/v1/households?unit={moving.branch}"))["items"]
    assert (household["id"], household["commune_id"]) == (moving.home, moving.new)


def test_who_is_over_both_hears_of_both_places_once(moving: Moving) -> None:
    moving.go(ago(0))
    news = moving.above.news()
    of_unit = [each for each in news if each["entity"] == "unit"]
    assert [(each["operation"], each["entity_id"]) for each in of_unit] == [
        ("left_scope", str(moving.branch)),
        ("entered_scope", str(moving.branch)),
    ]
    assert len({each["revision"] for each in of_unit}) == 1
    assert len({placed(each) for each in of_unit}) == 1
    assert news[: len(of_unit)] == of_unit


def test_taken_back_it_leaves_where_it_came(moving: Moving) -> None:
    moving.go(ago(10))
    moving.gaining.seq = head(moving.gaining.database)
    decider = moving.api.as_("phutho")
    [own] = done(decider.get(f"/v1/reorganisations?unit={moving.branch}"))["items"]
    done(decider.post(f"/v1/reorganisations/{own['id']}/revert", json={}))
    back, rows = moving.gaining.of_unit(moving.branch)
    assert (back["operation"], *placed(back)) == ("left_scope", moving.new, moving.old, ago(10))
    assert rows == []
    again = moving.losing.asked(moving.branch)
    assert {id_ for id_, at in moving.losing.members.items() if at == moving.branch} == {*again}
    assert {(each["commune_id"], each["revision"]) for each in again.values()} == {(moving.old, 1)}


def test_a_branch_that_ends_says_from_when_and_its_people_say_where(
    api: Api, database: Database, unit_id: UnitIds
) -> None:
    world = Branches(api, database, unit_id)
    follower = Follower(world.drafter, database, world.commune)
    people = {str(each.id) for each in free_members(database, world.gone)}
    world.apply(world.merge())
    own, rows = follower.of_unit(world.gone)
    assert own["operation"] == "updated"
    assert own["after"] == {"closed_on": ago(1), "effective_on": ago(0)}
    assert ids(rows, "left_scope") == ids(rows, "entered_scope") >= people


def test_a_commune_that_moves_is_one_change(api: Api, database: Database, unit_id: UnitIds) -> None:
    """What is below it has none of its own."""
    follower = Follower(api.as_("phutho"), database, unit_id["phuongvi"])
    assert follower.members
    moved(api.as_("phutho"), unit_id["phuongvi"], unit_id["phutho"], ago(10))
    assert unit_news(follower) == [
        ("left_scope", "unit", str(unit_id["phuongvi"])),
        ("entered_scope", "unit", str(unit_id["phuongvi"])),
    ]


def test_a_unit_of_another_name_is_one_change(
    api: Api, database: Database, unit_id: UnitIds
) -> None:
    officer, commune = api.as_("camkhe"), unit_id["phuongvi"]
    follower = Follower(officer, database, commune)
    body = {"name": "Xã Phượng Vĩ Mới", "effective_on": ago(0)}
    done(officer.patch(f"/v1/units/{commune}", json=body))
    assert unit_news(follower) == [("updated", "unit", str(commune))]


def unit_news(follower: Follower) -> list[tuple[str, str, str]]:
    """But for the line of the reorganisation itself."""
    news = (each for each in follower.news() if each["entity"] != "reorganisation")
    return [(each["operation"], each["entity"], each["entity_id"]) for each in news]


def test_contacts_are_of_no_day(api: Api, database: Database, unit_id: UnitIds) -> None:
    follower = Follower(api.as_("camkhe"), database, unit_id["camkhe"])
    path = f"/v1/units/{unit_id['phuongvi-4']}"
    done(api.as_("camkhe").patch(path, json={"phone": "0210 3888 999"}))
    [own] = follower.news()
    assert own["after"].keys() == {"phone"}
