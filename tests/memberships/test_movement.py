"""Membership life: leaving, dying, coming back, corrections, and the counts of any day."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from app.db import Database
from app.models.kernel.changes import ChangeSource
from app.models.members.members import Member, MemberIdentifier, MemberKind
from app.models.members.spells import DepartureReason, Membership
from app.services.kernel import changes
from app.services.members import batches
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api, as_written, counted, writing
from tests.helpers.reading import Reading
from tests.memberships.memberships import Her, ago, open_branch


class TestUnits:
    def test_one_closes_after_what_is_recorded_of_its_members(
        self, her: Her, unit_id: UnitIds
    ) -> None:
        branch = open_branch(her.officer, unit_id["phuongvi"], ago(300))
        her.does("transfers", {"to_branch_id": branch, "effective_on": ago(200)})
        her.does("transfers", {"to_branch_id": unit_id["phuongvi-2"], "effective_on": ago(100)})
        path = f"/v1/units/{branch}/close"
        early = her.officer.post(path, json={"effective_on": ago(101)})
        assert as_written(ago(101)) in refused(early, 409, "unit_date_conflict")["detail"]
        assert her.officer.post(path, json={"effective_on": ago(100)}).is_success

    def test_a_branch_taken_to_another_province_takes_all_along(
        self, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        branch, province = unit_id["phuongvi-1"], unit_id["camkhe"]  # any other unit will do
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            batches.carry(session, [branch], {"province_id": province})
        with writing(database) as session:
            spells = session.exec(select(Membership.branch_id, Membership.province_id)).all()
            digests = session.exec(
                select(MemberIdentifier.member_id, MemberIdentifier.province_id)
            ).all()
            there = set(session.exec(select(Member.id).where(col(Member.branch_id) == branch)))
        assert {found == province for place, found in spells if place == branch} == {True}
        assert {found == province for place, found in spells if place != branch} == {False}
        carried = {member_id for member_id, found in digests if found == province}
        assert carried == {member_id for member_id, _ in digests} & there
        assert UUID(her.id) in carried


class TestMovement:
    def test_adds_up_and_tells_what_happened(
        self, her: Her, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        new = unit_id["phuongvi-2"]
        her.does("transfers", {"to_branch_id": new, "effective_on": ago(200)})
        her.does("departures", {"reason": "inactive", "effective_on": ago(100)})
        her.does("readmissions", {"branch_id": new, "effective_on": ago(50)})
        her.does("death", {"died_on": ago(10)})
        officer = api.as_("camkhe")

        def told(unit: str, first: int, last: int) -> Json:
            query = f"from={ago(first)}&to={ago(last)}"
            answer = officer.get(f"/v1/units/{unit_id[unit]}/movement?{query}")
            assert answer.status_code == 200, answer.text
            found: Json = answer.json()
            return found

        commune = told("phuongvi", 250, 0)
        assert commune["unit"] == {
            "id": unit_id["phuongvi"],
            "level": "commune",
            "name": "Xã Phượng Vĩ",
        }
        assert (commune["from"], commune["to"]) == (ago(250), ago(0))
        flows = ("admitted", "readmitted", "transferred_in", "transferred_out", "left", "died")
        assert {name: commune[name] for name in flows} == {
            "admitted": 1,
            "readmitted": 1,
            "transferred_in": 0,
            "transferred_out": 0,
            "left": 1,
            "died": 1,
        }
        assert commune["transferred_within"] == 1
        assert commune["by_reason"] == {r.value: int(r == "inactive") for r in DepartureReason}
        assert commune["closing"] == commune["opening"] - 1
        # Both days belong to the period, and an act to its own day.
        branch = told("phuongvi-2", 200, 100)
        assert (branch["transferred_in"], branch["left"]) == (1, 1)
        assert branch["closing"] == branch["opening"]
        assert told("phuongvi-2", 199, 101) == branch | {
            "from": ago(199),
            "to": ago(101),
            "transferred_in": 0,
            "left": 0,
            "by_reason": dict.fromkeys(branch["by_reason"], 0),
            "opening": branch["opening"] + 1,
            "closing": branch["opening"] + 1,
        }
        assert told("phuongvi-1", 200, 200)["transferred_out"] == 1
        assert told("camkhe", 250, 0)["transferred_within"] == 1
        everywhere = api.as_("phutho").get(
            f"/v1/units/{unit_id['phutho']}/movement?from={ago(250)}"
        )
        assert everywhere.json()["died"] == 1

    def test_honorary_members_are_told_apart(
        self, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        path = f"/v1/units/{unit_id['phuongvi-1']}/movement?from={ago(400)}"
        before = her.officer.get(path).json()
        assert before["admitted"] == 1
        her.officer.patch(her.path, json={"kind": MemberKind.honorary})
        after = her.officer.get(path).json()
        honorary = before["of_which_honorary"]
        assert after == before | {
            "of_which_honorary": honorary | {"closing": honorary["closing"] + 1}
        }

    def test_a_branch_moved_or_closed_is_no_movement(
        self, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        officer = api.as_("phutho")
        period = f"movement?from={ago(30)}"
        paths = [f"/v1/units/{unit_id[name]}/{period}" for name in ("phuongvi", "tienluong")]
        losing, gaining = (officer.get(path).json() for path in paths)
        branch = unit_id["phuongvi-4"]
        size = officer.get(f"/v1/units/{branch}").json()["member_count"]
        body = {"parent_id": unit_id["tienluong"], "effective_on": ago(10)}
        assert officer.post(f"/v1/units/{branch}/moves", json=body).is_success
        after = [officer.get(path).json() for path in paths]
        assert [(m["opening"], m["closing"]) for m in after] == [
            (losing["opening"] - size, losing["closing"] - size),
            (gaining["opening"] + size, gaining["closing"] + size),
        ]
        assert [m["transferred_in"] + m["transferred_out"] for m in after] == [0, 0]
        # A period that ends before: where the branch stood then.
        query = f"movement?from={ago(30)}&to={ago(11)}"
        then = officer.get(f"/v1/units/{unit_id['phuongvi']}/{query}").json()
        assert (then["opening"], then["closing"]) == (losing["opening"], losing["closing"])
        merged = f"/v1/units/{unit_id['phuongvi-4']}"
        for member in officer.get(f"/v1/members?branch={branch}&limit=200").json()["items"]:
            to = {"to_branch_id": unit_id["tienluong-1"], "effective_on": ago(5)}
            made = officer.post(f"/v1/members/{member['id']}/transfers", json=to)
            assert made.status_code == 201
        assert officer.post(f"{merged}/close", json={"effective_on": ago(5)}).is_success
        last = officer.get(paths[1]).json()
        assert (last["opening"], last["closing"]) == (after[1]["opening"], after[1]["closing"])
        assert (last["transferred_within"], last["transferred_in"]) == (size, 0)

    def test_of_any_day_a_unit_counts_its_members(
        self, her: Her, unit_id: UnitIds, database: Database
    ) -> None:
        her.does("transfers", {"to_branch_id": unit_id["tienluong-1"], "effective_on": ago(0)})
        costs: set[int] = set()
        listed: list[Json] = []
        for day in (ago(401), ago(400), ago(0)):
            with counted(database) as statements:
                listed = her.officer.get(f"/v1/units?as_of={day}").json()["items"]
            costs.add(len(statements))
            for unit in listed:
                one = her.officer.get(f"/v1/units/{unit['id']}?as_of={day}").json()
                assert one["member_count"] == unit["member_count"]
                path = f"/v1/units/{unit['id']}/movement?from={day}&to={day}"
                assert her.officer.get(path).json()["closing"] == unit["member_count"]
        today = her.officer.get("/v1/units").json()["items"]
        assert {u["id"]: u["member_count"] for u in today} == {
            u["id"]: u["member_count"] for u in listed
        }
        assert costs == {4}  # who asks, her grants, the page, the counts


class TestEnteredWithoutTheDayOfJoining:
    """What is entered late moves no figure of a period that is over."""

    @pytest.fixture
    def movement(self, api: Api, unit_id: UnitIds) -> Callable[..., Json]:
        officer = api.as_("camkhe")

        def told(first: int = 0, last: int = 0, unit: str = "phuongvi-1") -> Json:
            path = f"/v1/units/{unit_id[unit]}/movement?from={ago(first)}&to={ago(last)}"
            answer = officer.get(path)
            assert answer.status_code == 200, answer.text
            found: Json = answer.json()
            names = ("opening", "entered_undated", "admitted", "transferred_out", "left", "closing")
            return {name: found[name] for name in names}

        return told

    @pytest.fixture
    def enter(self, api: Api, unit_id: UnitIds) -> Callable[..., str]:
        def entered(**fields: Any) -> str:
            body = {"full_name": "Hà Thị Mơ", "birth_date": "1980", "joined_on": None, **fields}
            answer = api.as_("camkhe").post(
                "/v1/members", json=body | {"branch_id": unit_id["phuongvi-1"]}
            )
            assert answer.status_code == 201, answer.text
            return str(answer.json()["id"])

        return entered

    def test_is_told_in_the_period_in_which_it_was_entered(
        self, api: Api, unit_id: UnitIds, movement: Callable[..., Json], enter: Callable[..., str]
    ) -> None:
        past = movement(60, 1)
        entered = enter()
        enter(full_name="Hà Thị Mận", joined_on=ago(0))
        assert movement(60, 1) == past
        count = past["closing"]
        assert movement() == {
            "opening": count,
            "entered_undated": 1,
            "admitted": 1,
            "transferred_out": 0,
            "left": 0,
            "closing": count + 2,
        }
        officer = api.as_("camkhe")
        for day, people in ((1, count), (0, count + 2)):
            unit = unit_id["phuongvi-1"]
            by_unit = officer.get(f"/v1/units/{unit}?as_of={ago(day)}").json()["member_count"]
            counted = officer.get(f"/v1/members/count?unit={unit}&as_of={ago(day)}").json()
            assert [by_unit, counted["people"]] == [people, people]
        [spell] = officer.get(f"/v1/members/{entered}/memberships").json()["items"]
        assert (spell["counted_from"], spell["joined_by"]) == (ago(0), "admission")

    @pytest.mark.parametrize(("day", "flows"), [(0, (1, 1)), (1, (0, 0)), (20, (0, 0))])
    def test_what_happened_before_is_no_movement(
        self,
        api: Api,
        movement: Callable[..., Json],
        enter: Callable[..., str],
        day: int,
        flows: tuple[int, int],
    ) -> None:
        past = movement(60, 1)
        path = f"/v1/members/{enter()}/departures"
        body = {"reason": "other", "effective_on": ago(day)}
        assert api.as_("camkhe").post(path, json=body).is_success
        assert movement(60, 1) == past
        now = movement()
        assert (now["entered_undated"], now["left"]) == flows
        assert now["opening"] == now["closing"] == past["closing"]

    def test_a_transfer_of_before_has_her_entered_where_she_went(
        self, api: Api, unit_id: UnitIds, movement: Callable[..., Json], enter: Callable[..., str]
    ) -> None:
        past = [movement(60, 1, unit) for unit in ("phuongvi-1", "phuongvi-2", "phuongvi")]
        body = {"to_branch_id": unit_id["phuongvi-2"], "effective_on": ago(20)}
        assert api.as_("camkhe").post(f"/v1/members/{enter()}/transfers", json=body).is_success
        assert [movement(60, 1, unit) for unit in ("phuongvi-1", "phuongvi-2", "phuongvi")] == past
        units = ("phuongvi-1", "phuongvi-2", "phuongvi")
        assert [movement(0, 0, unit)["entered_undated"] for unit in units] == [0, 1, 1]

    def test_a_day_that_becomes_known_counts_and_one_that_is_forgotten_moves_nothing(
        self, api: Api, movement: Callable[..., Json], enter: Callable[..., str]
    ) -> None:
        officer, past = api.as_("camkhe"), movement(60, 1)
        path = f"/v1/members/{enter()}"
        assert officer.patch(path, json={"joined_on": ago(30)}).is_success
        assert movement(60, 1) == past | {"admitted": 1, "closing": past["closing"] + 1}
        assert officer.patch(path, json={"joined_on": None}).is_success
        assert movement(60, 1) == past | {"entered_undated": 1, "closing": past["closing"] + 1}
        [spell] = officer.get(f"{path}/memberships").json()["items"]
        days = {"valid_from": ago(10)}
        assert officer.patch(f"/v1/memberships/{spell['id']}", json=days).is_success
        assert movement(60, 11) == past
        assert movement(10, 1)["admitted"] == 1

    def test_two_records_made_one_count_from_the_day_of_the_first(
        self, api: Api, movement: Callable[..., Json], enter: Callable[..., str]
    ) -> None:
        past = movement(60, 1)
        dated, undated = enter(joined_on=ago(30)), enter()
        body = {"other_id": dated, "fields": {"joined_on": "kept"}, "reason": "Ghi hai lần"}
        answer = api.as_("phutho").post(f"/v1/members/{undated}/merges", json=body)
        assert answer.is_success, answer.text
        counted = {"closing": past["closing"] + 1, "entered_undated": 1}
        assert movement(60, 1) == past | counted
        assert movement(0, 0)["entered_undated"] == 0


class TestOfEachPart:
    """A monthly figure of a commune or district is one call, as JSON and as a file."""

    def test_as_a_file(self, api: Api, unit_id: UnitIds) -> None:
        district = api.as_("camkhe")
        path = f"/v1/units/{unit_id['camkhe']}/movement?from={ago(30)}&to={ago(0)}"
        parts = district.get(f"{path}&by=commune").json()["items"]
        assert [part["unit"]["name"] for part in parts] == ["Xã Phượng Vĩ", "Xã Tiên Lương"]
        lines = district.get(f"{path}&by=commune&format=ndjson").text.splitlines()
        rows = [json.loads(line) for line in lines]
        assert [(row["unit_name"], row["closing"]) for row in rows] == [
            (part["unit"]["name"], part["closing"]) for part in parts
        ]
        assert {(row["first_day"], row["last_day"]) for row in rows} == {(ago(30), ago(0))}
        [whole] = district.get(f"{path}&format=ndjson").text.splitlines()
        assert json.loads(whole)["closing"] == sum(part["closing"] for part in parts)
        assert district.get(f"{path}&by=branch&format=xlsx").content.startswith(b"PK")
        table = district.get(f"{path}&by=branch&format=csv").content.decode("utf-8-sig")
        assert len(table.splitlines()) == 1 + len(district.get(f"{path}&by=branch").json()["items"])

    def test_counts_are_files_too(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        counted_by = officer.get("/v1/members/count?by=branch").json()
        lines = officer.get("/v1/members/count?by=branch&format=ndjson").text.splitlines()
        assert [(row["label"], row["people"]) for row in map(json.loads, lines)] == [
            (item["label"], item["people"]) for item in counted_by["items"]
        ]
        [whole] = officer.get("/v1/members/count?format=ndjson").text.splitlines()
        assert json.loads(whole)["people"] == counted_by["people"]
        assert officer.get("/v1/members/count?by=gender&format=csv").status_code == 200

    def test_a_branch_that_moved_is_where_it_stands_on_the_last_day(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        moved, district = unit_id["phuongvi-2"], api.as_("phutho")
        to = {"parent_id": unit_id["tienluong"], "effective_on": ago(10)}
        assert district.post(f"/v1/units/{moved}/moves", json=to).is_success
        path = f"/v1/units/{unit_id['camkhe']}/movement?by=commune&from={ago(60)}"
        for last, home in ((11, "phuongvi"), (0, "tienluong")):
            parts = district.get(f"{path}&to={ago(last)}").json()["items"]
            for part in parts:
                alone = district.get(
                    f"/v1/units/{part['unit']['id']}/movement?from={ago(60)}&to={ago(last)}"
                ).json()
                assert part == {name: alone[name] for name in part}
            assert unit_id[home] in {part["unit"]["id"] for part in parts}

    def test_who_came_to_no_commune_and_went_again_is_in_a_part(
        self, her: Her, api: Api, unit_id: UnitIds
    ) -> None:
        district = api.as_("phutho")
        branch = open_branch(district, unit_id["camkhe"], ago(300))
        for there, day in ((branch, 20), (unit_id["phuongvi-2"], 10)):
            body = {"to_branch_id": there, "effective_on": ago(day)}
            assert district.post(f"{her.path}/transfers", json=body).is_success
        path = f"/v1/units/{unit_id['camkhe']}/movement?by=commune&from={ago(30)}"
        *_, rest = district.get(path).json()["items"]
        assert rest["unit"] is None
        came_and_went = ("opening", "transferred_in", "transferred_out", "closing")
        assert [rest[name] for name in came_and_went] == [0, 1, 1, 0]


class TestMovementRefusals(Reading):
    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("", "/from", "required"),
            ("from={yesterday}&to={before}", "/to", "dates_reversed"),
            ("from={tomorrow}", "/to", "dates_reversed"),
            ("from={yesterday}&to={tomorrow}", "/to", "date_in_future"),
            ("from=1899-12-31", "/from", "date_too_early"),
            ("from=2025", "/from", "date_invalid"),
            ("from={yesterday}&unit=1", "/unit", "unknown_field"),
        ],
    )
    def test_of_a_period(
        self, officer: Api, unit_id: UnitIds, query: str, pointer: str, code: str
    ) -> None:
        asked = query.format(before=ago(2), yesterday=ago(1), tomorrow=ago(-1))
        answer = officer.get(f"/v1/units/{unit_id['phuongvi']}/movement?{asked}")
        pointed(answer, pointer, code)

    def test_out_of_sight_is_not_found(self, api: Api, unit_id: UnitIds) -> None:
        for unit in (unit_id["tienluong"], unit_id["phutho"], 999_999):
            answer = api.as_("phuongvi").get(f"/v1/units/{unit}/movement?from={ago(9)}")
            refused(answer, 404, "not_found")
        answer = api.as_("admin").get(f"/v1/units/{unit_id['phuongvi']}/movement?from={ago(9)}")
        assert refused(answer, 403, "forbidden")["required_right"] == "members:read"
        answer = api.as_("member").get(f"/v1/units/{unit_id['phuongvi']}/movement?from={ago(9)}")
        assert refused(answer, 403, "forbidden")["required_right"] == "units:read"

    def test_costs_the_same_for_a_branch_and_a_province(
        self, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        officer, costs = api.as_("phutho"), []
        for unit in ("phuongvi-1", "phutho"):
            with counted(database) as statements:
                officer.get(f"/v1/units/{unit_id[unit]}/movement?from=2020-01-01")
            costs.append(len(statements))
        # Who asks, her grants, the unit; at one moment (BEGIN, COMMIT) two stocks and two flows.
        assert costs == [10, 10]


class TestMovementOfAGroup:
    def test_is_refused(self, officer: Api, unit_id: UnitIds) -> None:
        body = {"level": "group", "name": "Tổ 1", "parent_id": unit_id["phuongvi-1"]}
        group = officer.post(
            "/v1/units", json=body | {"opened_on": ago(9), "group_kind": "team"}
        ).json()["id"]
        answer = officer.get(f"/v1/units/{group}/movement?from={ago(9)}")
        pointed(answer, "/unit_id", "unit_level_wrong")
