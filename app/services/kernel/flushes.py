"""What a flush writes into the change log: every tracked row that came, changed or went with it."""

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import LoaderCallableStatus, SessionTransaction, UOWTransaction
from sqlmodel import Session

from app.clock import utc_now
from app.db import SessionListener
from app.models.kernel.changes import Operation
from app.services.kernel.changes import change_of, dated, logged, operation_of, places_of, write
from app.services.kernel.manifest import manifest
from app.services.kernel.tracking import Tracked, Units


@dataclass(slots=True)
class _Pending:
    tracked: Tracked
    instance: Any
    operation: Operation
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    old_row: dict[str, Any]


def _before_flush(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    pending: list[_Pending] = session.info.setdefault("pending_changes", [])
    known = manifest().tracked
    now = utc_now()
    pending += [
        _Pending(tracked, instance, Operation.created, None, None, {})
        for instance in session.new
        if (tracked := known.get(type(instance)))
    ]
    for instance in session.dirty:
        tracked = known.get(type(instance))
        if tracked is None:
            continue
        before, old_row = _old_values(session, instance, tracked)
        if before:
            instance.revision += 1
            instance.updated_at = now
            after = logged(session, tracked, {name: getattr(instance, name) for name in before})
            operation = operation_of(tracked, before)
            pending.append(_Pending(tracked, instance, operation, before, after, old_row))
    for instance in session.deleted:
        if tracked := known.get(type(instance)):
            row = _row(instance)
            before = logged(session, tracked, row)
            pending.append(_Pending(tracked, instance, Operation.deleted, before, None, row))


def _old_values(
    session: Session, instance: Any, tracked: Tracked
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The logged fields that changed, and the whole row, as they were."""
    now = _row(instance)
    # Only what was assigned since the load, with the value it had: cheaper than each history.
    committed = sa.inspect(instance).committed_state
    if any(isinstance(value, LoaderCallableStatus) for value in committed.values()):
        # Assigned while expired (after a rollback to a savepoint): only the database knows the old
        # value.
        table = sa.inspect(type(instance)).local_table
        stored = session.connection().execute(sa.select(table).where(table.c.id == instance.id))
        committed = dict(stored.one()._mapping)
    old_row = now | committed
    before = {
        name: value
        for name, value in old_row.items()
        if name not in tracked.left_out and value != now[name]
    }
    return logged(session, tracked, before), old_row


def _row(instance: Any) -> dict[str, Any]:
    return {name: getattr(instance, name) for name in type(instance).model_fields}


def _after_flush(session: Session, _context: UOWTransaction) -> None:
    pending: list[_Pending] = session.info.pop("pending_changes", [])
    if not pending:
        return
    entries: list[tuple[dict[str, Any], list[tuple[Operation, Units]]]] = []
    for item in pending:
        row = _row(item.instance)
        if item.operation is Operation.created:
            item.after = logged(session, item.tracked, row)
        change = change_of(session, item.tracked, row, item.operation)
        if item.operation is Operation.deleted:
            change["revision"] += 1  # followers compare revisions: the end is later than the rest
        after = dated(session, item.tracked, item.after)
        change |= {"before": item.before, "after": after}
        places = places_of(session, item.tracked, item.operation, item.old_row, row)
        entries.append((change, places))
    write(session, entries)


def _forget_pending(session: Session, _transaction: SessionTransaction) -> None:
    """What a failed flush was about to log has not happened."""
    session.info.pop("pending_changes", None)


LISTENERS: Final[tuple[SessionListener, ...]] = (
    ("before_flush", _before_flush),
    ("after_flush", _after_flush),
    ("after_soft_rollback", _forget_pending),
)
