"""Loading a province or the nation, here with the two communes of the small demo: by processes of
their own, from where an earlier load was interrupted."""

import multiprocessing
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from select import select as readable

import pytest
import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col, func, select

from app.config import Settings
from app.db import Database
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Feed
from app.models.kernel.units import Unit
from app.models.members.members import Member, NameEntry
from app.services.capabilities import install
from app.services.demo import demo, filling
from app.services.demo.filling import Load, OtherData
from app.services.demo.plan import Scale
from app.services.kernel.tracking import PATH
from tests.helpers.client import writing

# What migrations put into their tables stays.
KEPT = {"feed_head", "figure_fold"}
LOAD = Load(Scale.small, password_hash="-")


def emptied(database: Database) -> None:
    paths = dict.fromkeys(("parent_id", *PATH))
    with writing(database) as session:
        session.connection().execute(sa.update(Unit).values(paths))
        for table in reversed(SQLModel.metadata.sorted_tables):
            if table.name not in KEPT:
                session.connection().execute(sa.delete(table))


def fill(settings: Settings) -> list[tuple[str, int, int]]:
    told: list[tuple[str, int, int]] = []
    filling.fill(
        settings,
        LOAD,
        processes=2,
        prepare=install,
        progress=lambda *progress: told.append(progress),
    )
    return told


def counts(session: Session) -> dict[str, int]:
    tables = (Unit, Member, Account, NameEntry)
    return {
        table.__name__: session.exec(select(func.count()).select_from(table)).one()
        for table in tables
    }


def everybody(database: Database) -> dict[str, tuple[str, int]]:
    with writing(database) as session:
        rows = session.exec(select(Member)).all()
        return {str(row.id): (row.full_name, row.branch_id) for row in rows}


def test_goes_on_where_it_was_interrupted(database: Database) -> None:
    with writing(database) as session:
        expected = counts(session)
    emptied(database)
    planned = LOAD.planned()
    first, *_ = demo.in_communes(planned)
    with database.writing() as session:
        demo.write_above(session, planned, "-")
    with database.writing() as session:
        demo.write_commune(session, planned, *first, "-")
    there = everybody(database)
    told = fill(database.settings)
    done = sum(branch.members for branch in first[1])
    assert [each[1:] for each in told] == [(done, 400), (400, 400)]
    with writing(database) as session:
        assert counts(session) == expected
        assert session.exec(select(func.count()).select_from(Feed)).one() > 400
    now = everybody(database)
    assert there.items() <= now.items()
    before = set(now)
    assert len(fill(database.settings)) == 1, "nothing is left to do"
    assert set(everybody(database)) == before


def test_every_commune_is_handed_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling._Filler, "write", lambda id_: (f"Xã {id_}", id_))
    with ThreadPoolExecutor(2) as pool:
        written = filling._written(pool, [*range(20)], processes=2)
        assert sorted(members for _, members in written) == [*range(20)]


def test_a_database_with_anything_else_is_left_as_it_is(database: Database) -> None:
    with writing(database) as session:
        unit = session.exec(select(Unit).where(col(Unit.code) == "08344")).one()
        session.execute(sa.update(Unit).where(col(Unit.id) == unit.id).values(name="Xã khác"))
        before = counts(session)
    with pytest.raises(OtherData):
        fill(database.settings)
    with writing(database) as session:
        assert counts(session) == before


def load_until_killed(settings: Settings, telling: Connection) -> None:
    """Sends the processes of the load as soon as one of them has written a commune, and stops there."""

    def progress(_commune: str, done: int, _total: int) -> None:
        if done:
            telling.send([child.pid for child in multiprocessing.active_children()])
            signal.pause()

    install()
    filling.fill(settings, LOAD, processes=2, prepare=install, progress=progress)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_its_processes_end_with_it(database: Database, how: signal.Signals) -> None:
    emptied(database)
    here, there = multiprocessing.Pipe(duplex=False)
    load = SpawnProcess(target=load_until_killed, args=(database.settings, there))
    load.start()
    there.close()
    children = here.recv()
    assert children
    os.kill(load.pid or 0, how)
    load.join()
    for pid in children:
        ended(pid)
    with writing(database) as session:
        communes = session.exec(
            select(func.count()).select_from(Member).group_by(col(Member.commune_id))
        ).all()
    assert 1 <= len(communes) <= 2
    whole = [sum(unit.members for unit in units) for _, units in demo.in_communes(LOAD.planned())]
    assert set(communes) <= set(whole), "no commune is half there"


def ended(pid: int, seconds: float = 20.0) -> None:
    """Waits for a process, which need not be a child of this one."""
    with suppress(ProcessLookupError):  # it has ended already
        handle = os.pidfd_open(pid)
        ready, _, _ = readable([handle], [], [], seconds)
        os.close(handle)
        assert ready, f"process {pid} is still there"
