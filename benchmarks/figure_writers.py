"""Writers beside the fold of figures and a reader, on PostgreSQL: no wrong figure, no drift, and how
much of their rate they keep.

    python -m benchmarks.figure_writers

Eight processes make one woman honorary and another, of another branch, regular, in one transaction
each: the sum never changes, and no reader may see it otherwise. Turns without roll-ups (nobody folds,
nobody reads) and with them alternate; in both a process numbers the changes, as a server does.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Table
from sqlmodel import Session, col

from app.db import Database
from app.models.figures.figures import FigureBy, FigureQuery
from app.models.kernel.changes import ChangeSource
from app.models.members.members import Member, MemberKind
from app.process_pool import process_pool
from app.services.capabilities import install
from app.services.figures import folding, reading, recounting
from app.services.kernel import changes, sequencer
from benchmarks.databases import postgresql, working_folder
from benchmarks.member_lists import settings_of
from benchmarks.reorganisations import fill
from benchmarks.scale import actor_of

WRITERS = 8
OFFICER = "camkhe"
LEAST_SHARE = 0.7
CODES = "members.honorary,members.total"
# Until all processes of a turn have opened the database.
START_SECONDS = 5.0
Pair = tuple[UUID, UUID]
console = Console(width=112)


@dataclass(frozen=True, slots=True)
class Turn:
    """When everybody begins and ends, by the clock of the machine."""

    url: str
    begins: float
    ends: float

    def repeat(self, act: Callable[[Database], int], every: float = 0.0) -> tuple[int, float]:
        """What the acts add up to, and the seconds of CPU they took."""
        install()
        with closing(Database(settings_of(self.url))) as database:
            time.sleep(max(self.begins - time.time(), 0.0))
            done, cpu = 0, time.process_time()
            while time.time() < self.ends:
                started = time.time()
                done += act(database)
                time.sleep(max(min(started + every, self.ends) - time.time(), 0.0))
            return done, time.process_time() - cpu


def write(turn: Turn, pairs: Sequence[Pair]) -> tuple[int, float]:
    """How many transactions one writer made, on women that no other one changes."""
    number = 0

    def swap(database: Database) -> int:
        nonlocal number
        pair = pairs[number % len(pairs)]
        number += 1
        with database.writing() as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            one, other = (session.get_one(Member, each) for each in pair)
            one.kind, other.kind = other.kind, one.kind
        return 1

    return turn.repeat(swap)


def settle(turn: Turn) -> tuple[int, float]:
    def place(database: Database) -> int:
        sequencer.settle(database)
        return 1

    return turn.repeat(place, every=sequencer.PERIOD_SECONDS)


def fold(turn: Turn, every: float) -> tuple[int, float]:
    """How many units were counted anew, each on all its days."""
    return turn.repeat(folding.fold, every=every)


def read(turn: Turn, expected: dict[str, Any], every: float) -> tuple[int, float]:
    """How many reads were wrong, or did not add up."""

    def ask(database: Database) -> int:
        with database.reading() as db:
            return int(figures(db) != expected)

    return turn.repeat(ask, every=every)


def figures(db: sa.Connection) -> dict[str, Any]:
    """Of the district, and what its communes add up to."""
    actor, unit = actor_of(db, OFFICER)
    query = FigureQuery(unit=unit.id, indicators=CODES, by=FigureBy.child)
    rows, _ = reading.list_figures(db, actor, query)
    found: dict[str, Any] = {}
    line: Any
    for _, line in rows(db, None, 1_000):
        if line["line"] in ("total", "child"):
            key = f"{line['indicator']} {line['line']}"
            found[key] = found.get(key, 0) + line["value"]
    return found


def pairs_of(session: Session) -> list[Pair]:
    """Women of two branches each, one of them honorary."""
    by_branch: dict[int, list[UUID]] = {}
    rows = session.execute(
        sa.select(col(Member.branch_id), col(Member.id)).order_by(
            col(Member.branch_id), col(Member.id)
        )
    )
    for branch_id, member_id in rows:
        by_branch.setdefault(branch_id, []).append(member_id)
    branches = list(by_branch.values())
    pairs = [
        pair
        for one, other in zip(branches[::2], branches[1::2], strict=False)
        for pair in zip(one, other, strict=False)
    ]
    honorary = sa.update(Member).where(col(Member.id).in_([one for one, _ in pairs]))
    session.connection().execute(honorary.values(kind=MemberKind.honorary))
    regular = sa.update(Member).where(col(Member.id).in_([other for _, other in pairs]))
    session.connection().execute(regular.values(kind=MemberKind.regular))
    return pairs


@dataclass(slots=True)
class Found:
    rates: dict[bool, list[float]]
    wrong: int = 0
    fold_cpu: float = 0.0
    read_cpu: float = 0.0


def measure(url: str, pairs: Sequence[Pair], rounds: int, seconds: float, every: float) -> Found:
    with closing(Database(settings_of(url))) as database, database.reading() as db:
        expected = figures(db)
    found = Found({False: [], True: []})
    with process_pool(WRITERS + 3) as pool:
        started = [pool.submit(settle, Turn(url, 0.0, 0.0)) for _ in range(WRITERS + 3)]
        for each in started:
            each.result()
        for with_rollups in [False, True] * rounds:
            begins = time.time() + START_SECONDS
            turn = Turn(url, begins, begins + seconds)
            writers = [pool.submit(write, turn, pairs[n::WRITERS]) for n in range(WRITERS)]
            numbering = pool.submit(settle, turn)
            if with_rollups:
                folds, reads = (
                    pool.submit(fold, turn, every),
                    pool.submit(read, turn, expected, 1.0),
                )
                found.fold_cpu += folds.result()[1]
                wrong, cpu = reads.result()
                found.wrong += wrong
                found.read_cpu += cpu
            found.rates[with_rollups].append(sum(each.result()[0] for each in writers) / seconds)
            numbering.result()
    return found


def main(
    members: Annotated[int, typer.Option(help="In the small demo's branches.")] = 5_000,
    rounds: Annotated[int, typer.Option(help="Turns without and with roll-ups.")] = 2,
    seconds: Annotated[float, typer.Option(help="Of a turn.")] = 15.0,
    every: Annotated[float, typer.Option(help="Seconds between folds; a server's are 60.")] = 10.0,
) -> None:
    """Ends with an error where a figure was wrong, drifted, or too few writes were left."""
    install()
    with (
        working_folder() as folder,
        postgresql(folder) as databases,
        closing(fill(databases, members)) as database,
    ):
        with database.writing() as session:
            pairs = pairs_of(session)
        folding.fold(database)
        found = measure(database.settings.database_url, pairs, rounds, seconds, every)
        drift = recounting.check(database, repair=False)
    without, beside = (sum(found.rates[key]) / rounds for key in (False, True))
    table = Table("", "writes/s", "share", "wrong reads", "drift", "fold CPU s", "reader CPU s")
    table.add_row("without roll-ups", f"{without:.0f}")
    table.add_row(
        "with them",
        f"{beside:.0f}",
        f"{beside / without:.2f}",
        str(found.wrong),
        str(len(drift)),
        f"{found.fold_cpu:.1f}",
        f"{found.read_cpu:.1f}",
    )
    console.print(table)
    if found.wrong or drift or beside < LEAST_SHARE * without:
        raise SystemExit(1)


if __name__ == "__main__":
    typer.run(main)
