"""A list of 23,000 people as xlsx: its preview, its application, the same rows one by one and by COPY.

`make bench` or `python -m benchmarks.imports --help`. Each step runs in a process of its own, so
that the memory reported is that of the step (the largest resident set).
"""

import random
import resource
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
import typer
import xlsxwriter
from alembic import command
from alembic.config import Config
from pydantic import SecretStr
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sqlmodel import Session, col

from app import jobs as delivery
from app.config import Environment, Settings
from app.db import Database
from app.models.imports.imports import ImportApply, ImportKind, RowOutcome, UploadQuery
from app.models.imports.rows import ImportRow
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.members import Member, MemberCreate
from app.services.capabilities import install
from app.services.demo import demo
from app.services.demo.plan import Scale
from app.services.imports import imports, preview, store
from app.services.kernel import actors, changes, jobs
from app.services.kernel.access import Actor
from app.services.members import record
from benchmarks.databases import PROJECT, Databases, SQLiteFiles, postgresql, working_folder

ROWS = 23_000
ONE_BY_ONE = 1_500
HEADER = (
    *("STT", "Họ và tên", "Ngày sinh", "Chi hội", "Xã", "Ngày vào Hội", "Điện thoại"),
    *("Số CCCD", "Địa chỉ", "Dân tộc", "Tôn giáo", "Nghề nghiệp", "Trình độ văn hoá"),
)
FAMILY = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vũ", "Đặng", "Bùi", "Đỗ", "Hà", "Ngô", "Dương")
MIDDLE = ("Thị", "Thị Thu", "Thị Kim", "Thị Thanh", "Ngọc", "Thị Minh", "Thuỳ", "Thị Bích")
GIVEN = ("Hoa", "Lan", "Hương", "Mai", "Hạnh", "Hồng", "Nga", "Thuỷ", "Yến", "Oanh", "Xuân", "Tâm")


def settings_for(url: str) -> Settings:
    return Settings(
        environment=Environment.test,
        database_url=url,
        jwt_secret=SecretStr("a-secret-of-the-benchmark-0123456789"),
        data_keys=SecretStr("data-keys-of-the-benchmark-0123456789"),
    )


def fill(url: str, scale: Scale = Scale.district) -> None:
    """The demo: of the district, 23,100 members in its communes."""
    config = Config(PROJECT / "alembic.ini")
    config.set_main_option("script_location", str(PROJECT / "alembic"))
    config.attributes["url"] = url
    config.attributes["vault"] = settings_for(url).vault()
    command.upgrade(config, "head")
    delivery.migrate(url)
    database = Database(settings_for(url))
    with Session(database.writer, autoflush=False, expire_on_commit=False) as session:
        demo.load(
            session,
            scale=scale,
            password_hash="-",
            progress=lambda *_: None,
        )
        session.commit()
    database.close()


def officer(database: Database) -> tuple[Actor, int]:
    """The officer of the district, and its unit."""
    with database.reading() as db:
        account = db.execute(
            sa.select(col(Account.id), col(Account.kind), col(Grant.unit_id))
            .join(Grant, col(Grant.account_id) == col(Account.id))
            .where(col(Account.username) == "camkhe")
        ).one()
        actor = actors.load_actor_of_job(db, account.id, account.id, None)
    assert actor is not None  # it was just found
    return actor, account.unit_id


def write_list(database: Database, target: Path, *, rows: int = ROWS, seed: int = 23) -> None:
    with database.reading() as db:
        branches = db.execute(
            sa.select(col(Unit.name), col(Unit.commune_id)).where(
                col(Unit.level) == UnitLevel.branch
            )
        ).all()
        communes: dict[int, str] = {
            row.id: row.name
            for row in db.execute(
                sa.select(col(Unit.id), col(Unit.name)).where(col(Unit.level) == UnitLevel.commune)
            )
        }
    rng = random.Random(seed)
    with xlsxwriter.Workbook(str(target), {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Danh sách")
        sheet.write_row(0, 0, HEADER)
        for n in range(rows):
            branch = branches[n % len(branches)]
            year = rng.randint(1940, 2005)
            row = (
                str(n + 1),
                f"{rng.choice(FAMILY)} {rng.choice(MIDDLE)} {rng.choice(GIVEN)}",
                f"{rng.randint(1, 28):02}/{rng.randint(1, 12):02}/{year}",
                branch.name,
                communes[branch.commune_id],
                f"08/03/{year + 20}" if year < 2000 else "",
                f"098{rng.randint(1_000_000, 9_999_999)}",
                f"025{1 if year < 2000 else 3}{year % 100:02}{(seed * rows + n) % 1_000_000:06}",
                f"Khu {rng.randint(1, 20)}, xã {communes[branch.commune_id]}",
                "Kinh",
                "Không",
                "Làm ruộng",
                rng.choice(("Tiểu học", "THCS", "THPT")),
            )
            for place, value in enumerate(row):
                sheet.write_string(n + 1, place, value)


# -- the steps, each in its own process


def upload(database: Database, file: Path) -> str:
    actor, unit = officer(database)
    query = UploadQuery(kind=ImportKind("members"), unit=unit)
    with database.writing() as session:
        return str(imports.upload(session, actor, query, file.name, file.read_bytes()))


def apply(database: Database, import_id: str) -> None:
    actor, _ = officer(database)
    with database.writing() as session:
        imports.apply(session, actor, UUID(import_id), ImportApply(), None)
    jobs.work_off(database)


def one_by_one(database: Database, import_id: str) -> None:
    """The rows that the import has made, as POST /v1/members makes each: a transaction a row."""
    actor, _ = officer(database)
    with database.reading() as db:
        made = preview.load(db, UUID(import_id))
        statement = (
            sa.select(col(ImportRow.content))
            .where(
                col(ImportRow.import_id) == made.id, col(ImportRow.outcome) == RowOutcome.created
            )
            .limit(ONE_BY_ONE)
        )
        contents = [store.content_of(text) for text in db.execute(statement).scalars()]
    bodies = [content["writes"] for content in contents]
    start = time.perf_counter()
    for body in bodies:
        with database.writing() as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            record.create(session, actor, MemberCreate.model_validate(body))
    print(f"rate {len(bodies) / (time.perf_counter() - start):.0f}")


COPIED = f"SELECT {', '.join(Member.model_fields)} FROM member"
OF_IMPORT = """ WHERE id IN (
    SELECT entity_id FROM import_row WHERE outcome = 'created' AND done_at IS NOT NULL)"""
EMPTY_COPY = f"CREATE TABLE copied AS {COPIED} WHERE false"


def copy(url: str) -> None:
    """The members that the import has made, as the driver alone copies them: ready values into a
    table without keys, in one transaction. Prints the seconds of that alone."""
    took = copy_in_sqlite(url) if url.startswith("sqlite") else copy_in_postgresql(url)
    print(f"copied {took:.3f}")


def copy_in_sqlite(url: str) -> float:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        rows = connection.execute(COPIED + OF_IMPORT).fetchall()
        connection.execute(EMPTY_COPY)
        marks = ", ".join("?" * len(Member.model_fields))
        start = time.perf_counter()
        with connection:
            connection.executemany(f"INSERT INTO copied VALUES ({marks})", rows)
        return time.perf_counter() - start


def copy_in_postgresql(url: str) -> float:
    with psycopg.connect(url) as connection:
        with connection.cursor().copy(f"COPY ({COPIED}{OF_IMPORT}) TO STDOUT".encode()) as out:
            rows = b"".join(out)
        connection.execute(EMPTY_COPY.encode())
        connection.commit()
        start = time.perf_counter()
        with connection.cursor().copy("COPY copied FROM STDIN") as into:
            into.write(rows)
        connection.commit()
        return time.perf_counter() - start


def step(url: str, name: str, import_id: str) -> None:
    """One step in this process: prints its seconds and the peak of its memory."""
    install()
    database = Database(settings_for(url))
    start, cpu = time.perf_counter(), time.process_time()
    if name == "preview":
        jobs.work_off(database)
    elif name == "apply":
        apply(database, import_id)
    elif name == "one_by_one":
        one_by_one(database, import_id)
    elif name == "copy":
        copy(url)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"took {seconds:.2f} {peak:.0f} {cpu:.2f}")
    database.close()


def measured(url: str, name: str, import_id: str) -> dict[str, float]:
    code = "import sys; from benchmarks import imports; imports.step(*sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, url, name, import_id],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT,
    )
    told = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    took = [float(figure) for figure in told["took"]]
    found = dict(zip(("seconds", "mib", "cpu"), took, strict=True))
    return found | {name: float(told[name][0]) for name in ("rate", "copied") if name in told}


def run(databases: Databases, folder: Path, rows: int, scale: Scale) -> dict[str, Any]:
    """The figures of each step, and the counts of the rows by outcome once they are applied."""
    url = databases.create("imports")
    fill(url, scale)
    database = Database(settings_for(url))
    file = folder / "danh-sach.xlsx"
    write_list(database, file, rows=rows)
    import_id = upload(database, file)
    taken = {name: measured(url, name, import_id) for name in ("preview", "apply")}
    with database.reading() as db:
        taken["summary"] = preview.load(db, UUID(import_id)).summary
    if taken["summary"]["created"] != rows:
        raise SystemExit(f"{databases.name}: of {rows:,} new people {taken['summary']}")
    taken["one_by_one"] = measured(url, "one_by_one", import_id)
    taken["copy"] = measured(url, "copy", import_id)
    database.close()
    return taken


def table(name: str, rows: int, taken: dict[str, Any]) -> Table:
    shown = Table(title=f"{name}: {rows:,} rows of xlsx {taken['summary']}", box=SIMPLE_HEAD)
    for title in ("step", "seconds", "of its CPU", "peak MiB", "rows a second", "x COPY"):
        shown.add_column(title)
    written, copied = taken["summary"]["created"], taken["copy"]["copied"]
    for each in ("preview", "apply"):
        of = taken[each]
        rate = (rows if each == "preview" else written) / of["seconds"]
        spent = (f"{of['seconds']:.1f}", f"{of['cpu']:.1f}", f"{of['mib']:.0f}")
        shown.add_row(each, *spent, f"{rate:,.0f}", f"{of['cpu'] / copied:.0f}")
    single = taken["one_by_one"]["rate"]
    ratio = written / taken["apply"]["seconds"] / single
    shown.add_row("one by one", "", "", "", f"{single:,.0f} (the set: {ratio:.1f}x)", "")
    shown.add_row("COPY", f"{copied:.2f}", "", "", f"{written / copied:,.0f}", "1")
    return shown


def main(
    only: Annotated[str | None, typer.Option(help="sqlite or postgresql")] = None,
    rows: Annotated[int, typer.Option(min=100)] = ROWS,
    check: Annotated[
        bool, typer.Option("--check", help="100 rows into a small demo: nothing is measured.")
    ] = False,
) -> None:
    install()
    with ExitStack() as stack:
        folder = stack.enter_context(working_folder())
        kinds: list[Databases] = []
        if only in (None, "sqlite"):
            kinds.append(SQLiteFiles(folder))
        if only in (None, "postgresql"):
            kinds.append(stack.enter_context(postgresql(folder)))
        for databases in kinds:
            if check:
                taken = run(databases, folder, 100, Scale.small)
                Console().print(f"{databases.name}: a list goes in, {taken['summary']}")
            else:
                taken = run(databases, folder, rows, Scale.district)
                Console().print(table(databases.name, rows, taken))


if __name__ == "__main__":
    typer.run(main)
