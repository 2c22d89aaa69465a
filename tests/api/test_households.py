"""Households: dated people and places, one head at any date."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, func, select

from app.db import Database
from app.models.changes import Change
from app.models.households import Household, HouseholdEvent, HouseholdPerson, HouseholdPlace
from app.models.members import Member
from tests.api.cadres import Ids, Json, done, forbidden, free_members, made, pointed, refused
from tests.client import Api, writing

HUSBAND = {
    "full_name": "Nguyễn Văn Nam",
    "birth_date": "1970",
    "gender": "male",
    "relation": "spouse",
}


def count(database: Database, model: type[Any]) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(model)).one()


def body_of(database: Database, unit_id: Ids, **values: Any) -> Json:
    head = free_members(database, unit_id["phuongvi-1"])[0]
    people = [{"member_id": str(head.id), "relation": "head"}, HUSBAND]
    body = {"branch_id": unit_id["phuongvi-1"], "opened_on": "2024-01-01", "people": people}
    return body | {"code": "0001", "address": "Khu 1"} | values


def stays(database: Database, household_id: str) -> list[tuple[Any, ...]]:
    with writing(database) as session:
        rows = session.exec(
            select(HouseholdPerson).where(col(HouseholdPerson.household_id) == UUID(household_id))
        ).all()
    shown = [(row.relation.value, str(row.valid_from), str(row.valid_to)) for row in rows]
    return sorted(shown)


class TestCreateHousehold:
    def test_enters_one(self, api: Api, database: Database, unit_id: Ids) -> None:
        head = free_members(database, unit_id["phuongvi-1"])[0]
        answer = api.as_("phuongvi").post("/v1/households", json=body_of(database, unit_id))
        item = made(answer)
        assert answer.headers["location"] == f"/v1/households/{item['id']}"
        assert (item["head_id"], item["head_name"]) == (str(head.id), head.full_name)
        assert (item["female_headed"], item["person_count"]) == (True, 2)
        assert (item["commune_id"], item["area_type"]) == (unit_id["phuongvi"], "rural")
        assert [person["relation"] for person in item["people"]] == ["head", "spouse"]
        assert item["people"][1]["full_name"] == "Nguyễn Văn Nam"
        assert (item["poverty_status"], item["masked"]) == (None, [])
        with writing(database) as session:
            assert session.get_one(Member, head.id).household_id == UUID(item["id"])
            place = session.exec(select(HouseholdPlace)).one()
            assert (place.branch_id, str(place.valid_from)) == (
                unit_id["phuongvi-1"],
                "2024-01-01",
            )
            entities = session.exec(
                select(Change.entity).where(col(Change.entity).startswith("household"))
            ).all()
        assert sorted(entities) == ["household", "household_person", "household_person"]
        assert done(api.as_("phuongvi-1").get(f"/v1/households/{item['id']}")) == (
            item | {"ethnic_minority": None, "masked": ["ethnic_minority"]}
        )

    def test_sent_twice_with_an_id_makes_one(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, body = api.as_("phuongvi"), body_of(database, unit_id, id=str(uuid4()))
        item = made(officer.post("/v1/households", json=body))
        again = officer.post("/v1/households", json=body)
        assert (again.status_code, again.json()) == (200, item)
        other = body | {"people": body["people"][:1]}
        refused(officer.post("/v1/households", json=other), 409, "id_taken")
        assert count(database, Household) == 1
        assert count(database, HouseholdPerson) == 2

    @pytest.mark.parametrize(
        ("people", "pointer", "code"),
        [
            ([HUSBAND], "/people", "one_head_needed"),
            ([HUSBAND | {"relation": "head"}] * 2, "/people", "one_head_needed"),
            ([{"relation": "head"}], "/people/0/full_name", "one_of_needed"),
            (
                [HUSBAND | {"relation": "head", "member_id": str(uuid4())}],
                "/people/0/member_id",
                "member_unknown",
            ),
            ([], "/people", "too_short"),
        ],
    )
    def test_people_wrong(
        self, api: Api, database: Database, unit_id: Ids, people: Any, pointer: str, code: str
    ) -> None:
        body = body_of(database, unit_id, people=people)
        pointed(api.as_("phuongvi").post("/v1/households", json=body), pointer, code)
        assert count(database, Household) == count(database, HouseholdPerson) == 0

    def test_nobody_is_in_two(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        made(officer.post("/v1/households", json=body_of(database, unit_id)))
        again = body_of(database, unit_id, opened_on="2023-01-01")
        refused(officer.post("/v1/households", json=again), 409, "person_in_household")
        assert count(database, Household) == count(database, HouseholdEvent) == 1

    def test_who_may_not(self, api: Api, database: Database, unit_id: Ids) -> None:
        body = body_of(database, unit_id)
        forbidden(api.as_("auditor").post("/v1/households", json=body), "members:write")
        for name in ("tienluong", "phuongvi-2"):
            pointed(api.as_(name).post("/v1/households", json=body), "/branch_id", "unit_unknown")
        assert count(database, Household) == 0
