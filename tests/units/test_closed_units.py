"""A unit that has closed takes nothing new: asked of every body that names a unit."""

from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import col

from app.db import Database
from app.models.kernel.accounts import Account
from app.services.kernel.named import places_of
from tests.helpers.answers import Json, refused
from tests.helpers.bodies import pointer_of, put, with_bodies
from tests.helpers.cadres import free_members, made
from tests.helpers.captures import hold
from tests.helpers.client import Api
from tests.helpers.homes import decide, home
from tests.helpers.tables import everything
from tests.units.units import ago, closed, opened

# Operations that record nothing of the unit they name.
NOTHING_NEW = {
    "close_unit": "what a successor took over is dated by the closing",
    "match_member": "looks for records",
    "simulate_poverty_standard": "computes, and keeps no result of the unit",
    "publish_poverty_edition": "publishes years that are over, also those of a province that has ended",
    "create_external_id": "what other systems called a unit is looked up after its end",
    **dict.fromkeys(("create_webhook", "update_webhook"), "reads what was in it, as the feed does"),
    "create_export": "reads, also what was in a unit that has closed",
    "create_anonymisation_policy": "what a unit has left behind is anonymised after its end",
    "create_reorganisation": "a draft: what prevents it is in its preview",
    "update_reorganisation": "a draft: what prevents it is in its preview",
    "propose_anonymisation": "what a unit has left behind is anonymised after its end",
}


class World:
    """A branch that closed ten days ago, and what could be brought into it today."""

    def __init__(self, api: Api, database: Database, unit_id: dict[str, int]) -> None:
        self.officer, self.branch = api.as_("phuongvi"), unit_id["phuongvi-1"]
        self.gone = opened(self.officer, "branch", unit_id["phuongvi"], "Chi hội khu 9")
        closed(self.officer, self.gone, ago(10))
        self.group = opened(self.officer, "group", self.branch, "Tổ tiết kiệm")
        left, self.member = (str(each.id) for each in free_members(database, self.branch)[:2])
        with database.reading() as db:
            named = sa.select(col(Account.member_id)).where(col(Account.username) == "member")
            self.deputy = str(db.execute(named).scalar_one())
        self.left = f"/v1/members/{left}"
        made(self.officer.post(f"{self.left}/departures", json={"reason": "moved_away"}))
        household = home(database, self.branch)
        decide(database, household, "poor", "2025-01-01")
        self.household = f"/v1/households/{household}"
        self.session = f"/v1/sessions/{hold(database, [self.branch])}"
        event = {"title": "Sinh hoạt", "kind": "meeting", "host_unit_ids": [self.branch]}
        self.event = f"/v1/events/{made(self.officer.post('/v1/events', json=event))['id']}"
        account = {"username": "lan", "display_name": "Lan", "unit_id": self.branch}
        self.account = f"/v1/accounts/{made(self.officer.post('/v1/accounts', json=account))['id']}"

    def cases(self) -> dict[tuple[str, str], tuple[str, Json]]:
        """By the operation and the place of the unit: the address, and the body without it."""
        person = {"full_name": "Nguyễn Thị Hoa", "birth_date": "1980"}
        event = {"title": "Họp", "kind": "meeting"}
        account = {"username": "mai", "display_name": "Mai"}
        grant = {"role": "branch_head", "unit_id": self.branch}
        step = {"title": "Vay vốn", "due_on": ago(-90), "responsible": "Chi hội trưởng"}
        figures = {"scheme": "vbsp", "source": "NHCSXH", "groups": 1, "borrowers": 2}
        unit = {"level": "group", "group_kind": "other", "name": "Tổ 2", "opened_on": ago(0)}
        post = {"member_id": self.member, "post": "branch_deputy", "basis": "appointed"}
        return {
            ("create_unit", "/parent_id"): ("/v1/units", unit),
            ("move_unit", "/parent_id"): (
                f"/v1/units/{self.group}/moves",
                {"effective_on": ago(0)},
            ),
            ("create_appointment", "/unit_id"): ("/v1/appointments", post),
            ("create_household", "/branch_id"): (
                "/v1/households",
                {"people": [person | {"relation": "head"}]},
            ),
            ("move_household", "/branch_id"): (f"{self.household}/move", {}),
            ("create_calendar_link", "/unit_id"): ("/v1/me/calendars", {}),
            ("create_event", "/host_unit_ids/0"): ("/v1/events", event),
            ("create_event", "/invited_unit_ids/0"): (
                "/v1/events",
                event | {"host_unit_ids": [self.branch]},
            ),
            ("update_event", "/host_unit_ids/0"): (self.event, {}),
            ("update_event", "/invited_unit_ids/0"): (self.event, {}),
            ("create_room", "/unit_id"): (f"{self.session}/rooms", {}),
            ("create_account", "/unit_id"): ("/v1/accounts", account),
            ("create_account", "/grants/0/unit_id"): (
                "/v1/accounts",
                account | {"unit_id": self.branch, "grants": [grant]},
            ),
            ("invite_heads", "/unit_id"): ("/v1/accounts/heads", {}),
            ("add_grant", "/unit_id"): (f"{self.account}/grants", grant),
            ("create_delegation", "/unit_id"): (
                "/v1/delegations",
                {"member_id": self.deputy, "rights": ["members:read"], "valid_to": ago(-9)},
            ),
            ("open_escape_path", "/helper_id"): (
                f"{self.household}/escape-paths",
                {"target_on": ago(-99), "steps": [step]},
            ),
            ("create_loan_figure", "/unit_id"): (
                "/v1/loan-figures",
                figures | {"as_of": ago(0), "outstanding_vnd": 9},
            ),
            ("create_women_count", "/branch_id"): (
                "/v1/women-counts",
                {"as_of": ago(0), "women": 90},
            ),
            ("create_member", "/branch_id"): ("/v1/members", person | {"joined_on": None}),
            ("create_readmission", "/branch_id"): (f"{self.left}/readmissions", {}),
            ("create_transfer", "/to_branch_id"): (f"/v1/members/{self.member}/transfers", {}),
        }


@pytest.fixture
def world(api: Api, database: Database, unit_id: dict[str, int]) -> World:
    return World(api, database, unit_id)


def test_takes_nothing_new(app: FastAPI, database: Database, world: World) -> None:
    cases, before = world.cases(), everything(database)
    for route, model in with_bodies(app):
        whole: Any = model.model_json_schema()
        for place in places_of(model):
            if place.names.kind != "unit" or route.operation_id in NOTHING_NEW:
                continue
            path, body = cases.pop((str(route.operation_id), pointer_of(place)))
            sent = put(body, whole, whole, place.steps, world.gone)
            answer = world.officer.request(route.method, path, json=sent)
            refused(answer, 409, "unit_closed")
    assert cases == {}
    assert everything(database) == before
