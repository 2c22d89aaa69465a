"""What expires and may be forgotten."""

from sqlmodel import Session

from app.services import idempotency, signin


def run(session: Session) -> int:
    """Delete expired rows; returns how many."""
    return idempotency.forget_old(session) + signin.forget_old(session)
