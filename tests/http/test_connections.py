"""Requests that are no requests: heads without end, headers without number, halves of both."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from app.db import Database
from tests.helpers.databases import ON_POSTGRESQL
from tests.helpers.processes import Server

pytestmark = pytest.mark.skipif(ON_POSTGRESQL, reason="no database is asked")
GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
KIB = 1024
PATIENCE = 0.4


@pytest.fixture(scope="module")
def server(untouched: Database) -> Iterator[Server]:
    made = Server(untouched.settings.database_url, patience=PATIENCE)
    yield made
    made.kill()


def said(server: Server, *parts: bytes) -> bytes:
    """All that the server says until it closes the connection."""
    found = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        with suppress(ConnectionError):
            for part in parts:
                client.sendall(part)
        with suppress(ConnectionError):
            while part := client.recv(65536):
                found += part
    return found


def refused(answer: bytes, status: int, code: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert b"application/problem+json" in head
    assert b"connection: close" in head
    assert json.loads(body)["code"] == code


def headers(number: int, size: int = 10) -> bytes:
    return b"".join(b"x-%d: %s\r\n" % (n, b"a" * size) for n in range(number))


class TestSize:
    @pytest.mark.parametrize(
        "head",
        [
            pytest.param(GET + b"x: " + b"a" * 33 * KIB + b"\r\n\r\n", id="one header"),
            pytest.param(GET + headers(20, 2 * KIB) + b"\r\n", id="together"),
            pytest.param(GET + headers(100) + b"\r\n", id="number"),
            pytest.param(b"GET /" + b"a" * 33 * KIB + b" HTTP/1.1\r\n\r\n", id="address"),
        ],
    )
    def test_a_large_head_is_refused(self, server: Server, head: bytes) -> None:
        refused(said(server, head), 431, "head_too_large")

    def test_one_at_the_limit_is_taken(self, server: Server) -> None:
        close = b"connection: close\r\n\r\n"
        head = GET + headers(98, 320) + close
        assert len(head) > 31 * KIB
        assert said(server, head).startswith(b"HTTP/1.1 200 ")

    @pytest.mark.parametrize(
        "begun",
        [
            pytest.param(GET + b"x: ", id="value"),
            pytest.param(GET, id="name"),
            pytest.param(b"GET /", id="address"),
            pytest.param(
                b"POST /v1/auth/revoke HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: ",
                id="trailer",
            ),
        ],
    )
    def test_one_without_end_is_not_read_to_its_end(self, server: Server, begun: bytes) -> None:
        before, began = server.resident_mb(), time.monotonic()
        answer = said(server, begun, *[b"a" * KIB * KIB] * 80)
        assert time.monotonic() - began < 5
        assert b" 200 " not in answer[:20]
        assert server.resident_mb() - before < 20

    def test_the_next_request_on_the_connection_is_measured_by_itself(self, server: Server) -> None:
        taken = GET + headers(60, 400) + b"\r\n"
        close = GET + b"connection: close\r\n\r\n"
        answer = said(server, taken, taken, taken, close)
        assert answer.count(b"HTTP/1.1 200 ") == 4

    def test_nor_does_what_came_before_it_count(self, server: Server) -> None:
        """A body of 100 KiB, and the half of the next head, in one piece."""
        form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 102400\r\n\r\n"
        body = b"POST /v1/auth/revoke HTTP/1.1\r\nHost: x\r\n" + form + b"a" * 102_400
        answer = said(server, body + GET, b"connection: close\r\n\r\n")
        assert b"head_too_large" not in answer
        assert b'{"status":"ok"}' in answer


class TestTime:
    @pytest.mark.parametrize("begun", [b"", b"GET /health", GET, GET + b"x: y\r\n"])
    def test_half_a_head_is_not_waited_for(self, server: Server, begun: bytes) -> None:
        began = time.monotonic()
        refused(said(server, begun), 408, "request_too_slow")
        assert PATIENCE * 0.8 < time.monotonic() - began < 5

    def test_nor_are_drops_of_one(self, server: Server) -> None:
        """Each byte is no reason to wait anew."""
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            began = time.monotonic()
            with suppress(ConnectionError):
                while time.monotonic() - began < 5:
                    client.sendall(b"G" if time.monotonic() == began else b"E")
                    time.sleep(0.05)
            assert time.monotonic() - began < 5

    def test_half_a_body_is_not_waited_for(self, server: Server) -> None:
        head = b"POST /v1/auth/revoke HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
        form = b"Content-Type: application/x-www-form-urlencoded\r\n\r\ntoken="
        began = time.monotonic()
        assert b" 200 " not in said(server, head + form)[:20]
        assert time.monotonic() - began < 5

    def test_a_connection_between_two_requests_stays(self, server: Server) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
            for _ in range(2):
                connection.request("GET", "/health/live")
                assert connection.getresponse().read() == b'{"status":"ok"}'
                time.sleep(PATIENCE * 1.5)


def test_what_is_no_http_is_malformed(server: Server) -> None:
    refused(said(server, b"\x16\x03\x01 hello\r\n\r\n"), 400, "malformed_request")
