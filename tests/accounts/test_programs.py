"""Programs with rights of their own: no more than who gives them holds, and only to read what they need."""

import pytest

from app.db import Database
from app.models.kernel.access import Right
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import Ids, done, forbidden, free_members, invited
from tests.helpers.client import Api
from tests.helpers.homes import decide, home
from tests.helpers.programs import ABOUT

READS = ["members:citizen_id", "members:read", "poverty:read", "support:read", "units:read"]
NUMBER = "025188001234"


def program(unit: int, *rights: str, **more: object) -> Json:
    return {"unit_id": unit, "role": "program", "rights": list(rights or READS)} | more


def asked(api: Api, grant: Json, **more: object) -> Json:
    body = {"username": "may-tinh", "display_name": "Phần mềm", "unit_id": grant["unit_id"]}
    return {"json": body | ABOUT | {"grants": [grant]} | more}


class TestProgram:
    def test_reads_poverty_and_support_and_writes_nothing(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        household = home(database, unit_id["phuongvi-1"])
        decide(database, household, "poor", "2026-01-01")
        commune = unit_id["phuongvi"]
        account = invited(
            api.as_("phuongvi"), "may-tinh", commune, **ABOUT, grants=[program(commune)]
        )
        assert account["grants"][0]["rights"] == READS
        mine = api.as_("may-tinh")
        assert done(mine.get("/v1/me"))["rights"] == READS
        assert done(mine.get(f"/v1/households/{household}"))["poverty_status"] == "poor"
        assert mine.get("/v1/support").status_code == 200
        member = free_members(database, unit_id["phuongvi-1"])[0].id
        forbidden(mine.patch(f"/v1/members/{member}", json={"address": "x"}), "members:write")
        deputy = {"member_id": str(member), "unit_id": commune, "rights": ["units:read"]}
        answer = mine.post("/v1/delegations", json=deputy | {"valid_to": "2026-12-31"})
        refused(answer, 403, "only_posts_delegate")

    def test_finds_people_by_a_number_that_it_may_read(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        commune, officer = unit_id["phuongvi"], api.as_("phuongvi")
        member = str(free_members(database, unit_id["phuongvi-1"])[0].id)
        done(officer.patch(f"/v1/members/{member}", json={"citizen_id": NUMBER}))
        invited(officer, "may-tinh", commune, **ABOUT, grants=[program(commune)])
        question = {"full_name": "Lê Thị Khác"}
        found = done(
            api.as_("may-tinh").post("/v1/members/match", json=question | {"citizen_id": NUMBER})
        )
        assert [each["member_id"] for each in found["candidates"]] == [member]
        # By a name it would find those it may not enter.
        forbidden(api.as_("may-tinh").post("/v1/members/match", json=question), "members:write")

    @pytest.mark.parametrize("right", [Right.accounts_grant, Right.support_approve])
    def test_is_not_given_what_is_for_officers_alone(
        self, api: Api, unit_id: Ids, right: Right
    ) -> None:
        sent = asked(api, program(unit_id["phuongvi"], right))
        answer = api.as_("phuongvi").post("/v1/accounts", **sent)
        pointed(answer, "/grants/0/rights/0", "right_not_delegable")

    def test_gets_no_more_than_its_giver_holds(self, api: Api, unit_id: Ids) -> None:
        answer = api.as_("admin").post(
            "/v1/accounts", **asked(api, program(unit_id["phuongvi"], "members:read"))
        )
        assert refused(answer, 403, "grant_exceeds_own")["required_right"] == "members:read"

    def test_its_rights_are_listed_and_no_others_are(self, api: Api, unit_id: Ids) -> None:
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        without = {"unit_id": commune, "role": "program"}
        pointed(officer.post("/v1/accounts", **asked(api, without)), "/grants/0/rights", "required")
        reader = program(commune, role="integration_reader")
        pointed(
            officer.post("/v1/accounts", **asked(api, reader)), "/grants/0/rights", "not_together"
        )
        person = asked(api, program(commune), kind="person")
        refused(officer.post("/v1/accounts", **person), 409, "wrong_account_kind")
