"""What the tests of units share."""

from datetime import date, timedelta
from typing import Any

from httpx2 import Response
from sqlmodel import Session, col, func, select

from app.clock import local_today
from app.db import Database
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change, ChangeSource
from app.models.kernel.sessions import AuthSession
from app.models.kernel.units import (
    Unit,
    UnitClosure,
    UnitEdge,
    UnitIdentifier,
    UnitSuccession,
)
from app.models.members.members import Member, MemberCreate
from app.services.kernel import changes
from app.services.kernel.access import Actor
from app.services.kernel.actors import load_actor
from app.services.members import record
from tests.helpers.answers import Json
from tests.helpers.client import Api, utc_now, writing


def ago(days: int) -> str:
    return (local_today() - timedelta(days=days)).isoformat()


def names(answer: Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


def ids(answer: Response) -> set[int]:
    assert answer.status_code == 200, answer.text
    return {item["id"] for item in answer.json()["items"]}


def anonymous(problem: Json) -> Json:
    """A problem without what names the request: two that are equal tell nothing apart."""
    return {name: problem[name] for name in problem if name not in ("instance", "request_id")}


def opened(api: Api, level: str, parent_id: int, name: str, **body: Any) -> int:
    body = {"level": level, "parent_id": parent_id, "name": name, "opened_on": "2020-01-01"} | body
    if level == "group":
        body.setdefault("group_kind", "other")
    answer = api.post("/v1/units", json=body)
    assert answer.status_code == 201, answer.text
    unit_id: int = answer.json()["id"]
    return unit_id


def closed(api: Api, unit_id: int, on: str, *successors: int, **body: Any) -> Json:
    """`on`: its last day."""
    after = date.fromisoformat(on) + timedelta(days=1)
    body = {"effective_on": after.isoformat(), "successor_ids": successors} | body
    answer = api.post(f"/v1/units/{unit_id}/close", json=body)
    assert answer.status_code == 200, answer.text
    item: Json = answer.json()
    return item


def moved(api: Api, unit_id: int, parent_id: int, on: str) -> Json:
    body = {"parent_id": parent_id, "effective_on": on}
    answer = api.post(f"/v1/units/{unit_id}/moves", json=body)
    assert answer.status_code == 200, answer.text
    item: Json = answer.json()
    return item


def written(database: Database) -> tuple[int, ...]:
    """How much is stored: the same before and after whatever was refused."""
    tables: list[type[Any]] = [Unit, UnitEdge, UnitClosure, UnitIdentifier, UnitSuccession, Change]
    with writing(database) as session:
        return tuple(session.exec(select(func.count()).select_from(t)).one() for t in tables)


def unit_row(database: Database, unit_id: int) -> Unit:
    with writing(database) as session:
        return session.get_one(Unit, unit_id)


def people(database: Database, branch_id: int) -> list[Member]:
    with writing(database) as session:
        return [*session.exec(select(Member).where(col(Member.branch_id) == branch_id))]


def acting(database: Database, username: str) -> Actor:
    """The same as who sends a request, for a service called half-way through one."""
    with database.reading() as db:
        session_id = db.execute(
            select(AuthSession.id).join(Account).where(col(Account.username) == username).limit(1)
        ).scalar_one()
        actor = load_actor(db, session_id)
    assert actor is not None
    return actor


def admitted(session: Session, actor: Actor, branch_id: int) -> Member:
    changes.attribute(session, changes.Origin(ChangeSource.cli))
    body = {"branch_id": branch_id, "full_name": "Hà Thị Mơ", "birth_date": "1980"}
    member, _ = record.create(
        session, actor, MemberCreate.model_validate(body | {"joined_on": None})
    )
    return member


def add_member(database: Database, branch_id: int, **values: Any) -> Member:
    now = utc_now()
    with writing(database) as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        branch = session.get_one(Unit, branch_id)
        assert branch.province_id is not None
        member = Member(
            province_id=branch.province_id,
            commune_id=branch.commune_id,
            branch_id=branch_id,
            full_name="Hà Thị Mơ",
            sort_key="mo",
            search_key="ha thi mo",
            birth_date="1980",
            birth_year=1980,
            created_at=now,
            updated_at=now,
        )
        for name, value in values.items():
            setattr(member, name, value)
        session.add(member)
    return member
