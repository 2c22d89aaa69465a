"""The rows that name two members, and what becomes of them when their records are merged."""

from collections.abc import Sequence
from functools import partial
from typing import Any, cast
from uuid import UUID

from sqlmodel import Session, col, select

from app.services.kernel.manifest import manifest
from app.services.kernel.pointers import Pointer


def rows_of(session: Session, pointer: Pointer, member_ids: Sequence[UUID]) -> list[Any]:
    """The rows that name one of these members, locked, by their id."""
    model = cast(Any, pointer.model)
    named = col(getattr(model, pointer.column))
    statement = select(model).where(named.in_(member_ids)).order_by(col(model.id))
    return list(session.exec(statement.with_for_update()).all())


def _point(named: str, member_id: UUID, row: Any) -> None:
    setattr(row, named, member_id)


def merge_rows(session: Session, kept_id: UUID, gone_id: UUID) -> None:
    """Let everything that names the record that goes name the kept one."""
    for pointer in manifest().pointers:
        if pointer.merge is None:
            continue
        rows = rows_of(session, pointer, [kept_id, gone_id])
        named = pointer.column
        kept = [row for row in rows if getattr(row, named) == kept_id]
        others = [row for row in rows if getattr(row, named) == gone_id]
        pointer.merge(session, kept, others, partial(_point, named, kept_id))
        # A row that is gone may hold a place that one coming needs: deletions come last in a flush.
        session.flush()
