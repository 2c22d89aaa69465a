"""A death reaches the household: nobody who has died lives in one, or heads one."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.households.households import Household, HouseholdPerson
from app.models.members.members import Member
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import Ids, done, free_members, made
from tests.helpers.client import Api, writing

HUSBAND = {"full_name": "Nguyễn Văn Nam", "gender": "male", "relation": "spouse"}


def day(ago: int) -> str:
    return (local_today() - timedelta(days=ago)).isoformat()


class Village:
    def __init__(self, api: Api, database: Database, unit_id: Ids) -> None:
        self.database, self.branch = database, unit_id["phuongvi-1"]
        self.officer = api.as_("phuongvi")
        self.women = free_members(database, self.branch)

    def household(self, head: Member, *others: Json, opened_on: str = "2024-01-01") -> Json:
        people = [{"member_id": str(head.id), "relation": "head"}, *others]
        body = {"branch_id": self.branch, "opened_on": opened_on, "people": people}
        return made(self.officer.post("/v1/households", json=body))

    def dies(self, member: Member, ago: int) -> None:
        made(self.officer.post(f"/v1/members/{member.id}/death", json={"died_on": day(ago)}))

    def read(self, item: Json, on: str | None = None) -> Json:
        return done(
            self.officer.get(f"/v1/households/{item['id']}", params={"as_of": on} if on else {})
        )

    def waiting(self) -> list[str]:
        listed = done(self.officer.get("/v1/households?head_missing=true"))["items"]
        return [item["id"] for item in listed]

    def decide(self, item: Json, **more: Any) -> Json:
        body = {"class": "poor", "decision_number": "1/QĐ", "decided_on": "2025-01-01"}
        body |= {"valid_from": "2025-01-01"} | more
        return made(self.officer.post(f"/v1/households/{item['id']}/poverty-status", json=body))

    def flows(self) -> Json:
        path = f"/v1/poverty-status?unit={self.branch}&from=2026-01-01"
        [poor, _] = done(self.officer.get(path))["items"]
        found: Json = poor
        return found


@pytest.fixture
def village(api: Api, database: Database, unit_id: Ids) -> Village:
    return Village(api, database, unit_id)


def test_the_head_dies_and_somebody_must_be_named(village: Village) -> None:
    head, daughter = village.women[:2]
    child = {"member_id": str(daughter.id), "relation": "child"}
    item = village.household(head, HUSBAND, child)
    assert village.waiting() == []
    village.dies(head, 10)
    now = village.read(item)
    assert (now["head_id"], now["head_missing_since"]) == (None, day(10))
    assert (now["head_name"], now["person_count"]) == (head.full_name, 2)
    assert [person["relation"] for person in now["people"]] == ["spouse", "child"]
    assert village.waiting() == [item["id"]]
    before = village.read(item, day(11))
    assert (before["head_id"], before["person_count"]) == (str(head.id), 3)
    assert before["head_missing_since"] is None
    # Whoever is named heads it from the death on, and not before it.
    where = f"/v1/households/{item['id']}/head"
    body = {"head_id": str(daughter.id), "effective_on": day(11)}
    pointed(village.officer.post(where, json=body), "/effective_on", "before_stay")
    named = done(village.officer.post(where, json=body | {"effective_on": day(10)}))
    assert (named["head_id"], named["head_missing_since"]) == (str(daughter.id), None)
    assert village.waiting() == []
    assert village.read(item, day(10))["head_id"] == str(daughter.id)


def test_who_is_not_the_head_is_no_more_in_it(village: Village, database: Database) -> None:
    head, daughter = village.women[:2]
    item = village.household(head, {"member_id": str(daughter.id), "relation": "child"})
    village.dies(daughter, 3)
    now = village.read(item)
    assert (now["head_id"], now["person_count"]) == (str(head.id), 1)
    [event] = [
        each
        for each in done(village.officer.get(f"/v1/households/{item['id']}/events"))["items"]
        if each["kind"] == "person_left"
    ]
    assert (event["effective_on"], event["after"]) == (day(3), {"reason": "death"})
    with writing(database) as session:
        assert session.get_one(Member, daughter.id).household_id is None


def test_leaving_the_union_is_not_leaving_the_house(village: Village) -> None:
    head = village.women[0]
    item = village.household(head, HUSBAND)
    body = {"reason": "resigned", "effective_on": day(5)}
    made(village.officer.post(f"/v1/members/{head.id}/departures", json=body))
    now = village.read(item)
    assert (now["head_id"], now["person_count"]) == (str(head.id), 2)


def test_a_poor_household_whose_only_person_died_has_ended(village: Village) -> None:
    head = village.women[0]
    item = village.household(head)
    village.decide(item)
    assert village.flows()["closing_households"] == 1
    village.dies(head, 8)
    now = village.read(item)
    assert (now["closed_on"], now["person_count"]) == (day(9), 0)
    figures = village.flows()
    assert (figures["ended_households"], figures["ended_people"]) == (1, 1)
    assert (figures["escaped_households"], figures["closing_households"]) == (0, 0)
    # The day of the death was another one.
    [spell] = done(village.officer.get(f"/v1/members/{head.id}/memberships"))["items"]
    patch = {"valid_to": day(21)}
    done(village.officer.patch(f"/v1/memberships/{spell['id']}", json=patch))
    assert village.read(item, day(21))["person_count"] == 1


def test_what_was_decided_later_keeps_it_open(village: Village) -> None:
    head = village.women[0]
    item = village.household(head)
    village.decide(item, decided_on=day(2), valid_from=day(2))
    village.dies(head, 8)
    now = village.read(item)
    assert (now["closed_on"], now["person_count"]) == (None, 0)
    assert village.waiting() == [item["id"]]


def test_the_dead_enter_no_household(village: Village, database: Database) -> None:
    dead, living = village.women[:2]
    item = village.household(living)
    village.dies(dead, 20)
    add = {"member_id": str(dead.id), "relation": "child", "effective_on": day(5)}
    where = f"/v1/households/{item['id']}/people"
    problem = refused(village.officer.post(where, json=add), 409, "person_deceased")
    assert problem["person_id"] == str(dead.id)
    refused(
        village.officer.post(where, json=add | {"effective_on": day(20)}), 409, "person_deceased"
    )
    people = [{"member_id": str(dead.id), "relation": "head"}]
    new = {"branch_id": village.branch, "opened_on": day(5), "people": people}
    refused(village.officer.post("/v1/households", json=new), 409, "person_deceased")
    with writing(database) as session:
        assert len(session.exec(select(Household)).all()) == 1
    # What is entered late goes up to her death.
    village.officer.post(where, json=add | {"effective_on": day(30)})
    assert village.read(item, day(21))["person_count"] == 2
    assert village.read(item)["person_count"] == 1
    with writing(database) as session:
        stays = session.exec(
            select(HouseholdPerson).where(col(HouseholdPerson.member_id) == dead.id)
        ).all()
    assert [(str(s.valid_from), str(s.valid_to), s.ended_by) for s in stays] == [
        (day(30), day(21), "death")
    ]


def test_a_merge_names_the_head_by_the_record_kept(village: Village, database: Database) -> None:
    kept, gone = village.women[:2]
    item = village.household(gone, HUSBAND)
    path = f"/v1/members/{kept.id}/merges"
    made(village.officer.post(path, json={"other_id": str(gone.id), "reason": "Một người"}))
    now = village.read(item)
    assert (now["head_id"], now["head_name"]) == (str(kept.id), kept.full_name)
