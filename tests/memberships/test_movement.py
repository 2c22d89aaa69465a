"""Membership life: leaving, dying, coming back, corrections, and the counts of any day."""

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
        early = her.officer.post(path, json={"closed_on": ago(102)})
        assert as_written(ago(101)) in refused(early, 409, "unit_date_conflict")["detail"]
        assert her.officer.post(path, json={"closed_on": ago(101)}).is_success

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
        assert officer.post(f"{merged}/close", json={"closed_on": ago(6)}).is_success
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


class TestMovementRefusals(Reading):
    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("", "/from", "required"),
            (f"from={ago(1)}&to={ago(2)}", "/to", "dates_reversed"),
            (f"from={ago(-1)}", "/to", "dates_reversed"),
            (f"from={ago(1)}&to={ago(-1)}", "/to", "date_in_future"),
            ("from=1899-12-31", "/from", "date_too_early"),
            ("from=2025", "/from", "date_invalid"),
            (f"from={ago(1)}&unit=1", "/unit", "unknown_field"),
        ],
    )
    def test_of_a_period(
        self, officer: Api, unit_id: UnitIds, query: str, pointer: str, code: str
    ) -> None:
        answer = officer.get(f"/v1/units/{unit_id['phuongvi']}/movement?{query}")
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
        assert costs == [9, 9]


class TestMovementOfAGroup:
    def test_is_refused(self, officer: Api, unit_id: UnitIds) -> None:
        body = {"level": "group", "name": "Tổ 1", "parent_id": unit_id["phuongvi-1"]}
        group = officer.post(
            "/v1/units", json=body | {"opened_on": ago(9), "group_kind": "team"}
        ).json()["id"]
        answer = officer.get(f"/v1/units/{group}/movement?from={ago(9)}")
        pointed(answer, "/unit_id", "unit_level_wrong")
