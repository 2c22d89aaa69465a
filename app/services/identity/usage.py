"""How much programs ask: added up in memory, written every few seconds by a thread.

A row for each program, day and operation, and on each secret when and from where it was last used. A
request costs no write. A server that is killed loses the sums of its last seconds; one that is stopped
writes them first, and while the database is away they are kept.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_day, local_today, utc_now
from app.db import Database, upsert
from app.models.base import Uuid
from app.models.identity.clients import ClientSecret, ClientUsage
from app.models.kernel.accounts import Account
from app.services.kernel.background import Background, Every, outliving_outages

PERIOD_SECONDS: Final = 10.0
KEPT_DAYS: Final = 400
SIGN_IN: Final = "sign_in"
_Whose = tuple[UUID, date, str]


@dataclass(slots=True)
class _Sum:
    requests: int = 0
    refused: int = 0
    bytes: int = 0


class _Sums:
    def __init__(self) -> None:
        self.by: dict[_Whose, _Sum] = {}
        self.last: dict[UUID, tuple[datetime, str]] = {}

    def add(self, whose: _Whose, other: _Sum) -> None:
        found = self.by.get(whose)
        if found is None:
            found = self.by[whose] = _Sum()
        found.requests += other.requests
        found.refused += other.refused
        found.bytes += other.bytes

    def use(self, key_id: UUID, last: tuple[datetime, str]) -> None:
        self.last[key_id] = max(last, self.last.get(key_id, last))


class UsageMeter:
    """A context: while it is open, a thread writes. `note` never waits for the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sums = _Sums()
        self._adding = threading.Lock()
        self._writing = threading.Lock()
        self.background = Background(
            "usage", Every(seconds=PERIOD_SECONDS, work=self.flush, name="usage")
        )

    def __enter__(self) -> Self:
        self.background.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.background.__exit__(kind, error, trace)
        with outliving_outages("usage"):
            self.flush()

    def note(
        self,
        account_id: UUID,
        key_id: UUID | None,
        operation: str,
        address: str,
        *,
        refused: bool,
        bytes_: int = 0,
    ) -> None:
        """A program was answered once."""
        now = utc_now()
        one = _Sum(1, int(refused), bytes_)
        with self._adding:
            self._sums.add((account_id, local_day(now), operation), one)
            if key_id is not None:
                self._sums.use(key_id, (now, address))

    def flush(self) -> None:
        """Write what was noted so far. What could not be written is kept for the next time."""
        with self._writing:
            with self._adding:
                taken, self._sums = self._sums, _Sums()
            if not taken.by:
                return
            try:
                with self._database.writing() as session:
                    _write(session, taken)
            except BaseException:
                with self._adding:
                    for whose, sum_ in taken.by.items():
                        self._sums.add(whose, sum_)
                    for key_id, last in taken.last.items():
                        self._sums.use(key_id, last)
                raise


def _write(session: Session, sums: _Sums) -> None:
    known = _known(session, {account_id for account_id, _, _ in sums.by})
    rows = [
        {
            "account_id": account_id,
            "day": day,
            "operation": operation,
            "requests": sum_.requests,
            "refused": sum_.refused,
            "bytes": sum_.bytes,
        }
        # In one order everywhere: two servers never wait for each other.
        for (account_id, day, operation), sum_ in sorted(sums.by.items(), key=lambda each: each[0])
        if account_id in known
    ]
    upsert(session, ClientUsage, rows, _added)
    used = [
        {"key_id": key_id, "at": at, "address": address[:64]}
        for key_id, (at, address) in sorted(sums.last.items())
    ]
    if used:
        session.connection().execute(_USED, used)


def _known(session: Session, account_ids: set[UUID]) -> set[UUID]:
    """A program that is gone has no figures."""
    found = sa.select(col(Account.id)).where(col(Account.id).in_(account_ids))
    return set(session.execute(found).scalars())


def _added(old: Any, new: Any) -> Mapping[str, Any]:
    return {name: getattr(old, name) + getattr(new, name) for name in _FIGURES}


_FIGURES: Sequence[str] = ("requests", "refused", "bytes")
_USED = (
    sa.update(ClientSecret)
    .where(
        col(ClientSecret.id) == sa.bindparam("key_id", type_=Uuid),
        sa.or_(
            col(ClientSecret.last_used_at).is_(None),
            col(ClientSecret.last_used_at) < sa.bindparam("at"),
        ),
    )
    .values(last_used_at=sa.bindparam("at"), last_used_from=sa.bindparam("address"))
)


def forget_due(database: Database) -> int:
    """Delete figures older than the retention in the settings; returns how many rows."""
    days = database.settings.retention.get("client_usage", KEPT_DAYS)
    before = local_today() - timedelta(days=days)
    with database.writing() as session:
        old = sa.delete(ClientUsage).where(col(ClientUsage.day) < before)
        return session.connection().execute(old).rowcount
