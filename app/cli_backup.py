"""Backups on the terminal: a progress bar, and what was done."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.config import Settings
from app.db import Database
from app.models.kernel.changes import ChangeSource
from app.services.backups import backing_up, files, reopening, restoring
from app.services.backups.reopening import Reopened
from app.services.files.keeping import Lost
from app.services.kernel import changes, due, following
from app.services.kernel.manifest import manifest
from app.services.privacy.journal import BadJournal, Journal

console = Console()
# The backup was made, and files of the database are not in it.
_FILES_LOST: Final = 3
_TOLD_MOST: Final = 20


def back_up(settings: Settings, file: Path, *, with_files: bool) -> None:
    with _shown() as progress:
        header, lost = backing_up.back_up(settings, file, progress, with_files=with_files)
    size = file.stat().st_size / 1_000_000
    console.print(
        f"{file}: {size:,.1f} MB, sealed and read back; as of {header.taken_at:%Y-%m-%d %H:%M:%S} UTC",
        soft_wrap=True,
    )
    if header.files is None:
        console.print("without the files that were sent", soft_wrap=True)
    if lost:
        _tell_lost(lost, "not in their store, and so not in the backup")
        raise typer.Exit(_FILES_LOST)


def restore(settings: Settings, file: Path, losses_accepted_by: str | None) -> None:
    with _shown() as progress:
        header, reopened, lost = restoring.restore(
            settings, file, progress, losses_accepted_by=losses_accepted_by
        )
    console.print(f"restored as of {header.taken_at:%Y-%m-%d %H:%M:%S} UTC")
    if lost:
        inside = "not in the backup" if header.files else "in no backup: bring the store back"
        _tell_lost(lost, f"not in their store, and {inside}")
    _tell(reopened)


def _tell_lost(lost: Sequence[Lost], where: str) -> None:
    typer.echo(f"hoiso: {len(lost)} files that the database names are {where}", err=True)
    for each in lost[:_TOLD_MOST]:
        typer.echo(f"  {each}", err=True)


def new_epoch(settings: Settings) -> None:
    journal = Journal.of(settings, settings.vault())
    try:
        standing = journal.read().standing() if journal is not None else []
    except BadJournal as error:
        raise files.BackupRefused(str(error)) from None
    with closing(Database(settings)) as database:
        reopened = reopening.reopen(database, standing)
        database.sender.forget(list(reopened.job_ids))
    _tell(reopened)


def _tell(reopened: Reopened) -> None:
    again = reopened.again
    for line in (
        f"erased again: {again.erased}; before: {again.already}; not in it: {again.unknown}",
        f"the change log is in epoch {reopened.epoch}",
        "everybody has to sign in again, and codes that were not used are void",
        "what was due waits: see `hoiso due`, then `hoiso go-on`",
    ):
        console.print(line, soft_wrap=True)


def show_due(settings: Settings) -> None:
    dues = manifest().due
    with closing(Database(settings)) as database, database.reading() as db:
        waiting = due.waiting(db, dues)
    if not waiting:
        console.print("nothing waits for a decision")
        return
    table = Table("kind", "what is due", "waiting", "can be dropped")
    for each in dues:
        can_be = "no: decide on each" if each.drop is None else "yes"
        table.add_row(each.kind, each.what, str(waiting[each.kind]), can_be)
    console.print(table)


def go_on(settings: Settings, by: str, dropped: Sequence[str]) -> None:
    can_be = [each.kind for each in manifest().due if each.drop is not None]
    for kind in dropped:
        if kind not in can_be:
            raise typer.BadParameter(f"{kind!r} is not one of {', '.join(can_be)}")
    with closing(Database(settings)) as database, database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli, source_ref="go-on"))
        decided = due.go_on(session, manifest().due, by, dropped)
    console.print("what was due is being done" if decided else "nothing waits for a decision")


def list_epochs(settings: Settings) -> None:
    table = Table(
        "epoch", "shares the changes up to", "begun", "of the backup of", "losses accepted by"
    )
    with closing(Database(settings)) as database, database.reading() as db:
        for each in following.epochs(db):
            taken_at = f"{each.taken_at:%Y-%m-%d %H:%M:%S}" if each.taken_at else ""
            table.add_row(
                str(each.id),
                str(each.began_after),
                f"{each.began_at:%Y-%m-%d %H:%M:%S}",
                taken_at,
                each.losses_accepted_by or "",
            )
    console.print(table)


@contextmanager
def _shown() -> Iterator[files.Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=None)

        def report(what: str, done: int, total: int | None) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield report
