"""Support: proposed, approved by another, warned of; visits; loans; who was given nothing."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.households.households import HouseholdPerson
from app.models.kernel.changes import Change
from app.models.support.support import Support, SupportState
from app.models.support.visits import HouseholdVisit
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import Ids, done, forbidden, made
from tests.helpers.client import Api, counted, writing
from tests.helpers.homes import assess, decide, home

GIFT = {
    "kind": "gift",
    "deprivation": "water",
    "given_on": "2026-11-02",
    "quantity": 2,
    "quantity_unit": "piece",
    "value_vnd": 3_000_000,
    "provider": "Hội LHPN xã",
}


@pytest.fixture
def poor(database: Database, unit_id: Ids) -> UUID:
    """A poor household of phuongvi-1 that lacks water, with a child of ten."""
    born = str(local_today().year - 10)
    household_id = home(database, unit_id["phuongvi-1"], child_born=born)
    decide(database, household_id, "poor", "2024-01-01")
    assess(database, household_id, ["water", "nutrition", "housing_area"], "2024-01-01")
    return household_id


def path(household_id: UUID, what: str = "support") -> str:
    return f"/v1/households/{household_id}/{what}"


def proposed(api: Api, household_id: UUID, **more: Any) -> Json:
    return made(api.as_("phuongvi-1").post(path(household_id), json=GIFT | more))


def given(api: Api, household_id: UUID, **more: Any) -> Json:
    item = proposed(api, household_id, **more)
    return done(api.as_("phuongvi").post(f"/v1/support/{item['id']}/approve"))


class TestPropose:
    def test_is_stored_and_waits(self, api: Api, poor: UUID, database: Database) -> None:
        item = proposed(api, poor)
        assert {name: item[name] for name in GIFT} == GIFT
        assert (item["state"], item["warnings"], item["masked"]) == ("proposed", [], [])
        with writing(database) as session:
            stored = session.exec(select(Support)).one()
            logged = session.exec(select(Change).where(col(Change.entity) == "support")).one()
        assert (stored.household_id, stored.state) == (poor, SupportState.proposed)
        assert logged.after is not None
        assert logged.after["value_vnd"] == 3_000_000

    def test_sent_twice_is_one(self, api: Api, poor: UUID, database: Database) -> None:
        body = GIFT | {"id": str(uuid4())}
        head = api.as_("phuongvi-1")
        first = made(head.post(path(poor), json=body))
        assert done(head.post(path(poor), json=body))["id"] == first["id"]
        refused(head.post(path(poor), json=body | {"quantity": 3}), 409, "id_taken")
        with writing(database) as session:
            assert session.exec(select(sa.func.count()).select_from(Support)).one() == 1

    @pytest.mark.parametrize(
        ("more", "pointer", "code"),
        [
            ({"quantity_unit": None}, "/quantity_unit", "both_needed"),
            ({"kind": "loan"}, "/as_of", "required"),
            ({"programme": "nothing"}, "/programme", "programme_unknown"),
            ({"programme": "warm_roof"}, "/kind", "not_in_list"),
            ({"given_on": "2019-12-31"}, "/given_on", "before_household"),
            ({"ends_on": "2020-01-01"}, "/ends_on", "dates_reversed"),
            ({"kind": "sponsorship"}, "/child_id", "required"),
            ({"child_id": str(uuid4())}, "/child_id", "not_together"),
            ({"quantity": 0}, "/quantity", "too_small"),
            ({"value_vnd": -1}, "/value_vnd", "too_small"),
        ],
    )
    def test_bad_input(self, api: Api, poor: UUID, more: Json, pointer: str, code: str) -> None:
        pointed(api.as_("phuongvi-1").post(path(poor), json=GIFT | more), pointer, code)

    def test_who_may(self, api: Api, poor: UUID) -> None:
        refused(api.as_("tienluong-1").post(path(poor), json=GIFT), 404, "not_found")
        forbidden(api.as_("auditor").post(path(poor), json=GIFT), "support:write")
        forbidden(api.as_("auditor").get(path(poor)), "support:read")
        refused(api.as_("phuongvi-2").get(path(poor)), 404, "not_found")


class TestWarnings:
    def test_of_help_given_twice(self, api: Api, poor: UUID) -> None:
        first = given(api, poor)
        again = proposed(api, poor, provider="Another fund")
        [warning] = again["warnings"]
        assert (warning["code"], warning["support_id"]) == ("double_support", first["id"])
        other = proposed(api, poor, deprivation="nutrition")
        assert other["warnings"] == []

    def test_of_who_it_is_not_for(self, api: Api, database: Database, unit_id: Ids) -> None:
        rich = home(database, unit_id["phuongvi-1"])
        assess(database, rich, ["nutrition"], "2024-01-01", "not_poor")
        body = {"kind": "housing", "programme": "warm_roof", "deprivation": "water"}
        codes = [w["code"] for w in proposed(api, rich, **body)["warnings"]]
        assert codes == ["not_eligible", "deprivation_not_found"]
        programmes = done(api.as_("phuongvi-1").get(f"/v1/support-programmes?household={rich}"))[
            "items"
        ]
        by_code = {item["code"]: item for item in programmes}
        assert by_code["warm_roof"]["lacking"] == ["classes", "deprived"]
        assert by_code["tym"]["eligible"] is True


class TestDecide:
    def test_nobody_approves_her_own(self, api: Api, poor: UUID) -> None:
        officer = api.as_("phuongvi")
        item = made(officer.post(path(poor), json=GIFT))
        refused(officer.post(f"/v1/support/{item['id']}/approve"), 409, "second_person_needed")
        other = api.as_("phutho")
        assert done(other.post(f"/v1/support/{item['id']}/approve"))["state"] == "approved"
        assert done(other.post(f"/v1/support/{item['id']}/approve"))["state"] == "approved"
        refusal = {"reason": "Nhầm hộ"}
        answer = other.post(f"/v1/support/{item['id']}/refuse", json=refusal)
        refused(answer, 409, "support_state")

    def test_refused_and_cancelled(self, api: Api, poor: UUID) -> None:
        item = proposed(api, poor)
        head, officer = api.as_("phuongvi-1"), api.as_("phuongvi")
        forbidden(head.post(f"/v1/support/{item['id']}/approve"), "support:approve")
        answer = officer.post(f"/v1/support/{item['id']}/refuse", json={"reason": "Nhầm hộ"})
        assert (done(answer)["state"], done(answer)["reason"]) == ("refused", "Nhầm hộ")
        other = proposed(api, poor)
        assert done(head.post(f"/v1/support/{other['id']}/cancel"))["state"] == "cancelled"
        third = given(api, poor)
        forbidden(head.post(f"/v1/support/{third['id']}/cancel"), "support:approve")
        assert done(officer.post(f"/v1/support/{third['id']}/cancel"))["state"] == "cancelled"
        refused(officer.post(f"/v1/support/{uuid4()}/approve"), 404, "not_found")


class TestReorganisation:
    def test_support_goes_where_its_branch_goes(self, api: Api, poor: UUID, unit_id: Ids) -> None:
        item = given(api, poor)
        assert done(api.as_("tienluong").get("/v1/support"))["items"] == []
        body = {"parent_id": unit_id["tienluong"], "effective_on": "2026-01-01"}
        done(api.as_("phutho").post(f"/v1/units/{unit_id['phuongvi-1']}/moves", json=body))
        [listed] = done(api.as_("tienluong").get("/v1/support"))["items"]
        assert listed["id"] == item["id"]
        assert done(api.as_("phuongvi").get("/v1/support"))["items"] == []


class TestChildren:
    def child(self, database: Database, household_id: UUID) -> str:
        with writing(database) as session:
            ids = session.execute(
                select(HouseholdPerson.person_id).where(
                    col(HouseholdPerson.household_id) == household_id,
                    col(HouseholdPerson.birth_date) == str(local_today().year - 10),
                )
            )
            return str(ids.scalar_one())

    def test_are_sponsored_with_consent_and_told_to_few(
        self, api: Api, poor: UUID, database: Database
    ) -> None:
        child = self.child(database, poor)
        body = {
            "kind": "sponsorship",
            "programme": "godmother",
            "deprivation": None,
            "quantity": 12,
            "quantity_unit": "month",
            "child_id": child,
        }
        head = api.as_("phuongvi-1")
        pointed(head.post(path(poor), json=GIFT | body), "/guardian_consent_on", "required")
        item = proposed(api, poor, **body, guardian_consent_on=local_today().isoformat())
        assert (item["child_id"], item["deprivation"]) == (child, "child_schooling")
        grown = {"child_id": str(self.head(database, poor))}
        answer = head.post(
            path(poor),
            json=GIFT | body | grown | {"guardian_consent_on": local_today().isoformat()},
        )
        pointed(answer, "/child_id", "not_a_child")

    def head(self, database: Database, household_id: UUID) -> UUID:
        with writing(database) as session:
            ids = session.execute(
                select(HouseholdPerson.person_id).where(
                    col(HouseholdPerson.household_id) == household_id,
                    col(HouseholdPerson.relation) == "head",
                )
            )
            found: UUID = ids.scalar_one()
            return found


class TestGaps:
    def asked(self, api: Api, who: str = "phuongvi", **query: str) -> list[str]:
        wanted = {
            "poverty_status": "poor",
            "deprived": "water",
            "without_support": "water:365d",
        } | query
        items = done(api.as_(who).get("/v1/households", params=wanted))["items"]
        return [item["id"] for item in items]

    def test_lists_who_was_given_nothing(
        self, api: Api, poor: UUID, database: Database, unit_id: Ids
    ) -> None:
        dry = home(database, unit_id["phuongvi-2"])
        decide(database, dry, "poor", "2024-01-01")
        assess(database, dry, ["sanitation"], "2024-01-01")
        assert self.asked(api) == [str(poor)]
        item = proposed(api, poor)
        assert self.asked(api) == [str(poor)]  # a proposal is not help
        done(api.as_("phuongvi").post(f"/v1/support/{item['id']}/approve"))
        assert self.asked(api) == []
        assert self.asked(api, deprived="sanitation", without_support="sanitation:365d") == [
            str(dry)
        ]
        assert self.asked(api, "tienluong") == []

    def test_old_help_and_old_findings_do_not_count(
        self, api: Api, poor: UUID, database: Database
    ) -> None:
        given(api, poor, given_on=(local_today() - timedelta(days=400)).isoformat())
        assert self.asked(api) == [str(poor)]
        assert self.asked(api, without_support="water:500d") == []
        assess(database, poor, ["nutrition"], "2024-06-01", "near_poor")
        assert self.asked(api) == []

    def test_needs_its_rights_and_one_statement(
        self, api: Api, poor: UUID, database: Database
    ) -> None:
        answer = api.as_("auditor").get("/v1/households?deprived=water")
        forbidden(answer, "poverty:read")
        answer = api.as_("auditor").get("/v1/households?without_support=water:365d")
        forbidden(answer, "support:read")
        pointed(
            api.as_("phuongvi").get("/v1/households?without_support=water"),
            "/without_support",
            "wrong_format",
        )
        officer = api.as_("phuongvi")
        officer.get("/v1/me")
        with counted(database) as statements:
            officer.get(
                "/v1/households?poverty_status=poor&deprived=water&without_support=water:365d"
            )
        assert len([s for s in statements if "FROM household LEFT" in s]) == 1


class TestVisits:
    VISIT = {
        "visited_on": "2026-11-02",
        "visitors": ["Bà Lan", "Bà Hoa"],
        "needs": ["water"],
        "note": "Giếng cạn, cháu nhỏ hay ốm.",
        "next_on": "2099-01-01",
    }

    def test_are_logged_and_sealed(self, api: Api, poor: UUID, database: Database) -> None:
        head, body = api.as_("phuongvi-1"), self.VISIT | {"id": str(uuid4())}
        item = made(head.post(path(poor, "visits"), json=body))
        assert {name: item[name] for name in body} == body
        assert done(head.post(path(poor, "visits"), json=body)) == item
        other = head.post(path(poor, "visits"), json=body | {"note": "x"})
        refused(other, 409, "id_taken")
        assert done(api.as_("phuongvi").get(path(poor, "visits")))["items"] == [item]
        with writing(database) as session:
            stored = session.execute(
                sa.select(sa.type_coerce(HouseholdVisit.note, sa.Text))
            ).scalar_one()
            logged = session.exec(
                select(Change).where(col(Change.entity) == "household_visit")
            ).one()
        assert "Giếng" not in stored
        assert logged.after is not None
        assert logged.after["note"] == "set"

    def test_are_for_those_who_may(self, api: Api, poor: UUID) -> None:
        refused(api.as_("tienluong").get(path(poor, "visits")), 404, "not_found")
        forbidden(api.as_("auditor").get(path(poor, "visits")), "poverty:read")
        pointed(
            api.as_("phuongvi-1").post(
                path(poor, "visits"), json=self.VISIT | {"next_on": "2020-01-01"}
            ),
            "/next_on",
            "dates_reversed",
        )


class TestLoanFigures:
    def figure(self, unit: int, **more: Any) -> Json:
        return {
            "unit_id": unit,
            "scheme": "vbsp",
            "as_of": "2026-01-31",
            "source": "NHCSXH huyện",
            "groups": 4,
            "borrowers": 160,
            "outstanding_vnd": 8_000_000_000,
            "overdue_vnd": 34_000_000,
        } | more

    def test_are_kept_by_day_and_source(self, api: Api, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        item = made(officer.post("/v1/loan-figures", json=self.figure(unit_id["phuongvi"])))
        assert (item["overdue_rate"], item["savings_vnd"], item["group_name"]) == (0.42, 0, "")
        again = officer.post("/v1/loan-figures", json=self.figure(unit_id["phuongvi"]))
        refused(again, 409, "loan_figure_exists")
        later = self.figure(unit_id["phuongvi"], as_of="2026-02-28")
        second = made(officer.post("/v1/loan-figures", json=later))
        listed = done(api.as_("phutho").get(f"/v1/loan-figures?unit={unit_id['camkhe']}"))
        assert [i["id"] for i in listed["items"]] == [second["id"], item["id"]]
        assert done(api.as_("tienluong").get("/v1/loan-figures"))["items"] == []

    def test_are_corrected(self, api: Api, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        item = made(officer.post("/v1/loan-figures", json=self.figure(unit_id["phuongvi"])))
        where = f"/v1/loan-figures/{item['id']}"
        assert done(officer.patch(where, json={"borrowers": 161}))["borrowers"] == 161
        stale = officer.patch(where, json={"groups": 5}, headers={"if-match": '"1"'})
        refused(stale, 412, "stale_revision")
        pointed(officer.patch(where, json={"overdue_vnd": 10**11}), "/overdue_vnd", "too_large")
        refused(api.as_("tienluong").patch(where, json={"groups": 5}), 404, "not_found")
