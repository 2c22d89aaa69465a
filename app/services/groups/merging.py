"""What a merge of two records does to the groups their members took part in."""

from typing import Any

from app.services.members.merging import overlap


def same_participation(one: Any, other: Any) -> bool:
    return one.group_id == other.group_id and overlap(one, other)


def widen(row: Any, other: Any) -> None:
    row.valid_from = min(row.valid_from, other.valid_from)
    if row.valid_to is not None:
        row.valid_to = None if other.valid_to is None else max(row.valid_to, other.valid_to)
