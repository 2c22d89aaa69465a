"""Who was shown whose sensitive data: noted in memory, written every second by a thread.

A row an account, a member, a day and a way. Reading a record costs no write: what was read is
added up here and stored together. A server that is killed (kill -9, a power cut) loses what it
noted in its last second; one that is stopped writes it down first, and while the database is away
it is kept.
"""

import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from app import logs
from app.clock import local_day, local_today, utc_now
from app.db import Database
from app.models.kernel.access_log import AccessRead, ReadHow
from app.models.members.members import Member
from app.services.kernel.access import Actor
from app.services.kernel.manifest import tracked_of
from app.services.kernel.sequencer import outliving_outages

PERIOD_SECONDS = 1.0
# Of sums, while the database is away: some 100 MB. What comes beyond is lost, and the log says so.
MOST_SUMS = 200_000
_BATCH = 2_000
# Of a household, and of each member in it: that its standing was shown (services/households).
_POVERTY = "poverty"

Rows = Sequence[Mapping[str, Any]]
_Key = tuple[UUID, date, UUID, ReadHow]


def sensitive() -> tuple[str, ...]:
    """The fields each reading of which is noted, in order."""
    return tuple(sorted({*tracked_of(Member).masks, _POVERTY}))


class _Sum:
    __slots__ = ("fields", "last_at", "times")

    def __init__(self, times: int, last_at: datetime, fields: frozenset[str]) -> None:
        self.times = times
        self.last_at = last_at
        self.fields = fields


class AccessLog:
    """A context: while it is open, a thread writes. `note` is for any thread and never waits for
    the database: it costs 2 to 3 µs a row."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sums: dict[_Key, _Sum] = {}
        self._lost = 0
        self._adding = threading.Lock()
        self._writing = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        with outliving_outages("access_log"):
            self.flush()

    def note(
        self, actor: Actor, rows: Rows, how: ReadHow, fields: Collection[str] | None = None
    ) -> None:
        """These members were shown, as the rows have it: `id`, and null for what is masked.

        `fields`: those shown of each row, where not all were. What she reads of herself is hers.
        """
        names = sensitive() if fields is None else [name for name in sensitive() if name in fields]
        now = utc_now()
        day, account_id, own_id = local_day(now), actor.account_id, actor.member_id
        with self._adding:
            for row in rows:
                shown = frozenset([name for name in names if row.get(name) is not None])
                member_id = row["id"]
                if shown and member_id != own_id:
                    self._add((member_id, day, account_id, how), 1, now, shown)

    def _add(self, key: _Key, times: int, last_at: datetime, fields: frozenset[str]) -> None:
        found = self._sums.get(key)
        if found is not None:
            found.times += times
            found.last_at = max(found.last_at, last_at)
            if found.fields != fields:
                found.fields |= fields
        elif len(self._sums) < MOST_SUMS:
            self._sums[key] = _Sum(times, last_at, fields)
        else:
            self._lost += times

    def flush(self) -> None:
        """Write what was noted so far. What could not be written is kept for the next time."""
        with self._writing:
            with self._adding:
                taken, self._sums = self._sums, {}
            try:
                while taken:
                    # In one order everywhere: two servers never wait for each other.
                    batch = sorted(islice(taken, _BATCH))
                    with self._database.writing() as session:
                        _write(session, [(key, taken[key]) for key in batch])
                    for key in batch:
                        del taken[key]
            finally:
                with self._adding:
                    for key, again in taken.items():
                        self._add(key, again.times, again.last_at, again.fields)

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_SECONDS):
            with outliving_outages("access_log"):
                self.flush()
            if self._lost:
                logs.warning("access_log_full", lost=self._lost)
                self._lost = 0


def _joined_fields(one: Any, other: Any, names: Sequence[str]) -> sa.ColumnElement[str]:
    """The names in either of two comma-separated texts, as such a text again.

    Written out: as parameters the names would be sent with every row.
    """
    comma: sa.ColumnElement[str] = sa.literal_column("','")
    both = comma + one + comma + other + comma
    nothing: sa.ColumnElement[str] = sa.literal_column("''")
    parts = [
        sa.case(
            (both.like(sa.literal_column(f"'%,{name},%'")), sa.literal_column(f"',{name}'")),
            else_=nothing,
        )
        for name in names
    ]
    joined: sa.ColumnElement[str] = nothing
    for part in parts:
        joined = joined.concat(part)
    return sa.case((one == other, one), else_=sa.func.substr(joined, sa.literal_column("2")))


@lru_cache
def _upsert(dialect: str, names: tuple[str, ...]) -> Any:
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    statement = insert(AccessRead)
    new = statement.excluded
    later = col(AccessRead.last_at) > new.last_at
    return statement.on_conflict_do_update(
        index_elements=["member_id", "day", "account_id", "how"],
        set_={
            "times": col(AccessRead.times) + new.times,
            "last_at": sa.case((later, col(AccessRead.last_at)), else_=new.last_at),
            "fields": _joined_fields(col(AccessRead.fields), new.fields, names),
        },
    )


def _write(session: Session, sums: Sequence[tuple[_Key, _Sum]]) -> None:
    connection = session.connection()
    rows = [
        {
            "member_id": member_id,
            "day": day,
            "account_id": account_id,
            "how": how,
            "fields": ",".join(sorted(found.fields)),
            "times": found.times,
            "last_at": found.last_at,
        }
        for (member_id, day, account_id, how), found in sums
    ]
    connection.execute(_upsert(connection.dialect.name, sensitive()), rows)


def forget_old(session: Session, days: int) -> int:
    """Delete what is older than so many days; returns how many rows."""
    before = local_today() - timedelta(days=days)
    result = session.connection().execute(sa.delete(AccessRead).where(col(AccessRead.day) < before))
    return result.rowcount
