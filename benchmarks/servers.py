"""Starting and stopping the servers, each with all its threads and workers on one core."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.databases import PROJECT
from benchmarks.load import pinned, process_tree

START_SECONDS = 60.0
STOP_SECONDS = 10.0
# Variables of the caller's shell for Python or Hội Số do not affect the figures.
_LEFT_OUT = {key for key in os.environ if key.startswith(("HOISO_", "PYTHON"))} - {"PYTHONPATH"}


@dataclass
class Server:
    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    started_at: float

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, Any]:
        """One request on its own connection: the status and the JSON."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["content-type"] = content_type
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, content.decode(errors="replace")

    def wait_until(self, ready: Callable[["Server"], bool]) -> float:
        """Seconds from the start of the process until it was ready."""
        while time.monotonic() - self.started_at < START_SECONDS:
            if self.process.poll() is not None:
                break
            with suppress(OSError, http.client.HTTPException):
                if ready(self):
                    return time.monotonic() - self.started_at
            time.sleep(0.005)
        raise SystemExit(f"{self.name} did not start:\n{self.log.read_text()[-3000:]}")

    def resident_megabytes(self) -> float:
        pages = sum(_resident_pages(pid) for pid in process_tree(self.process.pid))
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _resident_pages(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1])


def listens(server: Server) -> bool:
    with socket.create_connection(("127.0.0.1", server.port), timeout=1):
        return True


def is_ready(server: Server) -> bool:
    status, _ = server.ask("GET", "/health/ready")
    return status == 200


def start(
    name: str,
    arguments: list[str],
    environment: Mapping[str, str],
    *,
    core: int,
    folder: Path,
    port: int | None = None,
) -> Server:
    """Start `python ARGUMENTS`; "{port}" in arguments and environment is a free port, or `port`."""
    port = port or _free_port()
    log = folder / f"{name}.log"
    filled = {key: value.format(port=port) for key, value in environment.items()}
    command = [sys.executable, *(each.format(port=port) for each in arguments)]
    with log.open("wb") as output, pinned(core):
        started_at = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=_environment(filled, folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    return Server(name, port, process, log, started_at)


def run(arguments: list[str], environment: Mapping[str, str], *, folder: Path) -> None:
    """Run `python ARGUMENTS` to its end; its output is shown only when it fails."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=_environment(environment, folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stdout.decode(errors='replace')}")


def _environment(own: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Ours and its own, with a bytecode cache for the run: a second start, not a first."""
    inherited = {key: value for key, value in os.environ.items() if key not in _LEFT_OUT}
    return {**inherited, "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), **own}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
