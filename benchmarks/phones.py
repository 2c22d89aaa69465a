"""Five hundred phones in a minute, against one server: each refreshes its session, pulls and pushes.

    python -m benchmarks.phones --only postgresql

The small demo. All phones are enrolled for one head, and have pulled once; then they come at equal
intervals, each on a connection of its own, and write about one member each. The server has one core,
the phones and PostgreSQL the other. Milliseconds are those of the phones; CPU and memory are those of
the server's process.
"""

import http.client
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import orjson
import typer

from app.clock import utc_now
from app.services.demo.plan import Scale
from benchmarks import servers
from benchmarks.databases import Databases, SQLiteFiles, postgresql, working_folder
from benchmarks.load import cpu_reader, percentile, pinned, two_cores
from benchmarks.run import PASSWORD, USERNAME, fill, hoiso_environment, sign_in
from benchmarks.servers import Server

FORM = "application/x-www-form-urlencoded"
# At a time, as many as a busy minute may bring.
CONNECTIONS = 32


@dataclass
class Measured:
    """Milliseconds by what was asked, and how often which answer was none of those expected."""

    taken: dict[str, list[float]] = field(default_factory=dict)
    wrong: Counter[str] = field(default_factory=Counter)


class Unexpected(Exception):
    """An answer that no phone should get."""


class Phone:
    def __init__(self, server: Server, member_id: str, measured: Measured) -> None:
        self._member_id, self._measured = member_id, measured
        self.device = str(uuid4())
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self._token = self._refresh_token = self._cursor = ""

    def enrol(self) -> None:
        """Sign in, enrol, and pull once."""
        self._tokens(grant_type="password", username=USERNAME, password=PASSWORD)
        device = {"id": self.device, "name": "Máy của chị", "platform": "android"}
        self._ask("POST", "/v1/devices", orjson.dumps(device | {"app_version": "1.4.2"}))
        self._pull()
        self._connection.close()

    def come(self) -> None:
        """What a phone does when it has found a network: three requests on one connection."""
        with closing(self._connection):
            self._timed("refresh", self._refresh)
            self._timed("pull", self._pull)
            self._timed("push", self._push)

    def _timed(self, what: str, act: Any) -> None:
        began = time.perf_counter()
        try:
            act()
        except (OSError, http.client.HTTPException, Unexpected) as error:
            self._measured.wrong[f"{what}: {error}"] += 1
        self._measured.taken.setdefault(what, []).append(1_000 * (time.perf_counter() - began))

    def _refresh(self) -> None:
        self._tokens(
            grant_type="refresh_token", refresh_token=self._refresh_token, nonce=uuid4().hex * 2
        )

    def _pull(self) -> None:
        page: dict[str, Any] = {"checkpoint": False}
        while not page["checkpoint"]:
            query = f"?cursor={quote(self._cursor)}" if self._cursor else ""
            page = self._ask("GET", f"/v1/sync/changes{query}")
            self._cursor = page["cursor"]

    def _push(self) -> None:
        edit = {
            "op_id": str(uuid4()),
            "kind": "member.update",
            "id": self._member_id,
            "patch": {"address": f"Khu {self.device[:8]}"},
            "base_rev": 1,
            "occurred_at": utc_now().isoformat(),
        }
        [item] = self._ask("POST", "/v1/sync/operations", orjson.dumps({"items": [edit]}))["items"]
        if item["verdict"] not in ("applied", "merged", "conflict"):
            raise Unexpected(item["verdict"])

    def _tokens(self, **form: str) -> None:
        answer = self._ask("POST", "/v1/auth/token", urlencode(form).encode(), FORM)
        self._token, self._refresh_token = answer["access_token"], answer["refresh_token"]

    def _ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/json"
    ) -> Any:
        headers = {"content-type": kind} if body else {}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status not in (200, 201):
            raise Unexpected(f"{answer.status} {content[:200]!r}")
        return orjson.loads(content)


def members_of(server: Server) -> list[str]:
    status, page = server.ask("GET", "/v1/members?limit=200", token=sign_in(server))
    if status != 200:
        raise SystemExit(f"the members are answered {status}")
    return [item["id"] for item in page["items"]]


def come(phones: list[Phone], seconds: float) -> None:
    """One after the other within so many seconds, each when its time has come."""
    began = time.monotonic()

    def at_its_time(numbered: tuple[int, Phone]) -> None:
        number, phone = numbered
        time.sleep(max(0.0, began + seconds * number / len(phones) - time.monotonic()))
        phone.come()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(at_its_time, enumerate(phones)))


def measure(name: str, url: str, folder: Path, count: int, seconds: float) -> None:
    core, other = two_cores()
    fill(url, folder, Scale.small)
    environment = hoiso_environment(url, folder) | {
        "HOISO_PORT": "{port}",
        "HOISO_MOST_DEVICES": str(count),
        "HOISO_LOGIN_ATTEMPTS_PER_ADDRESS": "100000 per minute",
    }
    server = servers.start(
        "hoiso", ["-m", "app.cli", "serve"], environment, core=core, folder=folder
    )
    try:
        server.wait_until(servers.is_ready)
        measured = Measured()
        ids = members_of(server)
        with pinned(other):
            phones = [Phone(server, ids[at % len(ids)], measured) for at in range(count)]
            for phone in phones:
                phone.enrol()
            cpu, megabytes = cpu_reader(server.process.pid), server.resident_megabytes()
            before = cpu()
            come(phones, seconds)
        spent = (cpu() - before) / 1e9
        told(f"{name}: {count} phones in {seconds:.0f} s", measured)
        print(f"the server: {spent:.1f} s CPU, {1_000 * spent / count:.1f} ms a phone")
        print(f"memory: {megabytes:.0f} MB, then {server.resident_megabytes():.0f} MB")
    finally:
        server.stop()


def told(title: str, measured: Measured) -> None:
    print(title)
    for what, taken in measured.taken.items():
        shares = ", ".join(f"p{share} {percentile(taken, share / 100):.0f}" for share in (50, 95))
        print(f"{what}: {len(taken)}, ms {shares}")
    print("not as expected:", dict(measured.wrong) or "none")


def main(
    only: Annotated[str, typer.Option(help="sqlite or postgresql")] = "sqlite",
    phones: Annotated[int, typer.Option(help="So many come, each once.", max=1_000)] = 500,
    seconds: Annotated[float, typer.Option(help="Within so many.")] = 60.0,
) -> None:
    """Fill a database, enrol the phones, and let them come."""
    with ExitStack() as stack:
        folder = stack.enter_context(working_folder())
        databases: Databases = (
            SQLiteFiles(folder) if only == "sqlite" else stack.enter_context(postgresql(folder))
        )
        measure(only, databases.create("phones"), folder, phones, seconds)


if __name__ == "__main__":
    typer.run(main)
