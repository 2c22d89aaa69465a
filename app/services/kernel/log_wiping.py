"""Wipe the contents about a person from the change log; the fact that something changed stays."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.kernel.changes import Change

Side = dict[str, Any] | None


def wipe_values(
    session: Session, entity: str, entity_ids: Sequence[str], fields: frozenset[str]
) -> int:
    """Leave out what these fields held, before and after; returns of how many changes."""
    return rewrite(session, entity, entity_ids, lambda side: _without(side, fields))


def rewrite(
    session: Session, entity: str, entity_ids: Sequence[str], kept: Callable[[Side], Side]
) -> int:
    """Keep of each side of these changes what `kept` gives back; returns how many have changed."""
    count = 0
    rows = session.execute(
        sa.select(col(Change.id), col(Change.before), col(Change.after)).where(
            col(Change.entity) == entity, col(Change.entity_id).in_(entity_ids)
        )
    ).all()
    for row in rows:
        before, after = (kept(side) for side in (row.before, row.after))
        if (before, after) != (row.before, row.after):
            session.execute(
                sa.update(Change)
                .where(col(Change.id) == row.id)
                .values(before=before, after=after),
                execution_options={"synchronize_session": False},
            )
            count += 1
    return count


def _without(values: Side, fields: frozenset[str]) -> Side:
    return values and {name: None if name in fields else values[name] for name in values}


def wipe_devices(session: Session, session_ids: Sequence[UUID]) -> int:
    """Leave out the names of the devices of these sign-ins. The whole log is read: no index is kept
    for it."""
    if not session_ids:
        return 0
    result = session.connection().execute(
        sa.update(Change)
        .where(col(Change.session_id).in_(session_ids), col(Change.device).is_not(None))
        .values(device=None)
    )
    return result.rowcount
