"""A request answered by the short way and the same answered by FastAPI: one answer.

Every GET of the application, as several roles, with parameters that are good, bad and unknown; each
address by every other role, in `make soak` by all.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any
from uuid import UUID

import pytest
import time_machine
from fastapi import FastAPI
from httpx2 import Response

from app.api.http.routing import Route, Router, routes_of
from app.api.http.short_way import ShortWay
from app.clock import utc_now
from app.models.base import Parameters
from tests.helpers.client import Api
from tests.helpers.reading import Reading
from tests.helpers.soak import TIMES

ROLES = ("phutho", "phuongvi-1", "auditor", "member", "admin")
QUERIES = ("", "limit=2", "limit=0", "fields=id", "nope=1", "unit=1", "unit=x")
UNKNOWN = UUID(int=7)
# Of one answer and no other: cursors are sealed anew each time.
OWN = ("x-request-id", "date", "link")
NEW_EACH_TIME = re.compile(rb'"(?:next_cursor|request_id|made_at)": ?"[^"]*"')


def addresses(app: FastAPI, api: Api) -> Iterator[str]:
    """Each GET with ids of its own list, with ids of nothing, and with what is no id."""
    for route in routes_of(app):
        if route.method != "GET" or ShortWay.of(route) is None:
            continue  # there is one way only
        shown = first_id(api, route)
        for value in {shown, str(UNKNOWN), "no-id"} if route.param_convertors else {""}:
            path = route.path
            for name in route.param_convertors:
                path = path.replace("{" + name + "}", value)
            yield from (f"{path}?{query}" if query else path for query in QUERIES)


def first_id(api: Api, route: Route) -> str:
    collection = route.path.partition("/{")[0]
    found = api.client.get(f"{collection}?limit=1", headers=api.headers)
    items = found.json().get("items", ()) if found.status_code == 200 else ()
    return str(items[0].get("id", UNKNOWN)) if items else str(UNKNOWN)


def told(answer: Response) -> tuple[int, dict[str, str], bytes]:
    headers = {name: value for name, value in answer.headers.items() if name not in OWN}
    if answer.status_code >= 400:
        headers.pop("content-length")  # the id of a request has no fixed length
    return answer.status_code, headers, NEW_EACH_TIME.sub(b"", answer.content)


@pytest.mark.alike_on_both
@pytest.mark.usefixtures("trusted_tokens")
class TestBothWays(Reading):
    @pytest.mark.parametrize("role", ROLES)
    def test_answer_the_same(
        self, app: FastAPI, api: Api, role: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        caller, officer = api.as_(role), api.as_("phutho")
        short, taken = ShortWay.answers, []

        async def taking(way: ShortWay, *request: Any) -> bool:
            taken.append(await short(way, *request))
            return taken[-1]

        async def refusing(*_: Any) -> bool:
            return False

        first, step = (ROLES.index(role) % 2, 2) if TIMES == 1 else (0, 1)
        for path in islice(addresses(app, officer), first, None, step):
            found = []
            # At one moment: some answers say when they were given.
            with time_machine.travel(utc_now(), tick=False):
                for answers in (taking, refusing):
                    monkeypatch.setattr(ShortWay, "answers", answers)
                    found.append(told(caller.client.get(path, headers=caller.headers)))
            assert found[0] == found[1], path
        assert sum(taken) > 50 // step
        assert not all(taken)


class TestWhatItTakes:
    def test_is_most_of_what_needs_a_token(self, app: FastAPI) -> None:
        guarded = [route for route in routes_of(app) if not route.public]
        taken = [route for route in guarded if ShortWay.of(route) is not None]
        assert len(taken) > 0.9 * len(guarded)

    def test_is_no_class_of_answers_of_its_own(self, app: FastAPI) -> None:
        special = [route for route in routes_of(app) if route.response_class is not None]
        assert special
        assert [route.path for route in special if ShortWay.of(route) is not None] == []

    def test_is_no_endpoint_that_is_not_awaited(self) -> None:
        def plain(actor: None) -> None:
            """Answers nothing."""

        router = Router(prefix="/v1/plain")
        router.get("")(plain)
        assert [ShortWay.of(route) for route in router.routes] == [None]

    def test_has_queries_that_nobody_changes(self, app: FastAPI) -> None:
        ways = [ShortWay.of(route) for route in routes_of(app)]
        queries = {way.query[1] for way in ways if way is not None and way.query is not None}
        assert len(queries) > 30
        assert all(issubclass(query, Parameters) for query in queries)
