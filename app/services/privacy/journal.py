"""The journal of erasures: a file outside the database, so that a restore erases again.

A line is on the disk before its erasure is committed, and a second one says how that ended. Lines are
numbered and sealed with the data keys for their number and file: none is altered, left out or put
elsewhere without being found.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any, Final
from uuid import UUID, uuid4

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import SessionTransaction
from sqlmodel import Session, col

from app import logs
from app.clock import utc_now
from app.config import Settings
from app.db import Database, settings_of, vault_of
from app.errors import Problem
from app.models.members.spells import Membership
from app.models.privacy.erasures import Erasure
from app.services.kernel import following
from app.services.kernel.durable import sync_folder
from app.vault import Vault

_MAGIC: Final = "hoiso-erasures 1"
# A transaction has long been over by then, whatever became of it.
_OVER_AFTER = timedelta(hours=1)


class BadJournal(ValueError):
    """The journal cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Erased:
    """An erasure: its receipt, under which ids the person may stand, and when she was gone."""

    receipt: dict[str, Any]
    former_ids: Sequence[str]
    left: dict[str, str] | None
    seq: int
    tables: Sequence[str]


@dataclass(frozen=True, slots=True)
class Contents:
    """`torn`: the last line was being written when the machine stopped; its erasure never was."""

    id: str
    lines: int
    erased: dict[int, Erased]
    ended: dict[int, bool]
    torn: bool

    def standing(self) -> list[Erased]:
        """Erasures that were committed, or whose end nobody knows."""
        return [each for number, each in self.erased.items() if self.ended.get(number, True)]


@dataclass(frozen=True, slots=True)
class Journal:
    path: Path
    vault: Vault

    @classmethod
    def of(cls, settings: Settings, vault: Vault) -> "Journal | None":
        """None where no journal is kept."""
        path = settings.erasure_journal
        return None if path is None else cls(path, vault)

    def read(self) -> Contents:
        try:
            text = self.path.read_text("ascii", errors="replace")
        except OSError as error:
            raise BadJournal(f"{self.path}: {error.strerror}") from None
        return self._understood(text)

    def append(self, *entries: dict[str, Any]) -> int:
        """Put lines at the end, and wait until they are on the disk; returns the number of the first."""
        with self._alone() as file:
            whole, torn = _lines(file.read())
            if whole and not whole[0].startswith(_MAGIC):
                raise BadJournal(f"{self.path} is no journal of erasures")
            if torn:
                # It was never committed: nothing may follow half a line.
                file.truncate(sum(len(line) + 1 for line in whole))
            first = max(len(whole), 1)
            journal_id = whole[0].split()[-1] if whole else str(uuid4())
            new = [] if whole else [f"{_MAGIC} {journal_id}"]
            new += [
                f"{number} {self._sealed(journal_id, number, entry)}"
                for number, entry in enumerate(entries, first)
            ]
            file.seek(0, os.SEEK_END)
            file.write("".join(f"{line}\n" for line in new))
            file.flush()
            os.fsync(file.fileno())
        return first

    @contextmanager
    def _alone(self) -> Iterator[IO[str]]:
        """The file, for its owner alone, and for one process at a time."""
        is_new = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+", encoding="ascii", errors="replace") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        if is_new:
            sync_folder(self.path.parent)

    def _sealed(self, journal_id: str, number: int, entry: dict[str, Any]) -> str:
        return self.vault.seal(orjson.dumps(entry).decode(), _field(journal_id, number))

    def _understood(self, text: str) -> Contents:
        whole, torn = _lines(text)
        if not whole or not whole[0].startswith(f"{_MAGIC} "):
            raise BadJournal(f"{self.path} is no journal of erasures")
        journal_id = whole[0].split()[-1]
        erased: dict[int, Erased] = {}
        ended: dict[int, bool] = {}
        for number, line in enumerate(whole[1:], 1):
            entry = self._opened(journal_id, number, line)
            if "ended" in entry:
                ended[entry["ended"]] = entry["committed"]
            else:
                erased[number] = Erased(**entry)
        return Contents(journal_id, len(whole) - 1, erased, ended, torn)

    def _opened(self, journal_id: str, number: int, line: str) -> dict[str, Any]:
        given, _, sealed = line.partition(" ")
        try:
            if given != str(number):
                raise ValueError
            entry: dict[str, Any] = orjson.loads(
                self.vault.open(sealed, _field(journal_id, number))
            )
        except ValueError:
            raise BadJournal(
                f"line {number} of {self.path} is altered, or sealed with a key that is not among"
                " HOISO_DATA_KEYS"
            ) from None
        return entry


def _lines(text: str) -> tuple[list[str], bool]:
    """The whole lines, and whether something follows them."""
    *whole, rest = text.split("\n")
    return whole, bool(rest)


def _field(journal_id: str, number: int) -> str:
    return f"erasure journal {journal_id} {number}"


# -- kept while people are erased


def note(session: Session, receipt: Erasure, former_ids: Sequence[UUID]) -> None:
    """Before it is committed: the erasure is in the journal, or it is not done (503)."""
    journal = Journal.of(settings_of(session), vault_of(session))
    if journal is None:
        return
    entry = {
        "receipt": receipt.model_dump(mode="json"),
        "former_ids": [str(each) for each in former_ids],
        "left": _left(session, receipt.member_id),
        "seq": following.newest(session).seq,
        "tables": sorted({effect["table"] for effect in receipt.effects}),
    }
    try:
        number = journal.append(entry)
    except (OSError, BadJournal) as error:
        logs.exception("erasure_journal_failed", error)
        raise Problem("erasure_journal_away") from error
    engine = session.get_bind().engine
    sa.event.listen(
        session, "after_transaction_end", partial(_end, journal, engine, number, receipt.id)
    )


def _left(session: Session, member_id: UUID) -> dict[str, str] | None:
    """The last day of her last spell, and how it ended: the backup may not know it."""
    last = session.execute(
        sa.select(col(Membership.valid_to), col(Membership.left_by))
        .where(col(Membership.member_id) == member_id, col(Membership.annulled_at).is_(None))
        .order_by(col(Membership.valid_from).desc())
        .limit(1)
    ).one_or_none()
    if last is None or last.valid_to is None or last.left_by is None:
        return None
    return {"last_day": last.valid_to.isoformat(), "by": last.left_by.value}


def _end(
    journal: Journal,
    engine: Engine,
    number: int,
    receipt_id: UUID,
    _session: Session,
    transaction: SessionTransaction,
) -> None:
    """The database is asked: an error while committing does not say what became of it."""
    if transaction.parent is not None:
        return
    try:
        with engine.connect() as connection:
            journal.append(_ending(number, _is_there(connection, receipt_id)))
    except (SQLAlchemyError, OSError) as error:
        # `settle` asks again.
        logs.warning("erasure_journal_not_ended", error=type(error).__name__)


def _is_there(db: Any, receipt_id: UUID) -> bool:
    found = db.execute(sa.select(col(Erasure.id)).where(col(Erasure.id) == receipt_id))
    return found.first() is not None


def _ending(number: int, committed: bool) -> dict[str, Any]:
    return {"ended": number, "committed": committed}


def settle(database: Database) -> int:
    """Write how those erasures ended whose process could not; returns how many."""
    journal = Journal.of(database.settings, database.vault)
    if journal is None or not journal.path.exists():
        return 0
    contents = journal.read()
    before = (utc_now() - _OVER_AFTER).isoformat()
    with database.reading() as db:
        endings = [
            _ending(number, _is_there(db, UUID(each.receipt["id"])))
            for number, each in contents.erased.items()
            if number not in contents.ended and each.receipt["erased_at"] < before
        ]
    if endings:
        journal.append(*endings)
    return len(endings)
