"""Branches that become one: their people, households and what waits go on in it, without a transfer."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.households.households import Household, HouseholdPlace
from app.models.kernel.changes import Change, Operation
from app.models.members.members import Member
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.cadres import done, free_members, made
from tests.helpers.client import Api, writing
from tests.helpers.homes import decide, home
from tests.helpers.tables import changed, everything
from tests.reorganisations.branches import OWN, Branches
from tests.units.units import ago, opened, people, unit_row


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds) -> Branches:
    return Branches(api, database, unit_id)


class TestPeople:
    def test_they_go_on_and_the_past_stays(self, world: Branches) -> None:
        names = ("gone", "heir", "commune")
        units = dict(zip(names, (world.gone, world.heir, world.commune), strict=True))
        was = {name: world.count(unit) for name, unit in units.items()}
        assert was["gone"] > 0 < was["heir"]
        seen = world.preview(draft := world.merge())
        assert seen["problems"] == []
        assert seen["consequences"]["members"] == was["gone"]
        totals = {each["unit"]: (each["was"], each["becomes"]) for each in seen["totals"]}
        both = was["gone"] + was["heir"]
        assert totals[world.gone] == (was["gone"], 0)
        assert totals[world.heir] == (was["heir"], both)
        assert totals[world.commune] == (was["commune"], was["commune"])

        world.apply(draft)
        assert (world.count(world.heir), world.count(world.commune)) == (both, was["commune"])
        assert {name: world.count(unit, ago(1)) for name, unit in units.items()} == was
        assert unit_row(world.database, world.gone).closed_on == local_today() - timedelta(days=1)
        heir = unit_row(world.database, world.heir)
        found = people(world.database, world.heir)
        assert len(found) >= both
        assert {(each.commune_id, each.province_id) for each in found} == {
            (heir.commune_id, heir.province_id)
        }

    def test_it_is_no_transfer(self, world: Branches) -> None:
        gone, heir, commune = (
            world.movement(unit) for unit in (world.gone, world.heir, world.commune)
        )
        people_of = gone["closing"]
        world.apply(world.merge())
        now = world.movement(world.commune)
        assert now == commune
        of_heir = world.movement(world.heir)
        assert of_heir == heir | {
            "reorganised_in": people_of,
            "closing": heir["closing"] + people_of,
            "of_which_honorary": of_heir["of_which_honorary"],
        }
        of_gone = world.movement(world.gone)
        assert (of_gone["reorganised_out"], of_gone["transferred_out"]) == (
            people_of,
            gone["transferred_out"],
        )
        assert (of_gone["closing"], of_gone["left"]) == (0, gone["left"])

    def test_each_has_her_changes_in_the_log(self, world: Branches) -> None:
        before = world.count(world.gone)
        world.apply(world.merge())
        with world.database.reading() as db:
            counted = db.execute(
                sa.select(col(Change.entity), col(Change.operation), sa.func.count())
                .where(
                    col(Change.source_ref).startswith("reorganisation:"),
                    col(Change.entity).in_(("member", "membership")),
                )
                .group_by(col(Change.entity), col(Change.operation))
            )
            found = {(row[0], row[1]): row[2] for row in counted}
        assert found == {
            ("member", Operation.moved): before,
            ("membership", Operation.updated): before,
            ("membership", Operation.created): before,
        }

    def test_a_spell_of_it_is_not_corrected_alone(self, world: Branches) -> None:
        member = people(world.database, world.gone)[0].id
        world.apply(world.merge())
        spells = done(world.drafter.get(f"/v1/members/{member}/memberships"))["items"]
        old, new = spells[-2:]
        assert (old["left_by"], old["to_branch_id"]) == ("reorganisation", world.heir)
        assert (new["joined_by"], new["from_branch_id"]) == ("reorganisation", world.gone)
        assert old["valid_to"] == ago(1)
        assert new["valid_from"] == ago(0)
        etag = {"If-Match": f'"{new["revision"]}"'}
        path = f"/v1/memberships/{new['id']}"
        answer = world.drafter.patch(path, json={"valid_from": ago(3)}, headers=etag)
        refused(answer, 409, "membership_reorganised")
        answer = world.drafter.post(f"{path}/annul", json={"note": "Nhầm"}, headers=etag)
        refused(answer, 409, "membership_reorganised")
        path = f"/v1/memberships/{old['id']}"
        etag = {"If-Match": f'"{old["revision"]}"'}
        answer = world.drafter.patch(path, json={"valid_to": None}, headers=etag)
        refused(answer, 409, "membership_reorganised")

    def test_a_team_of_it_goes_with_its_members(self, world: Branches) -> None:
        head = world.drafter
        team = opened(head, "group", world.gone, "Tổ phụ nữ số 1", group_kind="team")
        member = free_members(world.database, world.gone)[0].id
        body = {"member_id": str(member), "valid_from": ago(9)}
        part = made(head.post(f"/v1/groups/{team}/participations", json=body))
        world.apply(world.merge())
        assert unit_row(world.database, team).parent_id == world.heir
        found = done(head.get(f"/v1/members/{member}/participations"))["items"]
        assert [(each["id"], each["valid_to"]) for each in found] == [(part["id"], None)]


class TestHouseholds:
    def test_they_and_their_class_go_on(self, world: Branches) -> None:
        poor = home(world.database, world.gone)
        decide(world.database, poor, "poor", ago(200))
        world.apply(world.merge())
        with writing(world.database) as session:
            household = session.get_one(Household, poor)
            places = session.exec(
                select(HouseholdPlace)
                .where(col(HouseholdPlace.household_id) == poor)
                .order_by(col(HouseholdPlace.valid_from))
            ).all()
        assert (household.branch_id, household.poverty_class) == (world.heir, "poor")
        found = [(place.branch_id, place.valid_to) for place in places]
        last = local_today() - timedelta(days=1)
        assert found == [(world.gone, last), (world.heir, None)]
        assert world.stays(poor) == found
        asked = {"unit": world.commune, "from": ago(30), "to": ago(0)}
        lines = done(world.drafter.get("/v1/poverty-status", params=asked))["items"]
        [line] = [each for each in lines if each["table"] == "poor" and each["part"] is None]
        figures = {name: number for name, number in line.items() if name.endswith("_households")}
        assert {name for name, number in figures.items() if number} == {
            *("opening_households", "closing_households")
        }

    def test_no_revert_once_one_has_moved(self, world: Branches, database: Database) -> None:
        moved = home(database, world.gone)
        world.apply(draft := world.merge())
        body = {"branch_id": world.id["phuongvi-3"], "effective_on": ago(0)}
        done(world.drafter.post(f"/v1/households/{moved}/move", json=body))
        before = everything(database)
        assert refused(world.revert(draft), 409, "ended_row_changed")["kind"] == "household"
        assert everything(database) == before


def test_transfers_that_wait_go_on_with_the_branch(world: Branches, database: Database) -> None:
    gone, heir, far = world.gone, world.heir, world.id["tienluong-1"]
    first, second = (each.id for each in free_members(database, gone)[:2])
    stranger = free_members(database, far)[0].id
    asked = [
        world.transfer("phuongvi-1", first, far),
        world.transfer("phuongvi-1", second, heir),
        world.transfer("tienluong-1", stranger, gone),
    ]
    before = world.transfers(*asked)
    world.apply(draft := world.merge())
    states = [state for *_, state in before]
    assert world.transfers(*asked) == [
        (heir, far, states[0]),
        (heir, heir, "cancelled"),
        (far, heir, states[2]),
    ]
    with writing(database) as session:
        found = {each: session.get_one(Member, each) for each in (first, second)}
    assert [found[each].status for each in (first, second)] == ["transferring", "active"]
    done(world.revert(draft))
    assert world.transfers(*asked) == before


class TestTakenBack:
    @pytest.mark.parametrize("into", ["heir", "new"])
    def test_everything_is_as_it_was(self, world: Branches, database: Database, into: str) -> None:
        poor = home(database, world.gone)
        decide(database, poor, "poor", ago(200))
        before, stays = everything(database, *OWN), world.stays(poor)
        if into == "new":
            opening = {"op": "open", "key": "new", "level": "branch", "name": "Chi hội khu 1 + 2"}
            draft = world.merge(opening | {"parent_id": world.commune}, into_id="new")
        else:
            draft = world.merge()
        applied = world.apply(draft)
        heir = applied["opened"].get("new", world.heir)
        assert changed(before, everything(database, *OWN)).keys() >= {
            *("unit", "member", "membership", "household", "household_place")
        }
        assert world.stays(poor) != stays
        assert world.count(heir) > 0
        done(world.revert(draft))
        assert changed(before, everything(database, *OWN)) == {}
        assert world.stays(poor) == stays

    def test_not_once_somebody_has_left_the_new_branch(
        self, world: Branches, database: Database
    ) -> None:
        member = free_members(database, world.gone)[0].id
        world.apply(draft := world.merge())
        body = {"reason": "moved_away", "effective_on": ago(0)}
        made(world.drafter.post(f"/v1/members/{member}/departures", json=body))
        before = everything(database)
        assert refused(world.revert(draft), 409, "ended_row_changed")["kind"] == "membership"
        assert everything(database) == before

    def test_not_once_the_new_branch_is_reorganised_again(self, world: Branches) -> None:
        world.apply(draft := world.merge())
        renamed = {"name": "Chi hội Đồi", "effective_on": ago(0)}
        done(world.drafter.patch(f"/v1/units/{world.heir}", json=renamed))
        refused(world.revert(draft), 409, "reorganised_again")


def test_who_came_on_that_day_prevents_it(world: Branches, database: Database) -> None:
    body: Json = {"full_name": "Hà Thị Mới", "gender": "female", "birth_date": "1990"}
    body |= {"branch_id": world.gone, "joined_on": ago(0)}
    made(world.drafter.post("/v1/members", json=body))
    [trouble] = world.preview(world.merge())["problems"]
    assert trouble["code"] == "unit_date_conflict"


def test_two_mergers_of_one_draft(world: Branches) -> None:
    """The first into a branch that the second merges into a third one."""
    third = world.id["phuongvi-3"]
    people = sum(world.count(unit) for unit in (world.gone, world.heir, third))
    first = {"op": "merge", "unit_ids": [world.gone], "into_id": world.heir}
    draft = world.merge(first, unit_ids=[world.heir], into_id=third)
    assert world.preview(draft)["problems"] == []
    world.apply(draft)
    assert world.count(third) == people
    done(world.revert(draft))
    assert world.count(third) < people


def test_a_branch_that_closes_into_one_other_is_merged(world: Branches) -> None:
    both = world.count(world.gone) + world.count(world.heir)
    body = {"effective_on": ago(0), "kind": "merge", "successor_ids": [world.heir]}
    done(world.drafter.post(f"/v1/units/{world.gone}/close", json=body))
    assert world.count(world.heir) == both
    [own] = done(world.decider.get(f"/v1/reorganisations?unit={world.heir}"))["items"]
    done(world.revert(own))
    assert world.count(world.heir) < both


def test_the_share_of_who_went_is_all(world: Branches) -> None:
    world.apply(world.merge())
    lineage = done(world.drafter.get(f"/v1/units/{world.gone}/lineage"))
    [step] = lineage["successors"]
    assert (step["unit"]["id"], step["share"]) == (world.heir, 1.0)
