"""Transfers under way from or to a branch that is merged or split: they go on with its people."""

from collections.abc import Sequence
from datetime import date
from typing import TypedDict
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.db import chunks
from app.models.memberships.transfers import UNDER_WAY, Transfer, TransferState
from app.services.kernel.access import Db
from app.services.members import spells
from app.services.memberships import under_way
from app.services.units.followers import Concerned, Handover

_SIDES: Sequence[str] = ("from_branch_id", "to_branch_id")


class KeptSpells(TypedDict):
    """A transfer as it was."""

    id: str
    member_id: str
    from_branch_id: int
    to_branch_id: int
    state: str
    due_on: str | None


def counts_in(db: Db, concerned: Concerned) -> dict[str, int]:
    """Transfers under way from or to units that close."""
    found: set[UUID] = set()
    for side in (Transfer.from_branch_id, Transfer.to_branch_id):
        for chunk in chunks(concerned.closed):
            waiting = col(Transfer.state).in_(UNDER_WAY)
            rows = db.execute(sa.select(col(Transfer.id)).where(col(side).in_(chunk), waiting))
            found |= set(rows.scalars())
    return {"transfers_waiting": len(found)}


def hand_over(session: Session, handover: Handover) -> list[KeptSpells]:
    """The other branch is their side. One between the two has lost its ground: it is cancelled."""
    concerned = sa.or_(
        col(Transfer.from_branch_id).in_(handover.from_ids),
        col(Transfer.to_branch_id).in_(handover.from_ids),
    )
    waiting = session.exec(
        select(Transfer)
        .where(col(Transfer.state).in_(UNDER_WAY), concerned)
        .order_by(col(Transfer.id))
    ).all()
    sides = _SIDES
    if handover.only is not None:
        # Who is on her way into a branch that is split comes to the one that has all others.
        sides = _SIDES[:1]
        people = handover.only.member_ids
        waiting = [transfer for transfer in waiting if transfer.member_id in people]
    kept = [_kept(transfer) for transfer in waiting]
    for transfer in waiting:
        life = spells.lock(session, transfer.member_id)
        assert life is not None  # noqa: S101  # a transfer goes with its member
        for name in sides:
            if getattr(transfer, name) in handover.from_ids:
                setattr(transfer, name, handover.to_id)
        if transfer.from_branch_id == transfer.to_branch_id:
            under_way.cancel(session, life, None)
        spells.settle(session, life)
    return kept


def hand_back(session: Session, _: Handover, kept: Sequence[KeptSpells]) -> None:
    """Those that nobody has decided on since are as they were."""
    for each in kept:
        life = spells.lock(session, UUID(each["member_id"]))
        if life is None:
            continue
        transfer = session.get_one(Transfer, UUID(each["id"]))
        cancelled = transfer.state is TransferState.cancelled and transfer.closed_by is None
        if life.transfer_id not in ((None,) if cancelled else (transfer.id,)):
            continue
        transfer.from_branch_id = each["from_branch_id"]
        transfer.to_branch_id = each["to_branch_id"]
        transfer.state = TransferState(each["state"])
        transfer.due_on = None if each["due_on"] is None else date.fromisoformat(each["due_on"])
        transfer.closed_at = None
        life.transfer_id = transfer.id
        spells.settle(session, life)


def _kept(transfer: Transfer) -> KeptSpells:
    return {
        "id": str(transfer.id),
        "member_id": str(transfer.member_id),
        "from_branch_id": transfer.from_branch_id,
        "to_branch_id": transfer.to_branch_id,
        "state": transfer.state.value,
        "due_on": None if transfer.due_on is None else transfer.due_on.isoformat(),
    }
