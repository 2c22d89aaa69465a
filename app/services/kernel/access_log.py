"""Who was shown whose sensitive data: noted in memory, written every second by a thread.

A row for each account, member or household, day and way of reading. Reading a record costs no
write: what was read is added up here and stored together. What a household's record shows is also
noted of each member in it. A server that is killed (kill -9, a power cut) loses what it noted in
its last second; one that is stopped writes it down first, and while the database is away it is
kept.
"""

import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from datetime import date, datetime, timedelta
from itertools import islice
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app import logs
from app.clock import local_day, local_today, utc_now
from app.db import Columns, Database, upsert
from app.models.households.households import HouseholdPerson
from app.models.kernel.access_log import AccessRead, ReadHow
from app.services.kernel.access import Actor
from app.services.kernel.background import Background, Every, outliving_outages
from app.services.kernel.manifest import manifest
from app.services.kernel.shown import Shown, all_names

PERIOD_SECONDS = 1.0
# Most sums kept in memory while the database is unreachable (some 100 MB). Later ones are dropped,
# and the server's log reports it.
MOST_SUMS = 200_000
_BATCH = 2_000
# Whose: an entity and its id. Who read it, on which day and how.
_Key = tuple[str, UUID, date, UUID, ReadHow]
# What the table is keyed by.
_StoredKey = tuple[UUID, date, UUID, ReadHow]


class _Sum:
    """What one account was shown; `own_id`: the member whose account it is."""

    __slots__ = ("fields", "last_at", "own_id", "times")

    def __init__(
        self, times: int, last_at: datetime, fields: frozenset[str], own_id: UUID | None
    ) -> None:
        self.times = times
        self.last_at = last_at
        self.fields = fields
        self.own_id = own_id

    def add(self, other: "_Sum") -> None:
        self.times += other.times
        self.last_at = max(self.last_at, other.last_at)
        if self.fields != other.fields:
            self.fields |= other.fields


class AccessLog:
    """A context: while it is open, a thread writes. `note` is for any thread and never waits for
    the database: it costs 2 to 3 µs a row."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sums: dict[_Key, _Sum] = {}
        self._lost = 0
        self._adding = threading.Lock()
        self._writing = threading.Lock()
        flush = Every(seconds=PERIOD_SECONDS, work=self._turn, name="access_log")
        self._background = Background("access-log", flush)

    def __enter__(self) -> Self:
        self._background.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._background.__exit__(kind, error, trace)
        with outliving_outages("access_log"):
            self._turn()

    def note(self, actor: Actor, shown: Iterable[Shown]) -> None:
        """An account was shown this in one answer.

        A member's reading of her own record is not noted.
        """
        now = utc_now()
        day, account_id, own_id = local_day(now), actor.account_id, actor.member_id
        fields: dict[_Key, frozenset[str]] = {}
        for each in shown:
            if each.id != own_id:
                key = (each.entity, each.id, day, account_id, each.how)
                fields[key] = fields[key] | each.fields if key in fields else each.fields
        with self._adding:
            for key, names in fields.items():
                self._add(key, _Sum(1, now, names, own_id))

    def _add(self, key: _Key, read: _Sum) -> None:
        found = self._sums.get(key)
        if found is not None:
            found.add(read)
        elif len(self._sums) < MOST_SUMS:
            self._sums[key] = read
        else:
            self._lost += read.times

    def flush(self) -> None:
        """Write what was noted so far. What could not be written is kept for the next time."""
        with self._writing:
            with self._adding:
                taken, self._sums = self._sums, {}
            try:
                while taken:
                    batch = list(islice(taken, _BATCH))
                    with self._database.writing() as session:
                        _write(session, {key: taken[key] for key in batch})
                    for key in batch:
                        del taken[key]
            finally:
                with self._adding:
                    for key, again in taken.items():
                        self._add(key, again)

    def _turn(self) -> None:
        try:
            self.flush()
        finally:
            with self._adding:
                lost, self._lost = self._lost, 0
            if lost:
                logs.warning("access_log_full", lost=lost)


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


def _added(old: Columns, new: Columns) -> dict[str, Any]:
    return {
        "times": old.times + new.times,
        "last_at": sa.case((old.last_at > new.last_at, old.last_at), else_=new.last_at),
        "fields": _joined_fields(old.fields, new.fields, all_names()),
    }


def _write(session: Session, sums: Mapping[_Key, _Sum]) -> None:
    stored = _by_whose(session, sums)
    if not stored:
        return
    rows = [
        {
            "member_id": member_id,
            "day": day,
            "account_id": account_id,
            "how": how,
            "fields": ",".join(sorted(stored[member_id, day, account_id, how].fields)),
            "times": stored[member_id, day, account_id, how].times,
            "last_at": stored[member_id, day, account_id, how].last_at,
        }
        # In one order everywhere: two servers never wait for each other.
        for member_id, day, account_id, how in sorted(stored)
    ]
    upsert(session, AccessRead, rows, _added)


def _by_whose(session: Session, sums: Mapping[_Key, _Sum]) -> dict[_StoredKey, _Sum]:
    """The sums as they are stored: by member and household."""
    stored: dict[_StoredKey, _Sum] = {}
    whose = {
        day: _whose(
            session, {(entity, id_) for entity, id_, its_day, *_ in sums if its_day == day}, day
        )
        for day in {key[2] for key in sums}
    }
    for (entity, id_, day, account_id, how), read in sums.items():
        for each in whose[day][entity, id_]:
            key = (each, day, account_id, how)
            if each == read.own_id:
                continue
            if key in stored:
                stored[key].add(read)
            else:
                stored[key] = copy(read)
    return stored


def _whose(
    session: Session, read: Collection[tuple[str, UUID]], day: date
) -> dict[tuple[str, UUID], set[UUID]]:
    """The members and households that records are about: a household and its members of that day;
    for a record of a household, the same; for a record that names a member, the member.
    """
    by_entity: dict[str, list[UUID]] = defaultdict(list)
    for entity, id_ in read:
        by_entity[entity].append(id_)
    households = {("household", id_): id_ for id_ in by_entity.pop("household", ())}
    whose: dict[tuple[str, UUID], set[UUID]] = defaultdict(set)
    whose |= {("member", id_): {id_} for id_ in by_entity.pop("member", ())}
    for entity, ids in by_entity.items():
        model = manifest().by_entity[entity][0]
        table = sa.inspect(model).local_table
        if "household_id" in table.c:
            found = sa.select(table.c.id, table.c.household_id).where(table.c.id.in_(ids))
            households |= {(entity, row.id): row.household_id for row in session.execute(found)}
            continue
        for pointer in manifest().pointers:
            if pointer.model is model:
                named = sa.select(table.c.id, table.c[pointer.column]).where(table.c.id.in_(ids))
                for id_, member_id in session.execute(named):
                    whose[entity, id_] |= {member_id} - {None}
    members = _members_of(session, set(households.values()), day)
    for key, household_id in households.items():
        whose[key] = {household_id, *members[household_id]}
    return whose


def _members_of(
    session: Session, household_ids: Collection[UUID], day: date
) -> dict[UUID, list[UUID]]:
    """The members who are in households on a day, or were until the day before: whoever left on
    the day of the reading may have been shown before."""
    members: dict[UUID, list[UUID]] = defaultdict(list)
    if household_ids:
        there = sa.select(col(HouseholdPerson.household_id), col(HouseholdPerson.member_id)).where(
            col(HouseholdPerson.household_id).in_(household_ids),
            col(HouseholdPerson.member_id).is_not(None),
            col(HouseholdPerson.valid_from) <= day,
            sa.or_(
                col(HouseholdPerson.valid_to).is_(None),
                col(HouseholdPerson.valid_to) >= day - timedelta(days=1),
            ),
        )
        for household_id, member_id in session.execute(there):
            members[household_id].append(member_id)
    return members


def forget_old(session: Session, days: int) -> int:
    """Delete what is older than so many days; returns how many rows."""
    before = local_today() - timedelta(days=days)
    result = session.connection().execute(sa.delete(AccessRead).where(col(AccessRead.day) < before))
    return result.rowcount


def forget_due(database: Database) -> int:
    """Delete rows older than the retention in the settings; returns how many."""
    with database.writing() as session:
        return forget_old(session, database.settings.access_log_days)
