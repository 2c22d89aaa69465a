"""A receiver of webhooks as others write it: it verifies what comes, keeps it, and misbehaves when told."""

import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.helpers.answers import Json


@dataclass(frozen=True, slots=True)
class Got:
    """One request: its headers, with lower-case names, and its body."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Json:
        event: Json = json.loads(self.body)
        return event

    @property
    def seq(self) -> int:
        return int(self.headers["x-seq"])

    @property
    def previous(self) -> int:
        return int(self.headers["x-prev-seq"])

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver does with one request. `seconds`: it waits so long first; `dies`: it ends the
    connection without a word."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    dies: bool = False
    drips: bool = False


TAKEN = Answer()


@dataclass
class Receiver:
    """What it got, in the order it came; `script`: how it answers the next ones, then `usual`."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    script: deque[Answer] = field(default_factory=deque)
    usual: Answer = TAKEN
    taken: list[Got] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def answers(self, got: Got) -> Answer:
        self.got.append(got)
        answer = self.script.popleft() if self.script else self.usual
        if 200 <= answer.status < 300 and not (answer.dies or answer.seconds or answer.drips):
            self.taken.append(got)
        self.arrived.set()
        return answer

    @property
    def seqs(self) -> list[int]:
        return [each.seq for each in self.got]


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Who hangs up is no error here."""


@contextmanager
def receiving(certificate: Callable[[], ssl.SSLContext] | None = None) -> Iterator[Receiver]:
    """A receiver that listens at a port of this machine, with TLS or without."""
    receiver = Receiver()
    server = _QuietServer(("127.0.0.1", 0), _handler(receiver))
    server.daemon_threads = True
    if certificate is not None:
        server.socket = certificate().wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()


def _handler(receiver: Receiver) -> Any:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body of an answer in two packets wait for each other otherwise.
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver.answers(Got(self.path, headers, body))
            time.sleep(answer.seconds)
            if answer.dies:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            if not answer.drips:
                self.wfile.write(answer.body)
                return
            for byte in answer.body:
                self.wfile.write(bytes([byte]))
                time.sleep(0.02)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
