"""The change log of a reorganisation between units that meet nowhere: its line names people of each side."""

from datetime import date

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.db import Database
from app.models.kernel.access import Role
from app.models.kernel.changes import Feed
from app.models.kernel.units import UnitLevel
from app.services.units.roots import plant
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import made
from tests.helpers.client import Api
from tests.kernel.changes import head, read
from tests.reorganisations.sides import Sides
from tests.units.units import ago, opened


class Apart(Sides):
    """A branch in each of two provinces, and the centre, which is above none of them."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        super().__init__(api, database, unit_id)
        since = date(1991, 10, 1)
        with self.granting() as session:
            laocai, centre = (
                plant(session, level=level, name=name, code=None, opened_on=since)
                for level, name in (
                    (UnitLevel.province, "Tỉnh Lào Cai"),
                    (UnitLevel.central, "Trung ương Hội"),
                )
            )
        self.grant("phutho", self.id["phutho"], Role.province_officer)
        self.grant("camkhe", laocai, Role.province_officer)
        self.grant("tienluong", centre, Role.central_officer)
        self.here, self.there = api.as_("phutho"), api.as_("camkhe")
        self.centre = api.as_("tienluong")
        commune = opened(self.there, "commune", laocai, "Xã Bảo Hà")
        self.branches = (self.id["phuongvi-1"], opened(self.there, "branch", commune, "Bản Bông"))
        body = {"full_name": "Lò Thị Mây", "birth_date": "1980", "joined_on": ago(300)}
        woman = made(self.there.post("/v1/members", json=body | {"branch_id": self.branches[1]}))
        self.woman = woman["id"]

    def given_up(self) -> Json:
        """By the officers of the side that is listed second: they name one of their people."""
        here, there = self.branches
        part = {"op": "transfer", "from_id": there, "to_id": here, "member_ids": [self.woman]}
        return self.draft(self.there, operations=[part])


def lines(database: Database, by: Api) -> list[Json]:
    head(database)
    return read(by, "&kinds=reorganisation")


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds) -> Apart:
    return Apart(api, database, unit_id)


def test_it_is_for_who_reads_everywhere(world: Apart, database: Database) -> None:
    known = [len(lines(database, by)) for by in (world.here, world.there)]
    draft = world.given_up()
    assert [each["unit"]["id"] for each in draft["sides"]] == [*world.branches]
    assert [len(lines(database, by)) for by in (world.here, world.there)] == known
    line = lines(database, world.centre)[-1]
    assert (line["entity_id"], line["unit_id"], line["masked"]) == (draft["id"], None, [])
    assert line["after"]["operations"][0]["member_ids"] == [world.woman]


def test_of_sides_under_one_unit_it_is_of_that(
    api: Api, database: Database, unit_id: UnitIds
) -> None:
    """Who reads there reads both sides; their own officers have the draft itself."""
    world = Sides(api, database, unit_id)
    known = [len(lines(database, by)) for by in (world.one, world.other)]
    draft = world.draft()
    assert [len(lines(database, by)) for by in (world.one, world.other)] == known
    with database.reading() as db:
        placed = sa.select(col(Feed.unit_id)).where(col(Feed.entity_id) == draft["id"])
        assert db.execute(placed).scalars().all() == [unit_id["camkhe"]]
