"""A server in a process of its own: to be killed, or to be weighed."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.conftest import ROOT

_SERVER = """
import sys
import uvicorn
from app.api.http import connections
from app.api.http.connections import BoundedConnection
from app.main import create_app
from tests.conftest import make_settings

settings = make_settings(sys.argv[1])
connections.HEAD_SECONDS = connections.BODY_SECONDS = float(sys.argv[3])
uvicorn.run(
    create_app(settings),
    port=int(sys.argv[2]),
    http=BoundedConnection,
    log_level="warning",
    access_log=False,
)
"""


class Server:
    """The application in a process of its own; it waits `patience` seconds for the rest of a
    request."""

    def __init__(self, url: str, patience: float = 30.0) -> None:
        self.url = url
        self.patience = patience
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, self.url, str(self.port), str(self.patience)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return process
            time.sleep(0.05)
        raise AssertionError("the server did not start")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def start_again(self) -> None:
        self.process = self._start()

    def resident_mb(self) -> float:
        """The memory it holds just now (Linux)."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6
