"""What happens at the end of a unit, asked of each table that names units."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from httpx2 import Response
from sqlmodel import SQLModel

from app.clock import local_today, utc_now
from app.db import Database
from app.models.base import new_id, table_of
from app.models.cadres.appointments import Appointment
from app.models.imports.imports import ImportMapping
from app.models.kernel.access import Grant
from app.models.kernel.units import Unit, UnitEdge, UnitIdentifier
from app.models.privacy.erasures import (
    Anonymisation,
    AnonymisationPolicy,
    AnonymisationState,
    Erasure,
    ErasureReason,
)
from app.services.kernel import sequencer
from app.services.kernel.manifest import manifest
from app.services.kernel.unit_ends import AtEnd, unit_columns
from app.services.units.followers import OfUnits
from tests.helpers.answers import Json, refused
from tests.helpers.cadres import done, free_members, made
from tests.helpers.client import Api, writing
from tests.helpers.homes import attributed
from tests.helpers.tables import changed, everything
from tests.units.units import ago, opened

# By which code a row of each refuses the closing, or the day of it.
REFUSED = {
    "member": "unit_in_use",
    "household": "households_in_unit",
    **dict.fromkeys(
        ("membership", "household_place", "event", "event_session", "loan_figure"),
        "unit_date_conflict",
    ),
}
# The closing itself adds who the successors are.
ENDED = {
    *("unit", "unit_edge", "unit_closure", "unit_identifier", "unit_succession"),
    *("appointment", "access_grant"),
}
# Rows of a group (below), of a unit that was made of another, of a province, and of what the log has
# yet to number.
OF_OTHERS = {"participation", "unit_succession", "poverty_edition", "outbox"}


class World:
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
        sent = self.officer.post(
            f"/v1/imports?kind=members&unit={self.branch}",
            content="Họ và tên,Năm sinh\nHà Thị Một,1970\n".encode(),
            headers={"content-type": "text/csv"},
        )
        assert sent.status_code in (201, 202), sent.text
        self.work()
        now = utc_now()
        with writing(self.database) as session:
            attributed(session)
            branch = session.get_one(Unit, self.branch)
            assert branch.province_id is not None
            for row in self._rows(branch.province_id, now):
                session.add(row)
                session.flush()

    def _rows(self, province_id: int, now: datetime) -> list[SQLModel]:
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
            member_id=UUID(self.member[12:]),
            province_id=province_id,
            branch_id=self.branch,
            reason=ErasureReason.anonymisation,
            effects=[],
            digest="0",
            approved_by=somebody,
            erased_by=somebody,
            erased_at=now,
        )
        mapping = ImportMapping(unit_id=self.branch, kind="members", fields={}, updated_at=now)
        return [policy, run, receipt, mapping]

    def close(self) -> Response:
        body = {"effective_on": ago(0), "kind": "abolish"}
        return self.officer.post(f"/v1/units/{self.branch}/close", json=body)

    def without_rows(self) -> set[str]:
        """The tables that name units and have no row of this one."""
        sequencer.settle(self.database)
        with self.database.reading() as db:
            return {
                str(model.__tablename__)
                for model in manifest().unit_ends
                if not db.execute(sa.select(sa.exists().where(self._of_branch(model)))).scalar()
            }

    def _of_branch(self, model: type[SQLModel]) -> sa.ColumnElement[bool]:
        table = table_of(model)
        where = [table.c[name] == self.branch for name in unit_columns(model)]
        return sa.or_(*where, table.c.id == self.branch) if model is Unit else sa.or_(*where)


@pytest.fixture
def world(api: Api, database: Database, unit_id: dict[str, int], work: Callable[[], int]) -> World:
    return World(api, database, unit_id, work)


def by_end(wanted: AtEnd) -> set[str]:
    return {str(m.__tablename__) for m, end in manifest().unit_ends.items() if end is wanted}


def test_a_branch_with_a_row_in_each_table(world: World) -> None:
    officer, database = world.officer, world.database
    assert world.without_rows() == OF_OTHERS
    assert by_end(AtEnd.refuses) == REFUSED.keys()

    def ask(table: str) -> None:
        refused(world.close(), 409, REFUSED[table])

    ask("member")
    left = {"reason": "moved_away", "effective_on": ago(0)}
    spell = made(officer.post(f"{world.member}/departures", json=left))
    ask("household")
    home = {"effective_on": ago(0)}
    done(officer.post(f"{world.household}/close", json=home))
    ask("event_session")
    with writing(database) as session:
        bounds = [each.last_day for each in manifest().followers(OfUnits) if each.last_day]
        days = [str(last_day(session, world.branch)) for last_day in bounds]
    # Of members, groups, households, events and support, in the order of their capabilities.
    assert days == [ago(1), "None", ago(1), ago(-30), ago(2)]
    done(officer.post(f"{world.sessions[1]}/cancel", json={"reason": "Chi hội giải thể"}))
    assert spell["valid_to"] == ago(1)

    before = everything(database)
    assert world.close().status_code == 200
    found = changed(before, everything(database))
    assert found.keys() == ENDED
    assert by_end(AtEnd.ends) == ENDED - {"unit_succession"} | {"participation"}
    with database.reading() as db:
        last = []
        for model in (Appointment, Grant, UnitEdge, UnitIdentifier):
            columns = table_of(model).c
            day = sa.select(columns.valid_to).where(columns.unit_id == world.branch)
            last.append(db.execute(day).scalar())
    assert [str(day) for day in last] == [ago(1)] * 4


def test_a_group_with_a_member(api: Api, database: Database, unit_id: dict[str, int]) -> None:
    officer, branch = api.as_("phuongvi"), unit_id["phuongvi-1"]
    group = opened(officer, "group", branch, "Tổ tiết kiệm")
    body = {"member_id": str(free_members(database, branch)[0].id), "valid_from": ago(9)}
    made(officer.post(f"/v1/groups/{group}/participations", json=body))
    before = everything(database)
    closing = {"effective_on": ago(0), "kind": "abolish"}
    done(officer.post(f"/v1/units/{group}/close", json=closing))
    found = changed(before, everything(database))
    assert found.keys() - ENDED == {"participation"}
    [[row]] = [after for _, after in [found["participation"]]]
    assert dict(row)["valid_to"] == repr(local_today() - timedelta(days=1))
