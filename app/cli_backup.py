"""Backups on the terminal: a progress bar, and what was done."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from app.config import Settings
from app.services.backups import backing_up, files, restoring

console = Console()


def back_up(settings: Settings, file: Path) -> None:
    with _shown() as progress:
        header = backing_up.back_up(settings, file, progress)
    size = file.stat().st_size / 1_000_000
    console.print(
        f"{file}: {size:,.1f} MB, sealed and read back; as of {header.taken_at:%Y-%m-%d %H:%M:%S} UTC",
        soft_wrap=True,
    )


def restore(settings: Settings, file: Path) -> None:
    with _shown() as progress:
        header, epoch = restoring.restore(settings, file, progress)
    console.print(
        f"restored as of {header.taken_at:%Y-%m-%d %H:%M:%S} UTC;"
        f" the change log is in epoch {epoch}",
        soft_wrap=True,
    )


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
