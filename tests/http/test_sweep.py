"""Every route, asked by everybody who does not see a branch, about everything that the branch has.

What is out of scope looks like what does not exist: each answer about a record of the branch equals
the answer about an id that nobody has, nothing of the branch shows, nothing is written, and nothing
is noted in the access log. The order of the routes and the missing ids come from a seed
(HOISO_SWEEP_SEED): the suite takes one, a soak many.
"""

import os
import re
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from httpx2 import Response
from sqlmodel import col, func, select

from app.api.http.routing import Route, routes_of
from app.api.http.server import serving
from app.clock import local_today, utc_now
from app.db import Database
from app.models.imports.memory import ImportMemory
from app.models.kernel.access import Role
from app.models.kernel.access_log import AccessRead
from app.models.kernel.changes import Change, ChangeSource
from app.models.members.spells import Membership
from app.services.kernel import changes
from tests.files.uploads import PDF, created, picture, whole
from tests.helpers.answers import Json
from tests.helpers.bodies import body_of, smallest
from tests.helpers.cadres import Ids, appoint, done, free_members, invited, made
from tests.helpers.captures import hold, send, tapped
from tests.helpers.client import Api, writing
from tests.helpers.meetings import announced
from tests.helpers.operations import operation, verdicts
from tests.helpers.programs import ABOUT
from tests.helpers.when_run import WhenRun, resolved

EVERYBODY = "HOISO_SWEEP_EVERYBODY" in os.environ
SEED = int(os.environ.get("HOISO_SWEEP_SEED", "1"))
UUIDS = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Made from what the caller is, or from what is public: nobody's record.
NOT_OF_A_BRANCH = {
    "campaign",
    "standard_id",
    "token",
    "secret",
    "notification_id",
    "op_id",
    "link_id",
    "number",
    "code",
    "indicator",
    # Names of what the API has, and not of records.
    *("kind", "entity", "code_list"),
    # Of a provider of OpenID Connect, which the server of these tests has not: test_external_sign_in.py.
    "login_id",
}
# Of the province alone, made by long work.
LEFT_OUT = {"anonymisation_id", "check_id", "erasure_id"}


def day(offset: int) -> str:
    return (local_today() + timedelta(days=offset)).isoformat()


class Branch:
    """The branch Phượng Vĩ 1 with a record of each kind: `ids`, by the parameter of paths."""

    def __init__(self, api: Api, database: Database, unit_id: Ids) -> None:
        self.officer, self.branch = api.as_("phuongvi"), unit_id["phuongvi-1"]
        self.ids: dict[str, str] = {"unit_id": str(self.branch)}
        free = [str(member.id) for member in free_members(database, self.branch)[:6]]
        self.member, self.other, self.head, self.gone, self.moving, self.guest = free
        self.ids["member_id"] = self.member
        self._people(api, database, unit_id)
        self._family()
        self._other_systems()
        self._meeting(database, unit_id)
        self.make("export_id", "/v1/exports", kinds=["member"])
        self.ids["name"] = "member.ndjson"

    def make(self, kind: str, path: str, by: Api | None = None, /, **body: Any) -> Json:
        answer = (by or self.officer).post(path, json=body)
        assert answer.status_code in (200, 201, 202), (path, answer.text)
        found: Json = answer.json()
        self.ids[kind] = str(found["id"])
        return found

    def _people(self, api: Api, database: Database, unit_id: Ids) -> None:
        person, officer = f"/v1/members/{self.member}", self.officer
        self.make(
            "correction_id", "/v1/me/corrections", api.as_("member"), changes={"address": "Khu 2"}
        )
        self.make("training_id", f"{person}/trainings", kind="union_work", name="Sơ cấp")
        self.make("consent_id", f"{person}/consents", purpose="photo", **resolved(CONSENT))
        self.make("limit_id", f"{person}/legal-holds", reference="Vụ án 5")
        self.make("request_id", f"{person}/privacy-requests", kind="access", channel="paper")
        self.make("merge_id", f"{person}/merges", other_id=self.gone, reason="một người")
        transfers = f"/v1/members/{self.moving}/transfers"
        self.make("transfer_id", transfers, to_branch_id=unit_id["phuongvi-3"])
        number = {"citizen_id": "025188001234"}
        done(officer.patch(person, json=number))
        twin = {"full_name": "Đặng Thị Hai", "birth_date": "1971", "joined_on": None}
        made(officer.post("/v1/members", json=twin | number | {"branch_id": self.branch}))
        [pair] = done(officer.get("/v1/duplicates"))["items"]
        self.ids["pair_id"] = pair["id"]
        edited = operation("member.update", self.member, {"hometown": "Phú Thọ"}, base_rev=0)
        assert verdicts(officer, edited) == ["conflict"]
        self.ids["entry_id"] = done(officer.get("/v1/sync/inbox"))["items"][0]["id"]
        spells = sa.select(col(Membership.id)).where(col(Membership.member_id) == UUID(self.member))
        with database.reading() as db:
            self.ids["membership_id"] = str(db.execute(spells).scalars().first())
        self.ids["appointment_id"] = made(
            appoint(officer, self.head, self.branch, "branch_deputy")
        )["id"]
        account = invited(officer, "lan", self.branch, member_id=self.guest)
        head = {"unit_id": self.branch, "role": "branch_head"}
        granted = officer.post(f"/v1/accounts/{account['id']}/grants", json=head)
        self.ids |= {"account_id": account["id"], "grant_id": granted.json()["grants"][0]["id"]}
        deputy = {"member_id": self.guest, "unit_id": self.branch, "rights": ["units:read"]}
        self.make("delegation_id", "/v1/delegations", **deputy, valid_to=day(9))
        phone = {"id": str(uuid4()), "name": "Máy", "platform": "android", "app_version": "1.0"}
        self.make("device_id", "/v1/devices", api.as_("phuongvi-1"), **phone)
        group = officer.post("/v1/units", json=GROUP | {"parent_id": self.branch}).json()
        self.ids["group_id"] = str(group["id"])
        self.make(
            "participation_id", f"/v1/groups/{group['id']}/participations", member_id=self.member
        )
        women = {"as_of": "2026-01-01", "women": 90}
        self.make("women_count_id", "/v1/women-counts", branch_id=self.branch, **women)
        self.make("loan_figure_id", "/v1/loan-figures", unit_id=self.branch, **resolved(LOANS))
        uploaded = officer.post(f"/v1/imports?kind=members&unit={self.branch}", **LIST_)
        self.ids["import_id"] = uploaded.json()["id"]
        renamed = {"op": "rename", "unit_id": self.branch, "name": "Chi hội khu 1"}
        drafted = {"effective_on": day(0), "operations": [renamed]}
        self.make("reorganisation_id", "/v1/reorganisations", **drafted)
        chosen: Json = {"headers": [], "fields": {}, "options": {}, "updated_at": utc_now()}
        memory = ImportMemory(unit_id=self.branch, kind="members", shape="x", **chosen)
        self.ids["memory_id"] = str(memory.id)
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            session.add(memory)
        simulated = {"unit_id": self.branch}
        self.make("job_id", "/v1/poverty-standards/vn-2027/simulate", **simulated)

    def _family(self) -> None:
        people = [{"member_id": self.head, "relation": "head"}]
        formed = {"branch_id": self.branch, "opened_on": "2021-01-01", "people": people}
        home = self.make("household_id", "/v1/households", **formed)
        house = f"/v1/households/{home['id']}"
        self.ids["person_id"] = home["people"][0]["person_id"]
        assessed = {"assessed_on": day(-30), "source": "union_visit", "answers": {}}
        self.make("assessment_id", f"{house}/assessments", **assessed)
        decided = {"class": "poor", "decision_number": "1/QĐ", "decided_on": day(-20)}
        self.make("status_id", f"{house}/poverty-status", **decided, valid_from=day(-20))
        self.make("support_id", f"{house}/support", kind="gift", given_on=day(-1), value_vnd=1)
        step = {"title": "Khoan giếng", "responsible": "Bà Hoa", "due_on": day(30)}
        planned = {"opened_on": day(-10), "target_on": day(300), "steps": [step]}
        path = self.make("path_id", f"{house}/escape-paths", **planned)
        self.ids["step_id"] = path["steps"][0]["id"]

    def _other_systems(self) -> None:
        """A program that soon ends, with its secret and its webhook; what other systems call records."""
        program = invited(
            self.officer,
            "phan-mem",
            self.branch,
            grants=[{"unit_id": self.branch, "role": "integration_reader"}],
            **ABOUT,
            valid_to=day(5),
        )
        secrets = done(self.officer.get(f"/v1/accounts/{program['id']}/credentials"))["items"]
        self.ids["credential_id"] = secrets[0]["id"]
        url = "https://so-noi-vu.example.vn/hoiso"
        self.make("webhook_id", "/v1/webhooks", account_id=program["id"], url=url)
        for owner in ("unit_id", "household_id", "member_id"):
            named = {owner: self.branch if owner == "unit_id" else self.ids[owner]}
            self.make("external_id", "/v1/external-ids", **named, system="khac", value=owner)

    def _meeting(self, database: Database, unit_id: Ids) -> None:
        event, session = announced(self.officer, host_unit_ids=[self.branch])
        self.ids |= {"event_id": event, "session_id": session}
        self.make("room_id", f"/v1/sessions/{session}/rooms", name="Nhà văn hoá")
        seen = whole(self.officer, picture(), "picture")["id"]
        self.make("picture_id", f"/v1/sessions/{session}/pictures", file=f"files/{seen}")
        self.make("reminder_id", f"/v1/sessions/{session}/reminders", text="Nhớ đến họp")
        held = hold(database, [self.branch])
        tap = tapped(self.member)
        send(self.officer, held, [tap])
        self.ids["capture_id"] = tap["id"]
        self.ids["file_id"] = created(self.officer, len(PDF)).rpartition("/")[2]


CONSENT = {
    "decision": "given",
    "evidence": {"kind": "paper", "reference": "12"},
    "recorded_on": WhenRun(day, -1),
}
GROUP = {
    "level": "group",
    "name": "Tổ phụ nữ số 1",
    "opened_on": "2020-01-01",
    "group_kind": "team",
}
LOANS = {
    "scheme": "vbsp",
    "as_of": WhenRun(day, -1),
    "source": "NHCSXH",
    "groups": 1,
    "borrowers": 2,
}
LOANS |= {"outstanding_vnd": 1}
LIST_ = {"content": "Họ và tên\nNguyễn Thị A\n".encode(), "headers": {"content-type": "text/csv"}}


# Accounts that see nothing of the branch; `left` and `nobody` have no right anywhere.
OUTSIDERS = (
    *("tienluong", "tienluong-1", "phuongvi-2"),
    *("auditor-of-tienluong", "admin-of-tienluong", "reader", "left", "nobody"),
)
INSIDERS = ("phutho", "camkhe", "phuongvi", "phuongvi-1", "auditor", "admin", "member")


def outsiders(api: Api, database: Database, unit_id: Ids) -> None:
    """The accounts that the world of the tests does not have."""
    officer, commune = api.as_("tienluong"), unit_id["tienluong"]
    invited(officer, "nobody", commune)
    member = str(free_members(database, unit_id["tienluong-2"])[0].id)
    invited(officer, "left", commune, member_id=member)
    gone = {"reason": "resigned", "effective_on": day(-1)}
    made(officer.post(f"/v1/members/{member}/departures", json=gone))
    roles = {
        "auditor-of-tienluong": Role.auditor,
        "admin-of-tienluong": Role.admin,
        "reader": Role.integration_reader,
    }
    for name, role in roles.items():
        kind = "client" if name == "reader" else "person"
        grants = [{"unit_id": commune, "role": role}]
        invited(
            api.as_("phutho" if role is not Role.admin else "admin"),
            name,
            commune,
            grants=grants,
            **(ABOUT if kind == "client" else {}),
        )


def callers_of(rng: Random, few: int = 2) -> tuple[str, ...]:
    """Those asked about one route: a soak asks everybody."""
    return OUTSIDERS if EVERYBODY else tuple(rng.sample(OUTSIDERS, few))


def missing(name: str, rng: Random) -> str:
    of_numbers = name in ("unit_id", "group_id")
    return str(
        2**31 - 1 - rng.randrange(1000) if of_numbers else UUID(int=rng.getrandbits(128), version=4)
    )


def sent(api: Api, route: Route, ids: dict[str, str]) -> tuple[int, str]:
    """The answer to a smallest request, without what differs by the ids that were asked about."""
    path, model = route.path, body_of(route)
    for name in route.param_convertors:
        path = path.replace(f"{{{name}}}", ids[name])
    whole = model.model_json_schema() if hasattr(model, "model_json_schema") else None
    body = {"json": smallest(whole, whole)} if whole and route.method != "GET" else {}
    answer: Response = api.request(route.method, path, **body)
    text = answer.text
    for known in ids.values():
        # A whole part of the address: a unit's number may begin the id of a device.
        text = re.sub(rf"/{known}\b(?!-)", "/*", text)
    return answer.status_code, UUIDS.sub("*", re.sub('"request_id": *"[^"]*"', "", text))


class TestWhatIsOutOfScope:
    # How many are asked about a route, and about how many routes one is taken.
    callers, of = 2, 1

    @pytest.fixture
    def branch(self, api: Api, database: Database, unit_id: Ids) -> Branch:
        outsiders(api, database, unit_id)
        return Branch(api, database, unit_id)

    def test_every_kind_of_record_is_asked_about(self, branch: Branch, app: FastAPI) -> None:
        asked = {name for route in routes_of(app) for name in route.param_convertors}
        assert asked - branch.ids.keys() == NOT_OF_A_BRANCH | LEFT_OUT

    def test_is_as_if_it_did_not_exist(
        self, branch: Branch, app: FastAPI, api: Api, database: Database
    ) -> None:
        rng = Random(SEED)
        signed = {name: api.as_(name) for name in OUTSIDERS}
        before, bad = written(database), []
        routes = [r for r in routes_of(app) if r.param_convertors.keys() & branch.ids.keys()]
        rng.shuffle(routes)
        for route in routes[:: self.of]:
            if route.param_convertors.keys() & (NOT_OF_A_BRANCH | LEFT_OUT) or route.public:
                continue
            for name in callers_of(rng, self.callers):
                nowhere = {each: missing(each, rng) for each in branch.ids}
                there, nothing = (sent(signed[name], route, ids) for ids in (branch.ids, nowhere))
                if there != nothing:
                    bad.append((route.operation_id, name, there, nothing))
        assert bad == []
        assert written(database) == before


class TestLists:
    """Lists, counts and all else that is read: nobody's shows what is not theirs."""

    @pytest.fixture
    def branch(self, api: Api, database: Database, unit_id: Ids) -> Branch:
        outsiders(api, database, unit_id)
        return Branch(api, database, unit_id)

    def test_show_nothing_of_what_is_out_of_scope(
        self, branch: Branch, app: FastAPI, api: Api, database: Database
    ) -> None:
        rng = Random(SEED)
        hidden = {each for name, each in branch.ids.items() if name not in ("unit_id", "group_id")}
        signed = {name: api.as_(name) for name in OUTSIDERS}
        forget_notes(app, database)
        for route in routes_of(app):
            if route.method != "GET" or route.param_convertors or route.public:
                continue
            for name in callers_of(rng):
                answer = signed[name].get(route.path)
                assert answer.status_code < 500, (route.path, name, answer.text)
                assert hidden & set(UUIDS.findall(answer.text)) == set(), (route.path, name)
        about = {UUID(each) for each in (branch.member, branch.head, branch.ids["household_id"])}
        assert about & forget_notes(app, database) == set()

    def test_of_who_has_left_and_kept_her_account_are_empty(self, branch: Branch, api: Api) -> None:
        for path in ("/v1/events", "/v1/sessions"):
            assert done(api.as_("left").get(path)) == {"items": [], "next_cursor": None}

    def test_answer_everybody(self, branch: Branch, app: FastAPI, api: Api) -> None:
        """Officers, heads and members of the branch: a refusal has a reason, none is a 500."""
        rng = Random(SEED)
        signed = {name: api.as_(name) for name in INSIDERS}
        for route in routes_of(app):
            if route.method != "GET" or route.param_convertors.keys() - branch.ids.keys():
                continue
            path = route.path
            for each in route.param_convertors:
                path = path.replace(f"{{{each}}}", branch.ids[each])
            for name in INSIDERS if EVERYBODY else rng.sample(INSIDERS, 2):
                answer = signed[name].get(path)
                assert answer.status_code < 500, (route.path, name, answer.text)


def forget_notes(app: FastAPI, database: Database) -> set[UUID]:
    """Of whom something was noted in the access log, which is empty afterwards."""
    serving(app).access_log.flush()
    with writing(database) as session:
        noted = set(session.exec(select(AccessRead.member_id)).all())
        session.execute(sa.delete(AccessRead))
    return noted


def written(database: Database) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(Change)).one()
