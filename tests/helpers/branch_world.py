"""A branch with a row in each table that names units, and in most others."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import SQLModel, col

from app.clock import local_today, utc_now
from app.db import Database
from app.models.base import new_id
from app.models.imports.memory import ImportMemory
from app.models.kernel.accounts import Account
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.models.privacy.erasures import (
    Anonymisation,
    AnonymisationPolicy,
    AnonymisationState,
    Erasure,
    ErasureReason,
)
from tests.helpers.answers import Json
from tests.helpers.cadres import done, free_members, made
from tests.helpers.client import Api, writing
from tests.helpers.homes import attributed


def ago(days: int) -> str:
    return (local_today() - timedelta(days=days)).isoformat()


class BranchWorld:
    """A branch with a row in each table, and how to empty it."""

    def __init__(
        self, api: Api, database: Database, unit_id: dict[str, int], work: Callable[[], int]
    ) -> None:
        self.api, self.database, self.work = api, database, work
        self.officer, self.province = api.as_("phuongvi"), api.as_("phutho")
        body = {"level": "branch", "name": "Chi hội khu 9", "parent_id": unit_id["phuongvi"]}
        body |= {"code": "KHU9", "opened_on": "2020-01-01"}
        self.branch: int = made(self.officer.post("/v1/units", json=body))["id"]
        self.near = unit_id["phuongvi-1"]
        self.cadre = str(free_members(database, self.near)[0].id)
        self._member()
        self._household()
        self._meeting()
        self._papers()

    def _member(self) -> None:
        born: Json = {"full_name": "Hà Thị Chín", "birth_date": "1980", "joined_on": ago(900)}
        body = born | {"branch_id": self.branch}
        self.member = f"/v1/members/{made(self.officer.post('/v1/members', json=body))['id']}"
        body = born | {"full_name": "Lò Thị Hai", "branch_id": self.branch}
        gone = made(self.officer.post("/v1/members", json=body))["id"]
        transfer = {"to_branch_id": self.near, "reason": "Chuyển nhà"}
        made(self.officer.post(f"/v1/members/{gone}/transfers", json=transfer))
        account = {"username": "chin", "display_name": "Chín", "unit_id": self.branch}
        made(self.officer.post("/v1/accounts", json=account | {"member_id": self.member[12:]}))
        account = {"username": "cadre", "display_name": "Hoa", "unit_id": self.near}
        made(self.officer.post("/v1/accounts", json=account | {"member_id": self.cadre}))
        post = {"member_id": self.cadre, "unit_id": self.branch, "post": "branch_head"}
        post |= {"basis": "appointed", "valid_from": ago(90)}
        made(self.officer.post("/v1/appointments", json=post))

    def _household(self) -> None:
        head = {"full_name": "Hà Thị Mười", "gender": "female", "relation": "head"}
        body = {"branch_id": self.branch, "opened_on": ago(800), "people": [head]}
        home = made(self.officer.post("/v1/households", json=body))
        self.household = f"/v1/households/{home['id']}"
        found = {"assessed_on": ago(700), "income_per_person": 900_000, "source": "union_visit"}
        made(self.officer.post(f"{self.household}/assessments", json=found | {"answers": {}}))
        decided = {"class": "poor", "decision_number": "7/QĐ", "decided_on": ago(690)}
        decided |= {"valid_from": ago(690)}
        made(self.officer.post(f"{self.household}/poverty-status", json=decided))
        gift = {"kind": "gift", "given_on": ago(600), "value_vnd": 3_000_000}
        made(self.officer.post(f"{self.household}/support", json=gift))
        step = {"title": "Khoan giếng", "responsible": "Bà Hoa", "due_on": ago(300)}
        path = {"opened_on": ago(500), "target_on": ago(-300), "steps": [step]}
        made(self.officer.post(f"{self.household}/escape-paths", json=path))

    def _meeting(self) -> None:
        body: Json = {"title": "Sinh hoạt", "kind": "meeting", "host_unit_ids": [self.branch]}
        event = f"/v1/events/{made(self.officer.post('/v1/events', json=body))['id']}"
        self.sessions = []
        for days in (400, -30):
            starts = utc_now() - timedelta(days=days)
            ends = starts + timedelta(hours=2)
            body = {"starts_at": starts.isoformat(), "ends_at": ends.isoformat()}
            sitting = made(self.officer.post(f"{event}/sessions", json=body))
            self.sessions.append(f"/v1/sessions/{sitting['id']}")
        held, to_come = self.sessions
        room = {"unit_id": self.branch}
        made(self.officer.post(f"{held}/rooms", json=room))
        done(self.officer.post(f"{event}/announce"))
        done(self.officer.post(f"{held}/hold"))
        tap = {"id": str(new_id()), "kind": "roster", "member_id": self.member[12:]}
        tap |= {"occurred_at": (utc_now() - timedelta(days=400)).isoformat()}
        done(self.officer.post(f"{held}/captures", json={"items": [tap]}))
        answer = {"member_id": self.member[12:], "answer": "yes"}
        assert self.officer.post(f"{to_come}/rsvps", json=answer).is_success
        made(self.officer.post("/v1/me/calendars", json={"unit_id": self.branch}))

    def _papers(self) -> None:
        """Figures, files, and what an erasure and an anonymisation leave."""
        figures = {"unit_id": self.branch, "scheme": "vbsp", "source": "NHCSXH", "groups": 1}
        figures |= {"borrowers": 2, "outstanding_vnd": 9, "as_of": ago(2)}
        made(self.officer.post("/v1/loan-figures", json=figures))
        women = {"branch_id": self.branch, "as_of": ago(2), "women": 90}
        made(self.officer.post("/v1/women-counts", json=women))
        sent = self.officer.post(
            f"/v1/imports?kind=members&unit={self.branch}",
            content="Họ và tên,Năm sinh\nHà Thị Một,1970\n".encode(),
            headers={"content-type": "text/csv"},
        )
        assert sent.status_code == 201, sent.text
        self.work()
        born: Json = {"full_name": "Hà Thị Ba", "birth_date": "1930", "joined_on": ago(900)}
        erased = made(self.officer.post("/v1/members", json=born | {"branch_id": self.branch}))[
            "id"
        ]
        left = {"reason": "resigned", "effective_on": ago(800)}
        made(self.officer.post(f"/v1/members/{erased}/departures", json=left))
        now = utc_now()
        with writing(self.database) as session:
            attributed(session)
            session.get_one(Member, UUID(erased)).erased_on = local_today()
            branch = session.get_one(Unit, self.branch)
            assert branch.province_id is not None
            for row in self._rows(UUID(erased), branch.province_id, now):
                session.add(row)
                session.flush()

    def _rows(self, erased_id: UUID, province_id: int, now: datetime) -> list[SQLModel]:
        somebody, today = new_id(), now.date()
        policy = AnonymisationPolicy(
            unit_id=self.branch,
            months=24,
            most=10,
            decision_number="1/QĐ",
            valid_from=today,
            made_by=somebody,
            made_at=now,
        )
        run = Anonymisation(
            unit_id=self.branch,
            policy_id=policy.id,
            left_before=today,
            most=10,
            state=AnonymisationState.done,
            found=0,
            proposed_by=somebody,
            proposed_at=now,
        )
        receipt = Erasure(
            member_id=erased_id,
            province_id=province_id,
            branch_id=self.branch,
            reason=ErasureReason.anonymisation,
            effects=[],
            digest="0",
            approved_by=somebody,
            erased_by=somebody,
            erased_at=now,
        )
        memory = ImportMemory(
            unit_id=self.branch,
            kind="members",
            shape="0",
            headers=[],
            fields={},
            options={},
            updated_at=now,
        )
        return [policy, run, receipt, memory]


def live_on(world: BranchWorld) -> None:
    """What else happens in a branch: papers of its members, requests, two records of one person."""
    api, officer, province = world.api, world.officer, world.province
    member = f"/v1/members/{world.cadre}"
    made(officer.post(f"{member}/trainings", json={"kind": "professional", "name": "Kế toán"}))
    evidence = {"kind": "paper", "reference": "Sổ 1"}
    said = {"purpose": "contact", "decision": "given", "recorded_on": ago(1), "evidence": evidence}
    made(officer.post(f"{member}/consents", json=said))
    asked = {"kind": "access", "channel": "paper"}
    made(officer.post(f"{member}/privacy-requests", json=asked))
    made(officer.post(f"{member}/legal-holds", json={"reference": "Vụ án 1"}))
    made(officer.post(f"{member}/card"))
    correction = {"changes": {"religion": "buddhist"}}
    made(api.as_("member").post("/v1/me/corrections", json=correction))
    made(officer.post(f"{world.sessions[1]}/reminders", json={}))
    group = {"level": "group", "group_kind": "other", "name": "Tổ 1", "parent_id": world.near}
    tied = made(officer.post("/v1/units", json=group | {"opened_on": "2020-01-01"}))
    joined = {"member_id": world.cadre}
    made(officer.post(f"/v1/groups/{tied['id']}/participations", json=joined))
    twice = [
        made(officer.post("/v1/members", json=_TWIN | {"branch_id": world.near, **more}))["id"]
        for more in ({}, {"birth_date": "1971"}, {"birth_date": "1971-03"})
    ]
    merge = {"other_id": twice[1], "reason": "Ghi hai lần"}
    made(officer.post(f"/v1/members/{twice[0]}/merges", json=merge))
    delegation = {"member_id": _member_of(world, "member"), "unit_id": world.near}
    delegation |= {"rights": ["members:read"], "valid_to": ago(-30)}
    made(api.as_("phuongvi-1").post("/v1/delegations", json=delegation))
    policy = {"unit_id": province.get("/v1/units?level=province").json()["items"][0]["id"]}
    policy |= {"months": 12, "most": 10, "decision_number": "1/QĐ"}
    made(province.post("/v1/privacy/anonymisation-policies", json=policy))


_TWIN: Json = {
    "full_name": "Đặng Thị Hai",
    "birth_date": "1971",
    "joined_on": None,
    "phone": "0912345678",
}


def _member_of(world: BranchWorld, username: str) -> str:
    with world.database.reading() as db:
        named = sa.select(col(Account.member_id)).where(col(Account.username) == username)
        return str(db.execute(named).scalar_one())
