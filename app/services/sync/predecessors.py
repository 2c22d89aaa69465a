"""What an operation names in `depends_on`: what has to be done before it."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.errors import invalid
from app.models.sync.operations import OperationItem, OperationState, PushedOperation
from app.services.sync.verdicts import follows_from


def first_missing(session: Session, row: PushedOperation, item: OperationItem) -> UUID | None:
    """An operation that has to be done before and is not. One that was refused refuses this one, but not
    where a later one has taken its place."""
    for op_id in item.depends_on:
        if op_id == item.op_id:
            raise invalid("depends_in_circle", "/depends_on")
        before = _find(session, row.account_id, op_id)
        if before is None:
            return op_id
        if before.state is OperationState.held:
            _ensure_no_circle(session, row, op_id)
            return op_id
        if before.state is OperationState.refused and before.code != "operation_rewritten":
            raise follows_from(before)
    return None


def _ensure_no_circle(session: Session, row: PushedOperation, op_id: UUID) -> None:
    """422 where an operation that waits does so for this one, by way of others or at once."""
    of_account = col(PushedOperation.account_id) == row.account_id
    waits_on = col(PushedOperation.waits_on)
    chain = (
        sa.select(waits_on)
        .where(of_account, col(PushedOperation.op_id) == op_id, waits_on.is_not(None))
        .cte("chain", recursive=True)
    )
    chain = chain.union(
        sa.select(waits_on)
        .join(chain, col(PushedOperation.op_id) == chain.c.waits_on)
        .where(of_account, waits_on.is_not(None))
    )
    in_circle = sa.select(sa.exists().where(chain.c.waits_on == row.op_id))
    if session.execute(in_circle).scalar_one():
        raise invalid("depends_in_circle", "/depends_on")


def _find(session: Session, account_id: UUID, op_id: UUID) -> Any:
    return session.execute(_STATE, {"account_id": account_id, "op_id": op_id}).one_or_none()


_STATE = sa.select(
    col(PushedOperation.state),
    col(PushedOperation.code),
    col(PushedOperation.told),
).where(
    col(PushedOperation.account_id) == sa.bindparam("account_id"),
    col(PushedOperation.op_id) == sa.bindparam("op_id"),
)
