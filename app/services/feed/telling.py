"""What a reader sees of changes: what the rows were by then, by the rights of now."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy.engine import Connection
from sqlmodel import col

from app.models.feed.events import EventOperation
from app.models.kernel.changes import Feed, Operation
from app.services.audit.walks import PLACES
from app.services.feed.going import NOTHING, Told, add_what_goes_with
from app.services.feed.showing import hidden_at, masked_of, masking, path_of, shown_of
from app.services.feed.states import RowThen, State, rows_then
from app.services.kernel.access import Actor
from app.services.kernel.manifest import manifest
from app.services.kernel.offers import NewsKind
from app.services.kernel.reach import Reach
from app.services.kernel.tracking import Tracked

_MOVES: Final = frozenset({Operation.left_scope, Operation.entered_scope})
_KEPT: Final = {
    Operation.created: EventOperation.created,
    Operation.updated: EventOperation.updated,
    Operation.left_scope: EventOperation.left,
    Operation.entered_scope: EventOperation.entered,
    # Of what is nobody's: it is there, without what it said of her.
    Operation.erased: EventOperation.updated,
}


@dataclass
class Teller:
    """Shows an actor changes in some units, as of the installation `source`."""

    db: Connection
    actor: Actor
    reaches: Sequence[Reach]
    source: str
    passed_over: int = 0
    _then: dict[UUID, RowThen] = field(default_factory=dict)

    def events(self, places: Sequence[Any]) -> list[dict[str, Any]]:
        """Events of places of the log, in their order; the others are counted as passed over."""
        moves = self._moves(places)
        self._then = self._rows_then(places)
        found: list[dict[str, Any]] = []
        told: list[Told] = []
        for place in places:
            other = moves.get(place.change_id, {}).get(place.operation)
            if other is not None and place.operation is Operation.left_scope:
                continue  # the reader sees the move where it came to
            event = self._event(place, other)
            if event is None:
                self.passed_over += 1
            else:
                found.append(event)
                told.append(Told(place, other, self._then[place.change_id], event["data"]))
        add_what_goes_with(self.db, self.actor, told)
        return found

    def _rows_then(self, places: Iterable[Any]) -> dict[UUID, RowThen]:
        changed: defaultdict[str, defaultdict[str, set[UUID]]] = defaultdict(
            lambda: defaultdict(set)
        )
        for place in places:
            changed[place.entity][place.entity_id].add(place.change_id)
        found: dict[UUID, RowThen] = {}
        for entity, of_rows in changed.items():
            found |= rows_then(self.db, manifest().news[entity], of_rows)
        return found

    def _moves(self, places: Iterable[Any]) -> Mapping[UUID, Mapping[Operation, Any]]:
        """Of moves of which the reader sees both ends: for each end the other one."""
        moved = {place.change_id for place in places if place.operation in _MOVES}
        if not moved:
            return {}
        ends: defaultdict[UUID, dict[Operation, Any]] = defaultdict(dict)
        for place in self.db.execute(PLACES.where(col(Feed.change_id).in_(moved))):
            if self._sees(place):
                ends[place.change_id][place.operation] = place
        return {
            change_id: {
                Operation.left_scope: both[Operation.entered_scope],
                Operation.entered_scope: both[Operation.left_scope],
            }
            for change_id, both in ends.items()
            if len(both) == len(_MOVES)
        }

    def _sees(self, place: Any) -> bool:
        _, tracked = manifest().by_entity[place.entity]
        in_units = any(reach.contains(place) for reach in self.reaches)
        return in_units and self.actor.covers(tracked.read_right, place)

    def _event(self, place: Any, other: Any) -> dict[str, Any] | None:
        """None: it is not for the reader. `other` is where a move came from."""
        kind = manifest().news[place.entity]
        _, tracked = manifest().by_entity[place.entity]
        then = self._then[place.change_id]
        if not self.actor.covers(tracked.read_right, place):
            return None
        said = self._said(kind, tracked, place, then)
        if said is None:
            return None
        operation = said.operation
        if operation is EventOperation.entered and other is not None:
            operation = EventOperation.moved
        return {
            "specversion": "1.0",
            "id": f"{place.seq}-{place.change_id}",
            "source": self.source,
            "type": f"{place.entity}.{operation}",
            "subject": place.entity_id,
            "time": then.change.at,
            "data": {
                "seq": place.seq,
                "operation": operation,
                "entity": place.entity,
                "entity_id": place.entity_id,
                "revision": then.change.revision,
                "effective_on": then.change.effective_on,
                "unit_path": path_of(place),
                "previous_unit_path": None if other is None else path_of(other),
                "state": said.state,
                "previous": said.previous,
                "merged_into": said.merged_into,
                "masked": said.masked,
                **NOTHING,
            },
        }

    def _said(self, kind: NewsKind, tracked: Tracked, place: Any, then: RowThen) -> "_Said | None":
        standing = then.standing
        if then.erased or (standing is not None and not standing.exists):
            return _Said(EventOperation.erased)
        if place.operation is Operation.left_scope:
            return _Said(EventOperation.left)
        is_deletion = place.operation is Operation.deleted
        if standing is not None and not self.actor.covers(tracked.read_right, standing.place):
            return _Said(EventOperation.deleted) if is_deletion else None
        if standing is not None and not standing.shared:
            return _Said(EventOperation.deleted if is_deletion else EventOperation.withheld)
        hidden = hidden_at(self.actor, tracked, [place, *masking(standing)])
        masked = masked_of(kind, hidden)
        if is_deletion:
            previous = shown_of(kind, then.before, hidden, place)
            kept_id = None if standing is None or not then.is_gone else standing.kept_id
            return _Said(EventOperation.deleted, None, previous, masked, kept_id)
        return _Said(
            _KEPT[place.operation], shown_of(kind, then.after, hidden, place), None, masked
        )


@dataclass(frozen=True, slots=True)
class _Said:
    """What an event says of a row: what it was by then, or what it had been before it was deleted."""

    operation: EventOperation
    state: State | None = None
    previous: State | None = None
    masked: Sequence[str] = ()
    merged_into: UUID | None = None
