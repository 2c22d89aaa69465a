"""Members whose records are restricted, erased or merged, in branches that are merged or split, and taken back."""

from typing import Any

import pytest

from app.db import Database
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.cadres import done, free_members, made
from tests.helpers.client import Api
from tests.helpers.tables import changed, everything
from tests.reorganisations.branches import OWN, Branches
from tests.units.units import ago, people

ACTS = ("merge", "split")


class Limited(Branches):
    """A branch that is merged into the other one, or divided between it and another."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        super().__init__(api, database, unit_id)
        self.other = unit_id["phuongvi-3"]
        self.woman = str(free_members(database, self.gone)[0].id)

    def drafted(self, act: str) -> Json:
        """Where it is split, the woman goes to the heir and all others elsewhere."""
        if act == "merge":
            return self.merge()
        split: Json = {"op": "split", "unit_id": self.gone, "into_ids": [self.heir, self.other]}
        split["members"] = [{"member_id": self.woman, "to_id": self.heir}]
        return self.draft(split | {"default_id": self.other})

    def done(self, act: str) -> Json:
        draft = self.drafted(act)
        assert self.apply(draft)["state"] == "applied"
        return draft

    def post(self, path: str, **body: Any) -> Json:
        return made(self.decider.post(f"/v1/members/{path}", json=body))

    def member(self, member_id: str) -> Json:
        return done(self.decider.get(f"/v1/members/{member_id}"))

    def total(self, day: int) -> int:
        return self.count(self.commune, ago(day))

    def admitted(self, branch: int, name: str) -> str:
        body = {"branch_id": branch, "full_name": name, "birth_date": "1971"}
        member = made(self.decider.post("/v1/members", json=body | {"joined_on": ago(400)}))
        return str(member["id"])

    def erased(self, member_id: str) -> None:
        officer, body = self.api.as_("phuongvi"), {"kind": "erase", "channel": "in_person"}
        asked = made(officer.post(f"/v1/members/{member_id}/privacy-requests", json=body))
        done(officer.post(f"/v1/privacy/requests/{asked['id']}/acknowledge"))
        path = f"/v1/members/{member_id}/erasure"
        tried = done(self.decider.post(path, json={"dry_run": True}))
        sent = {"dry_run": False, "request_id": asked["id"], "digest": tried["digest"]}
        done(self.decider.post(path, json=sent))

    def one(self, kept: str, other: str, **body: Any) -> Json:
        """Two records of one person."""
        return self.post(f"{kept}/merges", other_id=other, reason="Nhập hai lần", **body)

    def two_again(self, merge: Json) -> None:
        done(self.decider.post(f"/v1/merges/{merge['id']}/undo"))

    def all(self) -> Any:
        return everything(self.database, *OWN, "merge")


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds) -> Limited:
    return Limited(api, database, unit_id)


def taken_back(world: Limited, draft: Json, before: Any) -> None:
    assert done(world.revert(draft))["state"] == "reverted"
    assert changed(before, world.all()) == {}


@pytest.mark.parametrize("act", ACTS)
def test_a_restricted_record_goes_along_and_stays_restricted(world: Limited, act: str) -> None:
    """The decree moves the branch; nobody works on her record."""
    world.post(f"{world.woman}/processing-limits", kind="restriction")
    before, total = world.all(), world.total(1)
    draft = world.done(act)
    found = world.member(world.woman)
    assert (found["branch_id"], found["restricted"]) == (world.heir, True)
    head = world.api.as_("phuongvi-2")
    patch = head.patch(f"/v1/members/{world.woman}", json={"occupation": "x"})
    refused(patch, 409, "member_restricted")
    assert [world.total(day) for day in (1, 0)] == [total, total]
    taken_back(world, draft, before)
    assert world.member(world.woman)["restricted"] is True


@pytest.mark.parametrize("act", ACTS)
def test_who_was_erased_before_is_counted_in_her_days(world: Limited, act: str) -> None:
    gone = world.admitted(world.gone, "Quách Thị Xuyến Oanh")
    world.post(f"{gone}/departures", reason="moved_away", effective_on=ago(40))
    world.erased(gone)
    before, totals = world.all(), [world.total(day) for day in (50, 1)]
    draft = world.done(act)
    assert [world.total(day) for day in (50, 1)] == totals
    assert world.total(0) == totals[1]
    assert gone not in {str(each.id) for each in people(world.database, world.heir)}
    taken_back(world, draft, before)


def test_who_is_erased_after_it_stays_erased_when_it_is_taken_back(world: Limited) -> None:
    gone = world.admitted(world.gone, "Quách Thị Xuyến Oanh")
    world.post(f"{gone}/departures", reason="moved_away", effective_on=ago(40))
    draft = world.done("merge")
    world.erased(gone)
    erased = world.all()
    assert done(world.revert(draft))["state"] == "reverted"
    refused(world.decider.get(f"/v1/members/{gone}"), 404, "member_erased")
    # Only the units, and those who went along, are as they were.
    assert "erasure" not in changed(erased, world.all())
    assert "Xuyến" not in str([each.full_name for each in people(world.database, world.gone)])


@pytest.mark.parametrize("act", ACTS)
def test_two_records_that_were_made_one_before(world: Limited, act: str) -> None:
    kept = world.woman
    other = world.admitted(world.heir, "Nguyễn Thị Hai Lần")
    untouched = world.all()
    merge = world.one(kept, other, memberships="kept")
    before, total = world.all(), world.total(1)
    draft = world.done(act)
    assert world.member(kept)["branch_id"] == world.heir
    assert world.total(0) == total
    taken_back(world, draft, before)
    world.two_again(merge)
    assert changed(untouched, world.all()) == {}


@pytest.mark.parametrize("act", ACTS)
def test_two_records_that_are_made_one_after_it_stand_in_the_way_back(
    world: Limited, act: str
) -> None:
    other = world.admitted(world.heir, "Nguyễn Thị Hai Lần")
    before = world.all()
    draft = world.done(act)
    merge = world.one(other, world.woman, memberships="kept")
    after, total = world.all(), world.total(0)
    problem = refused(world.revert(draft), 409, "ended_row_changed")
    assert problem["kind"] == "membership"
    assert changed(after, world.all()) == {}
    assert world.total(0) == total
    world.two_again(merge)
    assert done(world.revert(draft))["state"] == "reverted"
    assert changed(before, world.all()) == {}


@pytest.mark.parametrize("act", ACTS)
def test_who_is_known_elsewhere_by_then_is_not_brought_back(world: Limited, act: str) -> None:
    """Her other record holds: the spells of this one are annulled, and she stands in another commune."""
    elsewhere = world.id["tienluong-1"]
    kept = world.admitted(elsewhere, "Nguyễn Thị Hai Lần")
    draft = world.done(act)
    world.one(kept, world.woman, memberships="kept")
    after = world.all()
    problem = refused(world.revert(draft), 409, "ended_row_changed")
    assert problem["kind"] == "membership"
    assert changed(after, world.all()) == {}
    assert world.member(kept)["branch_id"] == elsewhere
