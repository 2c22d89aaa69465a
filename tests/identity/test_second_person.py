"""What needs two persons: an account that one made for oneself, or others made for one, is no second."""

from uuid import UUID

import pytest

from app.clock import local_today
from app.db import Database
from tests.helpers.answers import Json, refused
from tests.helpers.cadres import Ids, appoint, done, free_members, invited, made
from tests.helpers.client import Api
from tests.helpers.homes import decide, home

GIFT = {"kind": "gift", "given_on": "2026-11-02", "quantity": 2, "quantity_unit": "piece"}


@pytest.fixture
def poor(database: Database, unit_id: Ids) -> UUID:
    household = home(database, unit_id["phuongvi-1"])
    decide(database, household, "poor", "2026-01-01")
    return household


def proposed(api: Api, household: UUID) -> str:
    sent: str = made(api.post(f"/v1/households/{household}/support", json=GIFT))["id"]
    return sent


def approved(api: Api, support_id: str) -> None:
    assert done(api.post(f"/v1/support/{support_id}/approve"))["state"] == "approved"


def needs_another(api: Api, support_id: str) -> Json:
    return refused(api.post(f"/v1/support/{support_id}/approve"), 409, "second_person_needed")


def officer_of(unit_id: Ids) -> Json:
    return {"grants": [{"unit_id": unit_id["phuongvi"], "role": "commune_officer"}]}


class TestAccountsOfOnePerson:
    def test_one_that_the_first_made(self, api: Api, poor: UUID, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        invited(officer, "lan", unit_id["phuongvi"], **officer_of(unit_id))
        problem = needs_another(api.as_("lan"), proposed(officer, poor))
        assert problem["required_right"] == "support:approve"
        # The officer and the account made are one; the province can help.
        assert [each["unit"]["level"] for each in problem["units"]][-1] == "province"
        assert unit_id["phuongvi"] not in [each["unit"]["id"] for each in problem["units"]]
        needs_another(officer, proposed(api.as_("lan"), poor))

    def test_one_that_was_made_through_others(self, api: Api, poor: UUID, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        invited(officer, "lan", unit_id["phuongvi"], **officer_of(unit_id))
        invited(api.as_("lan"), "mai", unit_id["phuongvi"], **officer_of(unit_id))
        needs_another(api.as_("mai"), proposed(officer, poor))
        needs_another(officer, proposed(api.as_("mai"), poor))

    def test_two_that_a_colleague_made(self, api: Api, poor: UUID, unit_id: Ids) -> None:
        for name in ("lan", "mai"):
            invited(api.as_("phuongvi"), name, unit_id["phuongvi"], **officer_of(unit_id))
        invited(api.as_("mai"), "cuc", unit_id["phuongvi"], **officer_of(unit_id))
        support = proposed(api.as_("lan"), poor)
        needs_another(api.as_("mai"), support)
        problem = needs_another(api.as_("cuc"), support)
        assert unit_id["phuongvi"] not in [each["unit"]["id"] for each in problem["units"]]
        approved(api.as_("phutho"), support)

    def test_one_that_the_first_reset(self, api: Api, poor: UUID, unit_id: Ids) -> None:
        province, officer = api.as_("phutho"), api.as_("phuongvi")
        lan = invited(province, "lan", unit_id["phuongvi"], **officer_of(unit_id))
        approved(api.as_("lan"), proposed(officer, poor))
        done(officer.post(f"/v1/accounts/{lan['id']}/reset"))
        needs_another(api.as_("lan"), proposed(officer, poor))
        done(province.post(f"/v1/accounts/{lan['id']}/reset"))
        approved(api.as_("lan"), proposed(officer, poor))

    def test_a_right_to_approve_is_not_delegated(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        member = api.as_("member").get("/v1/me").json()["member_id"]
        body = {"member_id": member, "unit_id": unit_id["phuongvi"], "rights": ["support:approve"]}
        answer = api.as_("phuongvi").post(
            "/v1/delegations", json=body | {"valid_to": str(local_today())}
        )
        problem = refused(answer, 422, "validation_failed")
        assert "right_not_delegable" in {each["code"] for each in problem["errors"]}


class TestIndependentAccounts:
    def test_two_that_a_third_made(self, api: Api, poor: UUID, unit_id: Ids) -> None:
        for name in ("lan", "mai"):
            invited(api.as_("phutho"), name, unit_id["phuongvi"], **officer_of(unit_id))
        approved(api.as_("mai"), proposed(api.as_("lan"), poor))

    @pytest.mark.parametrize("by", ["phutho", "phuongvi"])
    def test_one_for_a_post_that_a_third_decided(
        self, api: Api, database: Database, poor: UUID, unit_id: Ids, by: str
    ) -> None:
        officer = api.as_("phuongvi")
        member = free_members(database, unit_id["phuongvi-1"])[0]
        made(appoint(api.as_(by), member, unit_id["phuongvi"], "vice_chair"))
        invited(officer, "lan", unit_id["phuongvi"], member_id=str(member.id))
        support = proposed(officer, poor)
        if by == "phutho":
            approved(api.as_("lan"), support)
        else:
            needs_another(api.as_("lan"), support)
