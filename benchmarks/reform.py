"""The reform of a province as one draft: three provinces become one, 479 communes 148.

    python -m benchmarks.reform
    python -m benchmarks.reform --members 100000 --folder /var/tmp/reform

Three provinces as `hoiso demo` makes them, with 500,000 members in about 2,900 branches, on PostgreSQL. They
are kept in the folder and taken again by the next run, which works on a copy. Meanwhile one reads the
first page of a province again and again, and another changes a member's address. CPU is that of the
process and of the server's; pages are of 8 kB, in memory or not.
"""

import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch
from uuid import UUID

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col

from app import jobs as delivery
from app.clock import local_today
from app.db import Database
from app.errors import Problem
from app.models.kernel.access import Role
from app.models.kernel.accounts import AccountKind
from app.models.kernel.changes import ChangeSource
from app.models.kernel.jobs import Job, JobRead
from app.models.kernel.units import AreaType, Unit, UnitLevel
from app.models.members.lists import MemberQuery
from app.models.members.members import Member, MemberUpdate
from app.models.notices.notifications import Notification
from app.models.reorganisations.operations import (
    MergeUnits,
    OpenUnit,
    RetireLevel,
    UnitChange,
)
from app.models.reorganisations.reorganisations import (
    ReorganisationApply,
    ReorganisationCreate,
    ReorganisationPreview,
)
from app.services.capabilities import install
from app.services.demo import filling
from app.services.demo.plan import Sample, Scale
from app.services.identity import accounts, grants
from app.services.kernel import changes, jobs
from app.services.kernel.access import Actor
from app.services.members import lists, record
from app.services.reorganisations import catching_up, deciding, drafts, reading
from app.services.reorganisations.preview import preview
from benchmarks.costs import Meter
from benchmarks.databases import PostgreSQLServer, postgresql
from benchmarks.member_lists import settings_of
from benchmarks.reorganisations import actor_of, migrated

WHOLE = Sample(provinces=3, communes=479, branches=2_890, members=500_000)
FOUNDED = 148
TARGET_SECONDS = 300
FOLDER = Path(tempfile.gettempdir()) / "hoiso-bench-reform"
console = Console(width=112)


# -- three provinces


def provinces(server: PostgreSQLServer, members: int, processes: int) -> str:
    """The database with them, which is filled where it is not full."""
    url = server.kept(f"hoiso_bench_provinces_{members}")
    share = members / WHOLE.members
    communes, branches = round(WHOLE.communes * share), round(WHOLE.branches * share)
    sample = Sample(WHOLE.provinces, communes, branches, members)
    with closing(migrated(url)) as database:
        delivery.migrate(database.settings.database_url)
        begun = time.perf_counter()
        filling.fill(
            database.settings,
            filling.Load(Scale.nation, "-", sample=sample),
            processes=processes,
            prepare=install,
            progress=lambda *_: None,
        )
    console.print(f"three provinces with {members:,} members: {time.perf_counter() - begun:.0f} s")
    return url


@contextmanager
def writing(database: Database) -> Iterator[Session]:
    with database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        yield session


def second_officer(session: Session) -> None:
    """Nobody decides on a draft of their own."""
    centre = session.execute(
        sa.select(col(Unit.id)).where(col(Unit.level) == UnitLevel.central)
    ).scalar_one()
    account = accounts.new(AccountKind.person, "trunguong-2", "Trần Thị Hai", centre)
    accounts.let_in(account)
    accounts.enter(session, account)
    session.add(grants.new(account.id, centre, Role.central_officer, date(2022, 1, 1)))
    session.flush()


def operations(session: Session) -> list[UnitChange]:
    """New communes open under the first province and take over three or four neighbours each; the district
    ends, and then the other provinces."""
    tops = _ids(session, UnitLevel.province)
    communes = _ids(session, UnitLevel.commune)
    founded = len(communes) * FOUNDED // WHOLE.communes
    bounds = [len(communes) * number // founded for number in range(founded + 1)]
    parts = [communes[first:last] for first, last in pairwise(bounds)]
    opened = [
        OpenUnit(
            op="open",
            key=f"xa{number}",
            level=UnitLevel.commune,
            name=f"Xã mới {number:03}",
            parent_id=tops[0],
            area_type=AreaType.rural,
        )
        for number in range(founded)
    ]
    merged = [
        MergeUnits(op="merge", unit_ids=[*part], into_id=each.key)
        for part, each in zip(parts, opened, strict=True)
    ]
    return [
        *opened,
        *merged,
        RetireLevel(op="retire_level", level=UnitLevel.district, under_id=tops[0]),
        MergeUnits(op="merge", unit_ids=[*tops[1:]], into_id=tops[0]),
    ]


def _ids(session: Session, level: UnitLevel) -> Sequence[int]:
    found = sa.select(col(Unit.id)).where(col(Unit.level) == level).order_by(col(Unit.id))
    return session.execute(found).scalars().all()


# -- what it costs


@dataclass(slots=True)
class Others:
    """One who reads and one who writes while it is done, and how long each has waited at most."""

    database: Database
    reader: Actor
    longest: dict[str, float] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    progress: list[tuple[int, int, int | None]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        works = [threading.Thread(target=each) for each in (self._read, self._write, self._look)]
        for each in works:
            each.start()
        try:
            yield
        finally:
            self._over.set()
            for each in works:
                each.join()

    def _read(self) -> None:
        while not self._over.wait(0.2):
            begun = time.perf_counter()
            with self.database.reading() as db:
                lists.list_members(self.reader, MemberQuery())(db, None, 51)
            self._count("list of 50", begun)

    def _look(self) -> None:
        """At how far the job is."""
        newest = sa.select(col(Job.done), col(Job.total)).order_by(col(Job.id).desc()).limit(1)
        begun = time.perf_counter()
        while not self._over.wait(30):
            with self.database.reading() as db:
                row = db.execute(newest).one_or_none()
            if row is not None:
                self.progress.append((round(time.perf_counter() - begun), row.done, row.total))

    def _write(self) -> None:
        with self.database.reading() as db:
            ids = list(db.execute(sa.select(col(Member.id)).limit(1_000)).scalars())
        while not self._over.wait(0.2):
            begun = time.perf_counter()
            self._count(self._change(random.choice(ids)), begun)

    def _change(self, member_id: UUID) -> str:
        body = MemberUpdate(address=f"Khu {random.randint(1, 99)}")
        try:
            with writing(self.database) as session:
                record.update(session, self.reader, member_id, body, None)
        except Problem as problem:
            return problem.code
        except OperationalError as error:
            return type(error.orig).__name__
        return "written"

    def _count(self, end: str, begun: float) -> None:
        self.ends[end] += 1
        self.longest[end] = max(self.longest.get(end, 0.0), time.perf_counter() - begun)


class Reform:
    def __init__(self, database: Database) -> None:
        self.database = database
        with writing(database) as session:
            second_officer(session)
        self.job: JobRead | None = None
        with writing(database) as session:
            self.drafter = actor_of(session, "trunguong-2")
            self.decider = actor_of(session, "trunguong")
            body = ReorganisationCreate(
                effective_on=local_today(), decree="NQ 1676", operations=operations(session)
            )
            self.id = deciding.create(session, self.drafter, body)[0].id

    def preview(self) -> ReorganisationPreview:
        with self.database.reading() as db:
            row = reading.find(db, self.decider, self.id)
            made = drafts.plan_of(db, self.decider, row)
            return preview(db, self.decider, row, made, "vi")

    def decide(self, digest: str) -> None:
        with writing(self.database) as session:
            body = ReorganisationApply(digest=digest)
            decided = deciding.apply(session, self.decider, self.id, body, "vi")
        self.job = decided.job

    def decide_to_revert(self) -> None:
        with writing(self.database) as session:
            self.job = deciding.revert(session, self.decider, self.id).job

    def perform(self, meter: Meter, act: str) -> None:
        """The job, as a worker does it; the rows that follow its commit by themselves as well."""
        if self.job is not None:
            follow = catching_up.run

            def measured(*given: Any) -> None:
                meter.take(f"{act}: rows that follow", lambda: follow(*given))

            with patch.object(catching_up, "run", measured):
                jobs.perform(self.database, self.job.id)
            with self.database.reading() as db:
                done = jobs.find(db, self.decider, self.job.id, "vi")
            console.print(done.state, done.result or done.problem)

    def told(self) -> int:
        """Who got a notice."""
        of_it = sa.select(sa.func.count()).where(col(Notification.entity_id) == str(self.id))
        with self.database.reading() as db:
            return int(db.execute(of_it).scalar_one())


def measure(database: Database) -> None:
    reform, meter = Reform(database), Meter(database)
    shown = meter.take("preview", reform.preview)
    for problem in shown.problems[:5]:
        console.print(problem)
    others = Others(database, reform.decider)
    with others.at_work():
        meter.take("decide", lambda: reform.decide(shown.digest))
        meter.take("apply", lambda: reform.perform(meter, "apply"))
    console.print(shown.consequences)
    console.print(f"{len(shown.units):,} units, {reform.told():,} told")
    for end, times in others.ends.items():
        console.print(f"meanwhile {end}: {times}, {others.longest[end]:.1f} s at most")
    console.print("units of all after s:", others.progress)
    meter.take("decide to revert", reform.decide_to_revert)
    meter.take("revert", lambda: reform.perform(meter, "revert"))
    table = Table("act", "s", "CPU s", "CPU s of PostgreSQL", "pages", "MB of its log")
    for name, [cost] in meter.costs.items():
        mark = "" if cost.seconds < TARGET_SECONDS else " *"
        table.add_row(
            name,
            f"{cost.seconds:.1f}{mark}",
            f"{cost.cpu:.1f}",
            f"{cost.server_cpu:.1f}",
            f"{cost.pages:,}",
            f"{cost.log_bytes / 1e6:,.0f}",
        )
    console.print(table)


def main(
    members: Annotated[
        int,
        typer.Option(
            min=100_000, help="Of the three provinces, 23,100 of them of a real district."
        ),
    ] = WHOLE.members,
    folder: Annotated[
        Path, typer.Option(help="Where their database is kept; outside of the project.")
    ] = FOLDER,
    processes: Annotated[int, typer.Option(help="That fill it.")] = 2,
) -> None:
    """Fill three provinces where they are not there yet, and make one of them."""
    install()
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        server = stack.enter_context(postgresql(folder))
        url = provinces(server, members, processes)
        copy = server.copy(url, "hoiso_bench_reform")
        measure(stack.enter_context(closing(Database(settings_of(copy)))))
        server.drop_created()


if __name__ == "__main__":
    typer.run(main)
