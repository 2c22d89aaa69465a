"""The matcher at a million members: a file of 23,000 people against all of them, and one form.

`python -m benchmarks.duplicates --help`. The people are of neighbouring communes, as a file of a
district has them: a third are on record, written without tones or with the year of birth alone, a
third of those with their citizen id. A figure is the time of one `matching.match_many`.
"""

import random
import resource
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from rich.console import Console
from sqlmodel import col

from app.db import Database
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.members import Member
from app.services.capabilities import install
from app.services.duplicates import matching
from app.services.duplicates.compared import ComparedPerson
from app.text import fold
from benchmarks.databases import Databases, SQLiteFiles, postgresql, working_folder
from benchmarks.member_lists import fill, settings_of

TARGET_SECONDS = 30.0
console = Console(width=112)


def sheet(database: Database, rows: int) -> list[ComparedPerson]:
    """A file of that many people for the branches of neighbouring communes."""
    rng = random.Random(11)
    columns = [getattr(Member, name) for name in ("full_name", "birth_date", "branch_id", "phone")]
    with database.reading() as db:
        first = db.execute(
            sa.select(sa.func.min(col(Unit.id))).where(col(Unit.level) == UnitLevel.commune)
        ).scalar_one()
        known = db.execute(
            sa.select(*columns, col(Member.citizen_id))
            .where(col(Member.commune_id) >= first)
            .order_by(col(Member.commune_id), col(Member.id))
            .limit(rows)
        ).all()
    names = [row.full_name for row in known]
    return [_entered(rng, row, rng.choice(names)) for row in known]


def _entered(rng: random.Random, row: Any, stranger: str) -> ComparedPerson:
    if rng.randrange(3):
        born = f"{rng.randrange(1945, 2006)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
        return ComparedPerson(stranger, born, row.branch_id, phone=f"+849{rng.randrange(10**8):08}")
    shown = rng.choice((row.birth_date, row.birth_date[:4]))
    citizen_id = row.citizen_id if rng.randrange(3) == 0 else None
    return ComparedPerson(fold(row.full_name).title(), shown, row.branch_id, row.phone, citizen_id)


def measure(name: str, database: Database, rows: int) -> None:
    people = sheet(database, rows)
    with database.reading() as db:
        start = time.perf_counter()
        found = matching.match_many(db, people)
        spent = time.perf_counter() - start
        one = [_milliseconds(db, [person]) for person in people[:: max(1, len(people) // 200)]]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    matched = sum(bool(each) for each in found)
    console.print(
        f"{name}: {len(people):,} people in {spent:.1f} s (target {TARGET_SECONDS:.0f}), "
        f"{matched:,} with candidates; one form p50 {statistics.median(one):.1f} ms, "
        f"p95 {statistics.quantiles(one, n=20)[-1]:.1f} ms; peak {peak} MB"
    )


def _milliseconds(db: Any, people: Sequence[ComparedPerson]) -> float:
    start = time.perf_counter()
    matching.match_many(db, people)
    return (time.perf_counter() - start) * 1_000


def run(databases: Databases, people: int, rows: int) -> None:
    database = Database(settings_of(databases.create("hoiso_bench_duplicates")))
    try:
        fill(database, people)
        measure(databases.name, database, rows)
    finally:
        database.close()


def main(
    people: Annotated[int, typer.Option(help="Members in the database.")] = 1_000_000,
    rows: Annotated[int, typer.Option(help="People in the file.")] = 23_000,
    only: Annotated[str, typer.Option(help="sqlite or postgresql; both by default.")] = "",
) -> None:
    install()
    with ExitStack() as stack:
        folder = stack.enter_context(working_folder())
        if only != "postgresql":
            run(SQLiteFiles(Path(folder)), people, rows)
        if only != "sqlite":
            run(stack.enter_context(postgresql(folder)), people, rows)


if __name__ == "__main__":
    typer.run(main)
