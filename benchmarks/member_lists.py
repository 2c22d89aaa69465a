"""Lists and searches of members at 23,100 and at a million: p50 and p95 of each kind.

`make bench`, `make bench-large`, or `python -m benchmarks.member_lists --help`. A figure is the
time of one whole service call: its statements through SQLAlchemy, the rows made ready to be sent.
"""

import random
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
import typer
from alembic import command
from alembic.config import Config
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import Connection
from sqlmodel import SQLModel, col

from app.clock import utc_now
from app.config import Environment, Settings
from app.db import Database, take_time
from app.models.base import new_id
from app.models.kernel.access import Grant, Role
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.lists import MemberQuery
from app.models.members.members import Member, MemberIdentifier, NameEntry, NameWord
from app.services.capabilities import install
from app.services.demo.plan import DemoPlan, DemoUnit
from app.services.kernel import actors as access_actors
from app.services.kernel import changes
from app.services.kernel.access import Actor
from app.services.members import identifiers, lists
from app.services.members import names as name_dictionary
from app.text import name_key, search_key, sort_key, unit_sort_key
from benchmarks.databases import PROJECT, Databases, SQLiteFiles, postgresql, working_folder

PROVINCES = 34
COMMUNE_SIZE = 300  # members
BRANCH_SIZE = 90
PAGE = 50
TARGET_MS = 20.0
# Every so many members have phone and citizen id on record.
IDENTIFIED = 4
CHUNK = 20_000
FOUNDED = date(1930, 10, 20)

SEARCHES = {
    "nguyen": "common word",
    "thi": "common word",
    "hoa": "common given name",
    "nguyen thi hoa": "common name",
    "hoa nguyen": "any order",
    "huon": "unfinished",
    "quach thi tho": "rare",
    "zzz": "nobody",
    "Hoà": "marks",
    "Nguyễn Thị Thuý": "marks",
    "Lường Thị Thỏa": "marks, rare",
    "N T Hoa": "initials",
    "N T H": "initials",
    "1234": "last four digits",
    "451234": "last six digits",
    "hoa 1234": "word and digits",
}
console = Console(width=112)
Rows = Iterable[Sequence[Any]]


# -- the people


def planned_units(people: int) -> list[DemoUnit]:
    """A country of 34 provinces, the largest with a good ten times as many as the smallest."""
    rng = random.Random(7)
    weights = [rng.lognormvariate(0, 0.6) for _ in range(PROVINCES)]
    units: list[DemoUnit] = []

    def unit(level: UnitLevel, name: str, parent: DemoUnit | None, members: int) -> DemoUnit:
        made = DemoUnit(
            id=len(units) + 1,
            level=level,
            slug=f"u{len(units) + 1}",
            name=name,
            opened_on=FOUNDED,
            parent=parent,
            members=members,
        )
        units.append(made)
        return made

    top = unit(UnitLevel.central, "Trung ương", None, 0)
    for number, weight in enumerate(weights, start=1):
        left = round(people * weight / sum(weights))
        province = unit(UnitLevel.province, f"Tỉnh {number}", top, 0)
        while left > 0:
            commune = unit(UnitLevel.commune, f"Xã {len(units)}", province, 0)
            in_commune = min(left, round(COMMUNE_SIZE * rng.lognormvariate(0, 0.4)))
            left -= in_commune
            while in_commune > 0:
                size = min(in_commune, round(BRANCH_SIZE * rng.lognormvariate(0, 0.4)))
                unit(UnitLevel.branch, f"Chi hội {len(units)}", commune, size)
                in_commune -= size
    return units


def members_of(units: Sequence[DemoUnit]) -> Iterator[dict[str, Any]]:
    plan, now, rng = DemoPlan(7, tuple(units)), utc_now(), random.Random(8)
    branches = [unit for unit in units if unit.level is UnitLevel.branch]
    rng.shuffle(branches)  # nobody enters a country branch by branch
    for unit in branches:
        path = unit.path_ids
        for person in plan.people(unit):
            values = person._asdict() | {"phone": None, "citizen_id": None}
            if rng.randrange(IDENTIFIED) == 0:
                values["phone"] = f"+849{rng.randrange(10**8):08}"
                values["citizen_id"] = f"{rng.randrange(10**12):012}"
            yield values | {
                "id": new_id(),
                "province_id": path["province_id"],
                "commune_id": path["commune_id"],
                "branch_id": unit.id,
                "sort_key": sort_key(person.full_name),
                "search_key": search_key(person.full_name),
                "status": "active",
                "core": False,
                "revision": 1,
                "created_at": now,
                "updated_at": now,
            }


# -- filling a database


def settings_of(url: str) -> Settings:
    return Settings.model_validate(
        {
            "environment": Environment.test,
            "database_url": url.replace("postgresql://", "postgresql+psycopg://", 1),
            "jwt_secret": "a-secret-of-the-benchmark-0123456789",
            "data_keys": "data-keys-of-the-benchmark-0123456789",
            "log_requests": False,
        }
    )


def fill(database: Database, people: int) -> list[DemoUnit]:
    config = Config(PROJECT / "alembic.ini")
    config.set_main_option("script_location", str(PROJECT / "alembic"))
    config.attributes["url"] = database.settings.database_url
    config.attributes["vault"] = database.vault
    command.upgrade(config, "head")
    units = planned_units(people)
    with database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.demo))
        session.connection().execute(sa.insert(Unit), [unit_row(unit) for unit in units])
    tables = [SQLModel.metadata.tables[name] for name in ("member", "member_identifier")]
    with database.writer.begin() as connection:
        take_time(connection)
        for index in [index for table in tables for index in table.indexes]:
            index.drop(connection)
    everybody = members_of(units)
    names: dict[str, str] = {}
    while chunk := list(islice(everybody, CHUNK)):
        names |= {row["sort_key"]: row["search_key"] for row in chunk}
        digests = [row for member in chunk for row in identifiers.rows_of(database.vault, member)]
        with database.writer.begin() as connection:
            take_time(connection)
            write(connection, Member, chunk)
            write(connection, MemberIdentifier, digests)
    entries = [{"sort_key": key, "search_key": value} for key, value in names.items()]
    with database.writer.begin() as connection:
        take_time(connection)
        write(connection, NameEntry, entries)
        write(connection, NameWord, name_dictionary.words_of(entries))
        for index in [index for table in tables for index in table.indexes]:
            index.create(connection)
    with database.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE" if database.on_sqlite else "VACUUM ANALYZE")
    return units


def unit_row(unit: DemoUnit) -> dict[str, Any]:
    now = utc_now()
    return {
        "id": unit.id,
        "level": unit.level,
        "name": unit.name,
        "name_key": name_key(unit.name),
        "sort_key": unit_sort_key(unit.name),
        "parent_id": unit.parent and unit.parent.id,
        **unit.path_ids,
        "opened_on": unit.opened_on,
        "revision": 1,
        "created_at": now,
        "updated_at": now,
    }


def write(connection: Connection, model: type[SQLModel], rows: Sequence[dict[str, Any]]) -> None:
    """In bulk: COPY on PostgreSQL, which is ten times as fast as INSERT there."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(sa.insert(model), rows)
        return
    table = SQLModel.metadata.tables[str(model.__tablename__)]
    columns = [table.c[name] for name in rows[0]]
    binds = [column.type.bind_processor(connection.dialect) for column in columns]
    cursor: Any = connection.connection.cursor()
    listed = ", ".join(column.name for column in columns)
    with cursor.copy(f"COPY {table.name} ({listed}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(
                [
                    value if bind is None or value is None else bind(value)
                    for bind, value in zip(binds, row.values(), strict=True)
                ]
            )


# -- measuring


def actors(database: Database, units: Sequence[DemoUnit]) -> dict[str, list[Actor]]:
    """Officers to ask as: some branches and communes by chance, the largest provinces, the top."""
    rng = random.Random(9)
    provinces: dict[int, int] = defaultdict(int)
    for unit in units:
        if unit.level is UnitLevel.branch:
            provinces[unit.path_ids["province_id"] or 0] += unit.members
    largest = sorted(provinces, key=lambda unit_id: -provinces[unit_id])
    by_level = {level: [unit.id for unit in units if unit.level is level] for level in UnitLevel}
    chosen: dict[str, list[int]] = {
        "branch": rng.sample(by_level[UnitLevel.branch], 8),
        "commune": rng.sample(by_level[UnitLevel.commune], 8),
        "province": [*largest[:2], largest[PROVINCES // 2], largest[-1]],
        "everything": by_level[UnitLevel.central],
    }
    return {
        scope: [officer(database, unit_id) for unit_id in unit_ids]
        for scope, unit_ids in chosen.items()
    }


def officer(database: Database, unit_id: int) -> Actor:
    now, account_id = utc_now(), new_id()
    with database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.demo))
        account = Account(
            id=account_id,
            kind=AccountKind.person,
            username=account_id.hex,
            display_name="Officer",
            status=AccountStatus.active,
            unit_id=unit_id,
            created_at=now,
            updated_at=now,
        )
        session.add(account)
        session.flush()
        grant = Grant(
            account_id=account_id,
            unit_id=unit_id,
            role=Role.province_officer,
            valid_from=FOUNDED,
            created_at=now,
            updated_at=now,
        )
        session.add(grant)
    with database.reading() as db:
        return Actor(
            account_id=account_id,
            kind=AccountKind.person,
            username=account_id.hex,
            session_id=account_id,
            device=None,
            member_id=None,
            must_change_password=False,
            grants=access_actors.grants_of(db, account_id),
        )


def middle(db: Connection, actor: Actor) -> tuple[int, str, UUID]:
    """The place of a page half way down somebody's list."""
    grant = actor.grants[0]
    statement = sa.select(col(Member.sort_key), col(Member.id))
    if grant.level is not UnitLevel.central:
        statement = statement.where(getattr(Member, f"{grant.level}_id") == grant.unit_id)
    total = db.execute(sa.select(sa.func.count()).select_from(statement.subquery())).scalar_one()
    ordered = statement.order_by(sa.text("sort_key"), sa.text("id")).offset(total // 2).limit(1)
    row = db.execute(ordered).one()
    return (0, row.sort_key, row.id)


def measure(database: Database, units: Sequence[DemoUnit], rounds: int) -> dict[str, Any]:
    """Milliseconds by scope and request."""
    taken: dict[str, dict[str, list[float]]] = {}
    with database.reading() as db:
        for scope, officers in actors(database, units).items():
            taken[scope] = defaultdict(list)
            for actor in officers:
                requests: list[tuple[str, MemberQuery, Any]] = [
                    ("list, page 1", MemberQuery(), None),
                    ("list, deep page", MemberQuery(), middle(db, actor)),
                    *((q, MemberQuery(q=q), None) for q in SEARCHES),
                ]
                for name, query, after in requests:
                    for turn in range(rounds + 3):
                        start = time.perf_counter()
                        lists.list_members(actor, query)(db, after, PAGE + 1)
                        spent = (time.perf_counter() - start) * 1_000
                        if turn >= 3:  # warm: prepared, and in the cache
                            taken[scope][name].append(spent)
    return taken


def table(name: str, people: int, taken: dict[str, Any]) -> Table:
    shown = Table(
        title=f"{name}, {people:,} members: ms, p50 / p95 (target p95 < {TARGET_MS:.0f})",
        box=SIMPLE_HEAD,
    )
    shown.add_column("request", no_wrap=True)
    shown.add_column("what", no_wrap=True)
    for scope in taken:
        shown.add_column(scope, justify="right")
    for request in next(iter(taken.values())):
        cells = []
        for figures in taken.values():
            p50, p95 = statistics.median(figures[request]), percentile(figures[request], 0.95)
            mark = "[bold red]" if p95 >= TARGET_MS else ""
            cells.append(f"{mark}{p50:.1f} / {p95:.1f}{'[/]' if mark else ''}")
        shown.add_row(request, SEARCHES.get(request, ""), *cells)
    return shown


def percentile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def run(databases: Databases, people: int, rounds: int) -> None:
    database = Database(settings_of(databases.create("hoiso_bench_lists")))
    try:
        start = time.perf_counter()
        units = fill(database, people)
        console.print(f"{databases.name}: filled in {time.perf_counter() - start:.0f} s")
        console.print(table(databases.name, people, measure(database, units, rounds)))
    finally:
        database.close()


def main(
    people: Annotated[int, typer.Option(help="Members in the database.")] = 23_100,
    rounds: Annotated[int, typer.Option(help="Times each request is measured.")] = 10,
    only: Annotated[str, typer.Option(help="sqlite or postgresql; both by default.")] = "",
) -> None:
    install()
    with ExitStack() as stack:
        folder = stack.enter_context(working_folder())
        if only != "postgresql":
            run(SQLiteFiles(Path(folder)), people, rounds)
        if only != "sqlite":
            run(stack.enter_context(postgresql(folder)), people, rounds)


if __name__ == "__main__":
    typer.run(main)
