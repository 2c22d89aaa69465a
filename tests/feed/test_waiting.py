"""Followers that wait for the next event (RFC 7240)."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.feed.follower import end
from tests.helpers.answers import Json
from tests.helpers.client import Api


@pytest.fixture
def someone(head: Api) -> Json:
    found: Json = head.get("/v1/members?limit=1").json()["items"][0]
    return found


def waiting(api: Api, after: int, seconds: int) -> Json:
    answer = api.get(f"/v1/feed?after={after}", headers={"prefer": f"wait={seconds}"})
    assert answer.status_code == 200, answer.text
    page: Json = answer.json()
    return {**page, "applied": answer.headers.get("preference-applied")}


def test_an_event_ends_the_wait(api: Api, officer: Api, head: Api, someone: Json) -> None:
    """What is new to others does not."""
    begun = end(officer)

    with ThreadPoolExecutor(1) as threads:
        told = threads.submit(waiting, head, begun, 30)
        theirs = api.as_("tienluong").get("/v1/members?limit=1").json()["items"][0]
        api.as_("tienluong").patch(f"/v1/members/{theirs['id']}", json={"address": "Khu 1"})
        officer.patch(f"/v1/members/{someone['id']}", json={"address": "Khu 9"})
        page = told.result(timeout=40)

    [event] = page["items"]
    assert (event["type"], event["data"]["state"]["address"]) == ("member.updated", "Khu 9")


def test_patience_has_an_end(officer: Api) -> None:
    begun = end(officer)
    page = waiting(officer, begun, 1)
    assert (page["items"], page["seq"], page["applied"]) == ([], begun, "wait=1")
    assert waiting(officer, begun, 0)["applied"] is None
