"""Backups on the terminal: a progress bar, and what was done."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.config import Settings
from app.db import Database
from app.services.backups import backing_up, files, restoring
from app.services.kernel import following

console = Console()


def back_up(settings: Settings, file: Path) -> None:
    with _shown() as progress:
        header = backing_up.back_up(settings, file, progress)
    size = file.stat().st_size / 1_000_000
    console.print(
        f"{file}: {size:,.1f} MB, sealed and read back; as of {header.taken_at:%Y-%m-%d %H:%M:%S} UTC",
        soft_wrap=True,
    )


def restore(settings: Settings, file: Path, losses_accepted_by: str | None) -> None:
    with _shown() as progress:
        restored = restoring.restore(
            settings, file, progress, losses_accepted_by=losses_accepted_by
        )
    again = restored.again
    for line in (
        f"restored as of {restored.header.taken_at:%Y-%m-%d %H:%M:%S} UTC",
        f"erased again: {again.erased}; before: {again.already}; not in it: {again.unknown}",
        f"the change log is in epoch {restored.epoch}",
    ):
        console.print(line, soft_wrap=True)


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
