"""Make a backup while the server runs: one sealed file, read back before it has its name."""

from datetime import datetime
from pathlib import Path
from typing import Literal

from app.clock import utc_now
from app.config import Settings
from app.security import sealed_files
from app.services.backups import files, of_postgresql, of_sqlite
from app.services.backups.files import BackupKeys, Header, Progress


def back_up(settings: Settings, path: Path, progress: Progress) -> Header:
    """What is in the database at one moment, in a new file."""
    keys = BackupKeys(settings.backup_secrets())
    # Not later than the moment itself: what was done since then may be missing.
    taken_at = utc_now()
    if settings.on_sqlite:
        with of_sqlite.copied(settings, progress) as (copy, revision):
            header = header_for(keys, taken_at, "sqlite", revision, copy.stat().st_size)
            with files.created(path, keys, header) as sink:
                of_sqlite.send(copy, sink, progress)
        return header
    with of_postgresql.snapshot(settings) as snapshot:
        header = header_for(keys, taken_at, "postgresql", snapshot.revision, None)
        with files.created(path, keys, header) as sink:
            of_postgresql.send(snapshot.connection, sink, progress)
    return header


def header_for(
    keys: BackupKeys,
    taken_at: datetime,
    database: Literal["sqlite", "postgresql"],
    revision: str,
    size: int | None,
) -> Header:
    return Header(
        key=sealed_files.name_of(keys.first),
        salt=sealed_files.new_salt(),
        taken_at=taken_at,
        database=database,
        revision=revision,
        size=size,
    )
