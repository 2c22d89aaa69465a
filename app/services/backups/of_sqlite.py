"""SQLite: its own online copy of the file, made while others write."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import disk_usage

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.config import Settings
from app.services.backups.files import BackupRefused, BackupSource, Progress, Sink
from app.services.backups.scratch import scratch_folder

_BLOCK = 1024 * 1024
_PAGES = 2_000


def file_of(settings: Settings) -> Path:
    """Where a link leads: that file is copied, and replaced."""
    return Path(settings.database_url.removeprefix("sqlite:///")).resolve()


@contextmanager
def copied(settings: Settings, progress: Progress) -> Iterator[tuple[Path, str]]:
    """A checked copy of the database as it is at one moment, and the revision of its schema.

    It lies beside the database, and is gone afterwards.
    """
    file = file_of(settings)
    if not file.is_file():
        raise BackupRefused(f"there is no database at {file}")
    ensure_room(file.parent, file.stat().st_size)
    with scratch_folder(file.parent) as folder:
        copy = folder / "copy.db"
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as source:
            # One snapshot to the end: what others write meanwhile does not begin it anew.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master")
            with closing(sqlite3.connect(copy)) as target:
                source.backup(
                    target,
                    pages=_PAGES,
                    progress=lambda _, left, total: progress("copying", total - left, total),
                )
        yield copy, _checked(copy)


def _checked(copy: Path) -> str:
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        [(found,)] = connection.execute("PRAGMA integrity_check(1)")
        if found != "ok":
            raise BackupRefused(f"the database is damaged: {found}")
        try:
            [(revision,)] = connection.execute("SELECT version_num FROM alembic_version")
        except (sqlite3.OperationalError, ValueError):
            raise BackupRefused("the database is not migrated: run `hoiso migrate`") from None
    return str(revision)


@contextmanager
def read(copy: Path) -> Iterator[Connection]:
    engine = sa.create_engine(f"sqlite:///{copy}", isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def send(copy: Path, sink: Sink, progress: Progress) -> None:
    total, done = copy.stat().st_size, 0
    with copy.open("rb") as file:
        while block := file.read(_BLOCK):
            sink.write(block)
            done += len(block)
            progress("sealing", done, total)


def receive(source: BackupSource, file: Path, size: int, progress: Progress) -> None:
    """The contents as a file, for its owner alone."""
    ensure_room(file.parent, size)
    done = 0
    file.touch(mode=0o600)
    with file.open("wb") as target:
        while block := source.read(min(_BLOCK, size - done)):
            target.write(block)
            done += len(block)
            progress("restoring", done, size)
    if done != size:
        raise BackupRefused("the database in the backup is not whole")


def ensure_room(folder: Path, needed: int) -> None:
    free = disk_usage(folder).free
    if free < needed:
        raise BackupRefused(
            f"no room on the disk: {folder} needs {_megabytes(needed)} MB,"
            f" and {_megabytes(free)} MB are free"
        )


def _megabytes(size: int) -> int:
    return -(-size // 1_000_000)
