"""A merger of two communes with all their members: preview, apply and revert.

    python -m benchmarks.reorganisations --members 3300
    python -m benchmarks.reorganisations --reform

The small demo with so many members in each of its communes. The floor is what the tables cost by themselves:
one UPDATE of the members and one of their spells in a transaction. A figure is the median of some
rounds of whole service calls with their commit, without HTTP.

`--reform`: both reforms of the demo district (23,100 members, 24, 16 and 6 communes), each once: every
household of the second gets the poverty line of its new area.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Annotated

import sqlalchemy as sa
import typer
from alembic import command
from alembic.config import Config
from rich.console import Console
from rich.table import Table
from sqlmodel import Session, col, select

from app.clock import local_today
from app.db import Database, insert_many
from app.models.base import new_id
from app.models.kernel.accounts import Account
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.members import Member
from app.models.members.spells import Membership
from app.models.reorganisations.operations import MergeUnits
from app.models.reorganisations.reorganisations import ReorganisationApply, ReorganisationCreate
from app.services.capabilities import install
from app.services.demo import demo, reforms
from app.services.demo.plan import Scale
from app.services.kernel import changes
from app.services.kernel.access import Actor
from app.services.kernel.actors import load_actor_of_job
from app.services.reorganisations import deciding, drafts, reading
from app.services.reorganisations.preview import preview
from benchmarks.costs import Meter
from benchmarks.databases import PROJECT, Databases, SQLiteFiles, postgresql, working_folder
from benchmarks.member_lists import settings_of

TARGET_SECONDS = 1.0
REFORM_SECONDS = 10.0
console = Console(width=112)


def empty(databases: Databases) -> Database:
    return migrated(databases.create("hoiso_bench_reorganisations"))


def migrated(url: str) -> Database:
    database = Database(settings_of(url))
    config = Config(PROJECT / "alembic.ini")
    config.set_main_option("script_location", str(PROJECT / "alembic"))
    config.attributes["url"] = database.settings.database_url
    config.attributes["vault"] = database.vault
    command.upgrade(config, "head")
    return database


def fill(databases: Databases, members: int) -> Database:
    database = empty(databases)
    load(database, Scale.small)
    with database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.demo))
        add_members(session, members)
    return database


def load(database: Database, scale: Scale) -> None:
    with database.writing() as session:
        demo.load(session, scale=scale, password_hash="-", progress=lambda *_: None)


def add_members(session: Session, members: int) -> None:
    """As many in each branch as in the next, like the first on record."""
    first = session.exec(select(Member).order_by(col(Member.id))).first()
    spell = session.exec(select(Membership).order_by(col(Membership.id))).first()
    branches = session.exec(select(Unit).where(col(Unit.level) == UnitLevel.branch)).all()
    assert first is not None  # the demo has members
    assert spell is not None
    there = session.execute(sa.select(sa.func.count()).select_from(Member)).scalar_one()
    people, spells = [], []
    for branch, _ in zip(cycle(branches), range(members - there), strict=False):
        member_id = new_id()
        place = {name: getattr(branch, name) for name in ("commune_id", "province_id")}
        own = {"id": member_id, "branch_id": branch.id, "household_id": None}
        nothing = dict.fromkeys(("phone", "citizen_id"))
        people.append(first.model_dump() | own | nothing | place)
        at = {"id": new_id(), "member_id": member_id, "branch_id": branch.id}
        spells.append(spell.model_dump() | at | {"province_id": branch.province_id})
    insert_many(session, Member, people)
    insert_many(session, Membership, spells)


def actor_of(session: Session, username: str) -> Actor:
    of_name = sa.select(col(Account.id)).where(col(Account.username) == username)
    account_id = session.execute(of_name).scalar_one()
    actor = load_actor_of_job(session, account_id, account_id, None)
    assert actor is not None  # the demo has made it
    return actor


class Merger:
    """Drafted by one officer of the province, decided on by another, and taken back; once more and
    once more."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with self.writing() as session:
            self.drafter = actor_of(session, "phutho-2")
            self.decider = actor_of(session, "phutho")
            communes = sa.select(col(Unit.id)).where(col(Unit.level) == UnitLevel.commune)
            self.closing, self.into = session.execute(communes.order_by(col(Unit.id))).scalars()
        self.draft, self.digest = new_id(), ""

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with self.database.writing() as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            yield session

    def prepare(self) -> None:
        merge = MergeUnits(op="merge", unit_ids=[self.closing], into_id=self.into)
        body = ReorganisationCreate(effective_on=local_today(), operations=[merge])
        with self.writing() as session:
            self.draft = deciding.create(session, self.drafter, body)[0].id

    def preview(self) -> None:
        with self.database.reading() as db:
            row = reading.find(db, self.decider, self.draft)
            made = drafts.plan_of(db, self.decider, row)
            self.digest = preview(db, self.decider, row, made, "vi").digest

    def apply(self) -> None:
        body = ReorganisationApply(digest=self.digest)
        with self.writing() as session:
            deciding.apply(session, self.decider, self.draft, body, "vi")

    def revert(self) -> None:
        with self.writing() as session:
            deciding.revert(session, self.decider, self.draft)

    def floor(self) -> None:
        """The rows of the tables, without what they are indexed, logged and checked for."""
        theirs = col(Member.commune_id) == self.closing
        people = sa.select(col(Member.id)).where(theirs)
        with self.database.writer.begin() as connection:
            for statement in (
                sa.update(Membership)
                .where(col(Membership.member_id).in_(people))
                .values(province_id=col(Membership.province_id)),
                sa.update(Member).where(theirs).values(commune_id=self.closing),
            ):
                connection.execute(statement)


def measure(merger: Merger, rounds: int) -> Meter:
    """Each of them so many times."""
    meter = Meter(merger.database)
    for _ in range(rounds):
        merger.prepare()
        for act in (merger.preview, merger.apply, merger.revert, merger.floor):
            meter.take(act.__name__, act)
    return meter


def reform(database: Database) -> Iterator[tuple[str, float, float]]:
    """What was done, the seconds it took and those of this process's CPU."""
    load(database, Scale.district)
    with database.writing() as session:
        found = reforms.draft(session)
    for number, draft_id in enumerate(found, start=1):
        begun, cpu = time.perf_counter(), time.process_time()
        with database.writing() as session:
            changes.attribute(session, changes.Origin(ChangeSource.demo))
            reforms.carry_out(session, draft_id, "-")
        spent = time.process_time() - cpu
        yield str(number), time.perf_counter() - begun, spent


def print_reform(name: str, database: Database) -> None:
    table = Table("reform", "s", "CPU s", title=f"{name}: the demo district")
    for act, seconds, cpu in reform(database):
        mark = "" if seconds < REFORM_SECONDS else " *"
        table.add_row(act, f"{seconds:.1f}{mark}", f"{cpu:.1f}")
    console.print(table)


def main(
    members: Annotated[
        int, typer.Option(help="Of the commune that is merged, and of the other one.")
    ] = 3_300,
    only: Annotated[str, typer.Option(help="sqlite or postgresql.")] = "",
    rounds: Annotated[int, typer.Option(help="The median of so many counts.")] = 5,
    whole: Annotated[bool, typer.Option("--reform", help="The demo district's two.")] = False,
) -> None:
    """Fill each database, then merge and take back."""
    install()
    with ExitStack() as stack:
        folder: Path = stack.enter_context(working_folder())
        for name in [only] if only else ["sqlite", "postgresql"]:
            databases: Databases = (
                SQLiteFiles(folder) if name == "sqlite" else stack.enter_context(postgresql(folder))
            )
            if whole:
                print_reform(name, stack.enter_context(closing(empty(databases))))
                continue
            database = stack.enter_context(closing(fill(databases, 2 * members)))
            meter = measure(Merger(database), rounds)
            print_costs(f"{name}: a commune of {members:,} members, median of {rounds}", meter)


def print_costs(title: str, meter: Meter) -> None:
    table = Table("act", "s", "x floor", "CPU s", "of PostgreSQL", "pages", title=title)
    floor = median(cost.seconds for cost in meter.costs["floor"])
    for act, costs in meter.costs.items():
        seconds = median(cost.seconds for cost in costs)
        mark = "" if seconds < TARGET_SECONDS else " *"
        table.add_row(
            act,
            f"{seconds:.3f}{mark}",
            f"{seconds / floor:.1f}",
            f"{median(cost.cpu for cost in costs):.2f}",
            f"{median(cost.server_cpu for cost in costs):.2f}",
            f"{median(cost.pages for cost in costs):,.0f}",
        )
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
