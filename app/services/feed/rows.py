"""Rows as they are now, shaped as in events: what a follower begins with."""

from typing import Any

from sqlalchemy.engine import Connection

from app.db import one_moment
from app.errors import FieldError, Problem
from app.models.feed.events import FeedRowsQuery
from app.services.feed.feed import by_units, ensure_readable, reaches_of, scope_of
from app.services.feed.showing import hidden_at, masked_of, masking, path_of, shown_of
from app.services.feed.states import RowStanding, State, id_of, rows_within
from app.services.kernel.access import Actor
from app.services.kernel.following import newest
from app.services.kernel.manifest import manifest


def page(db: Connection, actor: Actor, query: FeedRowsQuery) -> dict[str, Any]:
    """A `FeedRows`: the rows in the actor's units, with what the rights of now hide."""
    entity = query.kind
    ensure_readable(db, actor, [entity])
    after = _after(entity, query.after)
    with one_moment(db):
        position = newest(db)
        [*units] = by_units([entity], reaches_of(db, actor, query.unit))
        reaches = units[0] if units else ()
        rows = rows_within(db, entity, reaches, after, query.limit)
    items = [_item(actor, entity, row_id, *row) for row_id, row in rows.items()]
    return {
        "items": items,
        "next": items[-1]["entity_id"] if len(items) == query.limit else None,
        **position.members(),
        "scope": scope_of(actor),
    }


def _after(entity: str, text: str | None) -> Any:
    if text is None:
        return None
    try:
        found = id_of(entity, text)
    except ValueError:
        found = -1
    if isinstance(found, int) and not 0 <= found < 2**31:
        error = FieldError("query", "/after", "wrong_format")
        raise Problem("validation_failed", errors=[error], count=1)
    return found


def _item(
    actor: Actor, entity: str, row_id: str, standing: RowStanding, state: State
) -> dict[str, Any]:
    kind, tracked = manifest().news[entity], manifest().by_entity[entity][1]
    hidden = hidden_at(actor, tracked, masking(standing))
    return {
        "entity": entity,
        "entity_id": row_id,
        "revision": state["revision"],
        "unit_path": path_of(standing.place),
        "state": shown_of(kind, state, hidden, standing.place),
        "masked": masked_of(kind, hidden),
    }
