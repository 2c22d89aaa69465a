"""Values that a record took from its branch: a unit that goes elsewhere is one change of the log, and what
stands in it has none (docs/decisions/0036)."""

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import col

from app.models.kernel.access import Right
from app.models.kernel.changes import Feed, FieldValue, Operation
from app.services.audit.stays import PLACES, moves_of_units, units_of
from app.services.audit.walks import standing_in
from app.services.kernel.access import Actor, Db
from app.services.kernel.tracking import Tracked

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
    own = PLACES.where(col(Feed.entity) == tracked.entity, col(Feed.entity_id) == entity_id)
    of_record = db.execute(own).all()
    moves = _moves(db, actor, tracked, units_of(of_record))
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


def _moves(db: Db, actor: Actor, tracked: Tracked, unit_ids: set[int]) -> Sequence[Any]:
    """Moves of these units, and of those that they have ever stood in: where each came to."""
    of_units = col(Feed.entity) == "unit"
    read = sa.select(col(Feed.change_id)).where(
        of_units,
        standing_in(actor.reach(Right.changes_read)),
        standing_in(actor.reach(tracked.read_right)),
    )
    moves = moves_of_units(db, unit_ids, col(Feed.change_id).in_(read))
    return [row for row in moves if row.operation is Operation.entered_scope]
