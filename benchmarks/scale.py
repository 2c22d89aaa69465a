"""What is read at scale: requests of branch heads, communes, a province and the centre.

    hoiso migrate && hoiso demo --scale nation --provinces 4
    python -m benchmarks.scale

The database is that of the settings (`HOISO_DATABASE_URL`), filled before by `hoiso demo`. Each request is
made for many records: of other heads, members, names, figures and sessions, drawn from a seed. Roll-ups
are folded first. `--check` compares the answers of a small demo before the fold and after it.
"""

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
import typer
from dateutil.relativedelta import relativedelta
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import Connection
from sqlmodel import SQLModel, col

from app.clock import local_today
from app.config import get_settings
from app.db import Database
from app.models.attendance.counts import CountLevel
from app.models.base import new_id
from app.models.events.events import EventSession, EventSessionUnit, UnitRole
from app.models.figures.figures import FigureBy, FigureQuery
from app.models.kernel.access import Grant, Role
from app.models.kernel.accounts import Account
from app.models.kernel.changes import ChangeSource
from app.models.kernel.hierarchy import InHierarchy
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.lists import MemberQuery
from app.models.members.members import Member
from app.services.attendance import counts
from app.services.capabilities import install
from app.services.demo import meetings, past
from app.services.demo.draws import DEFAULT_SEED
from app.services.demo.plan import Scale
from app.services.figures import folding, overview, reading
from app.services.kernel import actors, changes, sequencer
from app.services.kernel.access import Actor
from app.services.kernel.keyset import Item, Key
from app.services.members import lists, record
from app.text import fold
from benchmarks import imports
from benchmarks.databases import Databases, SQLiteFiles, postgresql, working_folder
from benchmarks.member_lists import percentile
from benchmarks.statements import Cost, cost_of

WHO = {
    "head": Role.branch_head,
    "commune": Role.commune_officer,
    "province": Role.province_officer,
    "centre": Role.central_officer,
}
COMMUNE = "phuongvi"
PAGE = 50
HEADS = 20
WARM = 5  # calls before those that are measured: prepared, and in the cache
ATTENDANCE = "attendance of a session"
LIMIT_MS = {"figures": 10.0}
TARGET_MS = 20.0
console = Console(width=200)

Call = Callable[[Connection], object]


@dataclass(frozen=True, slots=True)
class Asker:
    actor: Actor
    unit: Unit


@dataclass(frozen=True, slots=True)
class Draw:
    """Records of what an asker sees, from a seed."""

    db: Connection
    asker: Asker
    rng: random.Random
    number: int

    def members(self) -> Sequence[Any]:
        """Of random branches one each; of a branch as many."""
        unit, of_branch = self.asker.unit, col(Member.branch_id)
        columns = (col(Member.id), col(Member.full_name), col(Member.sort_key))
        if unit.level is UnitLevel.branch:
            some = sa.select(*columns).where(of_branch == unit.id)
            return self.some(self.db.execute(some).all())
        rows = sa.select(*columns).order_by(col(Member.id)).limit(1)
        rows = rows.offset(self.rng.randrange(20))
        drawn = [self.db.execute(rows.where(of_branch == each)).first() for each in self.branches()]
        return [row for row in drawn if row is not None]

    def sessions(self) -> list[UUID]:
        of_host = col(EventSessionUnit.role) == UnitRole.host
        return self._ids(EventSessionUnit, col(EventSessionUnit.session_id), of_host)

    def branches(self) -> list[int]:
        return self._ids(Unit, col(Unit.id), col(Unit.level) == UnitLevel.branch)

    def some(self, found: Sequence[Any]) -> list[Any]:
        return self.rng.sample(found, min(self.number, len(found)))

    def _ids(self, model: type[SQLModel], id_: Any, which: sa.ColumnElement[bool]) -> list[Any]:
        ids = sa.select(id_).where(which).order_by(id_)
        unit = self.asker.unit
        if unit.level is not UnitLevel.central:
            ids = ids.where(getattr(model, f"{unit.level}_id") == unit.id)
        return self.some(self.db.execute(ids).scalars().all())


# -- requests


def requests(draw: Draw) -> Iterator[tuple[str, list[Call]]]:
    """Each with calls for many records."""
    actor, unit = draw.asker.actor, draw.asker.unit

    def listed(after: Key | None = None, **query: Any) -> Call:
        page = lists.list_members(actor, MemberQuery(**query))
        return lambda db: page(db, after, PAGE + 1)

    def figures(**query: Any) -> Call:
        asked = FigureQuery(unit=unit.id, **query)
        return lambda db: [*_lines(db, actor, asked)]

    people = draw.members()
    yield "member detail", [partial(_detail, actor, row.id) for row in people]
    yield "list of 50", [listed(), *(listed((row.sort_key, row.id)) for row in people)]
    yield "search: a given name", [listed(q=_folded(row.full_name)[-1]) for row in people]
    yield "search: a full name", [listed(q=" ".join(_folded(row.full_name))) for row in people]
    codes = draw.some(_codes(draw.db, actor, unit.id))
    year = _twelve_months()
    yield (
        "figures: one by month",
        [figures(indicators=code, period=year, by=FigureBy.month) for code in codes],
    )
    yield (
        "figures: one by unit below",
        [figures(indicators=code, by=FigureBy.child) for code in codes],
    )
    yield "all figures", [figures(period=str(local_today().year - n)) for n in range(2)]
    yield "overview", [lambda db: overview.overview(db, actor, unit.id, InHierarchy())]
    yield (
        ATTENDANCE,
        [partial(_attendance, actor, session_id) for session_id in draw.sessions()],
    )


def _lines(db: Connection, actor: Actor, query: FigureQuery) -> list[Item]:
    page, _ = reading.list_figures(db, actor, query)
    return [line for _, line in page(db, None, 10_000)]


def _codes(db: Connection, actor: Actor, unit_id: int) -> list[str]:
    """Of all figures that the actor may see there."""
    return sorted({line["indicator"] for line in _lines(db, actor, FigureQuery(unit=unit_id))})


def _twelve_months() -> str:
    first = local_today().replace(day=1) - relativedelta(months=11)
    return f"{first}..{local_today()}"


def _folded(name: str) -> list[str]:
    return fold(name).split()


def _detail(actor: Actor, member_id: UUID, db: Connection) -> object:
    return record.get_member(db, actor, member_id)


def _attendance(actor: Actor, session_id: UUID, db: Connection) -> object:
    return counts.count(db, actor, session_id, CountLevel.branch)


# -- who asks


def hold_meetings(database: Database) -> None:
    """Where the database has none, the past ones of a commune."""
    with database.writing() as session:
        if session.execute(sa.select(col(EventSession.id)).limit(1)).first() is not None:
            return
        changes.attribute(session, changes.Origin(ChangeSource.demo))
        of_account = sa.select(col(Account.unit_id)).where(col(Account.username) == COMMUNE)
        commune_id = session.execute(of_account).scalar_one()
        for commune, branches in past.communes_met(session):
            if commune.id == commune_id:
                meetings.hold(session, commune, branches, DEFAULT_SEED)


def askers(db: Connection, role: Role, rng: random.Random) -> list[Asker]:
    """Accounts of the role; of heads some whose branches have met."""
    accounts = (
        sa.select(col(Account.username))
        .join(Grant, col(Grant.account_id) == col(Account.id))
        .where(col(Grant.role) == role, col(Grant.valid_to).is_(None))
        .order_by(col(Account.username))
    )
    if role is Role.branch_head:
        met = sa.exists().where(col(EventSession.host_id) == col(Account.unit_id))
        accounts = accounts.where(met)
    usernames = db.execute(accounts).scalars().all()
    some = rng.sample(usernames, min(len(usernames), HEADS))
    return [Asker(*actor_of(db, username)) for username in some]


def actor_of(db: Connection, username: str) -> tuple[Actor, Unit]:
    row = db.execute(
        sa.select(col(Account.id), col(Account.unit_id)).where(col(Account.username) == username)
    ).one()
    actor = actors.load_actor_of_job(db, row.id, new_id(), None)
    if actor is None:
        raise SystemExit(f"{username} may not sign in")
    return actor, db.execute(sa.select(Unit.__table__).where(col(Unit.id) == row.unit_id)).one()  # type: ignore[attr-defined,return-value]  # read as a row


def calls(db: Connection, role: Role, rounds: int, seed: int, only: str) -> dict[str, list[Call]]:
    """By request, of all who ask in turn, in an order that is drawn."""
    rng = random.Random(seed)
    found: dict[str, list[Call]] = {}
    for asker in askers(db, role, rng):
        for name, some in requests(Draw(db, asker, rng, rounds)):
            if only in name:
                found.setdefault(name, []).extend(some)
    for some in found.values():
        rng.shuffle(some)
    return found


# -- measured


def measure(database: Database, rounds: int, seed: int, only: str) -> dict[str, dict[str, str]]:
    """Cells by request and by who asks."""
    found: dict[str, dict[str, str]] = {}
    with database.reading() as db:
        for who, role in WHO.items():
            for name, some in calls(db, role, rounds, seed, only).items():
                costs = [cost_of(database, db, call) for call in islice(cycle(some), WARM + rounds)]
                found.setdefault(name, {})[who] = cell(name, costs[WARM:])
    return found


def cell(name: str, costs: Sequence[Cost]) -> str:
    limit = next((ms for kind, ms in LIMIT_MS.items() if kind in name), TARGET_MS)
    in_database = [cost.ms for cost in costs]
    p95 = percentile(in_database, 0.95)
    told = f"{statistics.median(in_database):.1f} / {p95:.1f}{'*' if p95 >= limit else ''}"
    pages = [cost.pages for cost in costs if cost.pages is not None]
    if pages:
        told += f", {statistics.median(pages):,.0f} / {percentile(pages, 0.95):,.0f}"
    backend = [cost.database_cpu_ms for cost in costs if cost.database_cpu_ms is not None]
    if backend:
        told += f", {statistics.median(backend):.1f} / {percentile(backend, 0.95):.1f}"
    return f"{told}, {statistics.median(cost.own_cpu_ms for cost in costs):.0f}"


def show(database: Database, rounds: int, seed: int, only: str) -> None:
    hold_meetings(database)
    start = time.perf_counter()
    counted = 0 if only else folding.fold(database)
    spent = time.perf_counter() - start
    with database.reading() as db:
        people = db.execute(sa.select(sa.func.count()).select_from(Member)).scalar_one()
    console.print(f"{people:,} members; {counted:,} stored figures folded in {spent:.0f} s")
    title = "p50 / p95: ms of the statements" + (
        "" if database.on_sqlite else ", pages, ms of CPU in the database"
    )
    shown = Table(title=f"{title}; p50 of the service's own CPU", box=SIMPLE_HEAD)
    shown.add_column("request", no_wrap=True)
    for who in WHO:
        shown.add_column(who, justify="right")
    for name, cells in measure(database, rounds, seed, only).items():
        shown.add_row(name, *(cells.get(who, "-") for who in WHO))
    console.print(shown)


# -- checked


def check(databases: Databases) -> None:
    """Ends with an error where an answer of a small demo is another after the fold."""
    url = databases.create("scale")
    imports.fill(url, Scale.small)
    with closing(Database(imports.settings_for(url))) as database:
        hold_meetings(database)
        sequencer.settle(database)
        before = answers(database)
        folding.fold(database)
        after = answers(database)
    wrong = sorted({name for name, *_ in before ^ after})
    if wrong:
        raise SystemExit(f"{databases.name}: other answers after the fold: {wrong}")
    console.print(f"{databases.name}: {len(before):,} answers, the same after the fold")


def answers(database: Database) -> set[tuple[str, str, int, str]]:
    with database.reading() as db:
        return {
            (name, who, number, repr(call(db)))
            for who, role in WHO.items()
            for name, some in calls(db, role, 2, DEFAULT_SEED, "").items()
            for number, call in enumerate(some)
        }


def main(
    rounds: Annotated[int, typer.Option(help="Records that each request is made for.")] = 40,
    only: Annotated[str, typer.Option(help="Requests with this in their name: list, search.")] = "",
    seed: Annotated[int, typer.Option(help="That the records are drawn from.")] = DEFAULT_SEED,
    check_only: Annotated[
        bool, typer.Option("--check", help="The answers of a small demo: nothing is measured.")
    ] = False,
) -> None:
    install()
    if not check_only:
        with closing(Database(get_settings())) as database:
            show(database, rounds, seed, only)
        return
    with ExitStack() as stack:
        folder = stack.enter_context(working_folder())
        check(SQLiteFiles(folder))
        check(stack.enter_context(postgresql(folder)))


if __name__ == "__main__":
    typer.run(main)
