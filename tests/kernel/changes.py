"""What the tests of changes share."""

from httpx2 import Response
from sqlmodel import col, select

from app.db import Database
from app.models.kernel.accounts import Account
from app.models.kernel.changes import FeedHead
from app.services.kernel import sequencer
from tests.helpers.answers import Json
from tests.helpers.client import Api, writing


def done(answer: Response) -> Json:
    assert answer.is_success, answer.text
    body: Json = answer.json()
    return body


def head(database: Database) -> int:
    sequencer.settle(database)
    with writing(database) as session:
        return session.exec(select(FeedHead.seq)).one()


def read(api: Api, query: str = "") -> list[Json]:
    """The whole list, page by page."""
    body = done(api.get(f"/v1/changes?limit=200{query}"))
    items: list[Json] = body["items"]
    while body["next_cursor"] is not None:
        body = done(api.get(f"/v1/changes?limit=200{query}&cursor={body['next_cursor']}"))
        items += body["items"]
    return items


def account(database: Database, username: str) -> Account:
    with writing(database) as session:
        return session.exec(select(Account).where(col(Account.username) == username)).one()


def someone(api: Api, branch_id: int) -> Json:
    member: Json = done(api.get(f"/v1/members?branch={branch_id}&limit=1"))["items"][0]
    return member
