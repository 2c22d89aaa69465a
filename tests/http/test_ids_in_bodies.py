"""Ids in request bodies: one out of scope gets the answer of one that does not exist."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import col

from app.api.http.routing import Route
from app.db import Database
from app.models.households.households import HouseholdPerson
from app.models.kernel.accounts import Account
from app.models.members.members import Member
from app.services.kernel.manifest import manifest
from app.services.kernel.named import places_of
from tests.helpers.answers import Json, pointed
from tests.helpers.bodies import pointer_of, put, resolved, smallest, with_bodies
from tests.helpers.cadres import done, free_members, made
from tests.helpers.captures import add_room, hold, item, send
from tests.helpers.client import Api
from tests.helpers.homes import assess, home

IN_PATHS = {"unit_id": "1", "group_id": "1", "standard_id": "nd07-2021"}
UUIDS = re.compile("[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
NOWHERE = {"unit": 2**31 - 1}


def ids_in(
    schema: Json, whole: Json, steps: tuple[str | None, ...] = ()
) -> Iterator[tuple[str | None, ...]]:
    """Where a schema has an id of something else, by format and name."""
    schema = resolved(schema, whole)
    for choice in schema.get("anyOf", ()):
        yield from ids_in(choice, whole, steps)
    if schema.get("type") == "array":
        yield from ids_in(schema["items"], whole, (*steps, None))
    for name, below in schema.get("properties", {}).items():
        yield from ids_in(below, whole, (*steps, name))
    name = next((step for step in reversed(steps) if step is not None), "")
    of_unit = schema.get("type") == "integer" and name.endswith(("_id", "_ids"))
    if (schema.get("format") == "uuid" and name != "id") or of_unit:
        yield steps


# -- the tests


class TestSchemas:
    def test_say_of_each_id_what_it_names(self, shared_app: FastAPI) -> None:
        silent = set()
        for _, model in with_bodies(shared_app):
            whole = model.model_json_schema()
            named = {place.steps for place in places_of(model)}
            silent |= {(model.__name__, steps) for steps in ids_in(whole, whole)} - {
                (model.__name__, steps) for steps in named
            }
        assert silent == set()

    def test_name_what_the_manifest_looks_for(self, shared_app: FastAPI) -> None:
        asked = [place.names for _, model in with_bodies(shared_app) for place in places_of(model)]
        looked_for = {n.kind for n in asked if not (n.anywhere or n.of_parent)}
        assert looked_for <= manifest().named.keys()
        assert looked_for == {"unit", "member", "household", "person"}

    def test_are_looked_through_in_a_transaction(self, shared_app: FastAPI) -> None:
        for route, model in with_bodies(shared_app):
            looked_for = [
                p for p in places_of(model) if not (p.names.anywhere or p.names.of_parent)
            ]
            if looked_for:
                assert route.need is not Database, route.path


def errors_at(api: Api, route: Route, body: Json, pointer: str) -> Json:
    path = route.path
    for name in route.param_convertors:
        path = path.replace(f"{{{name}}}", IN_PATHS.get(name) or str(uuid4()))
    answer = api.request(route.method, path, json=body)
    problem: Json = answer.json()
    [error] = [e for e in problem.get("errors", ()) if e["pointer"] == pointer] or [{}]
    return {"status": answer.status_code, "code": problem["code"], "error": error.get("code")}


class TestBodies:
    @pytest.fixture
    def foreign(self, database: Database, unit_id: dict[str, int]) -> dict[str, Any]:
        """What the officer of Phượng Vĩ does not see, one of each kind."""
        branch_id = unit_id["tienluong-1"]
        household_id = home(database, branch_id)
        with database.reading() as db:
            a_member = sa.select(col(Member.id)).where(col(Member.branch_id) == branch_id)
            a_person = sa.select(col(HouseholdPerson.person_id)).where(
                col(HouseholdPerson.household_id) == household_id
            )
            return {
                "unit": branch_id,
                "household": str(household_id),
                "member": str(db.execute(a_member.limit(1)).scalar_one()),
                "person": str(db.execute(a_person.limit(1)).scalar_one()),
            }

    def test_out_of_scope_is_as_if_it_did_not_exist(
        self, app: FastAPI, officer: Api, foreign: dict[str, Any]
    ) -> None:
        asked = 0
        for route, model in with_bodies(app):
            whole = model.model_json_schema()
            for place in places_of(model):
                if place.names.anywhere or place.names.of_parent:
                    continue
                kind, pointer = place.names.kind, pointer_of(place)
                answers = []
                for value in (foreign[kind], NOWHERE.get(kind, str(uuid4()))):
                    body = put(smallest(whole, whole), whole, whole, place.steps, value)
                    answers.append(errors_at(officer, route, body, pointer))
                unknown = manifest().named[kind].unknown
                expected = {"status": 422, "code": "validation_failed", "error": unknown}
                assert answers == [expected, expected], (route.path, pointer)
                asked += 1
        assert asked > 30


class TestPersons:
    """People of households: each id that a body names is of somebody the actor sees."""

    def body(self, unit_id: dict[str, int], **more: object) -> Json:
        person = {"full_name": "Nguyễn Thị Hoa", "relation": "head"} | more
        return {"branch_id": unit_id["phuongvi-1"], "people": [person]}

    def test_a_member_is_named_as_a_member(
        self, officer: Api, database: Database, unit_id: dict[str, int]
    ) -> None:
        own = str(free_members(database, unit_id["phuongvi-1"])[0].id)
        answer = officer.post("/v1/households", json=self.body(unit_id, person_id=own))
        pointed(answer, "/people/0/person_id", "person_is_member")
        people = f"/v1/households/{home(database, unit_id['phuongvi-1'])}/people"
        body = {"person_id": own, "full_name": "Ai", "relation": "child"}
        pointed(officer.post(people, json=body), "/person_id", "person_is_member")
        body = {"person_id": own, "member_id": own, "relation": "child"}
        assert own in {
            each["person_id"] for each in done(officer.post(people, json=body))["people"]
        }

    def test_who_was_in_a_household_goes_on_in_another(
        self, officer: Api, database: Database, unit_id: dict[str, int]
    ) -> None:
        old = f"/v1/households/{home(database, unit_id['phuongvi-2'])}"
        child = officer.get(old).json()["people"][-1]["person_id"]
        done(officer.post(f"{old}/people/{child}/leave", json={"effective_on": "2024-05-17"}))
        answer = officer.post("/v1/households", json=self.body(unit_id, person_id=child))
        assert made(answer)["head_id"] == child


class World:
    """Records of one kind twice: those of the record in the address, and others."""

    def __init__(self, officer: Api, database: Database, unit_id: dict[str, int]) -> None:
        near, far = (home(database, unit_id[name]) for name in ("phuongvi-1", "tienluong-1"))
        of_home = col(HouseholdPerson.household_id)
        with database.reading() as db:
            rows = db.execute(sa.select(of_home, col(HouseholdPerson.person_id))).all()
            theirs = sa.select(col(Account.id)).where(col(Account.username) == "tienluong")
            self.account = str(db.execute(theirs).scalar_one())
        self.foreigner = str(next(row.person_id for row in rows if row.household_id == far))
        self.child = str([row.person_id for row in rows if row.household_id == near][-1])
        self.household = f"/v1/households/{near}"
        self.another = f"/v1/households/{home(database, unit_id['phuongvi-2'])}"
        self.assessment = str(assess(database, far, ["water"], "2025-05-01"))
        mine, other = (str(each.id) for each in free_members(database, unit_id["phuongvi-1"])[:2])
        self.member = f"/v1/members/{mine}"
        self.not_invited = str(free_members(database, unit_id["tienluong-1"])[0].id)
        asking = {"kind": "erase", "channel": "paper"}
        asked = [
            made(officer.post(f"/v1/members/{each}/privacy-requests", json=asking))["id"]
            for each in (mine, other)
        ]
        self.request, self.request_of_another = f"/v1/privacy/requests/{asked[0]}", asked[1]
        session, elsewhere = (hold(database, [unit_id["phuongvi-1"]]) for _ in range(2))
        self.session = f"/v1/sessions/{session}"
        self.room = str(add_room(database, elsewhere, "Nhà văn hoá"))
        unknown = item("roster", member_id=str(uuid4()))
        send(officer, session, [unknown])
        self.capture = f"/v1/captures/{unknown['id']}"

    def cases(self) -> dict[tuple[str, str], tuple[str, Json, str]]:
        """By the operation and the place of the id: the address, the body without it, the id."""
        decided = {"class": "poor", "decision_number": "1/QĐ", "decided_on": "2025-05-02"}
        given = {"kind": "sponsorship", "given_on": "2025-05-02"}
        tap = item("roster", member_id=str(uuid4()))
        taps = {"items": [{name: value for name, value in tap.items() if name != "id"}]}
        head, split = f"{self.household}/head", f"{self.household}/split"
        parts = {"people": [{"person_id": self.child, "relation": "head"}], "head_id": self.child}
        join = {"into_id": self.household.rpartition("/")[2]}
        visited = {"assessed_on": "2025-05-02", "source": "union_visit", "answers": {}}
        reviewed = {"household_id": join["into_id"]}
        captures, assessments = f"{self.session}/captures", f"{self.household}/assessments"
        return {
            ("change_household_head", "/head_id"): (head, {}, self.foreigner),
            ("change_household_head", "/relations/0/person_id"): (
                head,
                {"head_id": self.child},
                self.foreigner,
            ),
            ("split_household", "/head_id"): (split, parts, self.foreigner),
            ("split_household", "/people/0/person_id"): (split, parts, self.foreigner),
            ("join_households", "/relations/0/person_id"): (
                f"{self.another}/join",
                join,
                self.foreigner,
            ),
            ("create_assessment", "/corrects_id"): (
                assessments,
                visited,
                self.assessment,
            ),
            ("recognise_poverty_status", "/assessment_id"): (
                f"{self.household}/poverty-status",
                decided | {"valid_from": "2025-05-02"},
                self.assessment,
            ),
            ("store_poverty_review", "/items/0/assessment/corrects_id"): (
                "/v1/poverty-reviews",
                {"items": [reviewed | {"assessment": visited}]},
                self.assessment,
            ),
            ("create_support", "/child_id"): (
                f"{self.household}/support",
                given | {"guardian_consent_on": "2025-05-01"},
                self.foreigner,
            ),
            ("assign_privacy_request", "/account_id"): (f"{self.request}/assign", {}, self.account),
            ("create_processing_limit", "/request_id"): (
                f"{self.member}/processing-limits",
                {"kind": "restriction"},
                self.request_of_another,
            ),
            ("erase_member", "/request_id"): (
                f"{self.member}/erasure",
                {"dry_run": True},
                self.request_of_another,
            ),
            ("capture", "/items/0/member_id"): (captures, taps, self.not_invited),
            ("capture", "/items/0/room_id"): (captures, taps, self.room),
            ("identify_capture", "/member_id"): (f"{self.capture}/identify", {}, self.not_invited),
        }


# They answer 200, with a verdict or a dry run.
VERDICTS = ("capture", "erase_member", "store_poverty_review")


class TestOfParent:
    """Ids of what belongs to the record in the address: of another record they do not exist."""

    def test_of_another_record_is_as_if_it_did_not_exist(
        self, app: FastAPI, api: Api, officer: Api, database: Database, unit_id: dict[str, int]
    ) -> None:
        cases = World(officer, database, unit_id).cases()
        for route, model in with_bodies(app):
            whole = model.model_json_schema()
            for place in places_of(model):
                if not place.names.of_parent:
                    continue
                path, body, foreign = cases.pop((route.operation_id, pointer_of(place)))
                caller = api.as_("phutho") if route.operation_id == "erase_member" else officer
                answers = set()
                for value in (foreign, str(uuid4())):
                    sent = put(body, whole, whole, place.steps, value)
                    answer = caller.request(route.method, path, json=sent)
                    answers.add((answer.status_code, UUIDS.sub("*", answer.text)))
                assert len(answers) == 1, answers
                [(status, text)] = answers
                assert status == 422 or route.operation_id in VERDICTS, text
        assert cases == {}
