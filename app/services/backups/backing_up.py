"""Make a backup while the server runs: one sealed file, read back before it has its name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.engine import Connection

from app.clock import utc_now
from app.config import Settings
from app.security import sealed_files
from app.services.backups import files, of_files, of_postgresql, of_sqlite
from app.services.backups.files import (
    BackupKeys,
    BackupRefused,
    Header,
    JournalPlace,
    Progress,
    Sink,
)
from app.services.backups.refusing import said_plainly
from app.services.files.keeping import Lost
from app.services.files.stores import store_of
from app.services.privacy.journal import BadJournal, Journal


class BackedUp(NamedTuple):
    """What a backup says of itself, and the files that the database names and the store has lost."""

    header: Header
    lost: list[Lost]


def back_up(
    settings: Settings, path: Path, progress: Progress, *, with_files: bool = True
) -> BackedUp:
    """What is in the database at one moment, and the files that it names, in a new file."""
    with said_plainly("no backup has been made"):
        header, absent = _backed_up(settings, path, progress, with_files)
        return BackedUp(header, of_files.lost_of(settings, absent))


def _backed_up(
    settings: Settings, path: Path, progress: Progress, with_files: bool
) -> tuple[Header, list[UUID]]:
    keys = BackupKeys(settings.backup_secrets())
    # Not later than the moment itself: what was done since then may be missing.
    header = Header(
        key=sealed_files.name_of(keys.first),
        salt=sealed_files.new_salt(),
        taken_at=utc_now(),
        database="sqlite" if settings.on_sqlite else "postgresql",
        journal=_journal(settings),
    )
    store = store_of(settings)
    with _moment(settings, header, progress) as (connection, send):
        header.files = of_files.counted(connection, store) if with_files else None
        with files.created(path, keys, header) as sink:
            send(sink)
            if header.files is None:
                return header, []
            return header, of_files.send(connection, store, sink, header.files, progress)


@contextmanager
def _moment(
    settings: Settings, header: Header, progress: Progress
) -> Iterator[tuple[Connection, Callable[[Sink], None]]]:
    """The database at one moment: a connection that reads it, and what sends it."""
    if settings.on_sqlite:
        with of_sqlite.copied(settings, progress) as (copy, revision):
            header.revision, header.size = revision, copy.stat().st_size
            with of_sqlite.read(copy) as connection:
                yield connection, lambda sink: of_sqlite.send(copy, sink, progress)
        return
    with of_postgresql.snapshot(settings) as snapshot:
        header.revision = snapshot.revision
        connection = snapshot.connection
        yield connection, lambda sink: of_postgresql.send(connection, sink, progress)


def _journal(settings: Settings) -> JournalPlace | None:
    """Where the journal of erasures is, which begins with the first backup at the latest: a restore
    has to have this one, and at least as much of it."""
    journal = Journal.of(settings, settings.vault())
    if journal is None:
        return None
    try:
        if not journal.path.exists():
            journal.append()
        contents = journal.read()
    except BadJournal as error:
        raise BackupRefused(str(error)) from None
    return JournalPlace(id=contents.id, lines=contents.lines)
