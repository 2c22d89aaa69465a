"""The test client: signs in as anyone of the demo, and holds every answer to the contract."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import cache, lru_cache
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI
from httpx2 import Response
from pydantic import MISSING, BaseModel, TypeAdapter
from pydantic_core import from_json
from sqlmodel import Session, col
from starlette.routing import Match

from app.api.http.problems import ProblemBody
from app.api.http.routing import Route, routes_of
from app.api.http.server import serving
from app.clock import utc_now
from app.db import Database
from app.models.kernel.accounts import Account
from app.models.kernel.sessions import AuthSession
from tests.helpers import recording, second_turn
from tests.helpers.in_process import client_of

PASSWORD = "demo-password-1"
_ACCOUNT = sa.select(col(Account.id)).where(col(Account.username) == sa.bindparam("username"))


class Api:
    """Requests as nobody, or with `as_` as an account of the demo."""

    def __init__(
        self, app: FastAPI, headers: dict[str, str] | None = None, username: str | None = None
    ) -> None:
        self.app = app
        self.username = username
        self.client = client_of(app)
        self.headers = headers or {}

    def as_(self, username: str) -> "Api":
        """Signed in without the price of a password hash, and of a refresh token that nobody uses."""
        server, now = serving(self.app), utc_now()
        with server.database.writing() as session:
            db = session.connection()
            account_id = db.execute(_ACCOUNT, {"username": username}).scalar_one()
            opened = AuthSession(
                account_id=account_id,
                device="test",
                created_at=now,
                last_used_at=now,
                expires_at=now + timedelta(days=server.settings.refresh_token_days),
            )
            db.execute(sa.insert(AuthSession), opened.model_dump())
        token = server.signin.access_token(account_id, opened.id, now)
        return Api(self.app, {"authorization": f"Bearer {token}"}, username)

    def request(self, method: str, path: str, **kwargs: Any) -> Response:
        headers = self.headers | kwargs.pop("headers", {})
        response = self.client.request(method, path, headers=headers, **kwargs)
        route = self._route(method, path)
        self._check(route, response)
        if route is not None:
            recording.note(route, self.username, kwargs.get("json"), response)
            second_turn.answered(route, response)
        return response

    def get(self, path: str, **kwargs: Any) -> Response:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> Response:
        return self.request("POST", path, **kwargs)

    def patch(self, path: str, **kwargs: Any) -> Response:
        return self.request("PATCH", path, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> Response:
        return self.request("DELETE", path, **kwargs)

    def _check(self, route: Route | None, response: Response) -> None:
        """Endpoints return ready bytes, so nothing else holds them to their declared models."""
        assert response.headers["x-request-id"]
        if response.status_code >= 400 and "text/html" in response.request.headers["accept"]:
            return  # a page for a browser
        if response.status_code >= 400:
            assert response.headers["content-type"] == "application/problem+json", response.text
            problem = ProblemBody.model_validate_json(response.content)
            assert problem.status == response.status_code
            return
        model = None if route is None else route.response_model
        json = response.headers.get("content-type", "").startswith("application/json")
        if model is not None and json and "fields=" not in str(response.request.url):
            answer = from_json(response.content)
            assert _names(_adapter(model).validate_json(response.content)) == answer.keys()

    def _route(self, method: str, path: str) -> Route | None:
        path = path.partition("?")[0]
        scope = {"type": "http", "method": method, "path": path}
        for route in _by_shape(self.app)[method, path.count("/")]:
            if route.matches(scope)[0] is Match.FULL:
                return route
        return None


def _names(answer: BaseModel) -> set[str]:
    """What it has as JSON; to make all of it anew was a quarter of the time of large answers."""
    fields = type(answer).model_fields.items()
    names = {field.serialization_alias or name: getattr(answer, name) for name, field in fields}
    return {name for name, value in names.items() if value is not MISSING}


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


@lru_cache(maxsize=4)
def _by_shape(app: FastAPI) -> defaultdict[tuple[str, int], list[Route]]:
    """The routes by method and number of segments: to try all of them for each request was slow."""
    found: defaultdict[tuple[str, int], list[Route]] = defaultdict(list)
    for route in routes_of(app):
        found[route.method, route.path.count("/")].append(route)
    return found


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements a block sends to the database."""
    statements: list[str] = []

    def note(*args: Any) -> None:
        statements.append(args[2])

    engines = (database.reader, database.writer)
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    yield statements
    for engine in engines:
        sa.event.remove(engine, "before_cursor_execute", note)


@contextmanager
def writing(database: Database) -> Iterator[Session]:
    """A session for arranging and checking rows directly."""
    with database.writing() as session:
        yield session


__all__ = ["PASSWORD", "Api", "counted", "utc_now", "writing"]


def as_written(day: date | str) -> str:
    """A date as texts in Vietnamese have it."""
    return f"{date.fromisoformat(str(day)):%d/%m/%Y}"
