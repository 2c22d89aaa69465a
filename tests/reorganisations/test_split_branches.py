"""A branch that is split, or gives a part to another one: its people and households are shared out."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.figures.rollups import FigureDay
from app.models.households.households import HouseholdPlace
from app.models.members.spells import Membership
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.cadres import appoint, done, free_members, made
from tests.helpers.client import Api, writing
from tests.helpers.homes import decide, home
from tests.helpers.tables import changed, everything
from tests.reorganisations.branches import OWN, Branches
from tests.units.units import ago, opened, people, unit_row


class Split(Branches):
    """The first branch becomes two new ones; some of its people are assigned to the second."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        super().__init__(api, database, unit_id)
        self.poor = home(database, self.gone)
        decide(database, self.poor, "poor", ago(200))
        self.chosen = [member.id for member in free_members(database, self.gone)[:3]]

    def split(self, **body: Any) -> Json:
        split: Json = {"op": "split", "unit_id": self.gone, "into_ids": ["a", "b"]}
        split["members"] = [{"member_id": str(each), "to_id": "b"} for each in self.chosen]
        return self.draft(self.opening("a"), self.opening("b"), split | body)

    def opening(self, key: str) -> Json:
        body = {"op": "open", "key": key, "level": "branch", "name": f"Chi hội khu 1{key}"}
        return body | {"parent_id": self.commune}

    def part(self, **body: Any) -> Json:
        """The same people go to the second branch, the others stay."""
        transfer: Json = {"op": "transfer", "from_id": self.gone, "to_id": self.heir}
        transfer |= {"member_ids": [str(each) for each in self.chosen]}
        return self.draft(transfer | {"household_ids": [str(self.poor)]} | body)

    def lasting(self, column: Any, unit: int) -> set[Any]:
        model = column.class_
        with writing(self.database) as session:
            found = sa.select(column).where(
                col(model.branch_id) == unit, col(model.valid_to).is_(None)
            )
            return set(session.execute(found).scalars())

    def members(self, unit: int) -> set[Any]:
        return self.lasting(Membership.member_id, unit)

    def households(self, unit: int) -> set[Any]:
        return self.lasting(HouseholdPlace.household_id, unit)


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds) -> Split:
    return Split(api, database, unit_id)


class TestSplit:
    def test_each_goes_where_assigned_or_to_the_default(self, world: Split) -> None:
        all_, homes, total = world.members(world.gone), world.households(world.gone), world.commune
        was = {unit: world.count(unit) for unit in (world.gone, total)}
        poor = {"household_id": str(world.poor), "to_id": "b"}
        draft = world.split(default_id="a", households=[poor])
        seen = world.preview(draft)
        assert seen["problems"] == []
        assert seen["consequences"]["members"] == was[world.gone]
        assert seen["consequences"]["households"] == len(homes)
        totals = {each["unit"]: (each["was"], each["becomes"]) for each in seen["totals"]}
        assert totals == {
            world.gone: (was[world.gone], 0),
            "a": (0, was[world.gone] - 3),
            "b": (0, 3),
            **{
                unit: totals[unit]
                for unit in totals
                if unit not in (world.gone, "a", "b") and len(set(totals[unit])) == 1
            },
        }

        opened_as = world.apply(draft)["opened"]
        a, b = opened_as["a"], opened_as["b"]
        assert world.members(b) == set(world.chosen)
        assert world.members(a) == all_ - set(world.chosen)
        assert (world.households(a), world.households(b)) == (homes - {world.poor}, {world.poor})
        assert [branch for branch, _ in world.stays(world.poor)] == [world.gone, b]
        assert world.count(world.gone, ago(1)) == was[world.gone]
        assert world.count(total) == was[total]
        assert unit_row(world.database, world.gone).closed_on is not None
        paths = {(each.commune_id, each.branch_id) for each in people(world.database, b)}
        assert paths == {(world.commune, b)}

    def test_it_is_no_transfer_and_has_its_shares(self, world: Split) -> None:
        was = world.movement(world.commune)
        size = world.count(world.gone)
        branches = world.apply(world.split(default_id="a"))["opened"]
        assert world.movement(world.commune) == was
        part = world.movement(branches["b"])
        assert (part["reorganised_in"], part["transferred_in"], part["closing"]) == (3, 0, 3)
        lineage = done(world.drafter.get(f"/v1/units/{world.gone}/lineage"))
        shares = {each["unit"]["id"]: each["share"] for each in lineage["successors"]}
        assert shares == {
            branches["a"]: round((size - 3) / size, 4),
            branches["b"]: round(3 / size, 4),
        }

    def test_who_is_not_assigned_prevents_it(self, world: Split, database: Database) -> None:
        draft = world.split()
        [trouble] = world.preview(draft)["problems"]
        assert (trouble["operation"], trouble["code"]) == (2, "people_unassigned")
        left = len(world.members(world.gone)) - 3
        assert f"{left} hội viên" in trouble["detail"]
        assert f"{len(world.households(world.gone))} hộ" in trouble["detail"]
        before = everything(database)
        digest = {"digest": world.preview(draft)["digest"]}
        answer = world.decider.post(f"/v1/reorganisations/{draft['id']}/apply", json=digest)
        refused(answer, 409, "reorganisation_prevented")
        assert everything(database) == before

    def test_the_officer_is_told_to_fill_the_new_posts(self, world: Split) -> None:
        world.apply(world.split(default_id="a"))
        notices = done(world.api.as_("phuongvi").get("/v1/me/notifications"))["items"]
        [notice] = [each for each in notices if each["kind"] == "unit_reorganised"]
        assert notice["text"] == "Việc cần quyết định: cử người vào 2 chức vụ còn trống."

    def test_all_assigned_by_hand(self, world: Split) -> None:
        members = [
            {"member_id": str(each), "to_id": "ab"[number % 2]}
            for number, each in enumerate(sorted(world.members(world.gone)))
        ]
        households = [
            {"household_id": str(each), "to_id": "a"} for each in world.households(world.gone)
        ]
        draft = world.split(members=members, households=households)
        assert world.preview(draft)["problems"] == []
        branches = world.apply(draft)["opened"]
        assert len(world.members(branches["a"])) == (len(members) + 1) // 2
        assert len(world.members(branches["b"])) == len(members) // 2

    def test_a_transfer_under_way_goes_with_her(self, world: Split) -> None:
        far, stranger = (
            world.id["tienluong-1"],
            free_members(world.database, world.id["tienluong-1"])[0],
        )
        out = world.transfer("phuongvi-1", world.chosen[0], far)
        into = world.transfer("tienluong-1", stranger.id, world.gone)
        before = world.transfers(out, into)
        draft = world.split(default_id="a")
        assert world.preview(draft)["consequences"]["transfers_waiting"] == 2
        branches = world.apply(draft)["opened"]
        assert world.transfers(out, into) == [
            (branches["b"], far, before[0][2]),
            (far, branches["a"], before[1][2]),
        ]
        done(world.revert(draft))
        assert world.transfers(out, into) == before

    def test_strangers_and_double_assignments_are_named(self, world: Split) -> None:
        stranger = str(free_members(world.database, world.heir)[0].id)
        twice = [{"member_id": str(world.chosen[0]), "to_id": to} for to in ("a", "b")]
        for members, pointer in (
            ([{"member_id": stranger, "to_id": "a"}], "/members/0/member_id"),
            (twice, "/members/1/member_id"),
        ):
            [trouble] = world.preview(world.split(members=members, default_id="a"))["problems"]
            assert (trouble["code"], trouble["pointer"]) == ("not_of_this_branch", pointer)
        elsewhere: list[Json] = [{"member_id": str(world.chosen[0]), "to_id": world.heir}]
        [trouble] = world.preview(world.split(members=elsewhere, default_id="a"))["problems"]
        assert (trouble["code"], trouble["pointer"]) == ("invalid", "/members/0/to_id")

    def test_who_is_out_of_scope_is_unknown(self, world: Split) -> None:
        stranger = str(free_members(world.database, world.id["tienluong-1"])[0].id)
        body: Json = {"op": "split", "unit_id": world.gone, "into_ids": [world.gone, world.heir]}
        body |= {"members": [{"member_id": stranger, "to_id": world.heir}]}
        draft = {"effective_on": ago(0), "operations": [body]}
        answer = world.api.as_("phuongvi").post("/v1/reorganisations", json=draft)
        pointed(answer, "/operations/0/members/0/member_id", "member_unknown")

    @pytest.mark.parametrize("default", ["a", "b"])
    def test_taken_back_everything_is_as_it_was(
        self, world: Split, database: Database, default: str
    ) -> None:
        before, stays = everything(database, *OWN), world.stays(world.poor)
        world.apply(draft := world.split(default_id=default))
        assert changed(before, everything(database, *OWN)).keys() >= {"membership", "household"}
        done(world.revert(draft))
        assert changed(before, everything(database, *OWN)) == {}
        assert world.stays(world.poor) == stays

    def test_taken_back_after_the_new_branches_were_counted(
        self, world: Split, database: Database
    ) -> None:
        """What is derived of a branch goes with it."""
        branches = world.apply(draft := world.split(default_id="a"))["opened"]
        with writing(database) as session:
            day = local_today()
            session.add_all(
                FigureDay(rows="members.members", day=day, whole=True, unit_id=each, figures={})
                for each in branches.values()
            )
        counted = sa.select(sa.func.count()).where(
            col(FigureDay.unit_id).in_(list(branches.values()))
        )
        with database.reading() as db:
            assert db.execute(counted).scalar_one() == 2
        done(world.revert(draft))
        with database.reading() as db:
            assert db.execute(counted).scalar_one() == 0

    def test_a_part_merged_on_in_the_same_draft(self, world: Split) -> None:
        """Who goes on twice goes to the last branch at once."""
        third = world.id["phuongvi-3"]
        size = {unit: world.count(unit) for unit in (world.heir, third)}
        split: Json = {"op": "split", "unit_id": world.gone, "into_ids": [world.gone, world.heir]}
        split["members"] = [{"member_id": str(each), "to_id": world.heir} for each in world.chosen]
        split["default_id"] = world.gone
        merge = {"op": "merge", "unit_ids": [world.heir], "into_id": third}
        draft = world.draft(split, merge)
        assert world.preview(draft)["problems"] == []
        world.apply(draft)
        assert world.count(third) == size[third] + size[world.heir] + 3
        with writing(world.database) as session:
            spells = session.exec(
                select(Membership).where(col(Membership.member_id) == world.chosen[0])
            ).all()
        assert sorted(spell.branch_id for spell in spells) == sorted([world.gone, third])
        done(world.revert(draft))
        assert world.count(third) == size[third]


class TestPart:
    def test_some_go_and_both_branches_stay(self, world: Split) -> None:
        was = {unit: world.count(unit) for unit in (world.gone, world.heir)}
        draft = world.part()
        totals = {each["unit"]: each["becomes"] for each in world.preview(draft)["totals"]}
        assert (totals[world.gone], totals[world.heir]) == (
            was[world.gone] - 3,
            was[world.heir] + 3,
        )
        world.apply(draft)
        assert world.members(world.heir) >= set(world.chosen)
        assert world.poor in world.households(world.heir)
        assert (world.count(world.gone), world.count(world.heir)) == (
            was[world.gone] - 3,
            was[world.heir] + 3,
        )
        assert unit_row(world.database, world.gone).closed_on is None
        assert world.movement(world.gone)["reorganised_out"] == 3

    def test_what_they_held_in_the_branch_ends_and_comes_back(
        self, world: Split, database: Database
    ) -> None:
        member = str(world.chosen[0])
        officer = world.drafter
        team = opened(officer, "group", world.gone, "Tổ phụ nữ số 1", group_kind="team")
        body = {"member_id": member, "valid_from": ago(9)}
        made(officer.post(f"/v1/groups/{team}/participations", json=body))
        post = made(appoint(officer, member, world.gone, "branch_deputy", valid_from=ago(9)))
        before = everything(database, *OWN)
        world.apply(draft := world.part())
        [part] = done(officer.get(f"/v1/members/{member}/participations"))["items"]
        assert part["valid_to"] == ago(1)
        ended = done(officer.get(f"/v1/appointments/{post['id']}"))
        assert (ended["valid_to"], ended["reason"]) == (ago(1), "reorganised")
        done(world.revert(draft))
        assert changed(before, everything(database, *OWN)) == {}

    def test_who_came_on_that_day_prevents_it(self, world: Split) -> None:
        body: Json = {"full_name": "Hà Thị Mới", "gender": "female", "birth_date": "1990"}
        body |= {"branch_id": world.gone, "joined_on": ago(0)}
        new = made(world.drafter.post("/v1/members", json=body))["id"]
        assert world.preview(world.part())["problems"] == []
        [trouble] = world.preview(world.part(member_ids=[new]))["problems"]
        assert trouble["code"] == "unit_date_conflict"

    def test_nobody_at_all_is_refused(self, world: Split) -> None:
        [trouble] = world.preview(world.part(member_ids=[], household_ids=[]))["problems"]
        assert trouble["code"] == "required"

    def test_people_do_not_go_to_a_commune(self, world: Split) -> None:
        [trouble] = world.preview(world.part(to_id=world.commune))["problems"]
        assert trouble["code"] == "unit_level_wrong"
