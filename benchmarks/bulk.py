"""Lines in bulk: creates, updates and lines that change nothing, beside COPY of all rows written.

`python -m benchmarks.bulk --help`. CPU is of this process alone: of the PostgreSQL server nothing is
counted, so the COPY beside it is measured the same way. What a batch has written is read back and
copied, ready, into tables without keys: members, spells, digests, changes, places in the log, rows of
the import, identifiers of other systems. `--memory` sends more and more lines and shows the largest
resident set of each, in processes of their own.
"""

import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import orjson
import psycopg
import sqlalchemy as sa
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sqlmodel import col

from app.clock import utc_now
from app.db import Database
from app.models.imports.bulk import BulkQuery
from app.models.kernel.changes import ChangeSource
from app.models.kernel.sessions import AuthSession
from app.models.kernel.units import Unit, UnitLevel
from app.services.capabilities import install
from app.services.demo.plan import Scale
from app.services.imports import bulk, bulk_sets
from app.services.kernel import actors
from app.services.kernel.access import Actor
from app.services.kernel.changes import Origin
from benchmarks.databases import PROJECT, Databases, SQLiteFiles, postgresql, working_folder
from benchmarks.imports import FAMILY, GIVEN, MIDDLE, fill, officer, settings_for

LINES = 20_000
_BLOCK = 64 * 1024
# All that a batch writes, and how its rows are found.
_WRITTEN = {
    "member": "id IN (SELECT entity_id FROM import_row WHERE import_id = %(id)s)",
    "membership": "member_id IN (SELECT entity_id FROM import_row WHERE import_id = %(id)s)",
    "member_identifier": "member_id IN (SELECT entity_id FROM import_row WHERE import_id = %(id)s)",
    "member_external_id": "import_id = %(id)s",
    "change": "source_ref LIKE 'import ' || %(id)s || '%%'",
    "outbox": "change_id IN (SELECT id FROM change WHERE source_ref LIKE 'import ' || %(id)s || '%%')",
    "import_row": "import_id = %(id)s",
    "bulk_set": "import_id = %(id)s",
}
_OF_UPDATES = ("member", "change", "outbox", "import_row", "bulk_set")


@dataclass(frozen=True)
class Taken:
    """CPU and clock of one batch, in seconds; what became of its lines."""

    cpu: float
    seconds: float
    import_id: Any
    summary: dict[str, Any]


def people(database: Database, count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """As another system has them: each with its number there."""
    with database.reading() as db:
        statement = sa.select(col(Unit.id)).where(col(Unit.level) == UnitLevel.branch)
        branches = list(db.execute(statement).scalars())
    rng = random.Random(seed)
    for n in range(count):
        year = rng.randint(1940, 2005)
        yield {
            "external_id": f"hoitinh|{seed}-{n}",
            "full_name": f"{rng.choice(FAMILY)} {rng.choice(MIDDLE)} {rng.choice(GIVEN)}",
            "birth_date": f"{year}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
            "branch_id": branches[n % len(branches)],
            "phone": f"09{seed % 10}{n:07}",
            "citizen_id": f"025{1 if year < 2000 else 3}{year % 100:02}{n % 1_000_000:06}",
            "address": f"Khu {rng.randint(1, 20)}",
            "ethnicity": "01",
        }


def signed_in(database: Database) -> tuple[Actor, int]:
    """The officer of the district with a session: a long body asks for its rights again and again."""
    actor, unit = officer(database)
    now = utc_now()
    with database.writing() as session:
        opened = AuthSession(
            account_id=actor.account_id,
            device="benchmark",
            created_at=now,
            last_used_at=now,
            expires_at=now + timedelta(days=1),
        )
        session.execute(sa.insert(AuthSession), [opened.model_dump()])
        found = actors.load_actor(session, opened.id)
    assert found is not None  # it was just opened
    return found, unit


def send(database: Database, lines: Sequence[bytes] | Iterator[bytes], **query: Any) -> Taken:
    """One body through the door, as the endpoint pushes it, and its answer read."""
    actor, unit = signed_in(database)
    asked = BulkQuery(unit=unit, **query)
    author = Origin(ChangeSource.api, account_id=actor.account_id)
    start, cpu = time.perf_counter(), time.process_time()
    work = bulk.begin(database, actor, "members", asked, author, "en")
    for block in _blocks(lines):
        for each in work.cut(block):
            work.take(each)
    work.take(work.rest(), is_last=True)
    assert work.import_id is not None  # no dry run
    last = b""
    for part in bulk_sets.answer(database, work.import_id, asked.chunk):
        last = part
    cpu, seconds = time.process_time() - cpu, time.perf_counter() - start
    return Taken(cpu, seconds, work.import_id, orjson.loads(last.splitlines()[-1]))


def _blocks(lines: Sequence[bytes] | Iterator[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for line in lines:
        waiting += line
        if len(waiting) >= _BLOCK:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def as_lines(items: Iterator[dict[str, Any]]) -> list[bytes]:
    return [orjson.dumps(each) + b"\n" for each in items]


def copied(url: str, import_id: Any, tables: Sequence[str]) -> tuple[float, int]:
    """CPU of copying, ready, what the batch has written; and how many rows that are."""
    spent, rows = 0.0, 0
    with psycopg.connect(url) as connection:
        for table in tables:
            where = _WRITTEN[table].replace("%(id)s", f"'{import_id}'").replace("%%", "%")
            cursor = connection.cursor()
            with cursor.copy(
                f'COPY (SELECT * FROM "{table}" WHERE {where}) TO STDOUT'
            ) as out:  # names of our own tables
                content = [bytes(row) for row in out]
            cursor.execute(f'CREATE TABLE copied_{table} AS SELECT * FROM "{table}" WHERE false')
            start = time.process_time()
            with cursor.copy(f"COPY copied_{table} FROM STDIN") as into:
                for row in content:
                    into.write(row)
            spent += time.process_time() - start
            rows += len(content)
        connection.rollback()
    return spent, rows


def run(databases: Databases, lines: int, scale: Scale) -> Table:
    url = databases.create("bulk")
    fill(url, scale)
    database = Database(settings_for(url))
    new = list(people(database, lines))
    changed = [
        {
            "external_id": each["external_id"],
            "occupation": "Làm ruộng",
            "phone": f"0{n + 350_000_000}",
        }
        for n, each in enumerate(new)
    ]
    shown = Table(title=f"{databases.name}: {lines:,} lines", box=SIMPLE_HEAD)
    for title in ("lines", "ms of CPU a line", "lines a second", "rows written", "x COPY"):
        shown.add_column(title, justify="right")
    for name, items, tables in (
        ("created", new, tuple(_WRITTEN)),
        ("updated", changed, _OF_UPDATES),
        ("unchanged", changed, ("import_row", "bulk_set")),
    ):
        taken = send(database, as_lines(iter(items)), duplicates="create", batch=name)
        if taken.summary[name] != lines:
            raise SystemExit(f"{databases.name}: of {lines:,} to be {name} {taken.summary}")
        row = [name, f"{taken.cpu * 1000 / lines:.3f}", f"{lines / taken.seconds:,.0f}"]
        if databases.name.lower().startswith("postgres"):
            spent, rows = copied(url, taken.import_id, tables)
            row += [f"{rows:,}", f"{taken.cpu / spent:.0f}" if spent else "-"]
        shown.add_row(*row)
    database.close()
    return shown


def step(url: str, lines: str) -> None:
    """One body of so many lines in this process: prints the peak of its memory, in MiB."""
    install()
    database = Database(settings_for(url))
    made = (orjson.dumps(each) + b"\n" for each in people(database, int(lines), seed=int(lines)))
    taken = send(database, made, duplicates="create")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{peak:.0f} {taken.cpu * 1000 / int(lines):.3f}")
    database.close()


def memory(databases: Databases, counts: Sequence[int]) -> Table:
    url = databases.create("bulk_memory")
    fill(url, Scale.district)
    shown = Table(title=f"{databases.name}: one body", box=SIMPLE_HEAD)
    for title in ("lines", "peak MiB", "ms of CPU a line"):
        shown.add_column(title, justify="right")
    code = "import sys; from benchmarks import bulk; bulk.step(*sys.argv[1:])"
    for count in counts:
        done = subprocess.run(
            [sys.executable, "-c", code, url, str(count)],
            capture_output=True,
            text=True,
            check=True,
            cwd=PROJECT,
        )
        shown.add_row(f"{count:,}", *done.stdout.split()[-2:])
    return shown


def main(
    only: Annotated[str | None, typer.Option(help="sqlite or postgresql")] = None,
    lines: Annotated[int, typer.Option(min=100)] = LINES,
    of_memory: Annotated[
        bool, typer.Option("--memory", help="The peaks of 10,000 and 100,000 lines.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="500 lines into a small demo: nothing is measured.")
    ] = False,
) -> None:
    install()
    with ExitStack() as stack:
        folder = stack.enter_context(working_folder())
        kinds: list[Databases] = []
        if only in (None, "sqlite"):
            kinds.append(SQLiteFiles(folder))
        if only in (None, "postgresql"):
            kinds.append(stack.enter_context(postgresql(folder)))
        for databases in kinds:
            if check:
                run(databases, 500, Scale.small)
                Console().print(
                    f"{databases.name}: lines are created, updated, and left as they are"
                )
            elif of_memory:
                Console().print(memory(databases, (10_000, 100_000)))
            else:
                Console().print(run(databases, lines, Scale.district))


if __name__ == "__main__":
    typer.run(main)
