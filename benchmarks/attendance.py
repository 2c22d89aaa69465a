"""The evening of the congress: 10,000 captures of one session within a minute, while each of the
257 branches holds its own meeting. Optionally the server is killed in the middle (kill -9).

Afterwards the ledger must hold exactly the captures that were acknowledged, and one fact a person.
"""

import http.client
import json
import queue
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from sqlmodel import col

from app.config import Environment, Settings
from app.db import Database
from app.models.attendance.attendance import Attendance, Capture
from app.models.base import new_id
from app.models.members.members import Member
from app.services.capabilities import install
from app.services.demo.meetings import Crowd
from app.services.demo.plan import Scale
from benchmarks import servers
from benchmarks.databases import Databases, SQLiteFiles, postgresql, working_folder
from benchmarks.load import two_cores
from benchmarks.run import DATA_KEY, PASSWORD, SECRET, fill, start_hoiso
from benchmarks.servers import Server

console = Console()
PEOPLE = 10_000
BATCH, SMALL_BATCH = 50, 10
PHONES = 16
SECONDS = 60.0
LIMIT_MS = 250.0


@dataclass(frozen=True, slots=True)
class Batch:
    """`due` in seconds from the start: phones send when they do, not when the server likes."""

    due: float
    session_id: str
    body: dict[str, Any]


@dataclass(slots=True)
class Evening:
    answered: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    repeated: int = 0
    guard: Lock = field(default_factory=Lock)


def hold(server: Server, token: str, unit_id: int) -> str:
    """A session of today in a unit; returns its id."""
    now = datetime.now(UTC).replace(microsecond=0)
    sitting = {"id": str(new_id()), "starts_at": now.isoformat()}
    body = {
        "title": "Sinh hoạt",
        "kind": "meeting",
        "host_unit_ids": [unit_id],
        "sessions": [sitting | {"ends_at": (now + timedelta(hours=3)).isoformat()}],
    }
    status, answer = server.ask("POST", "/v1/events", token=token, body=json.dumps(body).encode())
    if status != 201:
        raise SystemExit(f"no session: {status} {answer}")
    return sitting["id"]


def batches(
    people: Sequence[tuple[UUID, int]], congress: str, meetings: dict[int, str]
) -> list[Batch]:
    """Whom the phones capture when: the congress's doors, and a roster tapped in each branch."""
    crowd = Crowd(1, "burst")
    guests = [member_id for member_id, _ in people[:PEOPLE]]
    found = _spread(guests, BATCH, congress, 0.0)
    by_branch: dict[int, list[UUID]] = defaultdict(list)
    for member_id, branch_id in people:
        by_branch[branch_id].append(member_id)
    for place, (branch_id, members) in enumerate(by_branch.items()):
        came = crowd.came([crowd.habit(None) for _ in members], 6)
        here = [members[each] for each in came]
        found += _spread(here, SMALL_BATCH, meetings[branch_id], place / len(by_branch))
    return sorted(found, key=lambda batch: batch.due)


def _spread(members: Sequence[UUID], size: int, session_id: str, offset: float) -> list[Batch]:
    groups = [members[start : start + size] for start in range(0, len(members), size)]
    step = SECONDS / max(1, len(groups))
    return [
        Batch((n + offset) * step, session_id, {"items": [_tapped(each) for each in group]})
        for n, group in enumerate(groups)
    ]


def _tapped(member_id: UUID) -> dict[str, Any]:
    return {
        "id": str(new_id()),
        "kind": "roster",
        "member_id": str(member_id),
        "occurred_at": datetime.now(UTC).isoformat(),
    }


def send_all(server: Server, token: str, plan: Sequence[Batch], evening: Evening) -> None:
    """Every batch at its time, again and again until it is answered."""
    waiting: queue.SimpleQueue[Batch] = queue.SimpleQueue()
    for batch in plan:
        waiting.put(batch)
    began = time.monotonic()

    def phone() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        while True:
            try:
                batch = waiting.get_nowait()
            except queue.Empty:
                return
            time.sleep(max(0.0, began + batch.due - time.monotonic()))
            path, body = f"/v1/sessions/{batch.session_id}/captures", json.dumps(batch.body)
            started = time.monotonic()
            while True:
                try:
                    connection.request("POST", path, body, headers)
                    response = connection.getresponse()
                    answer, status = response.read(), response.status
                except (OSError, http.client.HTTPException):
                    connection.close()
                    answer, status = b"", 0
                if status == 200:
                    break
                evening.repeated += 1
                time.sleep(0.05)
            taken = time.monotonic() - started
            with evening.guard:
                evening.seconds[len(batch.body["items"])].append(taken)
                for each in json.loads(answer)["items"]:
                    evening.answered[each["id"]] = each

    threads = [Thread(target=phone) for _ in range(PHONES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def killer(server: Server, arguments: Any, done: Event) -> None:
    """kill -9 a third of the way, and the server back at once."""
    if done.wait(SECONDS / 3):
        return
    server.process.kill()
    server.process.wait()
    again = arguments(server.port)
    server.process = again.process


def percentile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def measure(databases: Databases, folder: Path, *, kill: bool) -> bool:
    """One evening; whether everything held."""
    url = databases.create("hoiso_attendance")
    fill(url, folder, Scale.district)
    database = Database(
        Settings(
            environment=Environment.test,
            database_url=url,
            jwt_secret=SecretStr(SECRET),
            data_keys=SecretStr(DATA_KEY),
        )
    )
    core, _ = two_cores()
    with ExitStack() as stack:
        stack.callback(database.close)
        server = start_hoiso(url, core, folder)
        stack.callback(server.stop)
        server.wait_until(servers.is_ready)
        token, unit_id = _sign_in(server)
        people = list(_people(database))
        congress = hold(server, token, unit_id)
        meetings = {
            branch_id: hold(server, token, branch_id)
            for branch_id in sorted({branch_id for _, branch_id in people})
        }
        plan = batches(people, congress, meetings)
        evening, done = Evening(), Event()
        if kill:
            again = lambda port: start_hoiso(url, core, folder, port=port)  # noqa: E731  # a name for one use
            thread = Thread(target=killer, args=(server, again, done))
            thread.start()
            stack.callback(thread.join)
        send_all(server, token, plan, evening)
        done.set()
        return _report(databases.name, database, congress, evening, kill=kill)


def _sign_in(server: Server) -> tuple[str, int]:
    form = f"grant_type=password&username=camkhe&password={PASSWORD}".encode()
    status, answer = server.ask(
        "POST",
        "/v1/auth/token",
        body=form,
        content_type="application/x-www-form-urlencoded",
    )
    if status != 200:
        raise SystemExit(f"no token: {status} {answer}")
    token = answer["access_token"]
    _, me = server.ask("GET", "/v1/me", token=token)
    return token, me["grants"][0]["unit"]["id"]


def _people(database: Database) -> Iterator[tuple[UUID, int]]:
    with database.reading() as db:
        for row in db.execute(
            sa.select(col(Member.id), col(Member.branch_id)).order_by(col(Member.id))
        ):
            yield row.id, row.branch_id


def _report(name: str, database: Database, congress: str, evening: Evening, *, kill: bool) -> bool:
    since = min(UUID(each) for each in evening.answered)
    with database.reading() as db:
        kept = set(db.execute(sa.select(col(Capture.id)).where(col(Capture.id) >= since)).scalars())
        sessions = sa.select(col(Attendance.session_id), sa.func.count()).group_by(
            col(Attendance.session_id)
        )
        facts = {str(session_id): people for session_id, people in db.execute(sessions)}
        heads = []
        for _ in range(20):
            began = time.perf_counter()
            db.execute(
                sa.select(sa.func.count()).where(col(Attendance.session_id) == UUID(congress))
            ).scalar_one()
            heads.append((time.perf_counter() - began) * 1000)
    acknowledged = {UUID(each) for each in evening.answered}
    new = sum(each["attendance"] == "new" for each in evening.answered.values())
    exact = kept == acknowledged and facts[congress] == PEOPLE
    large = [taken * 1000 for taken in evening.seconds[BATCH]]
    table = Table("database", "batches", "p50", "p95", "p99", "sent again", "head count", "exact")
    table.add_row(
        f"{name}{' (killed)' if kill else ''}",
        f"{sum(map(len, evening.seconds.values()))} ({len(large)} of {BATCH})",
        *(f"{percentile(large, part):.0f} ms" for part in (0.5, 0.95, 0.99)),
        str(evening.repeated),
        f"{percentile(heads, 0.5):.1f} ms",
        f"{len(kept):,} captures, {new:,} facts" if exact else "NO",
    )
    console.print(table)
    return exact and (kill or percentile(large, 0.99) < LIMIT_MS)


def main(
    only: Annotated[str, typer.Option(help="sqlite or postgresql; both by default")] = "",
    kill: Annotated[bool, typer.Option(help="kill -9 of the server in the middle")] = False,
) -> None:
    """10,000 captures of one session in a minute, beside 257 others."""
    install()
    held = True
    with working_folder() as folder:
        if only in ("", "sqlite"):
            held &= measure(SQLiteFiles(folder), folder, kill=kill)
        if only in ("", "postgresql"):
            with postgresql(folder) as server:
                held &= measure(server, folder, kill=kill)
    if not held:
        raise SystemExit("a limit was not held")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        typer.run(main)
