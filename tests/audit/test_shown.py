"""Every answer that shows sensitive data is noted: asked of the app's own routes and schemas.

Each route whose schema can show something sensitive is asked over a family that has all of it, as
an officer who may see it, and leaves a note about the right person with the right fields; asked as
somebody who may not see it, it leaves none.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import BaseModel
from sqlmodel import col, select

from app.api.http.routing import Route, routes_of
from app.api.http.server import serving
from app.clock import local_today, utc_now
from app.db import Database
from app.models.base import table_of
from app.models.households.households import Household
from app.models.households.lists import HouseholdItem
from app.models.kernel.access_log import AccessRead
from app.models.kernel.accounts import Account
from app.models.kernel.jobs import JobRead
from app.models.kernel.sensitive import Sensitive, SensitiveIf
from app.models.members.members import Member, MemberRead
from app.models.support.escape_paths import EscapeCheck
from app.services.kernel.manifest import tracked_of
from app.services.kernel.shown import all_names, view_of
from app.services.members.record import MASKS
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, account, done, free_members, made
from tests.helpers.client import Api, writing
from tests.helpers.homes import attributed
from tests.helpers.operations import operation, verdicts
from tests.helpers.when_run import WhenRun, resolved

CODES = (
    *("employment", "dependants", "nutrition", "health_insurance", "adult_education"),
    *("child_schooling", "housing_quality", "housing_area", "water", "sanitation"),
    *("telecom_use", "information_means"),
)
OFFICER, NOBODY_TO_SEE_IT = "phuongvi", "auditor"
NUMBERS = {"phone": "0912345678", "citizen_id": "025188001234", "id_card": "131234567"}
FAITH = {"ethnicity": "02", "religion": "catholic"}
PARTY = {"party": "member", "party_joined_on": "2015-05-19"}
ALL_OF_HERS = ",".join(sorted([*NUMBERS, *FAITH, *PARTY]))
Told = dict[str, str]


def days(number: int) -> str:
    return (local_today() + timedelta(days=number)).isoformat()


@dataclass
class World:
    """Ids of a member with every sensitive field and of a poor family whose head she is, by the
    names of the parameters of paths."""

    api: Api
    database: Database
    work: Callable[[], int]
    ids: Json = field(default_factory=dict)

    @property
    def officer(self) -> Api:
        return self.api.as_(OFFICER)

    def notes(self, username: str) -> Told:
        """Who has been shown to an account, and of each what; forgotten with the answer."""
        serving(self.api.app).access_log.flush()
        reader = account(self.database, username).id
        with writing(self.database) as session:
            rows = session.exec(select(AccessRead)).all()
            session.execute(sa.delete(AccessRead))
        return {
            str(row.member_id): row.fields
            for row in sorted(rows, key=lambda row: row.how)
            if row.account_id == reader
        }


@pytest.fixture
def world(api: Api, database: Database, unit_id: Ids, work: Callable[[], int]) -> World:
    made_of = World(api, database, work, {"branch_id": unit_id["phuongvi-1"]})
    _member(made_of)
    _family(made_of, unit_id)
    _support(made_of)
    _path(made_of)
    made_of.notes(OFFICER)
    return made_of


def _member(world: World) -> None:
    """She may sign in, and somebody else on record has her citizen id."""
    with writing(world.database) as session:
        username = col(Account.username) == "member"
        member_id = str(session.exec(select(Account.member_id).where(username)).one())
    body = NUMBERS | FAITH | PARTY
    done(world.officer.patch(f"/v1/members/{member_id}", json=body))
    twin = {"full_name": "Đặng Thị Hai", "birth_date": "1971", "joined_on": None}
    twin |= {"branch_id": world.ids["branch_id"], "citizen_id": NUMBERS["citizen_id"]}
    made(world.officer.post("/v1/members", json=twin))
    [pair] = done(world.officer.get("/v1/duplicates"))["items"]
    asked = {"changes": {"religion": "buddhist", "phone": "0987654321"}}
    correction = made(world.api.as_("member").post("/v1/me/corrections", json=asked))
    world.ids |= {"member_id": member_id, "correction_id": correction["id"], "pair_id": pair["id"]}
    sent = operation("member.update", member_id, {"phone": "0987654322"}, base_rev=0)
    assert verdicts(world.api.as_("phuongvi-1"), sent) == ["conflict"]
    [entry] = done(world.officer.get("/v1/sync/inbox"))["items"]
    world.ids["entry_id"] = entry["id"]


def _family(world: World, unit_id: Ids) -> None:
    head = free_members(world.database, unit_id["phuongvi-1"])[0]
    child = {
        "full_name": "Hà Thị Con",
        "relation": "child",
        "birth_date": str(local_today().year - 9),
    }
    people: list[Json] = [{"member_id": str(head.id), "relation": "head"}, child]
    body = {"branch_id": unit_id["phuongvi-1"], "opened_on": "2021-01-01", "people": people}
    home = made(world.officer.post("/v1/households", json=body))
    other = made(world.officer.post("/v1/households", json=body | {"people": [_alone("Bình")]}))
    where = f"/v1/households/{home['id']}"
    found = made(world.officer.post(f"{where}/assessments", json=resolved(ASSESSMENT)))
    status = made(world.officer.post(f"{where}/poverty-status", json=resolved(DECISION)))
    world.ids |= {
        "household_id": home["id"],
        "head_id": str(head.id),
        "person_id": next(p["person_id"] for p in home["people"] if p["relation"] == "child"),
        "other_id": other["id"],
        "assessment_id": found["id"],
        "status_id": status["id"],
        "campaign": str(local_today().year),
        "indicator": "poverty.near_poor",
    }


def _alone(name: str) -> Json:
    return {"full_name": f"Hà Thị {name}", "gender": "female", "relation": "head"}


def _support(world: World) -> None:
    where = f"/v1/households/{world.ids['household_id']}"
    # By another: who proposes help does not approve it.
    head = world.api.as_("phuongvi-1")
    world.ids["support_id"] = made(head.post(f"{where}/support", json=resolved(GIFT)))["id"]
    made(world.officer.post(f"{where}/visits", json=resolved(VISIT)))


def _path(world: World) -> None:
    household_id = world.ids["household_id"]
    answer = world.officer.post(f"/v1/households/{household_id}/escape-paths", json=resolved(PATH))
    path = made(answer)
    with writing(world.database) as session:
        now = utc_now()
        home = attributed(session).get_one(Household, UUID(household_id))
        check = EscapeCheck(
            path_id=UUID(path["id"]),
            household_id=home.id,
            province_id=home.province_id,
            months=6,
            due_on=local_today(),
            created_at=now,
            updated_at=now,
        )
        session.add(check)
    step_id = path["steps"][0]["id"]
    world.ids |= {"path_id": path["id"], "step_id": step_id, "check_id": str(check.id)}


@pytest.fixture
def simulated(world: World, unit_id: Ids) -> World:
    """With a job done that names the family."""
    answer = world.officer.post(SIMULATE, json={"unit_id": unit_id["phuongvi"]})
    assert world.work() == 1
    world.ids["job_id"] = answer.json()["id"]
    world.notes(OFFICER)
    return world


SIMULATE = "/v1/poverty-standards/vn-2027/simulate"
# Average by the standard of 2022, poor by the next.
ASSESSMENT = {
    "assessed_on": WhenRun(days, -30),
    "income_per_person": 1_900_000,
    "answers": {code: place < 3 for place, code in enumerate(CODES)},
    "source": "union_visit",
}
DECISION = {
    "class": "near_poor",
    "decision_number": "77/QĐ-UBND",
    "decided_on": WhenRun(days, -20),
    "valid_from": WhenRun(days, -20),
}
GIFT = {
    "kind": "gift",
    "deprivation": "water",
    "given_on": WhenRun(days, 0),
    "value_vnd": 3_000_000,
}
VISIT = {
    "visited_on": WhenRun(days, -1),
    "visitors": ["Bà Lan"],
    "needs": ["water"],
    "note": "Mái dột",
}
STEP = {"title": "Khoan giếng", "responsible": "Bà Hoa", "due_on": WhenRun(days, -1)}
PATH = {"opened_on": WhenRun(days, -10), "target_on": WhenRun(days, 300), "steps": [STEP]}
# What each answer has to be noted with, by whose it is.
Expected = Callable[[World, Json], Told]


def of_family(world: World, _: Json) -> Told:
    return {world.ids["household_id"]: "poverty", world.ids["head_id"]: "poverty"}


def of_another_household(world: World, answer: Json) -> Told:
    return {answer["id"]: "poverty"}


def of_member(world: World, _: Json) -> Told:
    return {world.ids["member_id"]: ALL_OF_HERS}


def of_pair(world: World, answer: Json) -> Told:
    ids = [answer["member_id"], answer["other_id"]]
    return dict.fromkeys(ids, "citizen_id")


def of_correction(world: World, _: Json) -> Told:
    return {world.ids["member_id"]: "phone,religion"}


def of_copy(world: World, _: Json) -> Told:
    return of_member(world, {})


def of_nobody(world: World, _: Json) -> Told:
    return {}


# Lists of everybody in scope hold others too: these are on them.
READS: dict[str, Expected] = {
    "/v1/members": of_member,
    "/v1/members/{member_id}": of_member,
    "/v1/members/{member_id}/personal-data": of_copy,
    "/v1/sync/changes?kinds=member": of_member,
    "/v1/sync/inbox": lambda world, _: {world.ids["member_id"]: "phone"},
    "/v1/sync/inbox/{entry_id}": lambda world, _: {world.ids["member_id"]: "phone"},
    "/v1/duplicates": lambda world, answer: of_pair(world, answer["items"][0]),
    "/v1/duplicates/{pair_id}": of_pair,
    "/v1/correction-requests": of_correction,
    "/v1/correction-requests/{correction_id}": of_correction,
    "/v1/households": of_family,
    "/v1/households/{household_id}": of_family,
    "/v1/households/{household_id}/assessments": of_family,
    "/v1/assessments/{assessment_id}": of_family,
    "/v1/households/{household_id}/poverty-status": of_family,
    "/v1/assessments": of_family,
    "/v1/poverty-decisions": of_family,
    "/v1/poverty-status/differences": of_family,
    "/v1/poverty-campaigns/{campaign}/worklist": of_family,
    "/v1/support-programmes?household={household_id}": of_family,
    "/v1/support": of_family,
    "/v1/support/{support_id}": of_family,
    "/v1/households/{household_id}/support": of_family,
    "/v1/households/{household_id}/visits": of_family,
    "/v1/escape-paths": of_family,
    "/v1/households/{household_id}/escape-paths": of_family,
    "/v1/escape-paths/{path_id}": of_family,
    "/v1/escape-tasks": of_family,
    "/v1/figures/{indicator}/explain?unit={branch_id}": of_family,
    "/v1/jobs": of_family,
    "/v1/jobs/{job_id}": of_family,
    "/v1/feed?kinds=member&unit={branch_id}&limit=1000": of_member,
    "/v1/feed?kinds=poverty_status&limit=1000": of_family,
    "/v1/feed/rows?kind=poverty_status&limit=1000": of_family,
    "/v1/changes?kinds=poverty_status": of_family,
    "/v1/changes?kinds=member&entity_id={member_id}": of_member,
    "/v1/changes/history?entity=support&entity_id={support_id}": of_family,
    "/v1/changes/history?entity=member&entity_id={member_id}": of_member,
}
OWN = ("/v1/me/member", "/v1/me/corrections", "/v1/me/personal-data")
OF_HER_HEAD = "/v1/me/branch"


@dataclass(frozen=True)
class Write:
    method: str
    path: str
    body: Json
    told: Expected = of_family
    who: str = OFFICER


HOUSEHOLD = "/v1/households/{household_id}"
NEW_MEMBER = {
    "full_name": "Hà Thị Mới",
    "birth_date": "1990",
    "branch_id": "{branch_id}",
    "joined_on": None,
    "phone": "0977000111",
}
NEW_HOUSEHOLD = {"branch_id": "{branch_id}", "people": [_alone("Mới")]}
CHILD_ALONE = {
    "head_id": "{person_id}",
    "people": [{"person_id": "{person_id}", "relation": "head"}],
}
WRITES = (
    Write("POST", "/v1/members", NEW_MEMBER, lambda _, answer: {answer["id"]: "phone"}),
    Write("PATCH", "/v1/members/{member_id}", {"address": "Khu 3"}, of_member),
    Write(
        "POST",
        "/v1/members/match",
        {"full_name": "Ai Đó", "citizen_id": NUMBERS["citizen_id"], "birth_date": "1971"},
        lambda _, answer: {each["member_id"]: "citizen_id" for each in answer["candidates"]},
    ),
    Write("POST", "/v1/duplicates/{pair_id}/distinct", {}, of_pair),
    Write("POST", "/v1/duplicates/{pair_id}/reopen", {}, of_pair),
    Write("POST", "/v1/correction-requests/{correction_id}/approve", {}, of_correction),
    Write(
        "POST",
        "/v1/correction-requests/{correction_id}/refuse",
        {"answer": "Chưa rõ"},
        of_correction,
    ),
    Write("PATCH", "/v1/me/member", {"address": "Khu 3"}, of_nobody, "member"),
    Write("POST", "/v1/me/corrections", {"changes": {"religion": "none"}}, of_nobody, "member"),
    Write("POST", "/v1/me/corrections/{correction_id}/cancel", {}, of_nobody, "member"),
    Write("POST", "/v1/households", NEW_HOUSEHOLD, of_another_household),
    Write("PATCH", HOUSEHOLD, {"merit": True}),
    Write("POST", f"{HOUSEHOLD}/people", {"full_name": "Hà Văn Út", "relation": "child"}),
    Write("POST", f"{HOUSEHOLD}/people/{{person_id}}/leave", {}),
    Write("POST", f"{HOUSEHOLD}/head", {"head_id": "{person_id}"}),
    Write("POST", f"{HOUSEHOLD}/split", CHILD_ALONE, of_another_household),
    Write(
        "POST",
        f"{HOUSEHOLD}/join",
        {"into_id": "{other_id}"},
        lambda world, answer: {answer["id"]: "poverty", world.ids["head_id"]: "poverty"},
    ),
    Write("POST", f"{HOUSEHOLD}/move", {"branch_id": "{branch_id}", "address": "Khu 3"}),
    # Whoever was in it until now was shown.
    Write("POST", f"{HOUSEHOLD}/close", {}),
    Write("POST", f"{HOUSEHOLD}/assessments", ASSESSMENT),
    Write(
        "POST",
        "/v1/poverty-reviews",
        {"items": [{"household_id": "{household_id}", "assessment": ASSESSMENT}]},
    ),
    Write("POST", f"{HOUSEHOLD}/poverty-status", DECISION | {"valid_from": WhenRun(days, -5)}),
    Write("POST", f"{HOUSEHOLD}/poverty-status/{{status_id}}/annul", {"note": "Nhầm"}),
    Write("POST", f"{HOUSEHOLD}/support", GIFT | {"deprivation": "nutrition"}),
    Write("POST", "/v1/support/{support_id}/approve", {}),
    Write("POST", "/v1/support/{support_id}/refuse", {"reason": "Đã có"}),
    Write("POST", "/v1/support/{support_id}/cancel", {}),
    Write("POST", f"{HOUSEHOLD}/visits", VISIT),
    Write("POST", f"{HOUSEHOLD}/escape-paths", PATH),
    Write("PATCH", "/v1/escape-steps/{step_id}", {"done_on": WhenRun(days, 0)}),
    Write("POST", "/v1/escape-paths/{path_id}/close", {"state": "stopped"}),
    Write("POST", "/v1/escape-checks/{check_id}/done", {"outcome": "holding"}),
)


def fill(value: Any, ids: Json) -> Any:
    """The ids of the world for the names in braces."""
    value = resolved(value)
    if isinstance(value, str):
        return value if value == "{}" else value.format(**ids) if "{" in value else value
    if isinstance(value, list):
        return [fill(each, ids) for each in value]
    return (
        {name: fill(each, ids) for name, each in value.items()}
        if isinstance(value, dict)
        else value
    )


def named(route: Route) -> tuple[str, str]:
    return route.method, route.path


def shows(route: Route) -> bool:
    schema = route.response_model
    is_schema = isinstance(schema, type) and issubclass(schema, BaseModel)
    return is_schema and view_of(schema) is not None


def answers_a_job(route: Route) -> bool:
    fields = route.response_model.model_fields.values()
    kinds = [route.response_model, *(field.annotation for field in fields)]
    return any(each in (JobRead, JobRead | None) for each in kinds)


def is_list(route: Route) -> bool:
    return "next_cursor" in getattr(route.response_model, "model_fields", ())


def asked(method: str, path: str) -> tuple[str, str]:
    return method, path.partition("?")[0]


class TestEveryRoute:
    def test_that_can_show_something_is_asked(self, app: FastAPI) -> None:
        could = {named(each) for each in routes_of(app) if shows(each)}
        # Jobs of other kinds name nobody: `/v1/jobs` has one that does.
        jobs = {named(each) for each in routes_of(app) if shows(each) and answers_a_job(each)}
        examples = {asked("GET", path) for path in (*READS, *OWN, OF_HER_HEAD)}
        examples |= {asked(each.method, each.path) for each in WRITES}
        assert examples <= could
        # A file has to be read first: tests/imports/test_import_layouts.py.
        rows = {each for each in could if each[1].startswith("/v1/imports/{import_id}/rows")}
        assert could - examples - rows <= jobs

    def test_to_read_is_noted(self, app: FastAPI, simulated: World) -> None:
        wrong = {}
        lists = {each.path for each in routes_of(app) if is_list(each)}
        for path, expected in READS.items():
            found = done(simulated.officer.get(fill(path, simulated.ids)))
            noted = simulated.notes(OFFICER)
            told = expected(simulated, found)
            assert told, path
            if {name: noted.get(name) for name in told} != told:
                wrong[path] = (told, noted)
            if path.partition("?")[0] in lists:
                mark = "&" if "?" in path else "?"
                file = simulated.officer.get(f"{fill(path, simulated.ids)}{mark}format=csv")
                assert file.status_code == 200
                noted = simulated.notes(OFFICER)
                if {name: noted.get(name) for name in told} != told:
                    wrong[path + " as a file"] = (told, noted)
        assert wrong == {}

    def test_masked_is_not(self, simulated: World) -> None:
        answered = 0
        for path in READS:
            answer = simulated.api.as_(NOBODY_TO_SEE_IT).get(fill(path, simulated.ids))
            answered += answer.status_code == 200
            assert answer.status_code in (200, 403, 404), answer.text
            assert simulated.notes(NOBODY_TO_SEE_IT) == {}, path
        assert answered > 5

    @pytest.mark.parametrize("path", OWN)
    def test_of_her_own_is_not(self, world: World, path: str) -> None:
        assert NUMBERS["citizen_id"] in world.api.as_("member").get("/v1/me/member").text
        done(world.api.as_("member").get(path))
        assert world.notes("member") == {}

    def test_of_the_head_of_her_branch_is_noted(self, world: World) -> None:
        head = account(world.database, "phuongvi-1").member_id
        done(world.officer.patch(f"/v1/members/{head}", json={"phone": "0987654321"}))
        world.notes("member")
        done(world.api.as_("member").get(OF_HER_HEAD))
        assert world.notes("member") == {str(head): "phone"}

    @pytest.mark.parametrize("write", WRITES, ids=lambda each: f"{each.method} {each.path}")
    def test_that_writes_is_noted(self, world: World, write: Write) -> None:
        if write.path.endswith("/reopen"):
            done(world.officer.post(fill("/v1/duplicates/{pair_id}/distinct", world.ids), json={}))
        if write.path.endswith("/escape-paths"):
            close = fill("/v1/escape-paths/{path_id}/close", world.ids)
            done(world.officer.post(close, json={"state": "stopped"}))
        world.notes(OFFICER)
        caller = world.api.as_(write.who)
        answer = caller.request(
            write.method, fill(write.path, world.ids), json=fill(write.body, world.ids)
        )
        assert answer.status_code < 300, answer.text
        assert world.notes(write.who) == write.told(world, answer.json())

    def test_that_shows_nothing_by_its_schema_shows_nothing(
        self, app: FastAPI, world: World
    ) -> None:
        """No schema has forgotten to say what it shows."""
        planted = [*NUMBERS.values(), "+84912345678", "77/QĐ-UBND", "Mái dột", "Khoan giếng"]
        others = 0
        for route in routes_of(app):
            if shows(route) or route.method != "GET" or not route.path.startswith("/v1"):
                continue
            if set(route.param_convertors) <= set(world.ids):
                answer = world.officer.get(fill(route.path, world.ids))
                others += answer.status_code == 200
                assert not [text for text in planted if text in answer.text], route.path
        assert others > 30


class TestWhatCounts:
    def test_a_filter_tells_what_it_asks_for(self, world: World) -> None:
        done(world.officer.get("/v1/households?fields=id,code"))
        assert world.notes(OFFICER) == {}
        done(world.officer.get("/v1/households?poverty_status=near_poor&fields=id"))
        assert world.notes(OFFICER) == of_family(world, {})

    def test_a_minority_by_its_name(self, world: World) -> None:
        done(world.officer.patch(fill(HOUSEHOLD, world.ids), json={"ethnic_minority": True}))
        world.notes(OFFICER)
        done(world.officer.get(f"{fill(HOUSEHOLD, world.ids)}?fields=ethnic_minority"))
        assert world.notes(OFFICER) == dict.fromkeys(of_family(world, {}), "ethnicity")

    def test_an_answer_given_again(self, world: World) -> None:
        where, key = f"{fill(HOUSEHOLD, world.ids)}/visits", {"idempotency-key": "visit"}
        made(world.officer.post(where, json=resolved(VISIT), headers=key))
        world.notes(OFFICER)
        again = world.officer.post(where, json=resolved(VISIT), headers=key)
        assert again.headers["idempotent-replayed"] == "true"
        assert world.notes(OFFICER) == of_family(world, {})

    def test_a_refusal_that_names_people(self, world: World) -> None:
        body = fill(NEW_MEMBER, world.ids) | {"citizen_id": NUMBERS["citizen_id"]}
        prefer = {"prefer": "duplicates=reject"}
        answer = world.officer.post("/v1/members", json=body, headers=prefer)
        assert answer.status_code == 409
        candidates = [each["member_id"] for each in answer.json()["candidates"]]
        assert len(candidates) == 2
        assert world.notes(OFFICER) == dict.fromkeys(candidates, "citizen_id")

    def test_nothing_of_a_write_that_was_refused(self, world: World) -> None:
        answer = world.officer.patch(
            fill(HOUSEHOLD, world.ids), json={"merit": True}, headers={"if-match": '"99"'}
        )
        assert answer.status_code == 412
        assert world.notes(OFFICER) == {}

    def test_one_answer_once(self, world: World, database: Database) -> None:
        done(world.officer.get(fill("/v1/changes?kinds=member&entity_id={member_id}", world.ids)))
        serving(world.api.app).access_log.flush()
        with writing(database) as session:
            [row] = session.exec(select(AccessRead)).all()
        assert (str(row.member_id), row.times) == (world.ids["member_id"], 1)


class TestSchemas:
    def test_mark_what_is_masked(self) -> None:
        """What the change log masks of members and households, answers say is sensitive."""
        for schema, table in ((MemberRead, Member), (HouseholdItem, Household)):
            masked = tracked_of(table).masks.keys() & schema.model_fields.keys()
            marks = {
                name
                for name, field in schema.model_fields.items()
                if any(isinstance(mark, Sensitive | SensitiveIf) for mark in field.metadata)
            }
            assert masked
            assert masked <= marks

    def test_of_a_member_hide_what_they_mark_by_the_same_right(self) -> None:
        marked = {
            name: mark.right
            for name, field in MemberRead.model_fields.items()
            for mark in field.metadata
            if isinstance(mark, Sensitive)
        }
        assert marked == MASKS, (
            "what MemberRead marks as Sensitive is hidden by MASKS of app/services/members/record.py"
        )

    def test_fit_the_column(self) -> None:
        column_type: Any = table_of(AccessRead).c.fields.type
        assert len(",".join(all_names())) <= column_type.length
