"""Values that a record took from its branch: a unit that goes elsewhere is one change of the log, and what
stands in it has none (docs/decisions/0036)."""

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.kernel.access import Right
from app.models.kernel.changes import Change, Feed, FieldValue, Operation
from app.models.kernel.units import UnitClosure
from app.services.audit.walks import standing_in
from app.services.kernel.access import Actor, Db
from app.services.kernel.tracking import PATH, Tracked

_PLACES: AnySelect = sa.select(
    *(
        getattr(Feed, name)
        for name in ("seq", "operation", "entity", "entity_id", "unit_id", *PATH)
    ),
    *(getattr(Change, name) for name in ("at", "account_id", "revision")),
).join(Change, col(Change.id) == col(Feed.change_id))
_ENDS = frozenset({Operation.left_scope, Operation.deleted})


class Carried(NamedTuple):
    """A value that a field of a record has had since a unit above it moved; `move` is a row of the feed,
    and `revision` that of the record."""

    field: str
    value: int | None
    move: Any
    revision: int


def by_field(found: Iterable[Carried]) -> dict[str, list[FieldValue]]:
    fields: dict[str, list[FieldValue]] = {}
    for field, value, move, _ in found:
        told = FieldValue(seq=move.seq, at=move.at, account_id=move.account_id, value=value)
        fields.setdefault(field, []).append(told)
    return fields


def values(db: Db, actor: Actor, tracked: Tracked, entity_id: str) -> Iterator[Carried]:
    """Oldest first, by the moves of units that the actor reads where she reads changes of such records."""
    if not tracked.above_branch:
        return
    own = _PLACES.where(col(Feed.entity) == tracked.entity, col(Feed.entity_id) == entity_id)
    of_record = db.execute(own).all()
    moves = _moves(db, actor, tracked, {row.branch_id for row in of_record})
    place: dict[str, int | None] = {}
    revision = 0
    for row in sorted((*of_record, *moves), key=attrgetter("seq")):
        if row.entity == tracked.entity:
            gone = row.operation in _ENDS
            place = (
                {}
                if gone
                else {name: getattr(row, name) for name in ("branch_id", *_above(tracked))}
            )
            revision = row.revision
        elif int(row.entity_id) in place.values():
            for name in _above(tracked):
                value = getattr(row, name)
                if value != place[name]:
                    place[name] = value
                    yield Carried(name, value, row, revision)


def _above(tracked: Tracked) -> Sequence[str]:
    return sorted(tracked.above_branch)


def _moves(db: Db, actor: Actor, tracked: Tracked, branch_ids: set[int | None]) -> Sequence[Any]:
    """Moves of these branches, and of units that they have ever stood in: where each came to."""
    above = sa.select(col(UnitClosure.ancestor_id)).where(
        col(UnitClosure.descendant_id).in_(branch_ids - {None})
    )
    ids = [str(unit_id) for unit_id in db.execute(above.distinct()).scalars()]
    of_units = sa.and_(col(Feed.entity) == "unit", col(Feed.entity_id).in_(ids))
    read = sa.select(col(Feed.change_id)).where(
        of_units,
        standing_in(actor.reach(Right.changes_read)),
        standing_in(actor.reach(tracked.read_right)),
    )
    came = col(Feed.operation) == Operation.entered_scope
    return db.execute(_PLACES.where(of_units, came, col(Feed.change_id).in_(read))).all()
