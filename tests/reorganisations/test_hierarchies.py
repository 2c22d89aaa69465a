"""As was, as is, as on a day: every branch counts exactly once, so that totals are the same."""

from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.db import Database
from app.models.kernel.units import Unit, UnitLevel
from app.services.units import hierarchy
from app.services.units.hierarchy import UnitTree
from tests.helpers.answers import UnitIds, pointed
from tests.helpers.cadres import done, forbidden, made
from tests.helpers.client import Api, writing
from tests.helpers.homes import decide, home
from tests.helpers.soak import seeds
from tests.members.members import everyone
from tests.reorganisations.branches import Branches
from tests.reorganisations.listed import lists_are_as_long_as_their_figures
from tests.reorganisations.reformed import DAY, Reformed
from tests.units.units import ago, moved

PEOPLE = ("opening", "admitted", "entered_undated", "left", "died", "closing")


@pytest.mark.drawn
@pytest.mark.parametrize("seed", seeds(1))
def test_every_branch_counts_once(
    api: Api, database: Database, unit_id: UnitIds, seed: int
) -> None:
    api.as_("camkhe")
    reformed = Reformed(api, database, unit_id, seed)
    totals_are_the_same_in_every_tree(reformed)
    parts_add_up_in_every_tree(reformed)
    each_branch_is_in_one_unit_of_each_level(reformed)
    lists_are_as_long_as_their_figures(reformed)


def totals_are_the_same_in_every_tree(reformed: Reformed) -> None:
    """Everything that is counted, at the province."""
    province = reformed.id["phutho"]
    first, last = reformed.today - DAY * 30, reformed.today
    trees = reformed.trees()

    def same(path: str, **query: Any) -> None:
        found = [reformed.get(path, **query, hierarchy=tree) for tree in trees]
        for tree, each in zip(trees, found, strict=True):
            assert each == found[0], (path, query, tree)

    period = f"{first}..{last}"
    same("/v1/figures", unit=province, period=period, fields="indicator,value", limit=200)
    same("/v1/poverty-status", unit=province, **{"from": first, "to": last})
    same("/v1/poverty-status", unit=province, by="cause", **{"from": first, "to": last})
    same("/v1/poverty-status/transitions", unit=province, **{"from": first, "to": last})
    same(f"/v1/units/{province}/movement", **{"from": first, "to": last})
    for as_of in (first, last - DAY):
        same("/v1/members/count", unit=province, as_of=as_of, by="kind")


def parts_add_up_in_every_tree(reformed: Reformed) -> None:
    district = reformed.id["camkhe"]
    first, last = reformed.today - DAY * 30, reformed.today
    period = {"from": first, "to": last}
    for tree in reformed.trees():
        for by in ("branch", "commune"):
            path = f"/v1/units/{district}/movement"
            found = done(reformed.api.get(path, params={**period, "hierarchy": tree, "by": by}))
            for name in PEOPLE:
                assert found[name] == sum(each[name] for each in found["items"]), (tree, by, name)
            query = {"unit": district, "as_of": first, "by": by, "hierarchy": tree}
            count = reformed.get("/v1/members/count", **query)
            assert count["people"] == sum(each["people"] for each in count["items"]) > 0
            for part in count["items"] if by == "commune" else ():
                path = f"/v1/members?unit={part['value']}&as_of={first}&hierarchy={tree}"
                assert len(everyone(reformed.api, path)) == part["people"], (tree, part)
        items = reformed.get(
            "/v1/poverty-status", unit=district, by="unit", hierarchy=tree, limit=200, **period
        )
        for table in ("poor", "near_poor"):
            total, *parts = [each for each in items["items"] if each["table"] == table]
            for name in ("opening_households", "closing_households", "closing_people"):
                assert total[name] == sum(each[name] for each in parts), (tree, table, name)
        assert reformed.get("/v1/figures", unit=district, by="child", hierarchy=tree)["items"]


def each_branch_is_in_one_unit_of_each_level(reformed: Reformed) -> None:
    province = reformed.id["phutho"]
    with writing(reformed.database) as session:
        branches = set(
            session.exec(select(Unit.id).where(col(Unit.level) == UnitLevel.branch)).all()
        )
        for day in (*reformed.days(), reformed.today):
            for tree in (hierarchy.as_was(day), UnitTree(day, followed=True)):
                for level in (UnitLevel.commune, UnitLevel.branch):
                    parts = hierarchy.by_level([province], level, tree)
                    rows = session.execute(sa.select(parts.c.id, parts.c.part_id)).all()
                    places = Counter(row.id for row in rows if row.id in branches)
                    opened_by = set(branches)
                    if not tree.followed:
                        after = select(Unit.id).where(col(Unit.opened_on) > day)
                        opened_by -= set(session.exec(after).all())
                    assert places == dict.fromkeys(opened_by, 1), (tree, level)


class TestMergedBranches:
    """A branch was made part of one in another commune."""

    @pytest.fixture
    def merged(self, api: Api, database: Database, unit_id: UnitIds) -> Branches:
        """Its own commune closes with it, and its other branches stand in the other one."""
        world = Branches(api, database, unit_id)
        world.heir = unit_id["tienluong-1"]
        household = home(database, world.gone)
        decide(database, household, "poor", "2024-01-01")
        operations = [
            {"op": "merge", "unit_ids": [world.gone], "into_id": world.heir},
            {"op": "merge", "unit_ids": [world.commune], "into_id": unit_id["tienluong"]},
        ]
        draft = {"effective_on": ago(3), "operations": operations}
        world.apply(made(world.drafter.post("/v1/reorganisations", json=draft)))
        return world

    def test_its_past_is_its_own_as_was_and_the_heirs_as_is(self, merged: Branches) -> None:
        before = ago(10)
        asked = {"from": before, "to": before}
        day_before = ago(4)

        def closing(unit: int, tree: str) -> int:
            query = {**asked, "hierarchy": tree}
            found = done(merged.drafter.get(f"/v1/units/{unit}/movement", params=query))
            closing: int = found["closing"]
            return closing

        tienluong, gone = merged.id["tienluong"], merged.gone
        hers, theirs = closing(gone, "as_was"), closing(merged.heir, "as_was")
        assert hers > 0
        assert closing(merged.heir, "as_is") == hers + theirs
        assert closing(merged.heir, day_before) == theirs
        assert closing(tienluong, "as_is") == closing(tienluong, "as_was") + closing(
            merged.commune, "as_was"
        )
        assert closing(merged.commune, "as_was") == closing(merged.commune, day_before)

    def test_its_members_of_then_are_listed_as_they_are_counted(self, merged: Branches) -> None:
        def listed(unit: int, tree: str) -> set[int]:
            path = f"/v1/members?unit={unit}&as_of={ago(10)}&hierarchy={tree}"
            return {each["branch_id"] for each in everyone(merged.drafter, path)}

        gone, heir = merged.gone, merged.heir
        assert listed(gone, "as_was") == {gone}
        assert listed(heir, "as_was") == listed(heir, ago(4)) == {heir}
        # Facts keep the branch they happened in.
        assert listed(heir, "as_is") == {gone, heir}
        assert gone in listed(merged.commune, "as_was") - listed(merged.commune, "as_is")

    def test_it_is_no_movement_in_the_tree_of_today(self, merged: Branches) -> None:
        unit = merged.id["tienluong"]
        path = f"/v1/units/{unit}/movement?from={ago(10)}"
        was, now = (done(merged.drafter.get(f"{path}&hierarchy={t}")) for t in ("as_was", "as_is"))
        assert was["closing"] == now["closing"]
        assert was["reorganised_in"] == now["opening"] - was["opening"] > 0
        assert now["reorganised_in"] == now["reorganised_out"] == 0

    def test_its_households_stand_in_the_heir(self, merged: Branches) -> None:
        query = {"unit": merged.heir, "from": ago(10)}
        lines = {
            tree: done(
                merged.drafter.get("/v1/poverty-status", params=query | {"hierarchy": tree})
            )["items"][0]
            for tree in ("as_was", "as_is", ago(4))
        }
        assert lines["as_was"]["moved_in_households"] == 1
        assert lines["as_is"]["opening_households"] == lines["as_is"]["closing_households"] == 1
        assert lines["as_is"]["moved_in_households"] == 0
        assert lines[ago(4)] == lines["as_was"]


class TestOlderTrees:
    """A branch that stood in the commune yesterday is another's today."""

    @pytest.fixture
    def paths(self, api: Api, unit_id: UnitIds) -> list[str]:
        moved(api.as_("phutho"), unit_id["phuongvi-1"], unit_id["tienluong"], ago(0))
        unit = unit_id["phuongvi"]
        return [
            f"/v1/units/{unit}/movement?from={ago(5)}",
            f"/v1/members/count?unit={unit}",
            f"/v1/figures?unit={unit}&indicators=members.total",
            f"/v1/figures/members.total/explain?unit={unit}",
            f"/v1/poverty-status?unit={unit}",
            f"/v1/poverty-status/transitions?unit={unit}&from={ago(5)}",
        ]

    def test_count_nobody_elses_branches_of_today(self, api: Api, paths: list[str]) -> None:
        commune, district = api.as_("phuongvi"), api.as_("camkhe")
        for path in paths:
            right = "poverty:read" if "poverty" in path else "members:read"
            forbidden(commune.get(f"{path}&hierarchy={ago(1)}"), right)
            for tree in ("as_was", "as_is"):
                done(commune.get(f"{path}&hierarchy={tree}"))
            done(district.get(f"{path}&hierarchy={ago(1)}"))

    def test_show_nobody_elses_past(self, api: Api, unit_id: UnitIds) -> None:
        """A branch that stood in the commune for some days only is not counted in it before them."""
        unit, home = unit_id["tienluong"], unit_id["phuongvi"]
        moved(api.as_("phutho"), unit_id["phuongvi-1"], unit, ago(20))
        moved(api.as_("phutho"), unit_id["phuongvi-1"], home, ago(10))
        commune, district = api.as_("tienluong"), api.as_("camkhe")
        then, before = ago(15), ago(30)
        for path in (
            f"/v1/units/{unit}/movement?from={ago(40)}&to={before}",
            f"/v1/members/count?unit={unit}&as_of={before}",
            f"/v1/figures?unit={unit}&indicators=members.total&period={before}..{before}",
            f"/v1/figures/members.total/explain?unit={unit}&period={before}..{before}",
            f"/v1/figures/members.total/picture?unit={unit}&period={before}..{before}",
            f"/v1/poverty-status?unit={unit}&from={ago(40)}&to={before}",
            f"/v1/poverty-status/transitions?unit={unit}&from={ago(40)}&to={before}",
        ):
            right = "poverty:read" if "poverty" in path else "members:read"
            forbidden(commune.get(f"{path}&hierarchy={then}"), right)
            assert district.get(f"{path}&hierarchy={then}").status_code == 200
            for tree in ("as_was", "as_is", before):
                assert commune.get(f"{path}&hierarchy={tree}").status_code == 200
        stood = f"/v1/figures?unit={unit}&indicators=members.total&period={then}..{then}"
        of_then = [commune.get(f"{stood}&hierarchy={tree}") for tree in ("as_was", then)]
        assert done(of_then[0])["items"] == done(of_then[1])["items"]

    def test_are_of_days_that_have_been(self, api: Api, paths: list[str]) -> None:
        for path in paths:
            for tree, code in (("soon", "hierarchy_invalid"), ("2999-01-01", "date_in_future")):
                answer = api.as_("camkhe").get(f"{path}&hierarchy={tree}")
                pointed(answer, "/hierarchy", code)
