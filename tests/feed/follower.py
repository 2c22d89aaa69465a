"""Somebody who follows the feed as the guide says: keeps rows by events, and goes on where it was."""

from typing import Any

from tests.helpers.answers import Json
from tests.helpers.client import Api

State = dict[str, Any]


def told(api: Api, **query: object) -> Json:
    """A page of the feed."""
    answer = api.get("/v1/feed", params={name: str(each) for name, each in query.items()})
    assert answer.status_code == 200, answer.text
    page: Json = answer.json()
    return page


def events(api: Api, after: int = 0, **query: object) -> list[Json]:
    """All events after a place, page by page."""
    found: list[Json] = []
    page = told(api, after=after, **query)
    while True:
        found += page["items"]
        if not page["more"]:
            return found
        page = told(api, after=page["seq"], epoch=page["epoch"], **query)


def end(api: Api) -> int:
    """Where the log ends now."""
    answer = api.get("/v1/feed", params={"after": 2**62})
    seq: int = answer.json()["seq"]
    return seq
