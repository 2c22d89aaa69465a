"""Rows that are shown as another row is: what a follower keeps or drops with a member or household.

They have no event of their own when that one comes into reach, leaves it, or may not be copied any more.
So its event has them: those to be dropped by their kind, those to be kept as they were by then.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.db import AnySelect, chunks, vault_of
from app.models.base import table_of
from app.models.kernel.changes import Change, Feed
from app.services.feed.states import RowStanding, State, before_change, rows_now
from app.services.kernel.manifest import manifest
from app.services.kernel.offers import NewsKind

_LATER: Final[AnySelect] = sa.select(
    *(getattr(Change, name) for name in ("id", "entity_id", "operation", "revision", "before")),
    col(Feed.seq),
).join(Feed, col(Feed.change_id) == col(Change.id))


@dataclass(frozen=True, slots=True)
class Hanging:
    """A kind of rows that hang on a row by this field; `stands_with`: they stand where that one does."""

    kind: NewsKind
    field: str
    stands_with: bool


@dataclass(frozen=True, slots=True)
class DependantThen:
    """A dependant as it was at a place of the log, and where it stands today."""

    kind: NewsKind
    entity_id: str
    revision: int
    standing: RowStanding
    state: State


def hanging_on(entity: str) -> Iterator[Hanging]:
    """The kinds of rows that hang on rows of this one."""
    for kind in manifest().news.values():
        for field, owner in kind.hangs_on.items():
            if owner == entity:
                yield Hanging(kind, field, stands_with=kind.stands_with == field)


def dependants_then(
    db: Connection, hanging: Hanging, places: Sequence[Any]
) -> Mapping[int, Sequence[DependantThen]]:
    """Rows of a kind that hung on the rows of these places of the log at each of them, by its `seq`."""
    owners = sorted({UUID(place.entity_id) for place in places})
    entity = hanging.kind.entity
    model = manifest().by_entity[entity][0]
    field = getattr(model, hanging.field)
    owned: defaultdict[str, list[str]] = defaultdict(list)
    for chunk in chunks(owners):
        statement = sa.select(table_of(model).c.id, field).where(field.in_(chunk))
        for row_id, owner in db.execute(statement.order_by(table_of(model).c.id)):
            owned[str(owner)].append(str(row_id))
    ids = [each for rows in owned.values() for each in rows]
    rows = rows_now(db, entity, ids)
    changes = _later(db, entity, ids, min(place.seq for place in places))
    found: dict[int, list[DependantThen]] = {}
    for place in places:
        then = (
            _then(db, hanging, row_id, rows[row_id], changes.get(row_id, ()), place)
            for row_id in owned[place.entity_id]
        )
        found[place.seq] = [each for each in then if each is not None]
    return found


def _later(
    db: Connection, entity: str, ids: Iterable[str], after: int
) -> Mapping[str, Sequence[Any]]:
    """Changes of these rows after a place of the log, the newest first."""
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for chunk in chunks(sorted(ids)):
        statement = _LATER.where(
            col(Feed.entity) == entity, col(Feed.entity_id).in_(chunk), col(Feed.seq) > after
        )
        for change in db.execute(statement.order_by(col(Feed.seq))):
            of_row = found[change.entity_id]
            # A move has two places.
            if not of_row or of_row[-1].id != change.id:
                of_row.append(change)
    return {each: rows[::-1] for each, rows in found.items()}


def _then(
    db: Connection,
    hanging: Hanging,
    row_id: str,
    row: tuple[RowStanding, State],
    changes: Sequence[Any],
    place: Any,
) -> DependantThen | None:
    standing, now = row
    state: State | None = now
    revision: int = now["revision"]
    tracked = manifest().by_entity[hanging.kind.entity][1]
    for change in changes:
        if change.seq <= place.seq:
            break
        state = before_change(vault_of(db), tracked, change, state)
        revision = change.revision - 1
    if state is None or str(state[hanging.field]) != place.entity_id:
        return None  # it came later, or hung on another row by then
    return DependantThen(hanging.kind, row_id, revision, standing, state)
