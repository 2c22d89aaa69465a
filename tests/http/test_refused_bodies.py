"""Bodies that are refused: the token is looked at first, and nothing of them stays in memory."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from app.db import Database
from tests.helpers.client import Api
from tests.helpers.databases import ON_POSTGRESQL
from tests.helpers.processes import Server
from tests.helpers.reading import Reading

MEBIBYTE = 1024 * 1024
FORM = "application/x-www-form-urlencoded"
JSON = {"content-type": "application/json"}
# Beyond what it takes to read one of them.
GROWTH_MB = 60


@pytest.fixture(scope="module")
def server(untouched: Database) -> Iterator[Server]:
    made = Server(untouched.settings.database_url)
    yield made
    made.kill()


def posted(
    server: Server, body: bytes, times: int = 1, headers: dict[str, str] | None = None
) -> list[tuple[int, str | None]]:
    """Status and `Connection` of each answer, on one connection while the server keeps it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with closing(connection):
        found = []
        for _ in range(times):
            connection.request("POST", "/v1/members", body, JSON | (headers or {}))
            answer = connection.getresponse()
            answer.read()
            found.append((answer.status, answer.headers["connection"]))
        return found


def asked(server: Server, method: str, path: str, body: bytes, headers: dict[str, str]) -> int:
    """The status of the answer to one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with closing(connection):
        # The answer may come before all is sent.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, path, body, headers)
        return connection.getresponse().status


def heads(server: Server, request: bytes) -> bytes:
    """All that the server says before it closes the connection."""
    said = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(request)
        while part := client.recv(65536):
            said += part
    return said


class TestWithoutAToken:
    def test_a_mebibyte_is_read_and_the_answer_arrives(self, server: Server) -> None:
        assert posted(server, b"x" * MEBIBYTE, 3) == [(401, None)] * 3

    @pytest.mark.parametrize("size", [MEBIBYTE + 1, 20_000_000])
    @pytest.mark.parametrize("path", [b"/v1/imports", b"/v1/members"])
    def test_more_is_not_read(self, server: Server, path: bytes, size: int) -> None:
        """Not even that it is too large is said: the token comes first."""
        head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
        said = heads(server, head % (path, size))
        assert said.startswith(b"HTTP/1.1 401 ")
        assert b"\r\nconnection: close\r\n" in said.lower()

    def test_who_asks_first_is_not_told_to_go_on(self, server: Server) -> None:
        head = b"POST /v1/members HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue"
        said = heads(server, head + b"\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 401 ")
        assert b"100 Continue" not in said

    def test_what_is_wrong_with_the_body_is_not_told(self, server: Server) -> None:
        assert posted(server, b"{") == [(401, None)]


class TestMemory(Reading):
    """150 bodies of a megabyte: kept until the collector comes, they would be 400 MB."""

    @pytest.mark.skipif(ON_POSTGRESQL, reason="no database is asked")
    @pytest.mark.parametrize(
        ("username", "status"), [(None, 401), ("phuongvi", 400)], ids=["anonymous", "signed in"]
    )
    def test_keeps_no_refused_body(
        self, server: Server, api: Api, username: str | None, status: int
    ) -> None:
        headers = {} if username is None else api.as_(username).headers
        malformed = b'{"full_name": ' + b"x" * 1_000_000
        assert set(posted(server, malformed, 5, headers)) == {(status, None)}
        before = server.resident_mb()
        assert set(posted(server, malformed, 150, headers)) == {(status, None)}
        assert server.resident_mb() - before < GROWTH_MB

    @pytest.mark.skipif(ON_POSTGRESQL, reason="no database is asked")
    def test_keeps_nothing_of_any_mix(self, server: Server, api: Api) -> None:
        signed_in = api.as_("phuongvi").headers
        long = b"x" * 1_000_000
        of_json = json.dumps({"full_name": long.decode(), "unheard_of": [1] * 10}).encode()
        mix = [
            ("POST", "/v1/members", long, {}, 401),
            ("POST", "/v1/members", long, {"authorization": "Bearer " + "y" * 3_000}, 401),
            ("POST", "/v1/nowhere", long, {}, 404),
            ("PUT", "/v1/members", long, signed_in, 405),
            ("POST", "/v1/members", of_json, signed_in, 422),
            ("POST", "/v1/members?unheard_of=1", of_json, signed_in, 422),
            ("POST", "/v1/members", long * 2, signed_in, 413),
            ("POST", "/v1/members", of_json, signed_in | {"content-type": "text/plain"}, 415),
            ("POST", "/v1/auth/token", b"username=" + long, {"content-type": FORM}, 422),
        ]

        def refused(times: int) -> None:
            for _ in range(times):
                for method, path, body, headers, status in mix:
                    assert asked(server, method, path, body, JSON | headers) == status, path

        refused(2)
        before = server.resident_mb()
        refused(25)
        assert server.resident_mb() - before < GROWTH_MB
