"""What a merge of two records does to their cards."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlmodel import Session

from app.clock import utc_now
from app.services.kernel.pointers import follow


def one_good_card(
    session: Session, kept: Sequence[Any], others: Sequence[Any], take: Callable[[Any], None]
) -> None:
    """All cards move to the kept record; of two valid ones that of the kept record stays valid."""
    if any(card.revoked_at is None for card in kept):
        for card in others:
            card.revoked_at = card.revoked_at or utc_now()
    session.flush()
    follow(session, kept, others, take)
