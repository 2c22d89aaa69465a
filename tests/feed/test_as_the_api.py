"""What the feed shows of a row is what the API answers the same reader: its fields, and what is masked."""

from collections.abc import Callable
from typing import Any

import pytest

from app.clock import local_today
from app.db import Database
from app.services.feed.states import fields_of
from app.services.kernel.manifest import manifest
from tests.feed.follower import events, rows
from tests.helpers.answers import Json, UnitIds
from tests.helpers.branch_world import BranchWorld, live_on
from tests.helpers.cadres import done, made
from tests.helpers.client import Api

# Of each kind, where a row is read: it itself, or a list that it is on.
SHOWN = {
    "unit": "/v1/units/{id}",
    "member": "/v1/members/{id}",
    "membership": "/v1/members/{member_id}/memberships",
    "participation": "/v1/members/{member_id}/participations",
    "appointment": "/v1/appointments/{id}",
    "training": "/v1/members/{member_id}/trainings",
    "household": "/v1/households/{id}",
    "household_person": "/v1/households/people?from=1900-01-01",
    "assessment": "/v1/assessments/{id}",
    "poverty_status": "/v1/households/{household_id}/poverty-status",
    "support": "/v1/support/{id}",
    "household_visit": "/v1/households/{household_id}/visits",
    "loan_figure": "/v1/loan-figures",
    "event": "/v1/events/{id}",
    "event_session": "/v1/sessions/{id}",
    "rsvp": "/v1/sessions/{session_id}/rsvps",
    "attendance": "/v1/attendance?from=1900-01-01",
}
READERS = ("phutho", "phuongvi", "phuongvi-1", "tienluong", "auditor")
# These are one object in the answer.
OF_A_TERM = {"congress_number", "term_from", "term_to"}
Rows = dict[str, Json]


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds, work: Callable[[], int]) -> BranchWorld:
    """A branch with rows of every kind, one family of which moved to the next commune."""
    found = BranchWorld(api, database, unit_id, work)
    live_on(found)
    body = {"visited_on": local_today().isoformat(), "visitors": ["Lan"], "note": "Cần sửa mái"}
    made(found.officer.post(f"{found.household}/visits", json=body))
    sensitive = {"phone": "0912345678", "religion": "catholic", "citizen_id": "025188001234"}
    done(found.officer.patch(found.member, json=sensitive | {"address": "Khu 9"}))
    moved = {"branch_id": unit_id["phuongvi-2"], "address": "Khu 3"}
    done(found.province.post(f"{found.household}/move", json=moved))
    return found


def test_each_kind_is_compared() -> None:
    assert SHOWN.keys() == manifest().news.keys()


@pytest.mark.usefixtures("world")
def test_every_reader_is_shown_what_the_api_shows(api: Api) -> None:
    compared: set[str] = set()
    for name in READERS:
        reader = api.as_(name)
        lists: dict[str, Rows] = {}
        newest = {(e["data"]["entity"], e["subject"]): e["data"] for e in events(reader)}
        shown = [data for data in newest.values() if data["state"] is not None]
        readable = [
            kind for kind in SHOWN if reader.get(f"/v1/feed?kinds={kind}&limit=1").is_success
        ]
        for kind in readable:
            shown += rows(reader, kind)[:12]
        for data in shown:
            ensure_the_same(reader, lists, data)
            compared.add(data["entity"])
        assert {each["entity"] for each in shown} <= set(readable)
    assert compared == SHOWN.keys()


def ensure_the_same(reader: Api, lists: dict[str, Rows], data: Json) -> None:
    kind, state = data["entity"], data["state"]
    path = SHOWN[kind].format(**state)
    if "{id}" in SHOWN[kind]:
        row: Any = done(reader.get(path))
    else:
        if path not in lists:
            lists[path] = listed(reader, path)
        row = lists[path][key_of(state)]
    # The list of people has no id of the stay.
    names = state.keys() - OF_A_TERM - ({"id"} if "id" not in row else set())
    answered = {name: said(row, name) for name in names}
    assert answered == {name: state[name] for name in answered}, (reader.username, kind)
    # A session lists what is hidden of it only where there is something.
    if "masked" in row:
        hidden = {name for name in row["masked"] if name in fields_of(kind)}
        assert hidden <= set(data["masked"]), (reader.username, kind)
    assert {said(row, name) for name in data["masked"]} <= {None}
    if "revision" in row:
        assert data["revision"] == row["revision"]


def listed(api: Api, path: str) -> Rows:
    """All rows of a list, by what tells them apart."""
    found: Rows = {}
    cursor: str | None = ""
    while cursor is not None:
        asked = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        page = done(api.get(f"{path}{'&' if '?' in path else '?'}{query}"))
        found |= {key_of(row): row for row in page["items"]}
        cursor = page["next_cursor"]
    return found


def key_of(row: Json) -> str:
    if "person_id" in row:
        return f"{row['household_id']} {row['person_id']} {row['valid_from']}"
    return str(row["id"])


def said(row: Json, name: str) -> Any:
    """A field of an answer; what an event has the id of, it may have as a whole."""
    if name in row:
        return row[name]
    named = row[name.removesuffix("_id")]
    return named["id"] if "id" in named else named["member_id"]
