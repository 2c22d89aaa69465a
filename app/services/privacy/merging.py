"""What a merge of two records does to their consents."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlmodel import Session

from app.services.kernel.pointers import follow


def latest_answers(
    session: Session, kept: Sequence[Any], others: Sequence[Any], take: Callable[[Any], None]
) -> None:
    """All consents move to the kept record; of two answers about one purpose the later one holds."""
    for row in others:
        for twin in kept:
            if twin.purpose == row.purpose and not (twin.superseded_at or row.superseded_at):
                earlier, later = sorted((twin, row), key=lambda each: each.created_at)
                earlier.superseded_at = later.created_at
    session.flush()  # one answer of a purpose holds at a time: the earlier gives way first
    follow(session, kept, others, take)
