"""What the tests of accounts share."""

from typing import Any
from uuid import UUID

from httpx2 import Response
from sqlmodel import col, func, select

from app.db import Database
from app.models.identity.clients import ClientSecret
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from tests.helpers.client import PASSWORD, Api, writing

Ids = dict[str, int]


def refusal(response: Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    return body


def pointers(response: Response) -> list[tuple[str, str]]:
    body = refusal(response, 422, "validation_failed")
    return [(error["pointer"], error["code"]) for error in body["errors"]]


def forbidden(response: Response, right: str) -> None:
    assert refusal(response, 403, "forbidden")["required_right"] == right


def exceeds(response: Response) -> str:
    """The right that the granting account does not hold itself."""
    right: str = refusal(response, 403, "grant_exceeds_own")["required_right"]
    return right


def account(database: Database, username: str) -> Account:
    with writing(database) as session:
        return session.exec(select(Account).where(col(Account.username) == username)).one()


def id_of(database: Database, username: str) -> UUID:
    return account(database, username).id


def secrets_of(database: Database, account_id: UUID | str) -> list[ClientSecret]:
    """The oldest first."""
    with writing(database) as session:
        mine = select(ClientSecret).where(col(ClientSecret.account_id) == UUID(str(account_id)))
        return list(session.exec(mine.order_by(col(ClientSecret.id))).all())


def count(database: Database, model: type[Any]) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(model)).one()


def grants_of(database: Database, username: str) -> list[Grant]:
    owner = id_of(database, username)
    with writing(database) as session:
        held = select(Grant).where(col(Grant.account_id) == owner).order_by(col(Grant.id))
        return list(session.exec(held).all())


def person(unit: int, username: str = "lan", **more: object) -> dict[str, Any]:
    body = {"username": username, "display_name": "Nguyễn Thị Lan", "unit_id": unit}
    return body | more


def signed_in(api: Api, username: str, password: str = PASSWORD) -> Response:
    sent = {"grant_type": "password", "username": username, "password": password}
    return api.post("/v1/auth/token", data=sent)
