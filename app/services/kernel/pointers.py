"""What points at a member, with what a merge of two records does to the rows: a part of the
manifest. A test compares it with the foreign keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, SQLModel

# The session, the rows of the kept record, those of the other, and whose all are from now on.
Merging = Callable[[Session, Sequence[Any], Sequence[Any], Callable[[Any], None]], None]


@dataclass(frozen=True, slots=True)
class Pointer:
    """One column that names a member, with or without a foreign key. `merge` None: the rows stay as
    they are, or are brought in step elsewhere."""

    model: type[SQLModel]
    merge: Merging | None
    column: str = "member_id"

    @property
    def place(self) -> tuple[str, str]:
        return str(self.model.__tablename__), self.column


def follow(
    _: Session, _kept: Sequence[Any], others: Sequence[Any], take: Callable[[Any], None]
) -> None:
    """All rows go with the record."""
    for row in others:
        take(row)


def one_each(same: Callable[[Any, Any], bool], join: Callable[[Any, Any], None]) -> Merging:
    """Of two rows with the `same` fact the kept record's row stays and the other is deleted (an
    undo restores it); `join` copies values into the kept row. All other rows move to the kept
    record.
    """

    def merge(
        session: Session,
        kept: Sequence[Any],
        others: Sequence[Any],
        take: Callable[[Any], None],
    ) -> None:
        for row in others:
            twin = next((each for each in kept if same(each, row)), None)
            if twin is None:
                take(row)
            else:
                join(twin, row)
                session.delete(row)

    return merge
