"""Lists of a whole unit, over a period, of what was read one record at a time."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from app.api.http.server import Server, serve_with
from app.clock import local_today
from app.db import Database
from app.services.kernel.access_log import AccessLog
from tests.conftest import make_settings
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api, counted
from tests.helpers.databases import Clones
from tests.helpers.meetings import acted, at, made, sessions

# Each list, and what to ask for to get nothing but what the test has entered.
LISTS = {
    "/v1/memberships": "joined_by=readmission",
    "/v1/households/people": "relation=child",
    "/v1/assessments": "",
    "/v1/poverty-decisions": "",
    "/v1/attendance": "",
    "/v1/trainings": "",
    "/v1/participations": "",
}
ENTERED = 60  # days ago: of each fact


def ago(days: int) -> str:
    return (local_today() - timedelta(days=days)).isoformat()


def created(api: Api, path: str, **body: Any) -> Json:
    answer = api.post(path, json=body)
    assert answer.status_code in (200, 201), answer.text
    found: Json = answer.json()
    return found


def enter_all(officer: Api, branch: int, name: str) -> None:
    """One of everything that has a list, for a woman of a branch."""
    joined = {"branch_id": branch, "joined_on": ago(ENTERED + 40)}
    member = created(officer, "/v1/members", full_name=name, birth_date="1980", **joined)["id"]
    left = {"reason": "other", "effective_on": ago(ENTERED + 30)}
    created(officer, f"/v1/members/{member}/departures", **left)
    back = {"branch_id": branch, "effective_on": ago(ENTERED)}
    created(officer, f"/v1/members/{member}/readmissions", **back)
    people = [
        {"member_id": member, "relation": "head"},
        {"full_name": "Bùi Văn Út", "relation": "child", "birth_date": "2015"},
    ]
    body = {"branch_id": branch, "opened_on": ago(ENTERED), "people": people}
    home = created(officer, "/v1/households", **body)["id"]
    assessed = {"assessed_on": ago(ENTERED), "source": "union_visit", "answers": {"water": True}}
    created(officer, f"/v1/households/{home}/assessments", income_per_person=900_000, **assessed)
    created(
        officer,
        f"/v1/households/{home}/poverty-status",
        decision_number="12/QĐ-UBND",
        decided_on=ago(ENTERED),
        valid_from=ago(ENTERED),
        **{"class": "poor"},
    )
    course = {"kind": "union_work", "name": "Nghiệp vụ", "started_on": ago(ENTERED)}
    created(officer, f"/v1/members/{member}/trainings", completed_on=ago(ENTERED), **course)
    group = {"level": "group", "group_kind": "club", "name": f"CLB {name}", "parent_id": branch}
    club = created(officer, "/v1/units", opened_on=ago(400), **group)["id"]
    taking = {"member_id": member, "valid_from": ago(ENTERED)}
    created(officer, f"/v1/groups/{club}/participations", **taking)
    session = {"starts_at": at(-ENTERED, 19), "ends_at": at(-ENTERED, 21)}
    event = made(officer, host_unit_ids=[branch], sessions=[session])
    acted(officer, f"/v1/events/{event['id']}/announce")
    [sitting] = sessions(officer, event)
    item = {"id": member, "kind": "roster", "member_id": member, "occurred_at": at(-ENTERED, 20)}
    [told] = created(officer, f"/v1/sessions/{sitting['id']}/captures", items=[item])["items"]
    assert (told["verdict"], told["attendance"]) == ("stored", "new")


@pytest.fixture(scope="module")
def entered(clones: Clones, shared_app: FastAPI, shared_server: Server) -> Iterator[Database]:
    """Mơ in a branch of one commune, Mận in one of another."""
    with clones.clone() as url:
        database = Database(make_settings(url))
        serve_with(
            shared_app, replace(shared_server, database=database, access_log=AccessLog(database))
        )
        district = Api(shared_app).as_("camkhe")
        branches = district.get("/v1/branches?limit=200").json()["items"]
        for commune, name in (("phuongvi", "Hà Thị Mơ"), ("tienluong", "Hà Thị Mận")):
            own = Api(shared_app).as_(f"{commune}-1").get("/v1/me").json()
            [unit] = {grant["unit"]["id"] for grant in own["grants"]}
            assert unit in {branch["id"] for branch in branches}
            enter_all(district, unit, name)
        yield database
        database.close()


@pytest.fixture
def database(entered: Database) -> Database:
    return entered


def asked(path: str, **more: Any) -> str:
    query = "&".join([LISTS[path], *(f"{name}={value}" for name, value in more.items())])
    return f"{path}?{query}".replace("?&", "?")


def names(items: list[Json]) -> set[str]:
    """Of whom the rows are: each names her, or the head of her household."""
    return {item.get("head_name") or item["full_name"] for item in items}


def listed(api: Api, path: str, **more: Any) -> list[Json]:
    answer = api.get(asked(path, **more))
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["items"]
    return found


@pytest.mark.parametrize("path", LISTS)
class TestEachList:
    def test_has_what_is_in_reach_and_in_the_unit(
        self, api: Api, unit_id: UnitIds, path: str
    ) -> None:
        both = {"Hà Thị Mơ", "Hà Thị Mận"}
        assert names(listed(api.as_("camkhe"), path)) == both
        assert names(listed(api.as_("phuongvi"), path)) == {"Hà Thị Mơ"}
        assert names(listed(api.as_("tienluong-1"), path)) == {"Hà Thị Mận"}
        for unit in ("tienluong", "tienluong-1"):
            found = listed(api.as_("phutho"), path, unit=unit_id[unit])
            assert names(found) == {"Hà Thị Mận"}
        assert listed(api.as_("camkhe"), path, unit=unit_id["phuongvi-2"]) == []
        out_of_scope = api.as_("phuongvi").get(asked(path, unit=unit_id["tienluong"]))
        pointed(out_of_scope, "/unit", "unit_unknown")

    def test_is_of_a_period(self, api: Api, path: str) -> None:
        officer = api.as_("phuongvi")

        def found(first: str, last: str) -> set[str]:
            return names(listed(officer, path, **{"from": first, "to": last}))

        assert found(ago(ENTERED), ago(ENTERED)) == {"Hà Thị Mơ"}
        assert found(ago(ENTERED + 20), ago(ENTERED + 1)) == set()
        # What lasts is there later, too.
        lasts = path.rsplit("/", maxsplit=1)[-1] in ("memberships", "people", "participations")
        assert found(ago(ENTERED - 1), ago(0)) == ({"Hà Thị Mơ"} if lasts else set())
        wrong = officer.get(f"{path}?from={ago(1)}&to={ago(2)}")
        pointed(wrong, "/to", "dates_reversed")

    def test_pages_and_files_are_the_same_rows(self, api: Api, path: str) -> None:
        district = api.as_("camkhe")
        whole = listed(district, path)
        first = district.get(asked(path, limit=1)).json()
        rest = district.get(asked(path, limit=1, cursor=first["next_cursor"])).json()
        assert [*first["items"], *rest["items"]] == whole
        assert rest["next_cursor"] is None
        lines = district.get(asked(path, format="ndjson")).text.splitlines()
        assert [json.loads(line) for line in lines] == whole
        text = district.get(asked(path, format="csv")).content.decode("utf-8-sig")
        assert len(list(csv.reader(io.StringIO(text, newline="")))) == len(whole) + 1
        assert district.get(asked(path, format="xlsx")).content.startswith(b"PK")

    def test_needs_a_right_and_a_token(self, api: Api, path: str) -> None:
        refused(api.get(path), 401, "not_authenticated")
        refused(api.as_("member").get(path), 403, "forbidden")
        refused(api.as_("admin").get(path), 403, "forbidden")

    def test_sends_as_many_statements_for_one_row_as_for_all(
        self, api: Api, database: Database, path: str
    ) -> None:
        district = api.as_("camkhe")
        with counted(database) as one:
            district.get(asked(path, limit=1))
        with counted(database) as all_:
            district.get(asked(path, limit=200))
        assert len(one) == len(all_)


def test_what_a_row_says(api: Api, unit_id: UnitIds) -> None:
    officer, branch = api.as_("phuongvi"), unit_id["phuongvi-1"]
    [spell] = listed(officer, "/v1/memberships")
    assert (spell["branch_id"], spell["valid_from"]) == (branch, ago(ENTERED))
    [child] = listed(officer, "/v1/households/people")
    assert (child["full_name"], child["branch_id"]) == ("Bùi Văn Út", branch)
    [assessment] = listed(officer, "/v1/assessments")
    assert (assessment["deprived"], assessment["branch_id"]) == (["water"], branch)
    [decision] = listed(officer, "/v1/poverty-decisions")
    assert (decision["class"], decision["decision_number"]) == ("poor", "12/QĐ-UBND")
    [attended] = listed(officer, "/v1/attendance")
    assert (attended["title"], attended["local_date"]) == ("Sinh hoạt tháng 12", ago(ENTERED))
    [training] = listed(officer, "/v1/trainings")
    assert (training["name"], training["branch_id"]) == ("Nghiệp vụ", branch)
    [taking] = listed(officer, "/v1/participations")
    assert (taking["group"]["name"], taking["kind"]) == ("CLB Hà Thị Mơ", "club")


def test_filters_narrow(api: Api) -> None:
    officer = api.as_("phuongvi")
    for path, none in (
        ("/v1/memberships", {"left_by": "death"}),
        ("/v1/assessments", {"class": "not_poor"}),
        ("/v1/assessments", {"source": "self"}),
        ("/v1/poverty-decisions", {"class": "near_poor"}),
        ("/v1/poverty-decisions", {"change": "relapsed"}),
        ("/v1/poverty-decisions", {"decision_number": "13"}),
        ("/v1/attendance", {"mode": "online"}),
        ("/v1/trainings", {"kind": "language"}),
        ("/v1/participations", {"kind": "team"}),
    ):
        assert listed(officer, path, **none) == [], (path, none)


def test_a_member_out_of_sight_is_listed_by_id_only(api: Api, unit_id: UnitIds) -> None:
    """She has moved to another commune, and still lives in the household here."""
    district = api.as_("camkhe")
    [member] = [
        each["member_id"]
        for each in district.get("/v1/households/people?relation=head").json()["items"]
        if each["full_name"] == "Hà Thị Mận"
    ]
    to = {"to_branch_id": unit_id["phuongvi-2"], "effective_on": ago(0)}
    created(district, f"/v1/members/{member}/transfers", **to)
    found = api.as_("tienluong").get("/v1/households/people?relation=head").json()["items"]
    [hers] = [each for each in found if each["member_id"] == member]
    assert (hers["full_name"], hers["birth_date"], hers["gender"]) == (None, None, None)
    assert hers["head_name"] == "Hà Thị Mận"
