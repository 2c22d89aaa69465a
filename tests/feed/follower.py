"""Somebody who follows the feed as the guide says: keeps rows by events, and goes on where it was."""

from typing import Any

from app.services.kernel.manifest import manifest
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


def rows(api: Api, kind: str, limit: int = 200) -> list[Json]:
    """All rows of a kind as they are now, page by page."""
    found: list[Json] = []
    after: str | None = ""
    while after is not None:
        query = {"kind": kind, "limit": str(limit)} | ({"after": after} if after else {})
        answer = api.get("/v1/feed/rows", params=query)
        assert answer.status_code == 200, answer.text
        page: Json = answer.json()
        found += page["items"]
        after = page["next"]
    return found


def answered(api: Api) -> dict[tuple[str, str], Json]:
    """The rows that a reader has now."""
    kinds = [k for k in manifest().news if api.get(f"/v1/feed?kinds={k}&limit=1").is_success]
    found = [row for kind in kinds for row in rows(api, kind)]
    return {(row["entity"], row["entity_id"]): row["state"] for row in found}
