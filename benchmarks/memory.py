"""What a server weighs after a long day of the district office, and how long its searches take.

9,000 different searches by full name, 900 lists, 90 exports and 10 imports of 5,000 rows, in two
equal halves: what the second half adds is a leak or a cache without bounds. So that both halves
meet the same people, an import is undone before the next. Every fifth search is asked by the
province and by a commune as well.
"""

import http.client
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock, local
from time import perf_counter, sleep
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import sqlalchemy as sa
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sqlmodel import col

from app import memory
from app.db import Database
from app.models.members.members import Member
from app.services.demo.plan import Scale
from app.text import fold
from benchmarks import imports, servers
from benchmarks.databases import Databases, SQLiteFiles, postgresql, working_folder
from benchmarks.load import percentile, two_cores
from benchmarks.run import PASSWORD, fill, hoiso_environment, start_hoiso
from benchmarks.servers import Server

SEARCHES, LISTS, EXPORTS, IMPORTS = 9_000, 900, 90, 10
IMPORT_ROWS = 5_000
CLIENTS = 4
MOST_JOB_SECONDS = 600
COMPARED = 5  # every so many searches are asked in the other scopes too
DISTRICT, OTHERS = "camkhe", ("phutho", "phuongvi")
MOST_MEGABYTES, MOST_GROWTH, MOST_TIMES = 350.0, 10.0, 1.5
console = Console(width=112)


@dataclass
class Day:
    """One server under work: who asks, and what it took."""

    server: Server
    worker: Server | None
    tokens: dict[str, str] = field(default_factory=dict)
    taken: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    adding: Lock = field(default_factory=Lock)
    of_thread: local = field(default_factory=local)

    def sign_in(self) -> None:
        """Before each kind of work, and when a token has expired."""
        for username in (DISTRICT, *OTHERS):
            form = {"grant_type": "password", "username": username, "password": PASSWORD}
            status, answer = self.server.ask(
                "POST",
                "/v1/auth/token",
                body=urlencode(form).encode(),
                content_type="application/x-www-form-urlencoded",
            )
            if status != 200:
                raise SystemExit(f"{username} cannot sign in: {status} {answer}")
            self.tokens[username] = answer["access_token"]

    def send(
        self, username: str, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> bytes:
        connection = getattr(self.of_thread, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=300)
            self.of_thread.connection = connection
        sent = self.tokens[username]
        try:
            connection.request(method, path, body, headers | {"authorization": f"Bearer {sent}"})
            answer = connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError):
            connection.close()  # idle for longer than the server keeps it
            return self.send(username, method, path, body, **headers)
        content: bytes = answer.read()
        if answer.status == 401:
            with self.adding:
                if self.tokens[username] == sent:
                    self.sign_in()
            return self.send(username, method, path, body, **headers)
        if answer.status >= 300:
            raise SystemExit(f"{answer.status} to {method} {path}: {content[:500]!r}")
        return content

    def megabytes(self) -> dict[str, float]:
        weighed = {"server": self.server.resident_megabytes()}
        if self.worker is not None:
            weighed["worker"] = self.worker.resident_megabytes()
        return weighed

    # -- the work

    def search(self, number: int, q: str) -> None:
        for username in (DISTRICT, *(OTHERS if number % COMPARED == 0 else ())):
            began = perf_counter()
            self.send(username, "GET", f"/v1/members?limit=50&q={quote(q)}")
            with self.adding:
                self.taken[username].append(perf_counter() - began)

    def list(self, filters: dict[str, Any]) -> None:
        """A page, and the one after it."""
        path = f"/v1/members?{urlencode(filters)}"
        page = json.loads(self.send(DISTRICT, "GET", path))
        if page["next_cursor"]:
            self.send(DISTRICT, "GET", f"{path}&cursor={page['next_cursor']}")

    def export(self, form: str) -> None:
        self.send(DISTRICT, "GET", f"/v1/members?format={form}")

    def bring_in(self, unit_id: int, file: Path) -> None:
        path = f"/v1/imports?kind=members&unit={unit_id}&file_name={file.name}"
        content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        body = file.read_bytes()
        made = json.loads(self.send(DISTRICT, "POST", path, body, **{"content-type": content_type}))
        at = f"/v1/imports/{made['id']}"
        self._until(at, "ready")
        for act, state in (("apply", "applied"), ("undo", "undone")):
            self.send(
                DISTRICT, "POST", f"{at}/{act}", b"{}", **{"content-type": "application/json"}
            )
            self._until(at, state)

    def _until(self, path: str, state: str) -> None:
        give_up_at = perf_counter() + MOST_JOB_SECONDS
        while (found := json.loads(self.send(DISTRICT, "GET", path)))["state"] != state:
            job = found["job"]
            if found["state"] == "refused" or (job is not None and job["state"] == "failed"):
                raise SystemExit(f"{path} is not {state}: {found['problem'] or job['problem']}")
            if perf_counter() > give_up_at:
                raise SystemExit(f"{path} is not {state} after {MOST_JOB_SECONDS} s")
            sleep(0.1)


# -- what is asked


def searches(names: Sequence[str], number: int) -> list[str]:
    """Different ones, as people type: whole, without marks, begun, in another order, initials."""
    rng = random.Random(17)
    forms: tuple[Callable[[list[str]], list[str]], ...] = (
        lambda words: words,
        lambda words: [fold(word) for word in words],
        lambda words: [*words[:-1], words[-1][: max(1, len(words[-1]) - 1)]],
        lambda words: [words[-1], *words[:-1]],
        lambda words: [fold(words[-1]), fold(words[0])],
        lambda words: [*(word[0] for word in words[:-1]), words[-1]],
    )
    found: dict[str, None] = {}
    for form in forms:
        for name in names:
            found[" ".join(form(name.split()))] = None
    asked = list(found)
    rng.shuffle(asked)
    return asked[:number]


def filters(number: int) -> Iterator[dict[str, Any]]:
    rng = random.Random(18)
    for _ in range(number):
        asked: dict[str, Any] = {"limit": rng.choice((20, 50, 200))}
        if rng.random() < 0.5:
            asked["age_from"] = rng.randrange(18, 60)
        if rng.random() < 0.3:
            asked["age_to"] = rng.randrange(60, 90)
        if rng.random() < 0.2:
            asked["status"] = rng.choice(("active", "transferring", "left"))
        if rng.random() < 0.2:
            asked["core"] = rng.choice(("true", "false"))
        if rng.random() < 0.2:
            asked["joined_from"] = f"{rng.randrange(1980, 2020)}-03-08"
        yield asked


# -- measuring


def at_once(work: Iterable[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(each) for each in work]:
            done.result()


def halves(everything: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    middle = len(everything) // 2
    return everything[:middle], everything[middle:]


def spend(day: Day, work: dict[str, list[Callable[[], None]]], half: str) -> dict[str, float]:
    """Half of all work; returns what each process weighs after it."""
    for kind, each in work.items():
        day.sign_in()
        began = perf_counter()
        at_once(each)
        weighed = ", ".join(f"{name} {mb:.0f} MB" for name, mb in day.megabytes().items())
        console.print(
            f"  {half} half, {len(each):,} {kind}: {perf_counter() - began:.0f} s; {weighed}"
        )
    sleep(memory.TRIM_SECONDS + 1)  # what is free has gone back
    return day.megabytes()


def run(databases: Databases, folder: Path, share: float) -> bool:
    core, _ = two_cores()
    url = databases.create("hoiso_bench_memory")
    fill(url, folder, Scale.district)
    database = Database(imports.settings_for(url))
    with database.reading() as db:
        names = db.execute(sa.select(col(Member.full_name)).distinct()).scalars().all()
    files = [folder / f"{number}.xlsx" for number in range(max(2, round(IMPORTS * share)))]
    for number, file in enumerate(files):
        imports.write_list(database, file, rows=IMPORT_ROWS, seed=number)
    _, unit_id = imports.officer(database)
    database.close()
    with ExitStack() as stack:
        server = start_hoiso(url, core, folder)
        stack.callback(server.stop)
        server.wait_until(servers.is_ready)
        worker = None
        if databases.name != "sqlite":  # there the server does jobs itself
            worker = start_worker(url, core, folder)
            stack.callback(worker.stop)
        day = Day(server, worker)
        idle = day.megabytes()
        asked = [
            partial(day.search, number, q)
            for number, q in enumerate(searches(sorted(names), round(SEARCHES * share)))
        ]
        listed = [partial(day.list, each) for each in filters(round(LISTS * share))]
        forms = ("csv", "ndjson", "xlsx")
        taken_out = [partial(day.export, forms[n % 3]) for n in range(round(EXPORTS * share))]
        brought_in = [partial(one_after_another, day, unit_id, each) for each in halves(files)]
        weighed = []
        for number, half in enumerate(("first", "second")):
            work: dict[str, list[Callable[[], None]]] = {
                "searches": list(halves(asked)[number]),
                "lists": list(halves(listed)[number]),
                "exports": list(halves(taken_out)[number]),
                "rounds of imports": [brought_in[number]],
            }
            weighed.append(spend(day, work, half))
    return report(databases.name, day, idle, *weighed)


def one_after_another(day: Day, unit_id: int, files: Iterable[Path]) -> None:
    for file in files:
        day.bring_in(unit_id, file)


def start_worker(url: str, core: int, folder: Path) -> Server:
    return servers.start(
        "worker",
        ["-m", "app.cli", "worker"],
        hoiso_environment(url, folder) | {"HOISO_ENVIRONMENT": "production"},
        core=core,
        folder=folder,
    )


def report(
    name: str, day: Day, idle: dict[str, float], first: dict[str, float], second: dict[str, float]
) -> bool:
    """Prints both tables; returns whether all limits are held."""
    weights = Table(
        title=f"{name}: MB (at most {MOST_MEGABYTES:.0f}; the second half at most"
        f" {MOST_GROWTH:.0f} more)",
        box=SIMPLE_HEAD,
    )
    for title in ("process", "idle", "first half", "second half", "more"):
        weights.add_column(title, justify="right")
    held = True
    for process, begun in idle.items():
        after, end = first[process], second[process]
        held &= end < MOST_MEGABYTES and end - after <= MOST_GROWTH
        weights.add_row(process, *(f"{mb:.0f}" for mb in (begun, after, end, end - after)))
    times = Table(
        title=f"{name}: ms a search (the district at most {MOST_TIMES} times the province)",
        box=SIMPLE_HEAD,
    )
    for title in ("scope", "searches", "p50", "p95"):
        times.add_column(title, justify="right")
    figures = {}
    for username in (DISTRICT, *OTHERS):
        taken = [seconds * 1_000 for seconds in day.taken[username]]
        figures[username] = (percentile(taken, 0.5), percentile(taken, 0.95))
        times.add_row(username, f"{len(taken):,}", *(f"{ms:.1f}" for ms in figures[username]))
    ratios = [a / b for a, b in zip(figures[DISTRICT], figures[OTHERS[0]], strict=True)]
    times.add_row("district : province", "", *(f"{ratio:.2f}" for ratio in ratios))
    console.print(weights)
    console.print(times)
    return held and max(ratios) <= MOST_TIMES


def main(
    only: Annotated[str, typer.Option(help="sqlite or postgresql; both by default.")] = "",
    share: Annotated[float, typer.Option(min=0.01, max=1, help="Of all the work.")] = 1.0,
) -> None:
    held = True
    with working_folder() as folder, ExitStack() as stack:
        if only != "postgresql":
            held &= run(SQLiteFiles(folder), folder, share)
        if only != "sqlite":
            held &= run(stack.enter_context(postgresql(folder)), folder, share)
    if not held:
        raise SystemExit("a limit was not held")


if __name__ == "__main__":
    typer.run(main)
