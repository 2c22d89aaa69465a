"""What is read at scale: requests of a branch head, a commune, a province and the centre.

    hoiso migrate && hoiso demo --scale nation --provinces 4
    python -m benchmarks.scale

The database is that of the settings (`HOISO_DATABASE_URL`), filled before by `hoiso demo`. A figure is
the time that the statements of one service call took in the database, with the way there and back (SQLite
finds most rows later, as they are fetched), and on PostgreSQL the pages that they read; `service` is the whole call. Roll-ups are folded first.
"""

import json
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.config import get_settings
from app.db import Database
from app.models.attendance.counts import CountLevel
from app.models.base import new_id
from app.models.events.events import EventSession
from app.models.figures.figures import FigureBy, FigureQuery
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
from app.services.figures import folding, overview, reading
from app.services.kernel import actors, changes
from app.services.kernel.access import Actor
from app.services.members import lists, record
from benchmarks.member_lists import percentile

# Accounts of the demo: a branch head, the officers of her commune, of the province and of the centre.
WHO = {"head": "phuongvi-1", "commune": "phuongvi", "province": "phutho", "centre": "trunguong"}
COMMUNE = "phuongvi"
PAGE = 50
SAMPLE = 40
ATTENDANCE = "attendance of a session"
LIMIT_MS = {"figures": 10.0}
TARGET_MS = 20.0
console = Console(width=130)


@dataclass(slots=True)
class Sent:
    """The statements of one call, and the seconds they took."""

    statements: list[tuple[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    _since: float = 0.0

    def before(self, *args: Any) -> None:
        self.statements.append((args[2], args[3]))
        self._since = time.perf_counter()

    def after(self, *_: Any) -> None:
        self.seconds += time.perf_counter() - self._since


@contextmanager
def sent(database: Database) -> Iterator[Sent]:
    found = Sent()
    sa.event.listen(database.reader, "before_cursor_execute", found.before)
    sa.event.listen(database.reader, "after_cursor_execute", found.after)
    try:
        yield found
    finally:
        sa.event.remove(database.reader, "before_cursor_execute", found.before)
        sa.event.remove(database.reader, "after_cursor_execute", found.after)


def pages(db: Connection, statements: list[tuple[str, Any]]) -> int:
    """Of 8 kB, in memory or not."""
    raw: Any = db.connection.driver_connection
    read = 0
    for statement, parameters in statements:
        if not statement.lstrip().startswith(("SELECT", "WITH")):
            continue
        explained = raw.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
        [(plan,)] = explained.fetchall()
        root = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
        read += root["Shared Hit Blocks"] + root["Shared Read Blocks"]
    return read


Call = Callable[[Connection, Actor, int], object]


def figures(**query: Any) -> Call:
    return lambda db, actor, unit: reading.list_figures(db, actor, FigureQuery(unit=unit, **query))


def listed(query: MemberQuery) -> Call:
    return lambda db, actor, _: lists.list_members(actor, query)(db, None, PAGE + 1)


def details(member_ids: list[UUID]) -> Call:
    return lambda db, actor, _: record.get_member(
        db, actor, random.choice(member_ids)
    )  # any of them


def attendance(session_id: UUID) -> Call:
    return lambda db, actor, _: counts.count(db, actor, session_id, CountLevel.branch)


def requests(db: Connection, unit: Unit, session_id: UUID) -> dict[str, Call]:
    somebody = sa.select(col(Member.id)).limit(SAMPLE)
    if unit.level is not UnitLevel.central:
        somebody = somebody.where(getattr(Member, f"{unit.level}_id") == unit.id)
    return {
        "member detail": details(list(db.execute(somebody).scalars())),
        "list of 50": listed(MemberQuery()),
        "search: hoa": listed(MemberQuery(q="hoa")),
        "search: nguyen thi hoa": listed(MemberQuery(q="nguyen thi hoa")),
        "figures: members by month": figures(indicators="members.total", by=FigureBy.month),
        "figures: by unit below": figures(indicators="members.total", by=FigureBy.child),
        "figures: members, movement, meetings": figures(
            indicators="members.total,members.women,households.total,movement.admitted,"
            "movement.left,events.sessions,attendance.participations",
            by=FigureBy.month,
        ),
        "all figures": figures(),
        "overview": lambda db, actor, unit_id: overview.overview(db, actor, unit_id, InHierarchy()),
        ATTENDANCE: attendance(session_id),
    }


def a_session(database: Database) -> UUID:
    """One of the commune's; where the database has none, its past meetings are held first."""
    last: sa.Select[UUID] = (
        sa.select(col(EventSession.id)).order_by(col(EventSession.starts_at).desc()).limit(1)
    )
    with database.writing() as session:
        found: UUID | None = session.execute(last).scalar_one_or_none()
        if found is not None:
            return found
        changes.attribute(session, changes.Origin(ChangeSource.demo))
        of_account = sa.select(col(Account.unit_id)).where(col(Account.username) == COMMUNE)
        commune_id = session.execute(of_account).scalar_one()
        for commune, branches in past.communes_met(session):
            if commune.id == commune_id:
                meetings.hold(session, commune, branches, DEFAULT_SEED)
        return UUID(str(session.execute(last).scalar_one()))


def actor_of(db: Connection, username: str) -> tuple[Actor, Unit]:
    row = db.execute(
        sa.select(col(Account.id), col(Account.unit_id)).where(col(Account.username) == username)
    ).one()
    actor = actors.load_actor_of_job(db, row.id, new_id(), None)
    if actor is None:
        raise SystemExit(f"{username} may not sign in")
    return actor, db.execute(sa.select(Unit.__table__).where(col(Unit.id) == row.unit_id)).one()  # type: ignore[attr-defined,return-value]  # read as a row


def measure(
    database: Database, session_id: UUID, rounds: int, only: str
) -> dict[str, dict[str, list[str]]]:
    """Cells by request and by who asks."""
    found: dict[str, dict[str, list[str]]] = {}
    with database.reading() as db:
        for who, username in WHO.items():
            actor, unit = actor_of(db, username)
            for name, call in requests(db, unit, session_id).items():
                if only not in name:
                    continue
                cells = one(database, db, actor, unit.id, name, call, rounds)
                found.setdefault(name, {})[who] = cells
    return found


def one(
    database: Database,
    db: Connection,
    actor: Actor,
    unit_id: int,
    name: str,
    call: Call,
    rounds: int,
) -> list[str]:
    in_database, whole = [], []
    statements = Sent()
    for turn in range(rounds + 3):
        start = time.perf_counter()
        with sent(database) as last:
            call(db, actor, unit_id)
        statements = last
        if turn >= 3:  # warm: prepared, and in the cache
            whole.append((time.perf_counter() - start) * 1_000)
            in_database.append(statements.seconds * 1_000)
    limit = next((ms for kind, ms in LIMIT_MS.items() if kind in name), TARGET_MS)
    p95 = percentile(in_database, 0.95)
    mark = "*" if p95 >= limit else ""
    read = "-" if database.on_sqlite else f"{pages(db, statements.statements):,}"
    return [
        f"{statistics.median(in_database):.1f} / {p95:.1f}{mark}",
        read,
        f"{statistics.median(whole):.0f}",
    ]


def main(
    rounds: Annotated[int, typer.Option(help="Times each request is measured.")] = 20,
    only: Annotated[str, typer.Option(help="Requests with this in their name: list, search.")] = "",
) -> None:
    install()
    with closing(Database(get_settings())) as database:
        session_id = a_session(database) if only in ATTENDANCE else new_id()
        start = time.perf_counter()
        counted = 0 if only else folding.fold(database)
        spent = time.perf_counter() - start
        with database.reading() as db:
            people = db.execute(sa.select(sa.func.count()).select_from(Member)).scalar_one()
        console.print(f"{people:,} members; {counted:,} stored figures folded in {spent:.0f} s")
        shown = Table(
            title="p50 / p95 ms in the database, pages, ms of the service", box=SIMPLE_HEAD
        )
        shown.add_column("request", no_wrap=True)
        for who in WHO:
            shown.add_column(who, justify="right")
        for name, cells in measure(database, session_id, rounds, only).items():
            shown.add_row(name, *("  ".join(cells[who]) for who in WHO))
        console.print(shown)


if __name__ == "__main__":
    typer.run(main)
