"""Review campaigns and simulations over HTTP."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change
from app.models.poverty.poverty import Assessment
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import Ids, done, forbidden
from tests.helpers.client import Api, counted, writing
from tests.helpers.homes import assess, attributed, decide, home


def last_year() -> int:
    return local_today().year - 1


CODES = (
    *("employment", "dependants", "nutrition", "health_insurance", "adult_education"),
    *("child_schooling", "housing_quality", "housing_area", "water", "sanitation", "telecom_use"),
)


class TestCampaigns:
    def test_have_their_days(self, api: Api) -> None:
        items = done(api.as_("phuongvi-1").get("/v1/poverty-campaigns?year=2026"))["items"]
        assert len(items) == 13
        days = {item["id"]: (item["opens_on"], item["closes_on"]) for item in items}
        assert days["2026"] == ("2026-09-01", "2026-12-14")
        # From Tuesday the 15th: fifteen working days end on Monday the 5th.
        assert days["2026-09"] == ("2026-09-15", "2026-10-05")

    @pytest.mark.parametrize("name", ["26", "2026-13", "2026-9", "x", "2026-"])
    def test_unknown(self, api: Api, name: str) -> None:
        answer = api.as_("phuongvi").get(f"/v1/poverty-campaigns/{name}/worklist")
        pointed(answer, "/campaign", "campaign_unknown")

    @pytest.fixture
    def world(self, database: Database, unit_id: Ids) -> dict[str, str]:
        """Of four poor homes one was looked at, one decided on, one is disputed; one is rich."""
        homes = {}
        for name, branch in (
            ("waits", "phuongvi-1"),
            ("seen", "phuongvi-1"),
            ("done", "phuongvi-2"),
            ("disputed", "phuongvi-2"),
            ("rich", "phuongvi-1"),
        ):
            homes[name] = home(database, unit_id[branch])
            if name != "rich":
                decide(database, homes[name], "poor", f"{last_year() - 1}-01-01")
        for name, found in (("seen", "poor"), ("done", "near_poor"), ("disputed", "poor")):
            assess(database, homes[name], ["water"], f"{last_year()}-10-01", found)
        for name in ("done", "disputed"):
            decide(database, homes[name], "near_poor", f"{last_year()}-12-10")
        return {str(id_): name for name, id_ in homes.items()}

    def test_worklist(self, api: Api, world: dict[str, str]) -> None:
        where = f"/v1/poverty-campaigns/{last_year()}/worklist"
        items = done(api.as_("phuongvi").get(where))["items"]
        assert {world[item["household_id"]]: item["missing"] for item in items} == {
            "waits": "assessment",
            "seen": "decision",
            "done": "nothing",
            "disputed": "agreement",
        }
        assert {item["closes_on"] for item in items} == {f"{last_year()}-12-14"}
        left = done(api.as_("phuongvi-1").get(f"{where}?missing=assessment"))["items"]
        assert [world[item["household_id"]] for item in left] == ["waits"]
        assert done(api.as_("tienluong").get(where))["items"] == []
        forbidden(api.as_("auditor").get(where), "poverty:read")

    def test_coverage(
        self, api: Api, world: dict[str, str], unit_id: Ids, database: Database
    ) -> None:
        officer = api.as_("phuongvi")
        officer.get("/v1/me")
        where = f"/v1/poverty-campaigns/{last_year()}/coverage?unit={unit_id['phuongvi']}"
        with counted(database) as statements:
            items = done(officer.get(where))["items"]
        figures = ("to_review", "assessed", "decided", "disagreeing")
        assert [[item[name] for name in figures] for item in items] == [[2, 1, 0, 0], [2, 2, 2, 1]]
        assert len([s for s in statements if "poverty_stay" in s]) == 1

    def test_a_round_counts_its_own_alone(
        self, api: Api, database: Database, world: dict[str, str], unit_id: Ids
    ) -> None:
        """What is found and decided later is of later rounds, and moves nothing in this one."""
        officer, year = api.as_("phuongvi"), last_year()
        work = f"/v1/poverty-campaigns/{year}/worklist"
        coverage = f"/v1/poverty-campaigns/{year}/coverage?unit={unit_id['phuongvi']}"
        before = [done(officer.get(path))["items"] for path in (work, coverage)]
        for id_, name in world.items():
            if name == "rich":
                continue
            decide(database, UUID(id_), "not_poor", f"{year + 1}-02-20")
            assess(database, UUID(id_), [], f"{year + 1}-02-18", "average")
        assert [done(officer.get(path))["items"] for path in (work, coverage)] == before

    def test_working_days_know_the_holidays(self, api: Api) -> None:
        items = done(api.as_("phuongvi").get("/v1/poverty-campaigns?year=2026"))["items"]
        days = {item["id"]: (item["opens_on"], item["closes_on"]) for item in items}
        # Tết is from the 16th to the 20th of February.
        assert days["2026-02"] == ("2026-02-15", "2026-03-13")


class TestSimulation:
    @pytest.fixture
    def homes(self, database: Database, unit_id: Ids) -> dict[str, UUID]:
        """Assessed in full under the standard of 2022, in a rural commune."""
        found = {}
        for name, branch, income, lacks, class_ in (
            ("poor", "phuongvi-1", 1_400_000, 3, "poor"),
            ("flips", "phuongvi-1", 1_900_000, 3, "average"),
            ("near", "phuongvi-2", 2_000_000, 1, "average"),
            ("open", "phuongvi-2", 2_000_000, 2, "average"),
            ("rich", "phuongvi-2", 9_000_000, 0, "not_poor"),
        ):
            found[name] = home(database, unit_id[branch])
            id_ = assess(database, found[name], [], "2026-01-10", class_)
            answers = {code: place < lacks for place, code in enumerate(CODES)}
            with writing(database) as session:
                attributed(session)
                session.execute(
                    sa.update(Assessment)
                    .where(col(Assessment.id) == id_)
                    .values(income_per_person=income, answers=answers)
                )
        found["unseen"] = home(database, unit_id["phuongvi-2"])
        return found

    def test_is_read_only_while_the_right_lasts(
        self, api: Api, database: Database, unit_id: Ids, homes: object, work: Callable[[], int]
    ) -> None:
        self.simulated(api, work, unit_id=unit_id["phuongvi-1"])
        officer = api.as_("phuongvi")
        [job] = done(officer.get("/v1/jobs"))["items"]
        with writing(database) as session:
            ids = sa.select(col(Account.id)).where(col(Account.username) == "phuongvi")
            of_officer = sa.update(Grant).where(col(Grant.account_id).in_(ids))
            session.execute(of_officer.values(unit_id=unit_id["tienluong"]))
        officer = api.as_("phuongvi")
        refused(officer.get(f"/v1/jobs/{job['id']}"), 404, "not_found")
        assert done(officer.get("/v1/jobs"))["items"] == []

    def simulated(self, api: Api, work: Callable[[], int], **body: Any) -> Json:
        officer = api.as_("phuongvi")
        answer = officer.post("/v1/poverty-standards/vn-2027/simulate", json=body)
        assert answer.status_code == 202, answer.text
        assert work() == 1
        job = done(officer.get(answer.headers["location"]))
        assert job["state"] == "done", job
        result: Json = job["result"]
        return result

    def test_lists_who_flips(
        self,
        api: Api,
        homes: dict[str, UUID],
        unit_id: Ids,
        work: Callable[[], int],
        database: Database,
    ) -> None:
        def changes() -> int:
            with writing(database) as session:
                number: int = session.execute(
                    sa.select(sa.func.count()).select_from(Change)
                ).scalar_one()
            return number

        before = changes()
        result = self.simulated(api, work, unit_id=unit_id["phuongvi"])
        assert (result["households"], result["without_assessment"]) == (6, 1)
        names = {str(id_): name for name, id_ in homes.items()}
        flips = {names[flip["household_id"]]: flip for flip in result["named"]}
        assert {name: (flip["from"], flip["to"]) for name, flip in flips.items()} == {
            "flips": ("average", "poor"),
            "near": ("average", "near_poor"),
            "open": ("average", "undetermined"),
        }
        assert flips["open"]["possible"] == ["poor", "near_poor"]
        assert [branch["flips"] for branch in result["by_branch"]] == [1, 2]
        assert changes() == before

    def test_with_other_lines(
        self, api: Api, homes: dict[str, UUID], unit_id: Ids, work: Callable[[], int]
    ) -> None:
        lines = {"rural": {"poor": 1_500_000, "average": 2_250_000}}
        result = self.simulated(api, work, unit_id=unit_id["phuongvi"], income_lines=lines)
        assert result["rule_version"].endswith("+tried")
        assert result["flips"] == 0

    def test_bad_input_and_who_may(self, api: Api, unit_id: Ids) -> None:
        officer, body = api.as_("phuongvi"), {"unit_id": unit_id["phuongvi"]}
        where = "/v1/poverty-standards/vn-2027/simulate"
        refused(officer.post("/v1/poverty-standards/x/simulate", json=body), 404, "not_found")
        wrong = body | {"income_lines": {"rural": {"rich": 1}}}
        pointed(officer.post(where, json=wrong), "/income_lines/rural/rich", "not_in_list")
        wrong = body | {"income_lines": {"rural": {"poor": -1}}}
        pointed(officer.post(where, json=wrong), "/income_lines/rural/poor", "too_small")
        pointed(
            officer.post(where, json={"unit_id": unit_id["tienluong"]}), "/unit_id", "unit_unknown"
        )
        forbidden(api.as_("auditor").post(where, json=body), "poverty:read")
        refused(officer.get(f"/v1/jobs/{uuid4()}"), 404, "not_found")
