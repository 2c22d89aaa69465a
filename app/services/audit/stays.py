"""Where a record has stood by the change log, from day to day: by its own moves, and by those of the units
above it, which the record has no changes of (docs/decisions/0036)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_day
from app.db import AnySelect
from app.models.kernel.changes import Change, Feed, Operation
from app.services.kernel.access import Db
from app.services.kernel.tracking import PATH

PLACES: AnySelect = sa.select(
    *(
        getattr(Feed, name)
        for name in ("seq", "operation", "entity", "entity_id", "unit_id", *PATH)
    ),
    *(getattr(Change, name) for name in ("at", "account_id", "revision")),
).join(Change, col(Change.id) == col(Feed.change_id))
_MOVES = frozenset({Operation.left_scope, Operation.entered_scope})
_ENDS = frozenset({Operation.left_scope, Operation.deleted})


class LoggedPlace(NamedTuple):
    """The units of a record at a time. Of most records the log has no district: it is known where a
    commune has changed it."""

    province_id: int | None
    district_id: int | None
    commune_id: int | None
    branch_id: int | None


class LoggedStay(NamedTuple):
    """First and last day at a place; on the last day the record went elsewhere. None: it has not."""

    place: LoggedPlace
    first: date
    last: date | None


def stays_of(db: Db, entity: str, entity_id: str) -> list[LoggedStay]:
    """Oldest first. What is not yet in the order of the log is not among them."""
    own = PLACES.where(col(Feed.entity) == entity, col(Feed.entity_id) == entity_id)
    of_record = db.execute(own).all()
    moves = moves_of_units(db, units_of(of_record))
    return [*_stays(entity, sorted((*of_record, *moves), key=attrgetter("seq")))]


def _stays(entity: str, rows: Iterable[Any]) -> Iterator[LoggedStay]:
    place: LoggedPlace | None = None
    first, last = date.min, date.min
    for row in rows:
        last = local_day(row.at)
        if row.entity == entity:
            if row.operation in _ENDS:
                if place is not None:
                    yield LoggedStay(place, first, last)
                place = None
            elif place is None:
                # A record without a beginning in the log has always stood there.
                begun = row.operation in {Operation.created, Operation.entered_scope}
                place, first = _place(row), last if begun else date.min
        elif place is not None and int(row.entity_id) in place:
            place = _carried(place, row)
            if row.operation is Operation.left_scope:
                yield LoggedStay(place, first, last)
                first = last
    if place is not None:
        yield LoggedStay(place, first, None)


def _place(row: Any) -> LoggedPlace:
    return LoggedPlace(*(getattr(row, name) for name in PATH))


def _carried(place: LoggedPlace, move: Any) -> LoggedPlace:
    """What stands in a unit has above it what the unit has."""
    level = place.index(int(move.entity_id))
    return LoggedPlace(*_place(move)[:level], *place[level:])


def units_of(rows: Iterable[Any]) -> set[int]:
    """The units that are in the places of these rows of the feed."""
    return {unit_id for row in rows for unit_id in _place(row) if unit_id is not None}


def moves_of_units(
    db: Db, unit_ids: Iterable[int], *conditions: sa.ColumnElement[bool]
) -> Sequence[Any]:
    """Rows of the feed, in its order: two for each move of these units, and of those they have stood in."""
    found: dict[int, Any] = {}
    asked: set[str] = set()
    ids = {str(unit_id) for unit_id in unit_ids}
    while ids:
        asked |= ids
        moves = PLACES.where(
            col(Feed.entity) == "unit",
            col(Feed.entity_id).in_(ids),
            col(Feed.operation).in_(_MOVES),
            *conditions,
        )
        rows = db.execute(moves).all()
        found |= {row.seq: row for row in rows}
        ids = {str(unit_id) for unit_id in units_of(rows)} - asked
    return [found[seq] for seq in sorted(found)]
