"""What follows from the history of a household follows it as it is known now, and is counted as it
was recorded then."""

from typing import Any
from uuid import UUID

import pytest
from sqlmodel import Session, col, select

from app.db import Database
from app.models.members.members import Member
from app.models.poverty.flows import PovertyStay
from app.models.poverty.poverty import PovertyStatus
from app.services.privacy import wiping
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, done, free_members, made
from tests.helpers.client import Api, writing
from tests.helpers.homes import attributed


class Home:
    """A household of a member of ethnicity 01, entered and decided on over HTTP."""

    def __init__(self, api: Api, database: Database, unit_id: Ids) -> None:
        self.database, self.unit = database, unit_id["phuongvi"]
        self.officer = api.as_("phuongvi")
        self.head = next(
            each for each in free_members(database, unit_id["phuongvi-1"]) if each.ethnicity == "01"
        )
        others = [
            {"full_name": f"Nguyễn Văn {n}", "relation": "child"} for n in ("An", "Ba", "Cả", "Dần")
        ]
        people = [{"member_id": str(self.head.id), "relation": "head"}, *others]
        body = {"branch_id": unit_id["phuongvi-1"], "opened_on": "2020-01-01", "people": people}
        self.item = made(self.officer.post("/v1/households", json=body))
        self.path = f"/v1/households/{self.item['id']}"

    def decide(self, class_: str, since: str, path: str | None = None, **more: Any) -> Json:
        body = {"class": class_, "decision_number": since, "decided_on": since, "valid_from": since}
        where = f"{path or self.path}/poverty-status"
        return made(self.officer.post(where, json=body | more))

    def annul(self, decision: Json) -> None:
        where = f"{self.path}/poverty-status/{decision['id']}/annul"
        done(self.officer.post(where, json={"note": "Ghi nhầm"}))

    def changes(self) -> dict[str, str]:
        items = done(self.officer.get(f"{self.path}/poverty-status"))["items"]
        return {each["valid_from"]: each["change"] for each in items if not each["annulled_on"]}

    def line(self, year: int, **query: Any) -> Json:
        asked = {"unit": self.unit, "from": f"{year}-01-01", "to": f"{year}-12-31"} | query
        [line] = [
            each
            for each in done(self.officer.get("/v1/poverty-status", params=asked))["items"]
            if each["table"] == "poor" and each["part"] is None
        ]
        found: Json = line
        return found

    def ethnicities(self) -> list[str | None]:
        with writing(self.database) as session:
            stays = session.exec(select(PovertyStay).order_by(col(PovertyStay.valid_from)))
            return [stay.ethnicity for stay in stays]


@pytest.fixture
def home(api: Api, database: Database, unit_id: Ids) -> Home:
    return Home(api, database, unit_id)


class TestKinds:
    def test_an_annulled_decision_is_no_poverty_to_fall_back_into(self, home: Home) -> None:
        first = home.decide("poor", "2021-01-01")
        home.decide("not_poor", "2022-01-01")
        home.decide("poor", "2023-01-01")
        assert home.changes()["2023-01-01"] == "relapsed"
        assert home.line(2023)["relapsed_households"] == 1
        home.annul(first)
        assert home.changes() == {"2022-01-01": "none", "2023-01-01": "new"}
        line = home.line(2023)
        assert (line["new_households"], line["relapsed_households"]) == (1, 0)

    def test_a_backdated_decision_makes_a_relapse(self, home: Home) -> None:
        home.decide("poor", "2025-01-01")
        assert home.changes() == {"2025-01-01": "new"}
        home.decide("poor", "2023-01-01", valid_to="2023-12-31")
        home.decide("not_poor", "2024-01-01", valid_to="2024-12-31")
        assert home.changes() == {
            "2023-01-01": "new",
            "2024-01-01": "escaped",
            "2025-01-01": "relapsed",
        }
        assert home.line(2025)["relapsed_households"] == 1
        assert home.line(2023)["new_households"] == 1

    def test_what_was_stated_stays(self, home: Home) -> None:
        """The commune knows of poverty from before the records."""
        home.decide("poor", "2023-01-01", change="relapsed")
        home.decide("not_poor", "2022-01-01", valid_to="2022-12-31")
        assert home.changes()["2023-01-01"] == "relapsed"

    def test_a_gap_is_not_gone_on_with(self, home: Home) -> None:
        home.decide("poor", "2021-01-01", valid_to="2021-12-31")
        home.decide("poor", "2023-01-01")
        assert home.changes()["2023-01-01"] == "relapsed"
        assert home.line(2023)["relapsed_households"] == 1


class TestSplit:
    def test_people_are_counted_once(self, home: Home) -> None:
        home.decide("poor", "2023-01-01")
        assert home.line(2024)["closing_people"] == 5
        two = [person["person_id"] for person in home.item["people"][1:3]]
        roles = [
            {"person_id": two[0], "relation": "head"},
            {"person_id": two[1], "relation": "child"},
        ]
        body = {"head_id": two[0], "people": roles, "effective_on": "2025-06-01"}
        part = made(home.officer.post(f"{home.path}/split", json=body))
        line = home.line(2025)
        assert (line["opening_people"], line["closing_people"]) == (5, 3)
        assert (line["adjusted_people"], line["closing_households"]) == (-2, 1)
        home.decide("poor", "2025-10-01")
        home.decide("poor", "2025-10-01", path=f"/v1/households/{part['id']}")
        line = home.line(2025)
        assert (line["closing_households"], line["closing_people"]) == (2, 5)


class TestAsRecorded:
    def test_a_correction_restates_and_says_why(self, home: Home) -> None:
        home.decide("poor", "2023-01-01")
        member = f"/v1/members/{home.head.id}"
        done(home.officer.patch(member, json={"full_name": "Trần Thị Sửa"}))
        assert home.ethnicities() == ["01"]
        done(home.officer.patch(member, json={"ethnicity": "03"}))
        assert home.ethnicities() == ["03"]
        [status] = done(home.officer.get(f"{home.path}/poverty-status"))["items"]
        assert status["restated_for"] == "ethnicity_corrected"

    def test_an_erasure_moves_nothing(self, home: Home) -> None:
        home.decide("poor", "2023-01-01")
        with home.database.writing() as session:
            erase(session, home.head)
        # Whatever touches the household later counts the past as it was recorded.
        done(home.officer.patch(home.path, json={"code": "77"}))
        home.decide("not_poor", "2025-01-01")
        assert home.ethnicities() == ["01"]
        with writing(home.database) as session:
            decided = session.exec(select(PovertyStatus)).all()
            assert {each.restated_for for each in decided} == {None}


def erase(session: Session, woman: Member) -> None:
    attributed(session)
    person = wiping.find_person(session, woman.id, woman.full_name, woman.birth_date)
    wiping.wipe(session, person)
    assert session.get_one(Member, UUID(str(woman.id))).ethnicity is None
