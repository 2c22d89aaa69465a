"""What a merge of two records does to their answers to invitations."""

from typing import Any


def same_session(one: Any, other: Any) -> bool:
    return bool(one.session_id == other.session_id)


def last_answer(row: Any, other: Any) -> None:
    if other.answered_at > row.answered_at:
        row.answer, row.reason = other.answer, other.reason
        row.by_herself, row.answered_at = other.by_herself, other.answered_at
