"""What the tests of cadres arrange and read again and again."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from httpx2 import Response
from sqlmodel import col, select

from app.db import Database
from app.models.cadres.appointments import Appointment
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from app.models.members.members import Gender, Member
from tests.helpers.answers import Json, refused
from tests.helpers.client import Api, writing

Ids = dict[str, int]


def forbidden(answer: Response, right: str) -> None:
    assert refused(answer, 403, "forbidden")["required_right"] == right


def made(answer: Response) -> Json:
    assert answer.status_code == 201, answer.text
    body: Json = answer.json()
    return body


def done(answer: Response) -> Json:
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


def free_members(database: Database, branch_id: int) -> list[Member]:
    """Women of a branch without a post or an account, by name."""
    taken: Any = sa.union(
        sa.select(col(Appointment.member_id)),
        sa.select(col(Account.member_id)).where(col(Account.member_id).is_not(None)),
    )
    free = select(Member).where(
        col(Member.branch_id) == branch_id,
        col(Member.gender) == Gender.female,
        col(Member.id).not_in(taken),
    )
    with writing(database) as session:
        return list(session.exec(free.order_by(col(Member.sort_key), col(Member.id))).all())


def account(database: Database, username: str) -> Account:
    with writing(database) as session:
        return session.exec(select(Account).where(col(Account.username) == username)).one()


def appointment(database: Database, appointment_id: str | UUID) -> Appointment:
    with writing(database) as session:
        return session.exec(
            select(Appointment).where(col(Appointment.id) == UUID(str(appointment_id)))
        ).one()


def grants_of(database: Database, account_id: str | UUID) -> list[Grant]:
    held = select(Grant).where(col(Grant.account_id) == UUID(str(account_id)))
    with writing(database) as session:
        return list(session.exec(held.order_by(col(Grant.id))).all())


def post_of(api: Api, unit_id: int, post: str) -> Json:
    """The appointment in force of a single post."""
    [item] = done(api.get(f"/v1/appointments?unit={unit_id}&post={post}"))["items"]
    found: Json = item
    return found


def appoint(
    api: Api, member: Member | str, unit_id: int, post: str = "committee_member", **more: object
) -> Response:
    member_id = member if isinstance(member, str) else str(member.id)
    body = {"member_id": member_id, "unit_id": unit_id, "post": post, "basis": "elected"}
    return api.post("/v1/appointments", json=body | more)


def invited(api: Api, username: str, unit_id: int, **more: object) -> Json:
    body = {"username": username, "display_name": "Nguyễn Thị Lan", "unit_id": unit_id}
    return made(api.post("/v1/accounts", json=body | more))
