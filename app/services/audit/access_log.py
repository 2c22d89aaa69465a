"""Reading the access log: who was shown the sensitive data of a member or a household."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.db import AnySelect
from app.models.kernel.access import Right
from app.models.kernel.access_log import AccessRead, ReadHow
from app.models.kernel.accounts import Account
from app.models.kernel.units import Unit
from app.services.audit import bulk_reads
from app.services.audit.bulk_reads import Exported
from app.services.households import households
from app.services.kernel.access import Actor, Db
from app.services.kernel.access_log import AccessLog
from app.services.kernel.keyset import Entry, Key, Order, Pages
from app.services.members import persons

_READER: tuple[Any, ...] = (
    col(Account.display_name),
    col(Account.kind),
    col(Account.purpose),
    col(Unit.id).label("unit_id"),
    col(Unit.level),
    col(Unit.name),
)
_READ: AnySelect = (
    sa.select(
        col(AccessRead.day),
        col(AccessRead.last_at),
        col(AccessRead.how),
        col(AccessRead.times),
        col(AccessRead.fields),
        col(AccessRead.account_id),
        *_READER,
    )
    .join(Account, col(Account.id) == col(AccessRead.account_id))
    .join(Unit, col(Unit.id) == col(Account.unit_id))
)
_READERS: AnySelect = sa.select(col(Account.id), *_READER).join(
    Unit, col(Unit.id) == col(Account.unit_id)
)
# The place of a record read by itself, among exports of the same account and day.
_NO_EXPORT = UUID(int=0)


def list_of_member(db: Db, actor: Actor, log: AccessLog, member_id: UUID) -> Pages:
    """Who was shown a member's sensitive data, the last day first; what waits is written before."""
    persons.access_member(db, actor, member_id, Right.members_read)
    persons.access_member(db, actor, member_id, Right.changes_read)
    return _reads(db, log, member_id, bulk_reads.of_member(db, member_id))


def list_of_household(db: Db, actor: Actor, log: AccessLog, household_id: UUID) -> Pages:
    """Who was shown a household's poverty data, the last day first: its rows carry its own id."""
    households.access(db, actor, household_id, Right.poverty_read)
    households.access(db, actor, household_id, Right.changes_read)
    return _reads(db, log, household_id, bulk_reads.of_household(db, household_id))


def _reads(db: Db, log: AccessLog, read_id: UUID, exports: Sequence[Exported]) -> Pages:
    """Records that were read, and exports: each of these stands for itself."""
    log.flush()
    single = _ORDER.walk(_READ.where(col(AccessRead.member_id) == read_id))
    exported = _entries(db, exports)

    def page(db: Connection, after: Key | None, limit: int) -> list[Entry]:
        # Places given by an older version of the program name no export.
        after = None if after is None else (*after, _NO_EXPORT)[:4]
        rows = db.execute(single(None if after is None else after[:3], limit))
        found: list[Entry] = [((*_ORDER.key(row), _NO_EXPORT), _item(row)) for row in rows]
        later = [entry for entry in exported if after is None or _place(entry[0]) > _place(after)]
        return sorted([*found, *later], key=lambda entry: _place(entry[0]))[:limit]

    return page


_ORDER = Order(col(AccessRead.day).desc(), col(AccessRead.account_id), col(AccessRead.how))


def _place(key: Key) -> Key:
    """As the database compares it."""
    day, account_id, how, export_id = key
    return -day.toordinal(), account_id.int, how, export_id.int


def _entries(db: Db, exports: Sequence[Exported]) -> list[Entry]:
    ids = {each.account_id for each in exports}
    readers = {row.id: row for row in db.execute(_READERS.where(col(Account.id).in_(ids)))}
    return [
        (
            (each.day, each.account_id, ReadHow.export, each.export_id),
            {
                "day": each.day,
                "last_at": each.at,
                "how": ReadHow.export,
                "times": 1,
                "fields": sorted(each.fields),
                **_reader(each.account_id, readers[each.account_id]),
            },
        )
        for each in exports
        if each.account_id in readers
    ]


def _item(row: Any) -> dict[str, Any]:
    return {
        "day": row.day,
        "last_at": row.last_at,
        "how": row.how,
        "times": row.times,
        "fields": row.fields.split(","),
        **_reader(row.account_id, row),
    }


def _reader(account_id: UUID, row: Any) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "reader": row.display_name,
        "kind": row.kind,
        "purpose": row.purpose,
        "unit": {"id": row.unit_id, "level": row.level, "name": row.name},
    }
