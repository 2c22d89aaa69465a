"""The feed as server-sent events: each as it comes, until the token, the rights or the server end."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx2
import orjson
import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.api.feed import streaming
from app.api.http import waiting
from app.api.http.server import serving
from app.clock import local_today, utc_now
from app.db import Database
from app.models.kernel.access import Grant
from app.models.kernel.access_log import AccessRead
from tests.feed.follower import end, events
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.cadres import account, done
from tests.helpers.client import Api, writing
from tests.helpers.sockets import Socket, behind_a_socket
from tests.sync.acts import granted

SSE = {"accept": "text/event-stream"}


@pytest.fixture
def someone(head: Api) -> Json:
    found: Json = head.get("/v1/members?limit=1").json()["items"][0]
    return found


@pytest.fixture
def socket(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Socket]:
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0.4)
    monkeypatch.setattr(waiting, "_LOOK_EVERY_SECONDS", 0.05)
    with behind_a_socket(api) as found:
        yield found


class Stream:
    """Messages of a stream, one after the other, as EventSource reads them."""

    def __init__(self, answer: httpx2.Response) -> None:
        assert answer.status_code == 200, answer.read()
        self.answer = answer
        self._lines = answer.iter_lines()
        self.last_id: str | None = None

    def next(self, *, comments: bool = False) -> tuple[str, Any]:
        """The kind of a message, and what it says."""
        kind, data = "message", None
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "id":
                self.last_id = value
            elif name == "event":
                kind = value
            elif name == "data":
                data = orjson.loads(value)
            elif line == ":" and comments:
                return "comment", None
            elif not line and data is not None:
                return kind, data
        return "closed", None


def stream(client: httpx2.Client, **query: object) -> Any:
    return client.stream(
        "GET", "/v1/feed", params={k: str(v) for k, v in query.items()}, headers=SSE
    )


def address(officer: Api, someone: Json, text: str) -> None:
    done(officer.patch(f"/v1/members/{someone['id']}", json={"address": text}))


def test_each_event_is_sent_as_it_comes(
    socket: Socket, officer: Api, someone: Json, database: Database
) -> None:
    begun = end(officer)
    address(officer, someone, "Khu 1")
    with socket.client(officer) as client, stream(client, after=begun) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.headers["cache-control"] == "no-store"
        read = Stream(answer)
        kind, event = read.next()
        assert (kind, [event]) == ("message", events(officer, begun))
        assert read.last_id == str(event["data"]["seq"])
        kind, place = read.next()
        assert (kind, place["seq"], place["more"]) == ("place", event["data"]["seq"], False)
        assert read.next(comments=True)[0] == "comment"
        address(officer, someone, "Khu 2")
        kind, event = read.next()
        assert (kind, event["data"]["state"]["address"]) == ("message", "Khu 2")
    # What a stream shows is noted as what a page shows.
    serving(officer.app).access_log.flush()
    with writing(database) as session:
        rows = session.exec(select(AccessRead)).all()
    officer_id = account(database, str(officer.username)).id
    assert str(someone["id"]) in {
        str(row.member_id) for row in rows if row.account_id == officer_id
    }


def test_who_was_cut_off_goes_on_where_she_was(socket: Socket, officer: Api, someone: Json) -> None:
    begun = end(officer)
    for number in range(5):
        address(officer, someone, f"Khu {number}")
    whole = events(officer, begun)
    found: list[Json] = []
    last: str | None = None
    while len(found) < len(whole):
        again = {} if last is None else {"last-event-id": last}
        with socket.client(officer) as client:
            path = f"/v1/feed?after={begun}&limit=2"
            with client.stream("GET", path, headers=SSE | again) as answer:
                read = Stream(answer)
                kind, event = read.next()
                assert kind == "message"
                found.append(event)
                last = read.last_id
    assert found == whole


@pytest.mark.parametrize("last", ["x", "-1", "1.5", str(2**63), "9" * 30])
def test_what_is_no_place_is_refused(api: Api, officer: Api, last: str) -> None:
    given = SSE | {"last-event-id": last}
    problem = refused(officer.get("/v1/feed", headers=given), 422, "validation_failed")
    assert problem["errors"][0]["pointer"] == "last-event-id"


def test_refusals_come_before_the_stream(socket: Socket, api: Api, officer: Api) -> None:
    begun = end(officer)
    with socket.client(officer) as client:
        answer = client.get("/v1/feed", params={"after": begun + 1}, headers=SSE)
        assert (answer.status_code, answer.json()["reason"]) == (409, "ahead")
        assert client.get("/v1/feed", params={"kinds": "grant"}, headers=SSE).status_code == 422
        assert client.head("/v1/feed", headers=SSE).status_code == 200
    with socket.client(api) as client:
        assert client.get("/v1/feed", headers=SSE).status_code == 401


class TestEnds:
    def test_with_the_account(
        self, socket: Socket, api: Api, head: Api, officer: Api, someone: Json
    ) -> None:
        with socket.client(head) as client, stream(client, after=end(officer)) as answer:
            read = Stream(answer)
            assert read.next()[0] == "place"
            head_id = done(officer.get(f"/v1/accounts?q={head.username}"))["items"][0]["id"]
            done(api.as_("phutho").post(f"/v1/accounts/{head_id}/disable"))
            address(officer, someone, "Khu 7")
            said = read.next()
            while said[0] == "place":
                said = read.next()
            assert said == ("end", {"reason": "invalid_token"})
            assert read.next()[0] == "closed"

    def test_with_the_rights_it_was_begun_with(
        self, socket: Socket, head: Api, officer: Api, someone: Json, database: Database
    ) -> None:
        begun = end(officer)
        with socket.client(head) as client, stream(client, after=begun) as answer:
            read = Stream(answer)
            _, place = read.next()
            mine = col(Grant.account_id) == account(database, str(head.username)).id
            with writing(database) as session:
                ended = {"valid_to": local_today() - timedelta(days=1)}
                session.execute(sa.update(Grant).where(mine).values(**ended))
            address(officer, someone, "Khu 8")
            kind, said = read.next()
            assert (kind, said["reason"]) == ("end", "forbidden")
        assert place["scope"]

    def test_with_rights_that_came(
        self,
        socket: Socket,
        head: Api,
        officer: Api,
        someone: Json,
        database: Database,
        unit_id: UnitIds,
    ) -> None:
        with socket.client(head) as client, stream(client, after=end(officer)) as answer:
            read = Stream(answer)
            _, place = read.next()
            granted(database, str(head.username), unit_id["phuongvi-2"], "branch_head")
            address(officer, someone, "Khu 8")
            assert read.next() == ("end", {"reason": "scope"})
            [event] = events(head, place["seq"])
            assert event["data"]["state"]["address"] == "Khu 8"

    def test_with_the_token(self, socket: Socket, officer: Api, api: Api) -> None:
        server = serving(api.app)
        claims = server.signin.verify(officer.headers["authorization"].split()[1], utc_now())
        short = server.signin.keyring.issue(
            str(claims.account_id),
            session_id=str(claims.session_id),
            lifetime=timedelta(seconds=2),
            issuer=server.settings.issuer,
            audience=server.settings.audience,
            now=utc_now(),
        )[0]
        brief = Api(api.app, {"authorization": f"Bearer {short}"}, officer.username)
        began = time.monotonic()
        with socket.client(brief) as client, stream(client, after=end(officer)) as answer:
            read = Stream(answer)
            assert read.next()[0] == "place"
            assert read.next() == ("end", {"reason": "invalid_token"})
        assert time.monotonic() - began < 20

    def test_with_the_server(self, api: Api, officer: Api) -> None:
        socket = Socket(api)
        with socket.client(officer) as client, stream(client, after=end(officer)) as answer:
            read = Stream(answer)
            assert read.next()[0] == "place"
            assert socket.stop() < 10
            assert read.next() == ("end", {"reason": "server_stops"})
