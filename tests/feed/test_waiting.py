"""Followers that wait for the next event (RFC 7240): without a thread each, and by the rights of when it comes."""

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx2
import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.api.http import waiting as who_waits
from app.api.http.server import serving
from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Grant
from tests.feed.follower import end
from tests.helpers.answers import Json, refused
from tests.helpers.cadres import account, done
from tests.helpers.client import Api, writing
from tests.helpers.sockets import Socket, behind_a_socket


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


class TestWhileWaiting:
    """What has ended meanwhile gives nothing more, whatever was kept of it."""

    @pytest.fixture(params=["disabled", "signed out", "without a grant"])
    def ended(
        self, request: pytest.FixtureRequest, api: Api, head: Api, database: Database
    ) -> Iterator[tuple[int, str]]:
        """The refusal that is due, once the wait has begun."""
        with ThreadPoolExecutor(1) as threads:
            begun = end(api.as_("phutho"))
            asked = threads.submit(
                head.get, f"/v1/feed?after={begun}", headers={"prefer": "wait=20"}
            )
            until = time.monotonic() + 10
            while not serving(api.app).waiting.count:
                assert time.monotonic() < until
                time.sleep(0.01)
            head_id = account(database, str(head.username)).id
            if request.param == "disabled":
                done(api.as_("phutho").post(f"/v1/accounts/{head_id}/disable"))
            elif request.param == "signed out":
                assert head.delete("/v1/auth/sessions").is_success
            else:
                with writing(database) as session:
                    yesterday = local_today() - timedelta(days=1)
                    session.execute(
                        sa.update(Grant)
                        .where(col(Grant.account_id) == head_id)
                        .values(valid_to=yesterday)
                    )
            someone = api.as_("phuongvi").get("/v1/members?limit=1").json()["items"][0]
            patch = {"address": "Khu 9"}
            done(api.as_("phutho").patch(f"/v1/members/{someone['id']}", json=patch))
            answer = asked.result(timeout=40)
            if request.param == "without a grant":
                refused(answer, 403, "forbidden")
            else:
                assert refused(answer, 401, "invalid_token")["reason"] == "revoked"
            yield begun, answer.text

    def test_nothing_more_is_given(self, ended: tuple[int, str], api: Api) -> None:
        _, text = ended
        assert "Khu 9" not in text
        assert serving(api.app).waiting.count == 0


def test_an_account_has_so_many_places(
    api: Api, officer: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(who_waits, "MOST_OF_ACCOUNT", 1)
    begun = end(officer)
    with behind_a_socket(api) as socket, socket.client(officer) as client:
        with client.stream(
            "GET", f"/v1/feed?after={begun}", headers={"accept": "text/event-stream"}
        ) as first:
            assert first.status_code == 200
            second = officer.get(f"/v1/feed?after={begun}", headers={"prefer": "wait=5"})
            assert refused(second, 429, "too_many_waiting")
            assert second.headers["retry-after"] == "5"
            # Of another account there are places.
            assert waiting(api.as_("phutho"), begun, 1)["applied"] == "wait=1"
        _until_nobody_waits(api)
        assert waiting(officer, begun, 1)["applied"] == "wait=1"


def _until_nobody_waits(api: Api) -> None:
    until = time.monotonic() + 10
    while serving(api.app).waiting.count:
        assert time.monotonic() < until
        time.sleep(0.02)


class TestMany:
    """A hundred at once, half by pages and half by streams."""

    ACCOUNTS = ("phutho", "phuongvi", "tienluong", "phuongvi-1", "camkhe")

    @pytest.mark.parametrize("how", ["stop", "event", "gone"])
    def test_hold_no_thread_and_end_at_once(self, api: Api, how: str) -> None:
        readers = [api.as_(name) for name in self.ACCOUNTS]
        begun = end(readers[0])
        branch = readers[0].get("/v1/branches?limit=1").json()["items"][0]["id"]
        socket = Socket(api)
        try:
            asyncio.run(self._follow(api, socket, readers, (begun, branch), how))
            _until_nobody_waits(api)
        finally:
            took = socket.stop()
        assert took < 10
        gc.collect()
        names = [task for task in threading.enumerate() if task.name.startswith("waiting")]
        assert len(names) <= 4

    async def _follow(
        self, api: Api, socket: Socket, readers: list[Api], world: tuple[int, int], how: str
    ) -> None:
        begun, branch = world
        threads = threading.active_count()
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(base_url=socket.address, timeout=60, limits=limits) as client:
            tasks = [
                asyncio.create_task(self._one(client, readers[n % 5], begun, stream=n % 2 == 0))
                for n in range(100)
            ]
            until = time.monotonic() + 30
            while serving(api.app).waiting.count < 100:
                assert time.monotonic() < until, [task for task in tasks if task.done()]
                await asyncio.sleep(0.02)
            # Those of the endpoints, of tokens and of who waits: the same for any number.
            assert threading.active_count() - threads < 40
            began = time.monotonic()
            if how == "stop":
                socket.server.should_exit = True
            elif how == "event":
                path = f"/v1/units/{branch}"
                await asyncio.to_thread(readers[0].patch, path, json={"address": "Nhà văn hoá"})
            else:
                for task in tasks:
                    task.cancel()
            if how == "event":
                # The province's own, a stream and a page.
                told = await asyncio.gather(tasks[0], tasks[5])
                assert [*told] == ["unit.updated", "unit.updated"]
                for task in tasks:
                    task.cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert time.monotonic() - began < 20
            if how == "stop":
                assert {type(each) for each in answers} == {str}

    async def _one(self, client: httpx2.AsyncClient, api: Api, begun: int, *, stream: bool) -> str:
        """The type of the first event, or how it ended."""
        asked = {"accept": "text/event-stream"} if stream else {"prefer": "wait=30"}
        path = f"/v1/feed?after={begun}"
        if not stream:
            page = (await client.get(path, headers=api.headers | asked)).json()
            return page["items"][0]["type"] if page["items"] else "nothing"
        async with client.stream("GET", path, headers=api.headers | asked) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("event: end"):
                    return "ended"
                if line.startswith("data: ") and '"type"' in line:
                    return line.partition('"type":"')[2].partition('"')[0]
        return "closed"
