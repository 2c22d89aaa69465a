"""Lists in the units as they were, as they are, and as they were on a day."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from app.api.http.routing import routes_of
from app.clock import local_today, utc_now
from app.db import Database
from tests.helpers.answers import Json, UnitIds, pointed
from tests.helpers.cadres import done, forbidden, made
from tests.helpers.captures import hold
from tests.helpers.client import Api, counted
from tests.helpers.homes import decide, home
from tests.house.test_units_over_time import queries_of
from tests.members.members import everyone
from tests.reorganisations.branches import Branches
from tests.units.units import ago, moved

# The lists with a filter by unit that take a tree, with the right that each needs.
LISTS = {
    "/v1/appointments": "appointments:read",
    "/v1/assessments": "poverty:read",
    "/v1/attendance": "attendance:read",
    "/v1/escape-paths": "poverty:read",
    "/v1/events": "events:read",
    "/v1/groups": "members:read",
    "/v1/groups/count": "members:read",
    "/v1/households": "members:read",
    "/v1/households/people": "members:read",
    "/v1/loan-figures": "support:read",
    "/v1/memberships": "members:read",
    "/v1/participations": "members:read",
    "/v1/poverty-decisions": "poverty:read",
    "/v1/sessions": "events:read",
    "/v1/support": "support:read",
    "/v1/trainings": "appointments:read",
    "/v1/transfers": "members:read",
    "/v1/women-counts": "members:read",
}
# Those of figures, with tests of their own.
FIGURES = {
    "/v1/figure-checks",
    "/v1/figures",
    "/v1/figures/{indicator}/explain",
    "/v1/figures/{indicator}/picture",
    "/v1/members",
    "/v1/members/count",
    "/v1/poverty-status",
    "/v1/poverty-status/transitions",
}


def test_these_are_all_lists_of_units_in_trees(app: FastAPI) -> None:
    taking = {
        route.path
        for route in routes_of(app)
        for model in queries_of(route)
        if {"hierarchy", "unit"} <= model.model_fields.keys()
    }
    assert taking == LISTS.keys() | FIGURES


class TestRights:
    """A branch that stood in the commune until yesterday, or for some days of the past."""

    @pytest.mark.parametrize(("path", "right"), LISTS.items())
    def test_an_older_tree_shows_nobody_elses_rows(
        self, api: Api, unit_id: UnitIds, path: str, right: str
    ) -> None:
        unit = unit_id["phuongvi"]
        moved(api.as_("phutho"), unit_id["phuongvi-1"], unit_id["tienluong"], ago(0))
        commune, district = api.as_("phuongvi"), api.as_("camkhe")
        older = f"{path}?unit={unit}&hierarchy={ago(1)}"
        forbidden(commune.get(older), right)
        done(district.get(older))
        for tree in ("as_was", "as_is", str(local_today())):
            done(commune.get(f"{path}?unit={unit}&hierarchy={tree}"))
            # Without a unit: of all that the reader reads.
            done(commune.get(f"{path}?hierarchy={tree}"))
        for tree, code in (("soon", "hierarchy_invalid"), ("2999-01-01", "date_in_future")):
            pointed(district.get(f"{path}?unit={unit}&hierarchy={tree}"), "/hierarchy", code)
        stranger = f"{path}?unit={unit_id['tienluong']}&hierarchy=as_was"
        pointed(commune.get(stranger), "/unit", "unit_unknown")

    def test_who_held_a_branch_for_some_days_reads_nothing_of_it(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        unit, branch = unit_id["tienluong"], unit_id["phuongvi-1"]
        moved(api.as_("phutho"), branch, unit, ago(20))
        moved(api.as_("phutho"), branch, unit_id["phuongvi"], ago(10))
        home(database, branch)
        commune, district = api.as_("tienluong"), api.as_("camkhe")
        day = ago(15)
        query = {
            "/v1/memberships": f"from={day}&to={day}",
            "/v1/households": f"as_of={day}",
            "/v1/households/people": f"from={day}&to={day}",
        }
        for path, asked in query.items():
            seen = everyone(commune, f"{path}?unit={unit}&hierarchy=as_was&{asked}")
            every = everyone(district, f"{path}?unit={unit}&hierarchy=as_was&{asked}")
            assert branch in {each["branch_id"] for each in every}, path
            assert branch not in {each["branch_id"] for each in seen}, path
            before = f"{path}?unit={unit}&hierarchy={day}&{asked.replace(day, ago(30))}"
            forbidden(commune.get(before), "members:read")

    def test_nobody_sees_more_with_a_tree_than_without(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        moved(api.as_("phutho"), unit_id["phuongvi-1"], unit_id["tienluong"], ago(5))
        for branch in (unit_id["phuongvi-1"], unit_id["phuongvi-2"]):
            hold(database, [branch])
            home(database, branch)
        for who in ("phuongvi", "tienluong", "phuongvi-1"):
            reader = api.as_(who)
            for path in ("/v1/memberships", "/v1/households", "/v1/sessions", "/v1/events"):
                without = {each["id"] for each in everyone(reader, path)}
                for tree in ("as_was", "as_is"):
                    found = {each["id"] for each in everyone(reader, f"{path}?hierarchy={tree}")}
                    assert found <= without, (who, path, tree)
                    assert found, (who, path)


class TestMergedBranches:
    """The rows of a branch that closed stand in its heir as it is, and in itself as it was."""

    @pytest.fixture
    def merged(self, api: Api, database: Database, unit_id: UnitIds) -> Branches:
        world = Branches(api, database, unit_id)
        household = home(database, world.gone)
        decide(database, household, "poor", ago(40))
        hold(database, [world.gone], starts_at=utc_now() - timedelta(days=10))
        loan: Json = {
            "unit_id": world.gone,
            "as_of": ago(30),
            "scheme": "vbsp",
            "source": "NHCSXH",
            "groups": 1,
            "borrowers": 5,
            "outstanding_vnd": 1_000_000,
            "overdue_vnd": 0,
            "savings_vnd": 0,
        }
        made(world.drafter.post("/v1/loan-figures", json=loan))
        women = {"branch_id": world.gone, "as_of": ago(30), "women": 80}
        made(world.drafter.post("/v1/women-counts", json=women))
        world.apply(world.merge())
        return world

    @pytest.mark.parametrize(
        ("path", "place"),
        [
            ("/v1/loan-figures", "unit_id"),
            ("/v1/women-counts", "branch_id"),
            ("/v1/memberships", "branch_id"),
        ],
    )
    def test_of_rows_that_keep_their_unit(self, merged: Branches, path: str, place: str) -> None:
        period = f"from={ago(20)}&to={ago(20)}" if path == "/v1/memberships" else ""

        def places(unit: int, tree: str) -> set[int]:
            rows = everyone(merged.drafter, f"{path}?unit={unit}&hierarchy={tree}&{period}")
            return {each[place] for each in rows}

        gone, heir = merged.gone, merged.heir
        assert places(gone, "as_was") == {gone}
        assert gone not in places(heir, "as_was")
        assert gone in places(heir, "as_is")
        assert gone not in places(heir, ago(1))
        assert places(gone, ago(1)) == {gone}
        commune = everyone(merged.drafter, f"{path}?unit={merged.commune}&{period}")
        for tree in ("as_was", "as_is", ago(1)):
            rows = everyone(
                merged.drafter, f"{path}?unit={merged.commune}&hierarchy={tree}&{period}"
            )
            assert sorted(each["id"] for each in rows) == sorted(each["id"] for each in commune)

    def test_of_households(self, merged: Branches) -> None:
        def homes(unit: int, tree: str, day: int | None = None) -> set[int]:
            as_of = "" if day is None else f"&as_of={ago(day)}"
            path = f"/v1/households?unit={unit}&hierarchy={tree}{as_of}"
            return {each["branch_id"] for each in everyone(merged.drafter, path)}

        gone, heir = merged.gone, merged.heir
        assert homes(gone, "as_was") == homes(gone, "as_is") == set()
        assert homes(heir, "as_is") == {heir}
        # On a day before: in its own branch, which counts in the heir as it is.
        assert gone in homes(gone, "as_was", 10)
        assert gone not in homes(heir, "as_was", 10)
        assert gone in homes(heir, "as_is", 10)
        decisions = f"/v1/poverty-decisions?from={ago(60)}&to={ago(10)}"
        for unit, tree, rows in ((gone, "as_was", 1), (heir, "as_was", 0), (heir, "as_is", 1)):
            found = everyone(merged.drafter, f"{decisions}&unit={unit}&hierarchy={tree}")
            assert len(found) == rows, (unit, tree)

    def test_attendance_of_the_unit(self, merged: Branches) -> None:
        def of(unit: int, **query: Any) -> Json:
            asked = {"from": ago(20), "to": ago(0), **query}
            found: Json = done(merged.drafter.get(f"/v1/units/{unit}/attendance", params=asked))
            return found

        was, now = of(merged.heir), of(merged.heir, hierarchy="as_is")
        assert was == of(merged.heir, hierarchy="as_was")
        assert of(merged.commune, by="branch")["invitations"] == sum(
            each["invitations"]
            for each in of(merged.commune, by="branch", hierarchy="as_is")["items"]
        )
        assert now["sessions"] >= was["sessions"]


class TestAHouseholdListOfAPastDay:
    def test_has_each_as_it_was(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        officer, branch = api.as_("phuongvi"), unit_id["phuongvi-1"]
        household = home(database, branch)
        decide(database, household, "poor", ago(40))
        path = f"/v1/households/{household}"
        moved_to = {"branch_id": unit_id["phuongvi-2"], "effective_on": ago(10)}
        done(officer.post(f"{path}/move", json=moved_to))
        query = f"/v1/households?unit={branch}&as_of={ago(11)}"
        [item] = [each for each in everyone(officer, query) if each["id"] == str(household)]
        record = done(officer.get(f"{path}?as_of={ago(11)}"))
        assert item == {name: value for name, value in record.items() if name != "people"} | {
            "not_dated": [name for name in record["not_dated"] if name != "people"]
        }
        assert (item["branch_id"], item["poverty_status"]) == (branch, "poor")
        today = {each["id"]: each for each in everyone(officer, "/v1/households")}
        assert today[str(household)]["not_dated"] == []
        gone = f"/v1/households?unit={branch}&as_of={ago(9)}"
        assert str(household) not in {each["id"] for each in everyone(officer, gone)}

    def test_takes_no_filter_of_today(self, api: Api) -> None:
        for name, value in (("female_headed", "true"), ("closed", "true"), ("q", "hoa")):
            answer = api.as_("phuongvi").get(f"/v1/households?as_of={ago(1)}&{name}={value}")
            pointed(answer, f"/{name}", "filter_not_dated")
        answer = api.as_("phuongvi").get("/v1/households?as_of=2999-01-01")
        pointed(answer, "/as_of", "date_in_future")

    def test_costs_as_much_for_many_as_for_one(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phuongvi")
        path = f"/v1/households?as_of={ago(11)}"
        home(database, unit_id["phuongvi-1"])
        with counted(database) as one:
            assert done(officer.get(path))["items"]
        for _ in range(5):
            home(database, unit_id["phuongvi-1"])
        with counted(database) as many:
            assert len(done(officer.get(path))["items"]) > 5
        assert len(many) == len(one)
