"""Who was shown whose sensitive data: noted in memory, written every second by a thread.

A row for each account, member or household, day and way of reading. Reading a record costs no
write: what was read is added up here and stored together. What a household's record shows is also
noted of each member in it. A server that is killed (kill -9, a power cut) loses what it noted in
its last second; one that is stopped writes it down first, and while the database is away it is
kept.
"""

import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from copy import copy
from datetime import date, datetime, timedelta
from functools import cache
from itertools import chain
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app import logs
from app.clock import local_day, local_today, utc_now
from app.db import Changed, Database, upsert
from app.models.households.households import HouseholdPerson
from app.models.kernel.access_log import AccessRead, BulkRead, ReadHow
from app.services.kernel.access import Actor
from app.services.kernel.background import Background, Every, outliving_outages
from app.services.kernel.manifest import manifest
from app.services.kernel.shown import Shown, all_names

PERIOD_SECONDS = 1.0
# Most sums kept in memory while the database is unreachable (some 100 MB). Later ones are dropped,
# and the server's log reports it.
MOST_SUMS = 200_000
_BATCH = 2_000
# On which day, and which account.
_Reader = tuple[date, UUID]
# Whose, an entity and its id, and how it was read.
_Whose = tuple[str, UUID, ReadHow]
# Both without the id.
_Kind = tuple[date, UUID, str, ReadHow]
# By the number of the id: Python hashes and compares a UUID by functions of its own.
_ByNumber = dict[int, "_Sum"]
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
        self.fields |= other.fields


_Read = tuple[_Reader, _Whose, _Sum]


class _Sums:
    """Sums by who read, and by whose data was read; beyond the limit new ones are only counted."""

    def __init__(self) -> None:
        self._by_kind: defaultdict[_Kind, _ByNumber] = defaultdict(dict)
        self._held = 0
        self.lost = 0

    def __iter__(self) -> Iterator[_Read]:
        for kind, sums in self._by_kind.items():
            for number, sum_ in sums.items():
                yield _read(kind, number, sum_)

    def note(self, actor: Actor, shown: Iterable[Shown]) -> None:
        """What one answer shows counts once, however often it is in it."""
        now, own_id = utc_now(), actor.member_id
        own = own_id and own_id.int
        day = local_day(now)
        for entity, ids, names, how in shown:
            sums = self._by_kind[day, actor.account_id, entity, how]
            for id_ in ids:
                number = id_.int
                if number == own:
                    continue
                found = sums.get(number)
                if found is None:
                    self._put(sums, number, _Sum(1, now, names, own_id))
                    continue
                if found.last_at is not now:
                    found.times += 1
                    found.last_at = now
                # They are the same object most of the time, and to compare sets takes longer.
                if found.fields is not names and not names <= found.fields:
                    found.fields |= names

    def pop(self, most: int) -> list[_Read]:
        """Some of them, which are held no longer; none where there are no more."""
        popped: list[_Read] = []
        while self._by_kind and len(popped) < most:
            kind, sums = next(iter(self._by_kind.items()))
            while sums and len(popped) < most:
                popped.append(_read(kind, *sums.popitem()))
            if not sums:
                del self._by_kind[kind]
        return popped

    def put_back(self, reader: _Reader, whose: _Whose, sum_: _Sum) -> None:
        entity, id_, how = whose
        sums = self._by_kind[*reader, entity, how]
        if id_.int in sums:
            sums[id_.int].add(sum_)
        else:
            self._put(sums, id_.int, sum_)

    def _put(self, sums: _ByNumber, number: int, sum_: _Sum) -> None:
        if self._held < MOST_SUMS:
            self._held += 1
            sums[number] = sum_
        else:
            self.lost += sum_.times


def _read(kind: _Kind, number: int, sum_: _Sum) -> _Read:
    day, account_id, entity, how = kind
    return (day, account_id), (entity, UUID(int=number), how), sum_


class AccessLog:
    """A context: while it is open, a thread writes. `note` is for any thread and never waits for
    the database: it costs about 0.1 µs a row."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sums = _Sums()
        self._adding = threading.Lock()
        self._writing = threading.Lock()
        flush = Every(seconds=PERIOD_SECONDS, work=self._turn, name="access_log", promised=True)
        self.background = Background("access-log", flush)

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
        with outliving_outages("access_log"):
            self._turn()

    def note(self, actor: Actor, shown: Iterable[Shown]) -> None:
        """An account was shown this in one answer.

        A member's reading of her own record is not noted.
        """
        with self._adding:
            self._sums.note(actor, shown)

    def flush(self) -> None:
        """Write what was noted so far. What could not be written is kept for the next time."""
        with self._writing:
            with self._adding:
                taken, self._sums = self._sums, _Sums()
            batch: list[_Read] = []
            try:
                while batch := taken.pop(_BATCH):
                    with self._database.writing() as session:
                        _write(session, batch)
            finally:
                with self._adding:
                    self._sums.lost += taken.lost
                    for each in chain(batch, taken):
                        self._sums.put_back(*each)

    def _turn(self) -> None:
        try:
            self.flush()
        finally:
            with self._adding:
                lost, self._sums.lost = self._sums.lost, 0
            if lost:
                logs.warning("access_log_full", lost=lost)


def note_in(session: Session, actor: Actor, shown: Iterable[Shown]) -> None:
    """As `AccessLog.note`, in a transaction of the caller."""
    sums = _Sums()
    sums.note(actor, shown)
    while batch := sums.pop(_BATCH):
        _write(session, batch)


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


@cache
def _added(names: tuple[str, ...]) -> Changed:
    """Join what was read on the same day. `names`: all that the log can name as shown."""
    return lambda old, new: {
        "times": old.times + new.times,
        "last_at": sa.case((old.last_at > new.last_at, old.last_at), else_=new.last_at),
        "fields": _joined_fields(old.fields, new.fields, names),
    }


def _write(session: Session, sums: Sequence[_Read]) -> None:
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
    upsert(session, AccessRead, rows, _added(all_names()))


def _by_whose(session: Session, sums: Sequence[_Read]) -> dict[_StoredKey, _Sum]:
    """The sums as they are stored: by member and household."""
    read: dict[date, set[tuple[str, UUID]]] = defaultdict(set)
    for (day, _), (entity, id_, _), _ in sums:
        read[day].add((entity, id_))
    whose = {day: _whose(session, records, day) for day, records in read.items()}
    stored: dict[_StoredKey, _Sum] = {}
    for (day, account_id), (entity, id_, how), sum_ in sums:
        for each in whose[day][entity, id_]:
            key = (each, day, account_id, how)
            if each == sum_.own_id:
                continue
            if key in stored:
                stored[key].add(sum_)
            else:
                stored[key] = copy(sum_)
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
    connection = session.connection()
    return sum(
        connection.execute(sa.delete(model).where(col(model.day) < before)).rowcount
        for model in (AccessRead, BulkRead)
    )


def forget_due(database: Database) -> int:
    """Delete rows older than the retention in the settings; returns how many."""
    with database.writing() as session:
        return forget_old(session, database.settings.access_log_days)
