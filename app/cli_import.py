"""`hoiso import`: a list from a file of this machine, its preview, and with `--apply` its rows."""

import time
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.config import Settings
from app.db import Database
from app.models.imports.imports import ImportApply, ImportKind, ImportState, RowOutcome, UploadQuery
from app.models.imports.rows import RowQuery
from app.models.kernel.changes import ChangeSource
from app.models.kernel.jobs import JobRead, JobState
from app.services.accounts import bootstrap
from app.services.imports import files, imports, lists
from app.services.imports import rows as import_rows
from app.services.kernel import changes, jobs
from app.services.kernel.access import Actor
from app.workbooks.tables import Limits

console = Console()
# A server or worker that runs takes up a job at once; without one this process does it.
_PATIENCE_SECONDS = 3.0
_LOOK_EVERY_SECONDS = 0.2
_SHOWN = 20
_OVER = (JobState.done, JobState.failed)


def load(
    settings: Settings,
    file: Path,
    *,
    unit: str,
    kind: ImportKind,
    username: str,
    apply: bool,
    atomic: bool,
    back: Path | None,
) -> None:
    """Preview a file as an account would, show it, and apply it when asked to."""
    content = file.read_bytes()
    with closing(Database(settings)) as database:
        with database.writing() as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli, source_ref="hoiso import"))
            actor = bootstrap.acting_as(session, username)
            unit_id = bootstrap.find_unit(session, unit).id
            query = UploadQuery(kind=kind, unit=unit_id)
            import_id = imports.upload(session, actor, query, file.name, content)
        item = _await(database, actor, import_id, "reading")
        _print_summary(item)
        if item["state"] is ImportState.refused:
            raise typer.Exit(1)
        if apply:
            with database.writing() as session:
                imports.apply(session, actor, import_id, ImportApply(atomic=atomic), None)
            item = _await(database, actor, import_id, "writing")
            _print_summary(item)
        _print_errors(database, actor, import_id)
        if back is not None:
            limits = Limits(file_bytes=settings.import_max_bytes)
            with database.reading() as db:
                back.write_bytes(files.workbook(db, actor, import_id, limits)[1])
            console.print(f"{back}: the file with what became of each row", highlight=False)
        wrong = item["summary"]["error"] + item["summary"]["duplicate"]
        raise typer.Exit(2 if wrong else 0)


def _await(database: Database, actor: Actor, import_id: UUID, what: str) -> dict[str, Any]:
    """Show a bar until the work on it is over."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    begun, own = time.monotonic(), None
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(what, total=None)
        while True:
            item = _shown(database, actor, import_id)
            job: JobRead = item["job"]
            progress.update(bar, completed=job.progress.done, total=job.progress.total)
            if job.state in _OVER:
                break
            waited = time.monotonic() - begun > _PATIENCE_SECONDS
            if own is None and waited and job.state is JobState.queued:
                own = Thread(target=jobs.perform, args=(database, job.id))
                own.start()
            time.sleep(_LOOK_EVERY_SECONDS)
    if own is not None:
        own.join()
    return _shown(database, actor, import_id)


def _shown(database: Database, actor: Actor, import_id: UUID) -> dict[str, Any]:
    return database.read_apart(lambda db: lists.get_import(db, actor, import_id, "en"))


def _print_summary(item: dict[str, Any]) -> None:
    problem = item["problem"] or (item["job"].problem and item["job"].problem.model_dump())
    if problem:
        console.print(f"{item['state'].value}: {problem['detail']}", highlight=False)
    if not item["summary"]:
        return
    for note in item["notes"]:
        console.print(note["text_en"], highlight=False)
    table = Table("unit", *(outcome.value for outcome in RowOutcome), title=item["state"].value)
    for of in item["by_unit"]:
        name = of["unit"]["name"] if of["unit"] else "-"
        table.add_row(name, *(str(of[outcome.value]) for outcome in RowOutcome))
    table.add_row("in all", *(str(item["summary"][outcome.value]) for outcome in RowOutcome))
    console.print(table)
    console.print(f"import {item['id']}", highlight=False)


def _print_errors(database: Database, actor: Actor, import_id: UUID) -> None:
    """The first rows in error, without the contents of their cells: a terminal must not show
    personal data.
    """
    query = RowQuery(outcome=RowOutcome.error)
    rows = database.read_apart(
        lambda db: import_rows.list_rows(db, actor, import_id, query)(db, None, _SHOWN)
    )
    for _, row in rows:
        for problem in row["problems"]:
            place = f"row {row['number']} {problem['column'] or ''}".strip()
            said = f"{place}: {problem['code']}: {problem['text_en']}"
            console.print(said, markup=False, highlight=False)
