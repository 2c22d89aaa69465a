"""The households of the demo: loaded here for the small world, whose own load leaves them out."""

from datetime import date
from itertools import pairwise
from random import Random

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.clock import utc_now
from app.db import Database
from app.models.base import table_of
from app.models.kernel.changes import Change, ChangeSource
from app.models.kernel.units import AreaType
from app.models.members.members import Member
from app.services.demo import demo, households
from app.services.demo.homes import Homes
from app.services.kernel import changes
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, done
from tests.helpers.client import Api, writing


@pytest.fixture
def homes(database: Database, unit_id: Ids) -> Homes:
    homes = Homes()
    with writing(database) as session:
        changes.attribute(session, changes.Origin(ChangeSource.demo))
        for name in ("phuongvi-1", "phuongvi-2", "tienluong-1"):
            rows = session.execute(
                sa.select(*table_of(Member).c).where(col(Member.branch_id) == unit_id[name])
            )
            members = [dict(row._mapping) for row in rows]
            rng = Random(f"{name} 7")  # a demo
            households.add_homes(homes, members, AreaType.rural, rng, utc_now())
        demo.write_homes(session, homes, utc_now())
    return homes


class TestHouseholds:
    def test_are_of_three_people_under_one_head(self, homes: Homes) -> None:
        heads = [person for person in homes.people if person["relation"] == "head"]
        assert len(heads) == len(homes.households) > 80
        assert 2.7 < len(homes.people) / len(homes.households) < 3.7

    def test_balance_in_every_year(self, homes: Homes, api: Api, unit_id: Ids) -> None:
        def line(year: int) -> Json:
            query = f"unit={unit_id['phutho']}&from={year}-01-01&to={year}-12-31"
            items = done(api.as_("phutho").get(f"/v1/poverty-status?{query}"))["items"]
            found: Json = items[0]
            return found

        lines = [line(year) for year in (2023, 2024, 2025)]
        for before, after in pairwise(lines):
            assert before["closing_households"] == after["opening_households"]
            assert before["closing_people"] == after["opening_people"]
        last = homes.statuses
        poor = {row["household_id"] for row in last if row["valid_to"] is None}
        poor -= {row["household_id"] for row in last if row["poverty_class"] != "poor"}
        standing = [
            row for row in last if row["valid_to"] is None and row["poverty_class"] == "poor"
        ]
        assert lines[-1]["closing_households"] == len(standing)
        assert len(poor) <= len(standing)

    def test_have_help_and_ways_out(self, homes: Homes) -> None:
        assert homes.support
        assert len(homes.paths) >= 2
        assert len(homes.steps) == 3 * len(homes.paths)
        assert {row["months"] for row in homes.checks} <= {6, 12, 18}

    def test_decisions_follow_each_other(self, homes: Homes) -> None:
        ends: dict[object, date | None] = {}
        for row in homes.statuses:
            before = ends.get(row["household_id"])
            assert before is None or before < row["valid_from"]
            ends[row["household_id"]] = row["valid_to"]

    def test_are_logged(self, homes: Homes, database: Database) -> None:
        with writing(database) as session:
            stored = session.execute(
                select(sa.func.count()).select_from(Change).where(col(Change.entity) == "household")
            ).scalar_one()
        assert stored == len(homes.households)
