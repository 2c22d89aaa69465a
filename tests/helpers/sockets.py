"""The application of a test behind a socket, as `hoiso serve` runs it, for answers without an end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import httpx2
import uvicorn
from fastapi import FastAPI

from app.api.http.connections import BoundedConnection
from app.api.http.serving import UvicornServer
from app.api.http.waiting import WhoWait
from tests.helpers.client import Api
from tests.helpers.serving import give


class Socket:
    """A running server and how it is asked."""

    def __init__(self, api: Api) -> None:
        self.app: FastAPI = api.app
        # One that stops for good, beside that of all tests.
        give(self.app, waiting=WhoWait())
        config = uvicorn.Config(
            api.app, port=0, http=BoundedConnection, ws="none", lifespan="off", log_level="critical"
        )
        self.server = UvicornServer(config, api.app)
        self.thread = Thread(target=self.server.run, daemon=True)
        self.thread.start()
        until = time.monotonic() + 20
        while not self.server.started:
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.01)
        port = self.server.servers[0].sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"

    def client(self, api: Api) -> httpx2.Client:
        """Asks as this account does."""
        return httpx2.Client(base_url=self.address, headers=api.headers, timeout=30)

    def stop(self) -> float:
        """As at SIGTERM; after how many seconds it has ended."""
        began = time.monotonic()
        self.server.should_exit = True
        self.thread.join(30)
        assert not self.thread.is_alive(), "the server did not stop"
        # The application of the tests goes on.
        give(self.app, waiting=WhoWait())
        return time.monotonic() - began


@contextmanager
def behind_a_socket(api: Api) -> Iterator[Socket]:
    """Serves within a block."""
    socket = Socket(api)
    try:
        yield socket
    finally:
        socket.stop()
