"""Households: dated people and places, one head at any date."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, func, select

from app.db import Database
from app.models.households.households import (
    Household,
    HouseholdEvent,
    HouseholdPerson,
    HouseholdPlace,
)
from app.models.kernel.changes import Change
from app.models.members.members import Member
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import Ids, done, forbidden, free_members, made
from tests.helpers.client import Api, counted, writing

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
    def test_in_ones_only_branch_without_naming_it(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        body = body_of(database, unit_id)
        del body["branch_id"]
        item = made(api.as_("phuongvi-1").post("/v1/households", json=body))
        assert item["branch_id"] == unit_id["phuongvi-1"]
        with writing(database) as session:
            place = session.exec(select(HouseholdPlace)).one()
            assert place.branch_id == unit_id["phuongvi-1"]

    def test_warns_of_one_of_the_same_code_or_head(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer, branch = api.as_("phuongvi"), unit_id["phuongvi-1"]
        head = {"full_name": "Hà Thị Bình", "birth_date": "1971", "relation": "head"}
        body = {"branch_id": branch, "code": "0001", "people": [head]}
        first = made(officer.post("/v1/households", json=body))
        assert first["warnings"] == []
        same = made(officer.post("/v1/households", json=body))
        assert [each["code"] for each in same["warnings"]] == [
            *("household_code_known", "household_head_known")
        ]
        assert [each["pointer"] for each in same["warnings"]] == ["/code", "/people/0/full_name"]
        other = head | {"birth_date": "1950"}
        namesake = made(
            officer.post("/v1/households", json=body | {"code": "2", "people": [other]})
        )
        assert namesake["warnings"] == []
        path = f"/v1/households/{namesake['id']}"
        renamed = done(officer.patch(path, json={"code": "0001"}))
        assert {each["code"] for each in renamed["warnings"]} == {"household_code_known"}
        assert done(officer.patch(path, json={"merit": True}))["warnings"] == []
        # In another commune the code is another household's.
        elsewhere = body | {"branch_id": unit_id["tienluong-1"]}
        assert made(api.as_("tienluong").post("/v1/households", json=elsewhere))["warnings"] == []

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
        assert item.pop("warnings") == []
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
        alone = body_of(database, unit_id, people=[HUSBAND | {"relation": "head"}])
        path = f"/v1/households/{made(officer.post('/v1/households', json=alone))['id']}/people"
        [hers] = [each for each in again["people"] if "member_id" in each][:1]
        she = {"member_id": hers["member_id"], "relation": "other"}
        people = count(database, HouseholdPerson)
        refused(officer.post(path, json=she), 409, "person_in_household")
        assert count(database, HouseholdPerson) == people

    def test_who_may_not(self, api: Api, database: Database, unit_id: Ids) -> None:
        body = body_of(database, unit_id)
        forbidden(api.as_("auditor").post("/v1/households", json=body), "members:write")
        named = [("/branch_id", "unit_unknown"), ("/people/0/member_id", "member_unknown")]
        for name in ("tienluong", "phuongvi-2"):
            answer = refused(
                api.as_(name).post("/v1/households", json=body), 422, "validation_failed"
            )
            assert [(each["pointer"], each["code"]) for each in answer["errors"]] == named
        assert count(database, Household) == 0


def formed(api: Api, database: Database, unit_id: Ids, **values: Any) -> Json:
    return made(
        api.as_("phuongvi").post("/v1/households", json=body_of(database, unit_id, **values))
    )


class TestActs:
    def test_head_changes(self, api: Api, database: Database, unit_id: Ids) -> None:
        item = formed(api, database, unit_id)
        woman, man = (person["person_id"] for person in item["people"])
        path = f"/v1/households/{item['id']}"
        body = {
            "head_id": man,
            "relations": [{"person_id": woman, "relation": "spouse"}],
            "effective_on": "2025-01-01",
        }
        after = done(api.as_("phuongvi").post(f"{path}/head", json=body))
        assert (after["head_name"], after["female_headed"]) == ("Nguyễn Văn Nam", False)
        assert after["person_count"] == 2
        assert stays(database, item["id"]) == [
            ("head", "2024-01-01", "2024-12-31"),
            ("head", "2025-01-01", "None"),
            ("spouse", "2024-01-01", "2024-12-31"),
            ("spouse", "2025-01-01", "None"),
        ]
        then = done(api.as_("phuongvi").get(f"{path}?as_of=2024-12-31"))
        assert [(p["person_id"], p["relation"]) for p in then["people"]] == [
            (woman, "head"),
            (man, "spouse"),
        ]
        events = done(api.as_("phuongvi").get(f"{path}/events"))["items"]
        assert [event["kind"] for event in events] == ["formed", "head_changed"]
        assert events[1]["before"]["head_id"] == woman
        assert events[1]["after"]["head_id"] == man
        early = body | {"head_id": woman, "relations": [], "effective_on": "2024-06-01"}
        answer = api.as_("phuongvi").post(f"{path}/head", json=early)
        pointed(answer, "/effective_on", "before_stay")

    def test_people_come_and_go(self, api: Api, database: Database, unit_id: Ids) -> None:
        item = formed(api, database, unit_id)
        path, officer = f"/v1/households/{item['id']}", api.as_("phuongvi")
        child = {"full_name": "Nguyễn Thị Mai", "birth_date": "2024-03", "relation": "child"}
        after = done(officer.post(f"{path}/people", json=child | {"effective_on": "2024-03-05"}))
        assert (after["person_count"], len(after["people"])) == (3, 3)
        second = child | {"relation": "head"}
        pointed(officer.post(f"{path}/people", json=second), "/relation", "one_head_needed")
        woman, man, girl = (person["person_id"] for person in after["people"])
        leave = {"reason": "death", "effective_on": "2025-02-01"}
        refused(officer.post(f"{path}/people/{woman}/leave", json=leave), 409, "head_must_stay")
        left = done(officer.post(f"{path}/people/{man}/leave", json=leave))
        assert [person["person_id"] for person in left["people"]] == [woman, girl]
        pointed(
            officer.post(f"{path}/people/{man}/leave", json=leave), "/person_id", "not_in_household"
        )

    def test_split_and_join(self, api: Api, database: Database, unit_id: Ids) -> None:
        item = formed(api, database, unit_id)
        woman, man = (person["person_id"] for person in item["people"])
        path, officer = f"/v1/households/{item['id']}", api.as_("phuongvi")
        body = {
            "id": str(uuid4()),
            "head_id": man,
            "people": [{"person_id": man, "relation": "head"}],
            "effective_on": "2025-03-01",
        }
        new = made(officer.post(f"{path}/split", json=body))
        assert (new["head_id"], new["person_count"], new["opened_on"]) == (man, 1, "2025-03-01")
        assert officer.post(f"{path}/split", json=body).status_code == 200
        assert done(officer.get(path))["person_count"] == 1
        wrong = body | {"id": str(uuid4()), "head_id": woman}
        pointed(
            officer.post(f"{path}/split", json=wrong), "/people/0/person_id", "not_in_household"
        )
        join = {"into_id": item["id"], "effective_on": "2025-06-01"}
        into = done(officer.post(f"/v1/households/{new['id']}/join", json=join))
        assert (into["id"], into["person_count"]) == (item["id"], 2)
        closed = done(officer.get(f"/v1/households/{new['id']}"))
        assert closed["closed_on"] == "2025-05-31"
        again = officer.post(f"/v1/households/{new['id']}/join", json=join)
        refused(again, 409, "household_closed")
        kinds = [e["kind"] for e in done(officer.get(f"{path}/events"))["items"]]
        assert kinds == ["formed", "split", "joined"]

    def test_move_and_close(self, api: Api, database: Database, unit_id: Ids) -> None:
        item = formed(api, database, unit_id)
        path = f"/v1/households/{item['id']}"
        body = {"branch_id": unit_id["tienluong-1"], "effective_on": "2025-01-01"}
        pointed(api.as_("phuongvi").post(f"{path}/move", json=body), "/branch_id", "unit_unknown")
        moved = done(api.as_("camkhe").post(f"{path}/move", json=body))
        assert moved["commune_id"] == unit_id["tienluong"]
        refused(api.as_("phuongvi").get(path), 404, "not_found")
        then = done(api.as_("camkhe").get(f"{path}?as_of=2024-12-31"))
        assert (then["branch_id"], then["address"]) == (unit_id["phuongvi-1"], "Khu 1")
        close = {"effective_on": "2025-09-01", "note": "Chuyển đi nơi khác"}
        ended = done(api.as_("camkhe").post(f"{path}/close", json=close))
        assert (ended["closed_on"], ended["person_count"]) == ("2025-08-31", 0)
        assert done(api.as_("camkhe").get("/v1/households"))["items"] == []
        with writing(database) as session:
            member = session.get_one(Member, UUID(item["head_id"]))
            assert member.household_id is None


def changed(api: Api, household: Json) -> tuple[Json, int]:
    """What the last change of a household has changed, as it was, and the revision it made."""
    changes = f"/v1/changes?kinds=household&entity_id={household['id']}"
    last = done(api.as_("phutho").get(changes))["items"][-1]
    return last["before"], last["revision"]


class TestFollowsOthers:
    def test_its_head_is_renamed(self, api: Api, database: Database, unit_id: Ids) -> None:
        item = formed(api, database, unit_id)
        officer = api.as_("phuongvi")
        head, path = f"/v1/members/{item['head_id']}", f"/v1/households/{item['id']}"
        done(officer.patch(head, json={"full_name": "Đỗ Thị Zơi"}))
        [line] = done(officer.get("/v1/households?q=zoi"))["items"]
        assert (line["id"], line["head_name"]) == (item["id"], "Đỗ Thị Zơi")
        renamed = done(officer.get(path))
        assert renamed["revision"] == item["revision"] + 1
        assert changed(api, item) == ({"head_name": item["head_name"]}, renamed["revision"])
        done(officer.patch(head, json={"education": "primary"}))
        assert done(officer.get(path)) == renamed
        done(officer.patch(head, json={"gender": "male"}))
        assert done(officer.get(path))["female_headed"] is False
        assert changed(api, item) == ({"female_headed": True}, renamed["revision"] + 1)

    def test_its_branch_goes_to_another_commune(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        item = formed(api, database, unit_id)
        move = {"parent_id": unit_id["tienluong"], "effective_on": "2026-01-01"}
        path = f"/v1/units/{unit_id['phuongvi-1']}/moves"
        answer = api.as_("camkhe").post(path, json=move)
        assert answer.status_code == 200, answer.text
        assert len(done(api.as_("tienluong").get("/v1/households"))["items"]) == 1
        assert done(api.as_("phuongvi").get("/v1/households"))["items"] == []
        then = done(api.as_("camkhe").get(f"/v1/households/{item['id']}?as_of=2025-06-01"))
        assert then["commune_id"] == unit_id["phuongvi"]


class TestListHouseholds:
    def test_finds_and_filters(self, api: Api, database: Database, unit_id: Ids) -> None:
        item = formed(api, database, unit_id)
        officer = api.as_("phuongvi")
        name = item["head_name"].split()[-1]
        for query, count_ in (
            ("", 1),
            (f"?q={name}", 1),
            ("?q=0001", 1),
            ("?q=zzz", 0),
            ("?female_headed=true", 1),
            ("?female_headed=false", 0),
            ("?poverty_status=poor", 0),
            ("?area_type=rural", 1),
            ("?area_type=urban", 0),
            (f"?unit={unit_id['phuongvi-2']}", 0),
            ("?closed=true", 0),
        ):
            assert len(done(officer.get(f"/v1/households{query}"))["items"]) == count_, query
        assert done(api.as_("tienluong").get("/v1/households"))["items"] == []
        line = officer.get("/v1/households?format=csv").text.splitlines()
        assert len(line) == 2
        pointed(officer.get("/v1/households?poverty_status=rich"), "/poverty_status", "not_in_list")

    def test_hides_poverty_from_who_may_not_see_it(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        formed(api, database, unit_id, merit=True)
        [item] = done(api.as_("auditor").get("/v1/households"))["items"]
        assert item["merit"] is None
        assert "poverty_status" in item["masked"]
        forbidden(api.as_("auditor").get("/v1/households?poverty_status=poor"), "poverty:read")
        forbidden(api.as_("auditor").get("/v1/households?merit=true"), "poverty:read")

    def test_pages_cost_the_same(self, api: Api, database: Database, unit_id: Ids) -> None:
        people = [HUSBAND | {"relation": "head"}]
        officer = api.as_("phuongvi")
        costs = []
        for _ in range(2):
            for _ in range(3):
                formed(api, database, unit_id, people=people)
            with counted(database) as statements:
                assert done(officer.get("/v1/households?limit=100"))["items"]
            costs.append(len(statements))
        assert costs[0] == costs[1]
        first = done(officer.get("/v1/households?limit=4"))
        rest = done(officer.get(f"/v1/households?limit=4&cursor={first['next_cursor']}"))
        assert len({item["id"] for item in first["items"] + rest["items"]}) == 6

    def test_correcting_needs_what_one_sees(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        item = formed(api, database, unit_id)
        path = f"/v1/households/{item['id']}"
        body = {"ethnic_minority": True}
        forbidden(api.as_("phuongvi-1").patch(path, json=body), "members:ethnicity")
        saved = done(api.as_("phuongvi").patch(path, json=body | {"union_label": "well_off"}))
        assert (saved["ethnic_minority"], saved["union_label"]) == (True, "well_off")
        assert saved["union_label_on"] is not None
        stale = api.as_("phuongvi").patch(path, json=body, headers={"if-match": '"1"'})
        refused(stale, 412, "stale_revision")
