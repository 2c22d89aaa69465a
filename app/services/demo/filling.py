"""Loading a whole province or the nation: each commune is a transaction, in several processes, and what
was interrupted goes on where it stopped."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, as_completed
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar

import sqlalchemy as sa
from sqlmodel import col, select

from app.config import Settings
from app.db import Database
from app.models.kernel.accounts import Account
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.members import Member
from app.models.poverty.editions import PovertyEdition
from app.process_pool import process_pool
from app.services.demo import demo
from app.services.demo.demo import Demo
from app.services.demo.draws import DEFAULT_SEED
from app.services.demo.plan import DemoPlan, DemoUnit, Sample, Scale, plan
from app.services.kernel import sequencer

# So many communes are handed out at a time: whoever stops the load waits for no more.
_AHEAD = 2


class OtherData(Exception):
    """The database holds something else than the beginning of this load."""


@dataclass(frozen=True, slots=True)
class Load:
    """What every process plans again for itself, from the seed."""

    scale: Scale
    password_hash: str
    provinces: int | None = None
    seed: int = DEFAULT_SEED
    sample: Sample | None = None

    def planned(self) -> DemoPlan:
        return plan(self.scale, self.seed, self.provinces, self.sample)


def fill(
    settings: Settings,
    load: Load,
    *,
    processes: int,
    prepare: Callable[[], None],
    progress: Callable[[str, int, int], None],
) -> Demo:
    """Load what is not there yet; `OtherData` where the database holds anything else. `prepare` is
    called in each process before it writes. On SQLite one process writes."""
    planned = load.planned()
    # Nobody waits for a statement of the load, and on a busy machine a COPY goes on for minutes.
    settings = settings.model_copy(update={"statement_timeout_ms": 0})
    with closing(Database(settings)) as database:
        _begin(database, planned, load)
        todo = _todo(database, planned)
        total = planned.members
        done = total - sum(sum(each.members for each in branches) for _, branches in todo)
        progress(planned.at(UnitLevel.province)[0].name, done, total)
        writers = 1 if settings.on_sqlite else processes
        with process_pool(writers, _Filler.start, settings, load, prepare) as pool:
            for name, members in _written(pool, [commune.id for commune, _ in todo], processes):
                done += members
                progress(name, done, total)
                # The queue of changes stays short: nobody numbers them all at the end.
                sequencer.settle(database)
        _end(database, planned)
        with database.writing() as session:
            accounts = session.scalar(sa.select(sa.func.count()).select_from(Account)) or 0
    branches = len(planned.at(UnitLevel.branch))
    return Demo(len(planned.units), branches, planned.members, accounts)


def _written(pool: Executor, commune_ids: list[int], processes: int) -> Iterator[tuple[str, int]]:
    """Names and members of communes as they are written; the first that fails ends the load."""
    waiting = iter(commune_ids)
    first = islice(waiting, processes * _AHEAD)
    running = {pool.submit(_Filler.write, commune_id) for commune_id in first}
    try:
        while running:
            done = next(as_completed(running))
            running.remove(done)
            if (commune_id := next(waiting, None)) is not None:
                running.add(pool.submit(_Filler.write, commune_id))
            yield done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin(database: Database, planned: DemoPlan, load: Load) -> None:
    with database.writing() as session:
        if demo.is_empty(session):
            demo.write_above(session, planned, load.password_hash)
            return
        rows = session.execute(sa.select(col(Unit.id), col(Unit.name)))
        if {row.id: row.name for row in rows} != {unit.id: unit.name for unit in planned.units}:
            raise OtherData


def _todo(database: Database, planned: DemoPlan) -> list[tuple[DemoUnit, list[DemoUnit]]]:
    """The communes without members, with their branches."""
    somebody = sa.exists().where(col(Member.commune_id) == col(Unit.id))
    empty = select(Unit.id).where(col(Unit.level) == UnitLevel.commune, ~somebody)
    with database.writing() as session:
        ids = set(session.exec(empty))
    return [each for each in demo.in_communes(planned) if each[0].id in ids]


def _end(database: Database, planned: DemoPlan) -> None:
    with database.writing() as session:
        if session.exec(select(PovertyEdition.id).limit(1)).first() is None:
            demo.write_editions(session, planned)
    database.analyze()


@dataclass(slots=True)
class _Filler:
    """The work of one process: communes, one transaction each."""

    database: Database
    load: Load
    planned: DemoPlan
    communes: dict[int, tuple[DemoUnit, list[DemoUnit]]]
    known_names: set[str] = field(default_factory=set)

    of_process: ClassVar["_Filler | None"] = None

    @classmethod
    def start(cls, settings: Settings, load: Load, prepare: Callable[[], None]) -> None:
        prepare()
        planned = load.planned()
        communes = {each[0].id: each for each in demo.in_communes(planned)}
        _Filler.of_process = cls(Database(settings), load, planned, communes)

    @staticmethod
    def write(commune_id: int) -> tuple[str, int]:
        filler = _Filler.of_process
        assert filler is not None  # noqa: S101  # each process has started one
        return filler.commune(commune_id)

    def commune(self, commune_id: int) -> tuple[str, int]:
        """Its name, and how many members it has."""
        commune, branches = self.communes[commune_id]
        with self.database.writing() as session:
            demo.write_commune(
                session,
                self.planned,
                commune,
                branches,
                self.load.password_hash,
                known_names=self.known_names,
            )
        return commune.name, sum(each.members for each in branches)
