"""What the tests of auth share."""

import base64
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from httpx2 import Response
from sqlmodel import SQLModel, col, select

from app.db import Database
from app.models.kernel.accounts import Account
from app.models.kernel.sessions import AuthSession, RefreshToken
from app.security.secret_texts import digest
from app.services.identity.signin import Signin
from tests.helpers.client import PASSWORD, Api, writing
from tests.helpers.programs import ABOUT
from tests.helpers.reading import Reading

Swap = Callable[..., Signin]


def signed_in(api: Api, username: str, password: str = PASSWORD, **form: str) -> Response:
    sent = {"grant_type": "password", "username": username, "password": password} | form
    return api.post("/v1/auth/token", data=sent)


def refreshed(api: Api, token: str) -> Response:
    sent = {"grant_type": "refresh_token", "refresh_token": token}
    return api.post("/v1/auth/token", data=sent)


def me(api: Api, token: str) -> Response:
    return api.get("/v1/me", headers={"authorization": f"Bearer {token}"})


def refusal(response: Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    return body


def pointers(response: Response) -> list[tuple[str, str]]:
    body = refusal(response, 422, "validation_failed")
    return [(error["pointer"], error["code"]) for error in body["errors"]]


def account_id(database: Database, username: str) -> UUID:
    with writing(database) as session:
        return session.exec(select(Account.id).where(col(Account.username) == username)).one()


def sessions_of(database: Database, username: str) -> list[AuthSession]:
    owner = account_id(database, username)
    with writing(database) as session:
        mine = select(AuthSession).where(col(AuthSession.account_id) == owner)
        return list(session.exec(mine.order_by(col(AuthSession.id))).all())


def refresh_row(database: Database, token: str) -> RefreshToken | None:
    with writing(database) as session:
        return session.get(RefreshToken, digest(token))


def everything_stored(database: Database) -> str:
    """Every value of every row, to look for what must not be there."""
    found: list[str] = []
    with database.reading() as db:
        for table in SQLModel.metadata.tables.values():
            for row in db.execute(sa.select(table)):
                found += [
                    value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                    for value in row
                ]
    return "\n".join(found)


class SessionsOnly(Reading):
    """Its tests sign in and out and write nothing else: they share one database."""

    @pytest.fixture(autouse=True)
    def nobody_signed_in(self, database: Database) -> None:
        with writing(database) as session:
            session.execute(sa.delete(AuthSession))


def new_client(api: Api, officer: str, **more: object) -> dict[str, Any]:
    """A client registered over the commune of an officer, with its secret."""
    signed = api.as_(officer)
    unit = signed.get("/v1/me").json()["unit"]["id"]
    body = {
        **ABOUT,
        "username": f"he-thong-{uuid4().hex[:8]}",
        "display_name": "Hệ thống xã",
        "unit_id": unit,
        "grants": [{"unit_id": unit, "role": "integration_reader"}],
    }
    made: dict[str, Any] = signed.post("/v1/accounts", json=body | more).json()
    return made


def encoded(part: object) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
