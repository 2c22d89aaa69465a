"""Hội Số between its floor and a peer: CPU per request, requests per second, start, memory.

`make bench`, or `python -m benchmarks.run --help`. What the figures mean: benchmarks/README.md.
"""

import base64
import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.console import Console

from app.services.demo.plan import Scale
from app.vault import Vault
from benchmarks import servers, tokens
from benchmarks.databases import Databases, SQLiteFiles, postgresql, working_folder
from benchmarks.load import Sample, cpu_reader, drive, request, two_cores
from benchmarks.report import Endpoint, start_and_memory, table
from benchmarks.servers import Server

PASSWORD = "benchmark-password"
# Of servers that live for a minute on this machine.
SECRET = "f1ef0ad1c29b4d7f8a33b6c05e7792ad"
DATA_KEY = "0d5b8e1c94f37a26b0c7e58d1f3a9264"
USERNAME = "phuongvi-1"
SLOT_SECONDS = 0.5
STARTS = 3
MEMBERS = "/v1/members"
TABLE_WIDTH = 112
PEER_THREADS = 2  # more only fight for the GIL of the one core; fewer leave it idle


class Kind(StrEnum):
    sqlite = "sqlite"
    postgresql = "postgresql"
    both = "both"


class FloorDriver(StrEnum):
    psycopg = "psycopg"
    asyncpg = "asyncpg"


class PeerScope(StrEnum):
    grants = "grants"
    claims = "claims"


console = Console()


@dataclass(frozen=True)
class Options:
    endpoints: list[Endpoint]
    rounds: int
    floor_driver: FloorDriver
    peer_scope: PeerScope
    scale: Scale
    core: int


@dataclass(frozen=True)
class Subject:
    """A server under load, and the token it knows the branch head by."""

    server: Server
    token: str
    database: str


Samples = dict[tuple[str, Endpoint], Sample]


# -- servers


def start_floor(url: str, driver: FloorDriver, core: int, folder: Path) -> Server:
    options = ["--loop", "uvloop", "--http", "httptools", "--lifespan", "on", "--no-access-log"]
    return servers.start(
        "floor",
        ["-m", "uvicorn", "benchmarks.floor:app", "--port", "{port}", *options],
        {"FLOOR_DATABASE_URL": url, "FLOOR_SECRET": SECRET, "FLOOR_DRIVER": driver},
        core=core,
        folder=folder,
    )


def start_peer(url: str, scope: PeerScope, core: int, folder: Path) -> Server:
    bind = ["--bind", "127.0.0.1:{port}", "--keep-alive", "75"]
    workers = ["--worker-class", "gthread", "--workers", "1", "--threads", str(PEER_THREADS)]
    return servers.start(
        "drf",
        ["-m", "gunicorn", "benchmarks.peer_drf.wsgi:application", *bind, *workers],
        {"PEER_DATABASE_URL": url, "PEER_SECRET": SECRET, "PEER_SCOPE": scope},
        core=core,
        folder=folder,
    )


def hoiso_environment(url: str, folder: Path) -> dict[str, str]:
    return {
        "HOISO_DATABASE_URL": url,
        "HOISO_DATA_DIR": str(folder),
        "HOISO_JWT_SECRET": SECRET,
        "HOISO_DATA_KEYS": DATA_KEY,
    }


def start_hoiso(
    url: str, core: int, folder: Path, *, module: str = "app.cli", port: int | None = None
) -> Server:
    return servers.start(
        "hoiso",
        ["-m", module, "serve"],
        hoiso_environment(url, folder)
        | {"HOISO_PORT": "{port}", "HOISO_ENVIRONMENT": "production"},
        core=core,
        folder=folder,
        port=port,
    )


def fill(url: str, folder: Path, scale: Scale) -> None:
    environment = hoiso_environment(url, folder)
    servers.run(["-m", "app.cli", "migrate"], environment, folder=folder)
    demo = ["-m", "app.cli", "demo", "--if-empty", "--password", PASSWORD, "--scale", scale]
    servers.run(demo, environment, folder=folder)


# -- who asks for what


def sign_in(hoiso: Server) -> str:
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
    status, answer = hoiso.ask(
        "POST",
        "/v1/auth/token",
        body=urlencode(form).encode(),
        content_type="application/x-www-form-urlencoded",
    )
    if status != 200:
        raise SystemExit(f"{USERNAME} cannot sign in: {status} {answer}")
    return str(answer["access_token"])


def equivalent_token(hoiso_token: str, me: dict[str, Any]) -> str:
    """The same person and session for the other servers, as long as hoiso's token."""
    payload = hoiso_token.split(".")[1]
    theirs = json.loads(base64.urlsafe_b64decode(payload + "=="))
    [grant] = me["grants"]
    claims = {
        "iss": theirs["iss"],
        "sub": me["id"],
        "sid": theirs["sid"],
        "iat": theirs["iat"],
        "exp": theirs["exp"],
        "jti": theirs["jti"],
        "token_type": "access",
        "role": grant["role"],
        "level": grant["unit"]["level"],
        "unit": grant["unit"]["id"],
    }
    return tokens.sign(claims, SECRET)


def new_address(number: int) -> bytes:
    """A small write that has the same effect in all servers: an address is sealed in none."""
    return json.dumps({"address": f"Nhà số {number}, xóm Đình"}).encode()


def traffic(endpoint: Endpoint, token: str, member_ids: list[str]) -> Iterator[bytes]:
    """Requests without end: every member in turn, each write an address she has not got."""
    if endpoint is Endpoint.list:
        return cycle([request("GET", f"{MEMBERS}?limit=50", token)])
    if endpoint is Endpoint.detail:
        return cycle([request("GET", f"{MEMBERS}/{each}", token) for each in member_ids])
    bodies = [
        (each, new_address(turn * 1000 + place))
        for turn in range(10)
        for place, each in enumerate(member_ids)
    ]
    return cycle([request("PATCH", f"{MEMBERS}/{each}", token, body) for each, body in bodies])


def check_same_answers(
    subjects: dict[str, Subject], databases: Databases, member_ids: list[str]
) -> None:
    """All servers answer the same JSON and leave the same rows behind."""
    first, last = member_ids[0], member_ids[-1]
    requests = [
        ("GET", f"{MEMBERS}/{first}", None),
        ("GET", f"{MEMBERS}/{last}", None),
        ("GET", f"{MEMBERS}?limit=50", None),
        ("PATCH", f"{MEMBERS}/{first}", new_address(9_999_999)),
        ("GET", f"{MEMBERS}/{first}", None),
    ]
    logged_before = {name: databases.logged(each.database) for name, each in subjects.items()}
    for method, path, body in requests:
        answers = {}
        for name, each in subjects.items():
            status, answer = each.server.ask(method, path, token=each.token, body=body)
            if status != 200:
                raise SystemExit(f"{name} answered {status} to {method} {path}: {answer}")
            if "next_cursor" in answer:  # opaque: each has its own
                answer["next_cursor"] = bool(answer["next_cursor"])
            answer.pop("warnings", None)  # only Hội Số looks for what seems wrong in a record
            answers[name] = answer
        if any(answer != answers["hoiso"] for answer in answers.values()):
            raise SystemExit(f"{method} {path} has different answers:\n{json.dumps(answers)}")
    for name, each in subjects.items():
        changes, places = logged_before[name]
        if databases.logged(each.database) != (changes + 1, places + 1):
            raise SystemExit(f"{name}: a write must leave one change and one place in the feed")
    told = {name: databases.last_change(each.database) for name, each in subjects.items()}
    if any(change != told["hoiso"] for change in told.values()):
        raise SystemExit(f"the write has left different changes:\n{told}")


# -- measuring


def measure(subjects: dict[str, Subject], member_ids: list[str], options: Options) -> Samples:
    samples: Samples = {}
    requests = {
        (name, endpoint): traffic(endpoint, subject.token, member_ids)
        for name, subject in subjects.items()
        for endpoint in options.endpoints
    }
    # Caches, prepared statements, connections, lazily imported modules: once, not counted.
    for (name, _), each in requests.items():
        server = subjects[name].server
        drive(server.port, each, cpu_reader(server.process.pid), SLOT_SECONDS, Sample())
    slots = list(requests)
    for _ in range(options.rounds):
        random.shuffle(slots)
        for slot in slots:
            server = subjects[slot[0]].server
            sample = samples.setdefault(slot, Sample())
            cpu_ns = cpu_reader(server.process.pid)
            drive(server.port, requests[slot], cpu_ns, SLOT_SECONDS, sample)
    return samples


def measure_start(url: str, core: int, folder: Path) -> dict[str, float]:
    """Until the server is ready: the best of a few starts. Idle memory: the largest."""
    seconds, cpu_seconds, megabytes = [], [], []
    for _ in range(STARTS):
        server = start_hoiso(url, core, folder)
        try:
            seconds.append(server.wait_until(servers.is_ready))
            cpu_seconds.append(cpu_reader(server.process.pid)() / 1e9)
            time.sleep(1)
            megabytes.append(server.resident_megabytes())
        finally:
            server.stop()
    return {
        "start_seconds": round(min(seconds), 3),
        "start_cpu_seconds": round(min(cpu_seconds), 3),
        "idle_megabytes": round(max(megabytes), 1),
    }


@contextmanager
def started(
    databases: Databases, folder: Path, options: Options
) -> Iterator[tuple[dict[str, Subject], list[str]]]:
    """The three servers on databases of the same content, found to answer the same, and the
    members to ask them for."""
    core = options.core
    with ExitStack() as stack:
        urls = {"hoiso": databases.create("hoiso_bench")}
        fill(urls["hoiso"], folder, options.scale)
        urls["floor"] = databases.copy(urls["hoiso"], "hoiso_bench_floor")
        databases.open_sealed(urls["floor"], Vault([DATA_KEY]))
        urls["drf"] = databases.copy(urls["floor"], "hoiso_bench_drf")

        hoiso = start_hoiso(urls["hoiso"], core, folder, module="benchmarks.many_routes")
        stack.callback(hoiso.stop)
        floor = start_floor(urls["floor"], options.floor_driver, core, folder)
        stack.callback(floor.stop)
        drf = start_peer(urls["drf"], options.peer_scope, core, folder)
        stack.callback(drf.stop)
        hoiso.wait_until(servers.is_ready)
        floor.wait_until(servers.listens)
        drf.wait_until(servers.listens)

        token = sign_in(hoiso)
        _, me = hoiso.ask("GET", "/v1/me", token=token)
        theirs = equivalent_token(token, me)
        subjects = {
            "floor": Subject(floor, theirs, urls["floor"]),
            "hoiso": Subject(hoiso, token, urls["hoiso"]),
            "drf": Subject(drf, theirs, urls["drf"]),
        }
        _, page = hoiso.ask("GET", f"{MEMBERS}?limit=200", token=token)
        member_ids = [item["id"] for item in page["items"]]
        check_same_answers(subjects, databases, member_ids)
        yield subjects, member_ids


def check(databases: Databases, folder: Path, options: Options) -> None:
    with started(databases, folder, options) as (subjects, _):
        console.print(f"{databases.name}: {', '.join(subjects)} answer and write the same")


def bench(databases: Databases, folder: Path, options: Options) -> dict[str, Any]:
    with console.status(f"{databases.name}: loading the demo data, starting the servers") as status:
        with started(databases, folder, options) as (subjects, member_ids):
            status.update(f"{databases.name}: measuring")
            samples = measure(subjects, member_ids, options)
        status.update(f"{databases.name}: start-up and memory")
        start = measure_start(subjects["hoiso"].database, options.core, folder)
    return {
        "database": databases.name,
        **start,
        "endpoints": {
            endpoint.value: {
                name: summary(samples[name, endpoint]) for name in ("floor", "hoiso", "drf")
            }
            for endpoint in options.endpoints
        },
    }


def summary(sample: Sample) -> dict[str, float]:
    return {
        "cpu_us": round(sample.cpu_us, 1),
        "requests_per_second": round(sample.requests_per_second, 1),
        "p50_us": round(sample.latency_us(0.50)),
        "p99_us": round(sample.latency_us(0.99)),
        "busy": round(sample.busy, 2),
        "requests": len(sample.latencies_ns),
    }


def main(
    database: Annotated[Kind, typer.Option(help="Where the data lives.")] = Kind.both,
    rounds: Annotated[int, typer.Option(min=1, max=60, help="Of half a second each.")] = 12,
    only: Annotated[str, typer.Option(help="Endpoints, by commas.")] = "detail,list,write",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the figures here.")
    ] = None,
    floor_driver: Annotated[
        FloorDriver, typer.Option(help="What the floor speaks PostgreSQL with.")
    ] = FloorDriver.psycopg,
    peer_scope: Annotated[
        PeerScope, typer.Option(help="Where the peer finds its user and grants.")
    ] = PeerScope.grants,
    *,
    large: Annotated[bool, typer.Option(help="A whole province instead of a district.")] = False,
    check_only: Annotated[
        bool, typer.Option("--check", help="Compare the three's answers, and measure nothing.")
    ] = False,
) -> None:
    """Measure Hội Số against its floor and a peer, and print one table."""
    server_core, load_core = two_cores()
    options = Options(
        endpoints=[Endpoint(name) for name in only.split(",")],
        rounds=rounds,
        floor_driver=floor_driver,
        peer_scope=peer_scope,
        scale=Scale.small if check_only else Scale.province if large else Scale.district,
        core=server_core,
    )
    with working_folder() as folder, ExitStack() as stack:
        if not check_only:
            # PostgreSQL is started from here and stays here too.
            os.sched_setaffinity(0, {load_core})
        kinds: list[Databases] = []
        if database in {Kind.sqlite, Kind.both}:
            kinds.append(SQLiteFiles(folder))
        if database in {Kind.postgresql, Kind.both}:
            kinds.append(stack.enter_context(postgresql(folder)))
        if check_only:
            for each in kinds:
                check(each, folder, options)
            return
        results = [bench(each, folder, options) for each in kinds]
    console.width = max(console.width, TABLE_WIDTH)
    console.print(table(results))
    for result in results:
        console.print(start_and_memory(result))
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
