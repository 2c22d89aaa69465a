"""What the tests of members share."""

from typing import Any
from uuid import UUID

from httpx2 import Response
from sqlmodel import func, select

from app.db import Database
from app.models.members.members import Member
from tests.helpers.answers import Json
from tests.helpers.client import Api, writing

# What each of them may not see.
HEAD_MASKED = ["ethnicity", "religion", "party", "party_joined_on"]


CSV, NDJSON = {"accept": "text/csv"}, {"accept": "application/x-ndjson"}


def everyone(api: Api, path: str = "/v1/members", limit: int = 200) -> list[Json]:
    """All pages of a list, by its own links."""
    joined = "&" if "?" in path else "?"
    answer = api.get(f"{path}{joined}limit={limit}")
    items: list[Json] = answer.json()["items"]
    while "link" in answer.headers:
        answer = api.get(answer.headers["link"].split(">")[0].lstrip("<"))
        items += answer.json()["items"]
    return items


def stored(database: Database, member_id: str) -> Member | None:
    with writing(database) as session:
        return session.get(Member, UUID(member_id))


def count_of(database: Database, model: type[Any] = Member) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(model)).one()


def error_of(response: Response) -> Json:
    """The one field error of a 422."""
    assert response.status_code == 422, response.text[:500]
    body = response.json()
    assert body["code"] == "validation_failed"
    [error] = body["errors"]
    found: Json = error
    return found
