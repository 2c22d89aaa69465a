"""The fields of a record that a phone has changed, beside what others have changed since.

Three values of each field are compared: what it was when the user saw it, what it is, and what she
wrote. What it was follows from the change log. A phone's own operations are no news to it.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic_core import to_jsonable_python
from sqlmodel import Session, col

from app.db import vault_of
from app.models.base import table_of
from app.models.kernel.access import Right
from app.models.kernel.changes import Change, ChangeSource
from app.models.sync.operations import OperationItem, OperationState, PushedOperation
from app.services.kernel.access import Actor
from app.services.kernel.manifest import manifest
from app.services.kernel.operation_kinds import OperationKind
from app.services.kernel.tracking import Tracked, Units

# What a field was is not known: equal to no value.
_UNKNOWN = object()


@dataclass(frozen=True, slots=True)
class Subject:
    """The record an operation is about, as it is now."""

    id: UUID
    row: Mapping[str, Any]
    tracked: Tracked
    units: Units

    @property
    def province_id(self) -> int | None:
        return self.units["province_id"]

    @property
    def district_id(self) -> int | None:
        return self.units["district_id"]

    @property
    def commune_id(self) -> int | None:
        return self.units["commune_id"]

    @property
    def branch_id(self) -> int | None:
        return self.units["branch_id"]

    @property
    def unit_id(self) -> int | None:
        return self.units["unit_id"]

    @property
    def revision(self) -> int:
        return int(self.row["revision"])


def find(session: Session, kind: OperationKind, subject_id: UUID) -> Subject | None:
    """The record an operation of this kind is about, for whoever asks."""
    model, tracked = manifest().by_entity[kind.entity]
    columns = [getattr(model, name) for name in model.model_fields]
    statement = sa.select(*columns).where(table_of(model).c.id == subject_id)
    found = session.execute(statement).one_or_none()
    if found is None:
        return None
    row = found._asdict()
    return Subject(subject_id, row, tracked, tracked.units(session, row))


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """What a phone knows of a record: the revision its user saw, and what it has written itself:
    operations, with the account each was done as."""

    record_id: UUID
    revision: int
    own: frozenset[tuple[str, UUID]]

    @classmethod
    def of_nothing(cls, record_id: UUID) -> "SeenRecord":
        """The user saw none; somebody else has made it."""
        return cls(record_id, 0, frozenset())


def known(session: Session, row: PushedOperation, record_id: UUID) -> SeenRecord | None:
    """None where the operation says no revision, and the phone has none of an earlier one."""
    earlier = session.execute(
        sa.select(
            col(PushedOperation.op_id),
            sa.func.coalesce(
                col(PushedOperation.rescued_by), col(PushedOperation.account_id)
            ).label("done_as"),
            col(PushedOperation.revision),
            col(PushedOperation.state),
        ).where(
            col(PushedOperation.account_id) == row.account_id,
            col(PushedOperation.subject_id) == record_id,
            col(PushedOperation.id) != row.id,
            sa.or_(
                col(PushedOperation.phone_id) == row.phone_id,
                col(PushedOperation.op_id).in_([UUID(each) for each in row.depends_on]),
            ),
        )
    ).all()
    done = [each.revision for each in earlier if each.state is not OperationState.refused]
    revision = max(filter(None, done), default=None) if row.base_rev is None else row.base_rev
    if revision is None:
        return None
    return SeenRecord(
        record_id, revision, frozenset((str(each.op_id), each.done_as) for each in earlier)
    )


def revision_seen(
    session: Session, item: OperationItem, restored_at: datetime | None
) -> int | None:
    """The revision that the user saw; 0, which nobody saw, where it may have been given a second time
    since a restore that her phone has not heard of."""
    if item.base_rev is None or restored_at is None:
        return item.base_rev
    kind = manifest().operations[item.kind]
    if kind.found is not None:
        return 0
    first = session.execute(
        sa.select(sa.func.min(col(Change.revision))).where(
            col(Change.entity) == kind.entity,
            col(Change.entity_id) == str(item.id),
            col(Change.at) >= restored_at,
        )
    ).scalar_one()
    return item.base_rev if first is None or item.base_rev < first else 0


@dataclass(slots=True)
class FieldComparison:
    """`conflicts`: the fields whose values differ from both. `others`: what else has been changed."""

    conflicts: list[str] = field(default_factory=list)
    others: list[dict[str, Any]] = field(default_factory=list)


def compare(
    session: Session,
    actor: Actor,
    seen: SeenRecord,
    subject: Subject,
    mine: Mapping[str, Any],
) -> FieldComparison:
    """What the phone has written, beside the record as it is."""
    changes = _changes_since(session, subject.tracked.entity, seen)
    base = _base(session, seen, subject, changes, mine.keys())
    found = FieldComparison(others=_others(actor, seen, subject, changes))
    for name, value in mine.items():
        now = subject.row[name]
        logged = to_jsonable_python(now)
        is_other = value != now and to_jsonable_python(value) != logged
        if is_other and base.get(name, logged) != logged:
            found.conflicts.append(name)
    return found


def _changes_since(session: Session, entity: str, seen: SeenRecord) -> Sequence[Any]:
    return session.execute(
        sa.select(*(getattr(Change, name) for name in Change.model_fields))
        .where(
            col(Change.entity) == entity,
            col(Change.entity_id) == str(seen.record_id),
            col(Change.revision) > seen.revision,
        )
        .order_by(col(Change.revision))
    ).all()


def _is_own(seen: SeenRecord, change: Any) -> bool:
    done = (change.source_ref, change.account_id)
    return change.source is ChangeSource.sync and done in seen.own


def _base(
    session: Session,
    seen: SeenRecord,
    subject: Subject,
    changes: Sequence[Any],
    names: Set[str],
) -> dict[str, Any]:
    """What these fields were when the user saw them; a field that is missing has not changed since."""
    is_here = seen.record_id == subject.id
    # A revision that was never given (before a restore), or changes that the log does not have.
    gap = is_here and subject.revision - seen.revision != len({each.revision for each in changes})
    base: dict[str, Any] = dict.fromkeys(names, _UNKNOWN) if gap or not is_here else {}
    met: set[str] = set()
    for change in changes:
        own = _is_own(seen, change)
        # Of a record that somebody else created since, nothing was seen.
        values = (change.after if own else change.before) or dict.fromkeys(names, _UNKNOWN)
        for name in values.keys() & names:
            if own or name not in met:
                base[name] = _opened(session, subject.tracked, name, values[name])
                met.add(name)
    return dict.fromkeys(names, _UNKNOWN) if gap else base


def _opened(session: Session, tracked: Tracked, name: str, value: Any) -> Any:
    """A logged value as it was."""
    if value is None or value is _UNKNOWN:
        return value
    if name in tracked.secret:
        return _UNKNOWN
    purpose = tracked.sealed.get(name)
    return value if purpose is None else vault_of(session).open(value, purpose)


def _others(
    actor: Actor, seen: SeenRecord, subject: Subject, changes: Sequence[Any]
) -> list[dict[str, Any]]:
    """Which fields were changed by somebody else, or on another phone."""
    tells_who = actor.covers(Right.changes_read, subject)
    return [
        {
            "fields": sorted({*(change.before or {}), *(change.after or {})}),
            "account_id": str(change.account_id) if tells_who and change.account_id else None,
            "at": change.at.isoformat(),
        }
        for change in changes
        if not _is_own(seen, change)
    ]
