"""A household on a past day: nothing in the answer is of another day, or it is named."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today
from app.db import Database
from app.models.kernel.changes import Change
from app.models.members.members import Member
from app.models.privacy.erasures import Fate
from app.services.kernel.holdings import ERASED_NAME
from app.services.privacy import wiping
from tests.helpers.answers import Json, refused
from tests.helpers.cadres import Ids, done, free_members, made
from tests.helpers.client import Api
from tests.helpers.homes import attributed
from tests.helpers.past import entered_long_ago

DAY = timedelta(days=1)
UNDATED = {
    *("code", "ethnic_minority", "merit", "no_labour_capacity", "union_label", "union_label_on"),
    *("head_name", "female_headed", "people"),
}


class Home:
    """A household of a woman and her husband, entered by the commune."""

    def __init__(self, api: Api, database: Database, unit_id: Ids) -> None:
        self.database = database
        self.officer = api.as_("phuongvi")
        self.woman, self.daughter = free_members(database, unit_id["phuongvi-1"])[:2]
        people = [
            {"member_id": str(self.woman.id), "relation": "head"},
            {"full_name": "Nguyễn Văn Nam", "gender": "male", "relation": "spouse"},
        ]
        body = {"branch_id": unit_id["phuongvi-1"], "opened_on": "2024-01-01", "people": people}
        self.item = made(self.officer.post("/v1/households", json=body | {"code": "7"}))
        self.path = f"/v1/households/{self.item['id']}"
        self.husband = self.item["people"][1]["person_id"]

    def on(self, day: str) -> Json:
        return done(self.officer.get(f"{self.path}?as_of={day}"))


@pytest.fixture
def home(api: Api, database: Database, unit_id: Ids) -> Home:
    return Home(api, database, unit_id)


@pytest.fixture
def yesterday() -> str:
    return (local_today() - DAY).isoformat()


def post(home: Home, act: str, **body: Any) -> None:
    done(home.officer.post(f"{home.path}/{act}", json=body))


def test_head_and_count_are_of_the_day(home: Home) -> None:
    post(
        home, "people", member_id=str(home.daughter.id), relation="child", effective_on="2025-03-01"
    )
    post(home, "head", head_id=home.husband, effective_on="2025-06-01")
    before, then = home.on("2025-02-28"), home.on("2025-03-01")
    assert (before["person_count"], then["person_count"]) == (2, 3)
    assert (then["head_id"], then["head_name"]) == (str(home.woman.id), home.woman.full_name)
    assert then["female_headed"] is True
    after = home.on("2025-06-01")
    assert (after["head_id"], after["female_headed"]) == (home.husband, False)
    assert [person["valid_to"] for person in then["people"]] == [None] * 3
    today = done(home.officer.get(home.path))
    assert (today["person_count"], today["not_dated"]) == (3, [])
    assert home.on(local_today().isoformat()) == today


def test_fields_come_from_the_log_where_it_reaches(home: Home, yesterday: str) -> None:
    entered_long_ago(home.database)
    patch = {"code": "9", "merit": True, "union_label": "well_off"}
    done(home.officer.patch(home.path, json=patch))
    done(home.officer.patch(f"/v1/members/{home.woman.id}", json={"full_name": "Trần Thị Sửa"}))
    then, today = home.on(yesterday), done(home.officer.get(home.path))
    assert (then["code"], then["merit"], then["union_label"]) == ("7", False, None)
    assert (then["union_label_on"], then["head_name"]) == (None, home.woman.full_name)
    assert then["people"][0]["full_name"] == home.woman.full_name
    assert then["not_dated"] == []
    assert (today["code"], today["merit"], today["head_name"]) == ("9", True, "Trần Thị Sửa")
    # What is of a day the log does not reach is as today, and named.
    long_ago = home.on("2024-06-01")
    assert (long_ago["code"], long_ago["head_name"]) == ("9", "Trần Thị Sửa")
    assert set(long_ago["not_dated"]) == UNDATED


def test_what_is_masked_is_not_named_as_undated(home: Home, api: Api) -> None:
    head = api.as_("phuongvi-1")
    item = done(head.get(f"{home.path}?as_of=2024-06-01"))
    assert set(item["masked"]) & set(item["not_dated"]) == set()
    assert all(item[name] is None for name in item["masked"])


def test_an_assessment_of_later_is_not_shown(home: Home) -> None:
    body = {"assessed_on": "2025-05-01", "answers": {}, "source": "union_visit"}
    made(home.officer.post(f"{home.path}/assessments", json=body))
    assert home.on("2025-04-30")["assessed_on"] is None
    assert home.on("2025-05-01")["assessed_on"] == "2025-05-01"


def test_one_that_ended_later_stood_open(home: Home) -> None:
    post(home, "close", effective_on="2026-01-01")
    assert home.on("2025-12-30")["closed_on"] is None
    last = home.on("2025-12-31")
    assert (last["closed_on"], last["person_count"]) == ("2025-12-31", 2)
    refused(home.officer.get(f"{home.path}?as_of=2026-01-01"), 404, "not_found")
    refused(home.officer.get(f"{home.path}?as_of=2023-12-31"), 404, "not_found")


def test_an_erased_person_stays_erased_on_every_day(home: Home, yesterday: str) -> None:
    entered_long_ago(home.database)
    done(home.officer.patch(f"/v1/members/{home.woman.id}", json={"full_name": "Trần Thị Sửa"}))
    with home.database.writing() as session:
        wipe(session, home.woman)
    for day in ("2024-06-01", yesterday, local_today().isoformat()):
        then = home.on(day)
        shown = [then["head_name"], then["people"][0]["full_name"]]
        assert shown == [ERASED_NAME, ERASED_NAME], day


def test_the_log_forgets_who_headed_it_once(home: Home) -> None:
    """Another heads it today; its own changes told her name."""
    post(home, "head", head_id=home.husband, effective_on="2025-06-01")
    logged = sa.select(col(Change.before), col(Change.after)).where(
        col(Change.entity) == "household"
    )
    with home.database.writing() as session:
        assert home.woman.full_name in str(session.execute(logged).all())
        attributed(session)
        woman = home.woman
        person = wiping.find_person(session, woman.id, woman.full_name, woman.birth_date)
        wiping.wipe(session, person)
        told = str(session.execute(logged).all())
        assert home.woman.full_name not in told
        assert "Nguyễn Văn Nam" in told


def wipe(session: Session, woman: Member) -> None:
    """As an erasure does: the record, the households she heads, and the log."""
    attributed(session)
    person = wiping.find_person(session, woman.id, woman.full_name, woman.birth_date)
    assert wiping.wipe(session, person)["household", Fate.wiped] == 1
