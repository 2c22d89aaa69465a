"""Which exports of whole units have shown a member or a household.

An export notes its units and no records (kernel/bulk_reads). So it is asked where the record stood
when the log had come to the export, and which units were above that on the day.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.models.households.households import HouseholdPerson
from app.models.kernel.access_log import BulkRead
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change, Feed, Operation
from app.models.kernel.units import UnitClosure
from app.models.members.members import Member
from app.services.kernel.access import Db
from app.services.members import merged
from app.services.units.units import CURRENT_MEMBERS

_LOGGED = (
    sa.select(col(Feed.seq), col(Feed.unit_id), col(Feed.operation), col(Change.before))
    .join(Change, col(Change.id) == col(Feed.change_id))
    .where(
        col(Feed.entity) == sa.bindparam("entity"),
        col(Feed.entity_id) == sa.bindparam("entity_id"),
        col(Feed.operation) != Operation.left_scope,
    )
    .order_by(col(Feed.seq))
)
_GONE = frozenset({Operation.deleted, Operation.erased})
_NOW = sa.select(col(Member.status), col(Member.restricted)).where(
    col(Member.id) == sa.bindparam("member_id")
)


@dataclass(frozen=True, slots=True)
class Exported:
    """That an export has shown these sensitive fields."""

    export_id: UUID
    account_id: UUID
    day: date
    at: Any
    fields: frozenset[str]


def of_member(db: Db, member_id: UUID) -> list[Exported]:
    """Those with her record or one that was merged into it, and those with the households that she was in
    that day, or had left the day before. Her own exports are none."""
    found: list[Any] = []
    for record_id in (member_id, *merged.former_ids(db, member_id)):
        history = _history(db, "member", record_id)
        reads = _reads(db, "member", history)
        found += [read for read in reads if _on_lists(db, record_id, history, read)]
    homes = sa.select(
        col(HouseholdPerson.household_id),
        col(HouseholdPerson.valid_from),
        col(HouseholdPerson.valid_to),
    ).where(col(HouseholdPerson.member_id) == member_id)
    for home in db.execute(homes):
        until = date.max if home.valid_to is None else home.valid_to + timedelta(days=1)
        of_home = _reads(db, "household", _history(db, "household", home.household_id))
        found += [read for read in of_home if home.valid_from <= read.day <= until]
    hers = sa.select(col(Account.id)).where(col(Account.member_id) == member_id)
    own = set(db.execute(hers).scalars())
    return _by_export(read for read in found if read.account_id not in own)


def of_household(db: Db, household_id: UUID) -> list[Exported]:
    return _by_export(_reads(db, "household", _history(db, "household", household_id)))


def _history(db: Db, entity: str, id_: UUID) -> Sequence[Any]:
    return db.execute(_LOGGED, {"entity": entity, "entity_id": str(id_)}).all()


def _reads(db: Db, entity: str, history: Sequence[Any]) -> list[Any]:
    """Exports of units that the record stood in then."""
    above = _units_above(db, {row.unit_id for row in history if row.unit_id is not None})
    units = {ancestor for rows in above.values() for ancestor, *_ in rows}
    columns = [getattr(BulkRead, name) for name in BulkRead.model_fields]
    reads = sa.select(*columns).where(
        col(BulkRead.entity) == entity, col(BulkRead.unit_id).in_(units)
    )
    found = []
    for read in db.execute(reads):
        place = bisect_right(history, read.seq, key=itemgetter(0))
        last = history[place - 1] if place else None
        if last is None or last.operation in _GONE:
            continue
        if read.unit_id in _above_on(above.get(last.unit_id, ()), read.day):
            found.append(read)
    return found


def _units_above(db: Db, unit_ids: Iterable[int]) -> Mapping[int | None, Sequence[Any]]:
    """Of each unit: those above it and itself, each with its days."""
    rows = db.execute(
        sa.select(
            col(UnitClosure.descendant_id),
            col(UnitClosure.ancestor_id),
            col(UnitClosure.valid_from),
            col(UnitClosure.valid_to),
        ).where(col(UnitClosure.descendant_id).in_(sorted(unit_ids)))
    )
    found: dict[int | None, list[Any]] = {}
    for descendant, *above in rows:
        found.setdefault(descendant, []).append(above)
    return found


def _above_on(rows: Iterable[Any], day: date) -> set[int]:
    """Those above a unit on a day; above one that was closed by then, those of its last day."""
    known = [(ancestor, first, last or date.max) for ancestor, first, last in rows]
    asked = min(day, max((last for *_, last in known), default=day))
    return {ancestor for ancestor, first, last in known if first <= asked <= last}


def _on_lists(db: Db, member_id: UUID, history: Sequence[Any], read: Any) -> bool:
    """Whether she was a member then whose record leaves in files."""
    row = db.execute(_NOW, {"member_id": member_id}).one_or_none()
    values = {} if row is None else row._asdict()
    for later in reversed(history):
        if later.seq <= read.seq:
            break
        values |= later.before or {}
    return values.get("status") in CURRENT_MEMBERS and not values.get("restricted")


def _by_export(reads: Iterable[Any]) -> list[Exported]:
    found: dict[UUID, Exported] = {}
    for read in reads:
        fields = frozenset(read.fields.split(","))
        if (same := found.get(read.export_id)) is not None:
            fields |= same.fields
        found[read.export_id] = Exported(read.export_id, read.account_id, read.day, read.at, fields)
    return list(found.values())
