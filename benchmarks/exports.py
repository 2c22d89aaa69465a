"""Exports of all members: NDJSON beside a bare cursor with orjson, a workbook beside xlsxwriter alone.

    python -m benchmarks.exports
    python -m benchmarks.exports --members 200000 --only sqlite
    python -m benchmarks.exports --check

CPU seconds of this process, the least of some rounds in turn. An export is the whole job: the moment, rights
and masks, the note of who was shown what, sums, files sealed on the disk. The cursor reads the same columns of a
copy with its phones and identity numbers in plain text, and writes them to a file. Memory: by how
much the process is larger at the highest point of an export. `--check`: both write the same.
"""

import gc
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import orjson
import psycopg
import sqlalchemy as sa
import typer
import xlsxwriter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sqlmodel import col

from app.clock import utc_now
from app.db import Database
from app.models.base import Headings, new_id
from app.models.exports.exports import BulkExport, BulkFormat, ExportFile, ExportJob
from app.models.files.files import FileSize
from app.models.kernel.access_log import BulkRead
from app.models.members.members import MemberRead
from app.services.capabilities import install
from app.services.exports import making, orders
from app.services.files import stored
from app.services.kernel.access import Actor
from app.services.kernel.jobs import Task
from benchmarks.databases import Databases, SQLiteFiles, postgresql, working_folder
from benchmarks.member_lists import fill, officer, settings_of

COLUMNS: Final = [name for name in MemberRead.model_fields if name != "masked"]
NDJSON_LIMIT, XLSX_LIMIT = 3.0, 1.3
SMALL: Final = 10_000
CHECKED: Final = 500
console = Console(width=112)


@dataclass(frozen=True)
class Exporter:
    """Exports all members as the centre sees them."""

    database: Database
    actor: Actor

    def export(self, form: BulkFormat) -> UUID:
        export_id, job_id = new_id(), new_id()
        with self.database.writing() as session:
            session.add(
                BulkExport(
                    id=export_id,
                    account_id=self.actor.account_id,
                    job_id=job_id,
                    kinds=["member"],
                    fields={},
                    format=form,
                    headings=Headings.api,
                    created_at=utc_now(),
                )
            )
        task = Task(
            database=self.database,
            job_id=job_id,
            kind=ExportJob.export,
            args={"export_id": str(export_id)},
            account_id=self.actor.account_id,
            session_id=self.actor.session_id,
            device=None,
            request_id=None,
        )
        assert making.made(task, self.actor, export_id)
        return export_id

    def content(self, export_id: UUID) -> bytes:
        with self.database.reading() as db:
            mine = sa.select(col(ExportFile.file_id)).where(col(ExportFile.export_id) == export_id)
            file_id = db.execute(mine).scalar_one()
            found = stored.of_record(db, file_id, orders.ENTITY, export_id, FileSize.full)
            return b"".join(found.read(0))

    @property
    def masked(self) -> list[str]:
        """What the centre is not shown."""
        first = self.content(self.export(BulkFormat.ndjson)).split(b"\n", 1)[0]
        masked: list[str] = orjson.loads(first)["masked"]
        return masked

    @property
    def noted(self) -> int:
        with self.database.reading() as db:
            return db.execute(sa.select(sa.func.count()).select_from(BulkRead)).scalar_one()


# -- the fixed points


def rows_of(url: str, masked: list[str]) -> Iterator[dict[str, Any]]:
    """All members by their ids, with what is masked left out."""
    shown = ", ".join(f"NULL AS {name}" if name in masked else name for name in COLUMNS)
    text = f"SELECT {shown} FROM member ORDER BY id"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(urlsplit(url).path)) as db:
            for row in db.execute(text):
                item = dict(zip(COLUMNS, row, strict=True))
                item["id"] = UUID(bytes=item["id"])
                item["household_id"] = item["household_id"] and UUID(bytes=item["household_id"])
                item["core"], item["restricted"] = bool(item["core"]), bool(item["restricted"])
                item["masked"] = masked
                yield item
        return
    with psycopg.connect(url) as connection, connection.cursor("members") as cursor:
        cursor.itersize = 2_000
        for row in cursor.execute(text):
            yield dict(zip(COLUMNS, row, strict=True)) | {"masked": masked}


def write_ndjson(url: str, masked: list[str], path: Path) -> None:
    with path.open("wb") as file:
        for item in rows_of(url, masked):
            file.write(orjson.dumps(item, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))


def write_xlsx(rows: list[list[Any]], path: Path) -> None:
    """Cells that are in memory."""
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        sheet = book.add_worksheet("member")
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        for number, row in enumerate(rows):
            for place, value in enumerate(row):
                if isinstance(value, datetime):
                    sheet.write_datetime(number, place, value, day)
                elif isinstance(value, bool):
                    sheet.write_boolean(number, place, value)
                elif isinstance(value, int):
                    sheet.write_number(number, place, value)
                elif value is not None:
                    sheet.write_string(number, place, value)


def cells(url: str, masked: list[str]) -> list[list[Any]]:
    """Those that an export writes."""
    found: list[list[Any]] = [[*MemberRead.model_fields]]
    for item in rows_of(url, masked):
        values = [item[name] for name in MemberRead.model_fields]
        found.append([_cell(name, value) for name, value in zip(found[0], values, strict=True)])
    return found


def _cell(name: str, value: Any) -> Any:
    if name in ("birth_date", "joined_on") and value and len(str(value)) == len("1980-01-01"):
        return datetime.fromisoformat(str(value))
    if isinstance(value, list):
        return " ".join(value) or None
    return value if value is None or isinstance(value, int | str) else str(value)


# -- measuring


def least(work: Callable[[], object], rounds: int) -> float:
    """CPU seconds of this process and its threads."""

    def once() -> float:
        before = time.process_time()
        work()
        return time.process_time() - before

    return min(once() for _ in range(rounds))


def most_memory(work: Callable[[], object]) -> float:
    """By how many MB the process is larger at the highest point of the work than before it (Linux)."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the highest is that of now
    before = _highest()
    work()
    return (_highest() - before) / 1024


def _highest() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def ensure_equal(exporter: Exporter, plain: str, masked: list[str], folder: Path) -> None:
    """The export says what the cursor reads."""
    path = folder / "floor.ndjson"
    write_ndjson(plain, masked, path)
    expected = path.read_bytes().splitlines()
    found = exporter.content(exporter.export(BulkFormat.ndjson)).splitlines()
    assert [*map(orjson.loads, found)] == [*map(orjson.loads, expected)]
    assert found
    assert exporter.noted


def run(databases: Databases, folder: Path, members: int, rounds: int, *, check: bool) -> bool:
    url = databases.create("hoiso_bench_exports")
    settings = settings_of(url).model_copy(update={"files_dir": folder / "files"})
    database = Database(settings)
    try:
        units = fill(database, members)
    finally:
        database.close()
    plain = databases.copy(url, "hoiso_bench_exports_plain")
    databases.open_sealed(plain, database.vault)
    database = Database(settings)
    try:
        exporter = Exporter(database, officer(database, units[0].id))
        masked = exporter.masked
        ensure_equal(exporter, plain, masked, folder)
        return check or report(databases.name, exporter, plain, masked, folder, rounds)
    finally:
        database.close()


def report(
    name: str, exporter: Exporter, plain: str, masked: list[str], folder: Path, rounds: int
) -> bool:
    grown = most_memory(lambda: exporter.export(BulkFormat.ndjson))
    ndjson = least(lambda: exporter.export(BulkFormat.ndjson), rounds)
    xlsx = least(lambda: exporter.export(BulkFormat.xlsx), rounds)
    cursor = least(lambda: write_ndjson(plain, masked, folder / "floor.ndjson"), rounds)
    given = cells(plain, masked)
    writer = least(lambda: write_xlsx(given, folder / "floor.xlsx"), rounds)
    table = Table("", "export, CPU s", "fixed point, CPU s", "ratio", "at most", box=SIMPLE_HEAD)
    ratios = (ndjson / cursor, xlsx / writer)
    table.add_row("NDJSON", f"{ndjson:.2f}", f"{cursor:.2f}", f"{ratios[0]:.2f}", "3")
    table.add_row("XLSX", f"{xlsx:.2f}", f"{writer:.2f}", f"{ratios[1]:.2f}", "1.3")
    table.title = f"{name}: {len(given) - 1:,} members; NDJSON takes {grown:.0f} MB at most"
    console.print(table)
    return ratios[0] <= NDJSON_LIMIT and ratios[1] <= XLSX_LIMIT


def main(
    members: Annotated[int, typer.Option(help="Members in the database.")] = SMALL,
    rounds: Annotated[int, typer.Option(help="Times each is done.")] = 3,
    only: Annotated[str, typer.Option(help="sqlite or postgresql; both by default.")] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Both write the same; no figures.")
    ] = False,
) -> None:
    install()
    members = CHECKED if check else members
    with ExitStack() as stack:
        folder = Path(stack.enter_context(working_folder()))
        kept = []
        if only != "postgresql":
            kept.append(run(SQLiteFiles(folder), folder, members, rounds, check=check))
        if only != "sqlite":
            server = stack.enter_context(postgresql(folder))
            kept.append(run(server, folder, members, rounds, check=check))
    raise typer.Exit(0 if all(kept) else 1)


if __name__ == "__main__":
    typer.run(main)
