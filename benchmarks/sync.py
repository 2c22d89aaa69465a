"""What a phone pulls: the first sync of a branch, and one of a phone that is a day behind.

    python -m benchmarks.sync

The demo district with its households, and a year of meetings in one commune. The phone is of somebody who heads as many branches
as have 200 members together. A figure is the best of some rounds of whole service calls with the page
as it leaves, in CPU time of this process (on SQLite the database is in it), without HTTP; bytes are
after gzip at the server's level. `elsewhere`: so many changes of others lie between.
"""

import gzip
import math
import time
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import orjson
import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import Connection
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import Database
from app.models.base import new_id
from app.models.kernel.access import Grant
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.members import Member
from app.models.sync.pull import SyncQuery
from app.security.sealing import Sealer
from app.services.capabilities import install
from app.services.demo import meetings, past
from app.services.demo.draws import DEFAULT_SEED
from app.services.demo.plan import Scale
from app.services.kernel import changes, sequencer
from app.services.kernel.access import Actor
from app.services.sync.pull import Pulled, pull
from benchmarks.databases import Databases, SQLiteFiles, postgresql, working_folder
from benchmarks.reorganisations import actor_of, empty, load

HEAD = "phuongvi-1"
TARGETS = {"first sync": 300.0, "a day behind": 20.0}
FIRST_BYTES = 300_000
SEALER = Sealer(bytes(range(32)))
console = Console(width=112)


def head_of(database: Database, members: int) -> tuple[Actor, list[Any]]:
    """The head with grants over so many branches of her commune, and the ids of their members."""
    with database.writing() as session:
        actor = actor_of(session, HEAD)
        commune = actor.grants[0].commune_id
        branches = session.execute(
            sa.select(col(Unit.id)).where(
                col(Unit.commune_id) == commune, col(Unit.level) == UnitLevel.branch
            )
        ).scalars()
        ids = _members(session, actor.grants[0].unit_id)
        for branch in branches:
            if len(ids) >= members:
                break
            if branch != actor.grants[0].unit_id:
                session.execute(sa.insert(Grant).values(_grant(actor, branch)))
                ids += _members(session, branch)
        return actor_of(session, HEAD), ids


def meet(database: Database, commune_id: int | None) -> None:
    """A year of meetings in a commune, with who came."""
    with database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.demo))
        for commune, branches in past.communes_met(session):
            if commune.id == commune_id:
                meetings.hold(session, commune, branches, DEFAULT_SEED)
    sequencer.settle(database)


def _members(session: Session, branch: int) -> list[Any]:
    return [
        *session.execute(sa.select(col(Member.id)).where(col(Member.branch_id) == branch)).scalars()
    ]


def _grant(actor: Actor, branch: int) -> dict[str, Any]:
    now = utc_now()
    return {
        "id": new_id(),
        "account_id": actor.account_id,
        "unit_id": branch,
        "role": actor.grants[0].role,
        "valid_from": local_today(),
        "granted_by": actor.account_id,
        "revision": 1,
        "created_at": now,
        "updated_at": now,
        "reads_past": False,
    }


def change(database: Database, ids: list[Any], address: str) -> None:
    with database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.demo))
        for id_ in ids:
            member = session.get_one(Member, id_)
            member.address = address
    sequencer.settle(database)


class Phone:
    """Pulls to the checkpoint; `bytes` and `rows` of the last time."""

    def __init__(self, database: Database, actor: Actor) -> None:
        self.database, self.actor = database, actor
        self.bytes = self.rows = 0

    def pull(self, cursor: str | None) -> str:
        self.bytes = self.rows = 0
        while True:
            pulled = self.database.read(partial(self._page, SyncQuery(cursor=cursor)))
            cursor = pulled.cursor
            page = {"items": [orjson.Fragment(item) for item in pulled.page.items]}
            self.bytes += len(gzip.compress(orjson.dumps(page | {"cursor": cursor}), 5))
            self.rows += len(pulled.page.items)
            if pulled.checkpoint:
                return cursor

    def _page(self, query: SyncQuery, db: Connection) -> Pulled:
        return pull(db, self.actor, query, SEALER)

    def best(self, cursor: str | None, rounds: int) -> float:
        """Milliseconds of CPU, the least of some rounds after a first one."""
        self.pull(cursor)
        times = []
        for _ in range(rounds):
            began = time.process_time()
            self.pull(cursor)
            times.append(time.process_time() - began)
        return 1_000 * min(times)


def report(name: str, database: Database, members: int, rounds: int) -> None:
    actor, ids = head_of(database, members)
    meet(database, actor.grants[0].commune_id)
    phone = Phone(database, actor)
    table = Table("pull", "ms CPU", "rows", "bytes", title=f"{name}: {len(ids)} members")

    def line(what: str, cursor: str | None, target: float, most_bytes: float = math.inf) -> None:
        spent = phone.best(cursor, rounds)
        late = "" if spent < target else " *"
        large = "" if phone.bytes < most_bytes else " *"
        table.add_row(what, f"{spent:.1f}{late}", f"{phone.rows:,}", f"{phone.bytes:,}{large}")

    line("first sync", None, TARGETS["first sync"], FIRST_BYTES)
    cursor = phone.pull(None)
    line("nothing new", cursor, TARGETS["a day behind"])
    change(database, ids[:20], "Khu 1")
    line("a day behind: 20 changes", cursor, TARGETS["a day behind"])
    with database.writing() as session:
        others = session.execute(
            sa.select(col(Member.id)).where(col(Member.id).not_in(ids)).limit(2_000)
        ).scalars()
        elsewhere = [*others]
    change(database, elsewhere, "Khu 2")
    line("the same, 2,000 elsewhere", cursor, TARGETS["a day behind"])
    console.print(table)


def main(
    members: Annotated[int, typer.Option(help="Of the branches of the phone.")] = 200,
    only: Annotated[str, typer.Option(help="sqlite or postgresql.")] = "",
    rounds: Annotated[int, typer.Option(help="The best of so many.")] = 5,
) -> None:
    """Fill each database, then pull."""
    install()
    with ExitStack() as stack:
        folder: Path = stack.enter_context(working_folder())
        for name in [only] if only else ["sqlite", "postgresql"]:
            databases: Databases = (
                SQLiteFiles(folder) if name == "sqlite" else stack.enter_context(postgresql(folder))
            )
            database = stack.enter_context(closing(empty(databases)))
            load(database, Scale.district)
            sequencer.settle(database)
            report(name, database, members, rounds)


if __name__ == "__main__":
    typer.run(main)
