"""The undo of a merge restores every row of every table, whatever both records had."""

from collections.abc import Callable
from random import Random
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today
from app.db import Database
from app.models.kernel.accounts import Account
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import done, made
from tests.helpers.captures import close, counts, hold, send, tapped
from tests.helpers.client import Api, writing
from tests.helpers.meetings import announced
from tests.helpers.soak import seeds
from tests.helpers.tables import changed, everything

NAME = "Đặng Thị Kim Thoa"


class Two:
    """Two records of one person, and what may be known of either."""

    def __init__(self, officer: Api, database: Database, unit_id: UnitIds, random: Random) -> None:
        self.officer, self.database, self.random = officer, database, random
        self.branches = [unit_id["phuongvi-1"], unit_id["phuongvi-2"]]
        self.kept = self.admitted(self.branches[0], joined_on="2012-10-20", phone="0912345678")
        self.other = self.admitted(random.choice(self.branches), joined_on="2015-03-08")

    def admitted(self, branch_id: int, **more: object) -> Json:
        body = {"branch_id": branch_id, "full_name": NAME, "birth_date": "1971"} | more
        return made(self.officer.post("/v1/members", json=body))

    def either(self) -> Json:
        return self.random.choice([self.kept, self.other])

    def trained(self) -> None:
        path = f"/v1/members/{self.either()['id']}/trainings"
        made(self.officer.post(path, json={"kind": "language", "name": "Tiếng Anh"}))

    def consented(self) -> None:
        said = {
            "purpose": "contact",
            "decision": self.random.choice(["given", "refused"]),
            "evidence": {"kind": "paper", "reference": "Phiếu 1"},
            "recorded_on": local_today().isoformat(),
        }
        self.officer.post(f"/v1/members/{self.either()['id']}/consents", json=said)

    def attended(self) -> None:
        """One or both, in a session that may be closed by now."""
        session_id = hold(self.database, self.branches)
        people = self.random.sample([self.kept, self.other], self.random.choice([1, 2]))
        send(self.officer, session_id, [tapped(each["id"]) for each in people])
        if self.random.random() < 0.3:
            close(self.database, session_id)

    def answered(self) -> None:
        _, session_id = announced(self.officer)
        for member in (self.kept, self.other):
            answer = {"member_id": member["id"], "answer": self.random.choice(["yes", "no"])}
            done(self.officer.post(f"/v1/sessions/{session_id}/rsvps", json=answer))

    def carded(self) -> None:
        self.officer.post(f"/v1/members/{self.either()['id']}/card")

    def grouped(self) -> None:
        group = {
            "parent_id": self.branches[0],
            "level": "group",
            "name": f"Tổ {self.random.random()}",
            "group_kind": "club",
            "opened_on": "2020-01-01",
        }
        team = made(self.officer.post("/v1/units", json=group))["id"]
        for member in (self.kept, self.other):
            since = f"{self.random.choice([2021, 2022])}-01-01"
            body = {"member_id": member["id"], "valid_from": since}
            made(self.officer.post(f"/v1/groups/{team}/participations", json=body))

    def housed(self) -> None:
        member = self.either()
        people = [{"member_id": member["id"], "relation": "head"}]
        body = {"branch_id": member["branch_id"], "opened_on": "2024-01-01", "people": people}
        for each in (self.kept, self.other):
            if done(self.officer.get(f"/v1/members/{each['id']}"))["household_id"]:
                return
        made(self.officer.post("/v1/households", json=body))

    def given_an_account(self) -> None:
        with writing(self.database) as session:
            session.execute(
                sa.update(Account)
                .where(col(Account.username) == "auditor")
                .values(member_id=UUID(self.either()["id"]))
            )

    def resembled(self) -> None:
        """A third record that looks like her."""
        branch_id = self.random.choice(self.branches)
        self.admitted(branch_id, phone="0912345678", joined_on="2020-03-08")

    @property
    def facts(self) -> list[Callable[[], None]]:
        return [
            *(self.attended, self.attended, self.trained, self.consented, self.answered),
            *(self.carded, self.grouped, self.housed, self.given_an_account, self.resembled),
        ]

    def merge(self) -> Json:
        body = {
            "other_id": self.other["id"],
            "reason": "Nhập hai lần",
            "memberships": self.random.choice(["kept", "other"]),
        }
        return made(self.officer.post(f"/v1/members/{self.kept['id']}/merges", json=body))

    def undo(self, merge: Json) -> None:
        done(self.officer.post(f"/v1/merges/{merge['id']}/undo"))


@pytest.mark.drawn
@pytest.mark.parametrize("seed", seeds(3))
def test_every_row_of_every_table(
    seed: int, officer: Api, database: Database, unit_id: UnitIds
) -> None:
    two = Two(officer, database, unit_id, Random(seed))
    for fact in two.random.sample(two.facts * 2, 9):
        fact()
    before = everything(database, "merge")
    two.undo(two.merge())
    assert changed(before, everything(database, "merge")) == {}


def test_what_came_since_stays(officer: Api, database: Database, unit_id: UnitIds) -> None:
    """A later capture is of whom it names, in her own branch."""
    two = Two(officer, database, unit_id, Random(0))
    two.other = two.admitted(two.branches[1], joined_on="2016-01-01")
    session_id = hold(database, two.branches)
    send(officer, session_id, [tapped(two.other["id"])])
    merge = two.merge()
    later = hold(database, two.branches)
    for each in (session_id, later):
        send(officer, each, [tapped(two.kept["id"])])
    two.undo(merge)
    of_unit = {
        unit["unit"]["id"]: unit["people"]
        for unit in counts(officer, session_id)["by_unit"]
        if unit["people"]
    }
    assert of_unit == dict.fromkeys(two.branches, 1)
    assert counts(officer, later)["distinct_people"] == 1
