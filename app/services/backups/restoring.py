"""Restore a backup into an empty database: the whole of it, or nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from app.config import Settings
from app.db import Database, engines, migrating
from app.models.base import sealed_fields
from app.services.backups import files, of_files, of_postgresql, of_sqlite, staging
from app.services.backups.files import BackupKeys, BackupRefused, BackupSource, Header, Progress
from app.services.backups.refusing import said_plainly
from app.services.backups.reopening import Reopened, reopen
from app.services.files.keeping import Lost
from app.services.files.stores import ensure_works, store_of
from app.services.kernel.access import Db
from app.services.kernel.manifest import manifest
from app.services.privacy.journal import BadJournal, Contents, Erased, Journal

_OF = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
# As app/vault.py names the keys: the beginning of each sealed value.
_KEY_LETTERS = 8


class Restored(NamedTuple):
    """`lost`: the files that the database names and the store does not have."""

    header: Header
    reopened: Reopened
    lost: list[Lost]


def restore(
    settings: Settings, path: Path, progress: Progress, *, losses_accepted_by: str | None = None
) -> Restored:
    """All or nothing. `losses_accepted_by`: who decided to restore where the journal of erasures
    cannot be read, so that people who were erased since come back."""
    keys = BackupKeys(settings.backup_secrets())
    header = files.header_of(path)
    _ensure_fits(settings, header)
    standing = _standing(settings, header, losses_accepted_by)
    files.check(path, keys, progress)
    ensure_works(settings)
    store = store_of(settings)
    with (
        said_plainly("nothing has been restored"),
        of_files.arriving(store) as arrivals,
        staging.staged(settings) as of_stage,
    ):
        with files.opened(path, keys) as (_, source):
            _fill(of_stage, header, source, progress)
            if header.files is not None:
                arrivals.receive(source, header.files, progress)
            files.ensure_end(source)
        migrating.upgrade(of_stage, "head")
        with closing(Database(of_stage)) as database:
            reopened = _reopened(database, header, standing, losses_accepted_by)
            arrivals.remove_unnamed(database)
            lost = of_files.settle(database, store, were_inside=header.files is not None)
    # What delivers jobs holds nothing: it may be made after all else is there.
    migrating.migrate(settings)
    return Restored(header, reopened, lost)


def _standing(settings: Settings, header: Header, losses_accepted_by: str | None) -> list[Erased]:
    """The erasures to be done again."""
    try:
        return _journal(settings, header).standing()
    except BadJournal as error:
        if losses_accepted_by is not None:
            return []
        raise BackupRefused(
            f"{error}: people who were erased since the backup would come back;"
            ' --accept-lost-erasures "who decided" restores it all the same'
        ) from None


def _journal(settings: Settings, header: Header) -> Contents:
    journal = Journal.of(settings, settings.vault())
    if journal is None:
        raise BadJournal("HOISO_ERASURE_JOURNAL is not set")
    contents = journal.read()
    if header.journal is not None and contents.id != header.journal.id:
        raise BadJournal(f"{journal.path} is another journal than that of the backup")
    if header.journal is not None and contents.lines < header.journal.lines:
        raise BadJournal(
            f"{journal.path} has {contents.lines} lines, and had {header.journal.lines}"
            " when the backup was made"
        )
    return contents


def _reopened(
    database: Database, header: Header, standing: list[Erased], losses_accepted_by: str | None
) -> Reopened:
    with database.reading() as db:
        _ensure_opens(database, db)
    reopened = reopen(
        database, standing, taken_at=header.taken_at, losses_accepted_by=losses_accepted_by
    )
    if database.settings.on_sqlite:
        # On PostgreSQL the tables that deliver jobs are in no backup.
        database.sender.forget(list(reopened.job_ids))
    return reopened


def _ensure_fits(settings: Settings, header: Header) -> None:
    ours = "sqlite" if settings.on_sqlite else "postgresql"
    if header.database != ours:
        raise BackupRefused(
            f"the backup is of {_OF[header.database]}, and HOISO_DATABASE_URL names {_OF[ours]}"
        )
    if not migrating.knows(header.revision):
        raise BackupRefused(
            f"the backup is of a newer version of Hội Số: its schema {header.revision} is not known here"
        )


def _fill(of_stage: Settings, header: Header, source: BackupSource, progress: Progress) -> None:
    if of_stage.on_sqlite:
        file = of_sqlite.file_of(of_stage)
        of_sqlite.receive(source, file, header.size or 0, progress)
        with closing(sqlite3.connect(file)) as connection:
            [(found,)] = connection.execute("PRAGMA quick_check(1)")
        if found != "ok":
            raise BackupRefused(f"the database in the backup is damaged: {found}")
        return
    migrating.upgrade(of_stage, header.revision)
    engine = engines.without_time_limit(of_stage, isolation_level="READ COMMITTED")
    try:
        with engine.begin() as connection:
            of_postgresql.receive(connection, source, progress)
    finally:
        engine.dispose()


def _ensure_opens(database: Database, db: Db) -> None:
    """What is sealed in the tables can be opened with the data keys of this server."""
    for model in manifest().sealed:
        table = sa.inspect(model).local_table
        for name in sealed_fields(model):
            stored = sa.type_coerce(table.c[name], sa.Text)
            key = sa.func.substr(stored, 1, _KEY_LETTERS)
            used = db.execute(sa.select(key).where(stored.is_not(None)).distinct()).scalars()
            if any(not database.vault.has_key(each) for each in used):
                raise BackupRefused(
                    "the backup holds data sealed with a key that is not among HOISO_DATA_KEYS"
                )
