"""Days of joining the union and the Party of which only the year or the month is known."""

import pytest

from app.db import Database
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import made
from tests.helpers.client import Api
from tests.members.members import stored


def admit(officer: Api, unit_id: UnitIds, **more: object) -> Json:
    body = {"branch_id": unit_id["phuongvi-1"], "full_name": "Khổng Thị Năm", "birth_date": "1950"}
    return made(officer.post("/v1/members", json=body | more))


def found(officer: Api, query: str) -> list[str]:
    path = f"/v1/members?q=khong+thi+nam&{query}"
    return sorted(each["joined_on"] for each in officer.get(path).json()["items"])


@pytest.mark.parametrize("day", ["1985", "1985-03", "1985-03-08"])
def test_are_kept_as_they_are_known(
    officer: Api, database: Database, unit_id: UnitIds, day: str
) -> None:
    shown = admit(officer, unit_id, joined_on=day, party="member", party_joined_on=day)
    assert (shown["joined_on"], shown["party_joined_on"]) == (day, day)
    row = stored(database, shown["id"])
    assert row is not None
    assert (row.joined_on, row.party_joined_on) == (day, day)
    path = f"/v1/members/{shown['id']}"
    changed = officer.patch(path, json={"joined_on": "1986-05"}).json()
    assert (changed["joined_on"], changed["revision"]) == ("1986-05", 2)
    [spell] = officer.get(f"{path}/memberships").json()["items"]
    assert spell["valid_from"] >= "1986-05-01"


def test_count_from_their_first_day(officer: Api, unit_id: UnitIds) -> None:
    days = ["1985", "1985-01", "1985-03", "1985-03-08"]
    for day in days:
        admit(officer, unit_id, joined_on=day)
    assert found(officer, "joined_from=1985-01-01") == days
    assert found(officer, "joined_from=1985-01-02") == ["1985-03", "1985-03-08"]
    assert found(officer, "joined_from=1985-03-01") == ["1985-03", "1985-03-08"]
    assert found(officer, "joined_from=1985-03-02") == ["1985-03-08"]
    assert found(officer, "joined_to=1985-01-01") == ["1985", "1985-01"]
    assert found(officer, "joined_to=1984-12-31") == []
    assert found(officer, "joined_to=1985-03-07") == ["1985", "1985-01", "1985-03"]


def test_begin_a_membership_on_their_first_day(officer: Api, unit_id: UnitIds) -> None:
    shown = admit(officer, unit_id, joined_on="2026")
    [spell] = officer.get(f"/v1/members/{shown['id']}/memberships").json()["items"]
    assert spell["valid_from"] == "2026-01-01"


def test_are_grouped_by_their_year(officer: Api, unit_id: UnitIds) -> None:
    def in_1990() -> int:
        items = officer.get("/v1/members/count?by=joined_year").json()["items"]
        [people] = [each["people"] for each in items if each["value"] == "1990"]
        return int(people)

    before = in_1990()
    admit(officer, unit_id, joined_on="1990")
    admit(officer, unit_id, joined_on="1990-07")
    assert in_1990() == before + 2


def test_the_more_exact_wins_a_merge(officer: Api, unit_id: UnitIds) -> None:
    kept = admit(officer, unit_id, joined_on="1985")
    other = admit(officer, unit_id, joined_on="1985-03-08")
    body = {"other_id": other["id"], "reason": "Cùng một người"}
    made(officer.post(f"/v1/members/{kept['id']}/merges", json=body))
    assert officer.get(f"/v1/members/{kept['id']}").json()["joined_on"] == "1985-03-08"
