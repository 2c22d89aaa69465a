"""Make a backup while the server runs: one sealed file, read back before it has its name."""

from pathlib import Path

from app.clock import utc_now
from app.config import Settings
from app.security import sealed_files
from app.services.backups import files, of_postgresql, of_sqlite
from app.services.backups.files import BackupKeys, BackupRefused, Header, JournalPlace, Progress
from app.services.backups.refusing import said_plainly
from app.services.privacy.journal import BadJournal, Journal


def back_up(settings: Settings, path: Path, progress: Progress) -> Header:
    """What is in the database at one moment, in a new file."""
    with said_plainly("no backup has been made"):
        return _backed_up(settings, path, progress)


def _backed_up(settings: Settings, path: Path, progress: Progress) -> Header:
    keys = BackupKeys(settings.backup_secrets())
    # Not later than the moment itself: what was done since then may be missing.
    header = Header(
        key=sealed_files.name_of(keys.first),
        salt=sealed_files.new_salt(),
        taken_at=utc_now(),
        database="sqlite" if settings.on_sqlite else "postgresql",
        journal=_journal(settings),
    )
    if settings.on_sqlite:
        with of_sqlite.copied(settings, progress) as (copy, revision):
            header.revision, header.size = revision, copy.stat().st_size
            with files.created(path, keys, header) as sink:
                of_sqlite.send(copy, sink, progress)
        return header
    with of_postgresql.snapshot(settings) as snapshot:
        header.revision = snapshot.revision
        with files.created(path, keys, header) as sink:
            of_postgresql.send(snapshot.connection, sink, progress)
    return header


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
