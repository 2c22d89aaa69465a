"""The transfer of a member that is under way, and how it ends."""

from uuid import UUID

from sqlmodel import Session

from app.clock import utc_now
from app.models.memberships.transfers import Transfer, TransferState
from app.services.members.spells import Life


def close(session: Session, life: Life, state: TransferState, by: UUID | None) -> Transfer:
    """Close the transfer. A side that no longer sees the member keeps the name as of now."""
    transfer = session.get_one(Transfer, life.transfer_id)
    transfer.state = state
    transfer.due_on = None
    transfer.full_name, transfer.birth_year = life.member.full_name, life.member.birth_year
    if state is not TransferState.accepted:
        transfer.closed_by, transfer.closed_at = by, utc_now()
    life.transfer_id = None
    return transfer


def cancel(session: Session, life: Life, by: UUID | None) -> None:
    """If there is one, it has lost its ground."""
    if life.transfer_id is not None:
        close(session, life, TransferState.cancelled, by)
