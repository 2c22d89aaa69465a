"""What the tests of memberships share."""

from datetime import timedelta
from uuid import UUID

from httpx2 import Response
from sqlmodel import func, select

from app.clock import local_today
from app.db import Database
from app.models.kernel.changes import Change
from app.models.members.members import Member
from app.models.members.spells import Membership
from app.models.memberships.transfers import Transfer
from tests.helpers.answers import Json
from tests.helpers.client import Api, writing


def ago(days: int) -> str:
    return (local_today() - timedelta(days=days)).isoformat()


def stored(database: Database) -> tuple[int, ...]:
    with writing(database) as session:
        return tuple(
            session.exec(select(func.count()).select_from(table)).one()
            for table in (Membership, Transfer, Change)
        )


def row_of(database: Database, member_id: str) -> Member:
    with writing(database) as session:
        return session.get_one(Member, UUID(member_id))


def open_branch(api: Api, parent: int, opened_on: str) -> int:
    body = {"level": "branch", "name": "Chi hội khu 9", "parent_id": parent}
    answer = api.post("/v1/units", json=body | {"opened_on": opened_on})
    assert answer.status_code == 201, answer.text
    branch: int = answer.json()["id"]
    return branch


class Her:
    """One member, seen and handled by an officer of her commune."""

    def __init__(self, officer: Api, record: Json) -> None:
        self.officer = officer
        self.id: str = record["id"]
        self.record = record
        self.path = f"/v1/members/{self.id}"

    def spells(self) -> list[Json]:
        items: list[Json] = self.officer.get(f"{self.path}/memberships").json()["items"]
        return [item for item in items if item["annulled_at"] is None]

    def days(self) -> list[tuple[int, str, str | None]]:
        return [(s["branch_id"], s["valid_from"], s["valid_to"]) for s in self.spells()]

    @property
    def status(self) -> str:
        status: str = self.officer.get(self.path).json()["status"]
        return status

    def act(self, kind: str, body: Json) -> Response:
        return self.officer.post(f"{self.path}/{kind}", json=body)

    def does(self, kind: str, body: Json) -> Json:
        answer = self.act(kind, body)
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made

    def correct(self, place: int, body: Json) -> Response:
        return self.officer.patch(f"/v1/memberships/{self.spells()[place]['id']}", json=body)

    def corrected(self, place: int, body: Json) -> None:
        answer = self.correct(place, body)
        assert answer.status_code == 200, answer.text

    def annul(self, place: int) -> Response:
        spell = self.spells()[place]["id"]
        return self.officer.post(f"/v1/memberships/{spell}/annul", json={"note": "Ghi nhầm"})
