"""Operations that wait: those that can go on do, and none waits for ever."""

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app import logs
from app.clock import utc_now
from app.db import Database
from app.errors import Problem
from app.models.kernel.changes import ChangeSource
from app.models.sync.operations import (
    OperationItem,
    OperationState,
    PushedOperation,
    WaitsFor,
)
from app.services.kernel import changes
from app.services.kernel.actors import load_actor_of_job
from app.services.kernel.changes import Origin
from app.services.kernel.manifest import manifest
from app.services.sync import merging, taking, verdicts

# So long an operation waits for another one, and for an officer.
MISSING = timedelta(days=30)
UNDECIDED = timedelta(days=180)


def origin_of(row: Any, account_id: UUID) -> Origin:
    """Changes made by an operation carry its id."""
    return Origin(
        source=ChangeSource.sync,
        account_id=account_id,
        session_id=row.session_id,
        source_ref=str(row.op_id),
    )


def item_of(row: PushedOperation) -> OperationItem:
    """What of an operation waits."""
    return OperationItem.model_construct(
        op_id=row.op_id,
        kind=row.kind,
        id=row.record_id,
        base_rev=row.base_rev,
        depends_on=[UUID(each) for each in row.depends_on],
        patch=json.loads(row.patch or "{}"),
        occurred_at=row.occurred_at,
    )


def go_on(database: Database, account_id: UUID, came: Iterable[UUID]) -> None:
    """Operations and records of an account have come: what waited for them is done, each in a
    transaction of its own, and what waited for that."""
    waiting = [*came]
    while waiting:
        statement = sa.select(col(PushedOperation.id)).where(
            col(PushedOperation.account_id) == account_id,
            col(PushedOperation.waits_on) == waiting.pop(),
        )
        with database.reading() as db:
            ids = list(db.execute(statement.order_by(col(PushedOperation.id))).scalars())
        for operation_id in ids:
            waiting += again(database, operation_id)


def again(database: Database, operation_id: UUID) -> list[UUID]:
    """Do an operation that waited; returns what others may wait for, once it waits no more."""
    try:
        return _again(database, operation_id)
    except (OperationalError, PoolTimeout):
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, the others shall not wait for it
        logs.exception("operation_failed", error, operation_id=str(operation_id))
        _put_off(database, operation_id)
        return []


def _put_off(database: Database, operation_id: UUID) -> None:
    with database.writing() as session:
        row = _waiting(session, operation_id)
        if row is not None and row.waits_for is not WaitsFor.decision:
            verdicts.keep(row, verdicts.failed(item_of(row).patch))
            session.flush()


def _again(database: Database, operation_id: UUID) -> list[UUID]:
    with database.writing() as session:
        row = _waiting(session, operation_id)
        if row is None:
            return []
        if row.waits_for is WaitsFor.decision:
            _follow(session, row)
            return []
        sender_id = row.rescued_by or row.account_id
        actor = load_actor_of_job(session, sender_id, row.session_id, None)
        if actor is None:
            return []
        changes.attribute(session, origin_of(row, sender_id))
        verdicts.keep(row, taking.outcome_of(session, actor, row, item_of(row)))
        session.flush()
        return came_with(row)


def _follow(session: Session, row: PushedOperation) -> None:
    """What waits for a decision goes where its record goes, and to the one it was merged into."""
    kind = manifest().operations[row.kind or ""]
    if row.subject_id is None:
        return
    kept = None if kind.kept is None else kind.kept(session, row.subject_id)
    row.subject_id = kept or row.subject_id
    subject = merging.find(session, kind, row.subject_id)
    if subject is not None:
        row.unit_id = subject.unit_id
    session.flush()


def came_with(row: PushedOperation) -> list[UUID]:
    """What others may have waited for: an operation that waits no more, and the record it made."""
    if row.state is OperationState.held:
        return []
    if row.state is OperationState.refused or row.record_id is None:
        return [row.op_id]
    return [row.op_id, row.record_id]


def _waiting(session: Session, operation_id: UUID) -> PushedOperation | None:
    row = session.get(PushedOperation, operation_id, with_for_update=True)
    return None if row is None or row.waits_for is None else row


_OF_WAITING = (
    sa.select(
        col(PushedOperation.id),
        col(PushedOperation.account_id),
        col(PushedOperation.waits_for),
        col(PushedOperation.received_at),
    )
    .where(col(PushedOperation.waits_for).is_not(None))
    .order_by(col(PushedOperation.id))
)
_Before = aliased(PushedOperation)
# Of one that waits for an operation that has come: its release was broken off, or an officer has decided.
_CAME = sa.and_(
    col(_Before.account_id) == col(PushedOperation.account_id),
    col(_Before.op_id) == col(PushedOperation.waits_on),
    col(_Before.state) != OperationState.held,
)


def tend(database: Database) -> int:
    """Try again what may go on now; returns how many operations wait no more. At what the server has
    failed before it would fail again: `follow_up` tries it."""
    passes = sa.and_(
        col(PushedOperation.waits_for) == WaitsFor.retry,
        col(PushedOperation.code) != verdicts.FAILED,
    )
    waiting_now = _OF_WAITING.outerjoin(_Before, _CAME)
    with database.reading() as db:
        rows = db.execute(waiting_now.where(sa.or_(passes, col(_Before.id).is_not(None))))
        waiting = rows.all()
    return sum(_went_on(database, row, again(database, row.id)) for row in waiting)


def follow_up(database: Database) -> int:
    """End what has waited too long, and bring the rest to where its record is; returns how many
    operations wait no more."""
    with database.reading() as db:
        waiting = db.execute(_OF_WAITING).all()
    now = utc_now()
    ended = 0
    for row in waiting:
        longest = UNDECIDED if row.waits_for is WaitsFor.decision else MISSING
        act = _end if now - row.received_at > longest else again
        ended += _went_on(database, row, act(database, row.id))
    return ended


def _went_on(database: Database, row: Any, came: Sequence[UUID]) -> bool:
    go_on(database, row.account_id, came)
    return bool(came)


def _too_late(row: PushedOperation) -> Problem:
    if row.waits_for is WaitsFor.decision:
        return Problem("operation_undecided")
    if row.waits_for is WaitsFor.retry:
        return Problem("operation_given_up")
    return Problem("predecessor_missing")


def _end(database: Database, operation_id: UUID) -> list[UUID]:
    with database.writing() as session:
        row = _waiting(session, operation_id)
        if row is None:
            return []
        verdicts.keep(row, verdicts.refused(_too_late(row)))
        session.flush()
        return came_with(row)
