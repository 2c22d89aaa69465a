"""What the disk, the database or the store of files says against a backup or a restore, in one sentence."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from app.errors import Problem
from app.services.backups.files import BackupRefused

_OF_STORE = {
    "storage_full": "no room for the files",
    "files_away": "the store of files does not answer",
}


@contextmanager
def said_plainly(outcome: str) -> Iterator[None]:
    """`outcome`: what has not been done."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise BackupRefused(_sentence(outcome, error.filename, reason)) from error
    except Problem as error:
        raise BackupRefused(_sentence(outcome, _OF_STORE.get(error.code, error.code))) from error
    except DBAPIError as error:
        raise BackupRefused(_sentence(outcome, _of(error.orig))) from error
    except (sqlite3.Error, psycopg.Error, CommandError) as error:
        raise BackupRefused(_sentence(outcome, _of(error))) from error


def _of(error: BaseException | None) -> str:
    """Without the rows that PostgreSQL names in its further lines."""
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return primary or str(error)


def _sentence(*parts: str | None) -> str:
    return ": ".join(" ".join(part.split()) for part in parts if part)
