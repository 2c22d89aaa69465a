"""What a merge of two records does to the households they lived in."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlmodel import Session

from app.services.households import line


def the_same_human(
    session: Session, _kept: Sequence[Any], others: Sequence[Any], take: Callable[[Any], None]
) -> None:
    """Move the stays in households, and the headship, to the kept record."""
    for stay in others:
        gone_id = stay.person_id
        take(stay)
        stay.person_id = stay.member_id
        line.change_head(session, gone_id, stay.member_id)
