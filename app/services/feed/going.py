"""What goes with the rows of events and has no event itself: rows that hang on a member or household, and what
stands in a unit that moves."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.engine import Connection

from app.models.feed.events import EventOperation
from app.models.kernel.units import UnitLevel
from app.services.feed.dependants import DependantThen, Hanging, dependants_then, hanging_on
from app.services.feed.showing import hidden_at, masked_of, masking, path_of, shown_of
from app.services.feed.states import RowThen
from app.services.kernel.access import Actor
from app.services.kernel.manifest import manifest
from app.services.kernel.offers import NewsKind

_GONE: Final = frozenset({EventOperation.withheld, EventOperation.erased, EventOperation.deleted})
_MOVED: Final = frozenset({EventOperation.moved, EventOperation.entered, EventOperation.left})
# What rows say of the units above theirs, by the level of a unit that moves.
_ABOVE: Final = {
    UnitLevel.branch: ("branch_id", ("commune_id", "province_id")),
    UnitLevel.commune: ("commune_id", ("province_id",)),
}
NOTHING: Final[Mapping[str, Any]] = {
    "drops": [],
    "brings": [],
    "sets": None,
    "export_again": False,
}


@dataclass(frozen=True, slots=True)
class Told:
    """An event that a reader gets: the place of the log, for a move the one that it came from, and
    its data."""

    place: Any
    other: Any
    then: RowThen
    data: dict[str, Any]

    @property
    def operation(self) -> EventOperation:
        operation: EventOperation = self.data["operation"]
        return operation


def add_what_goes_with(db: Connection, actor: Actor, told: Sequence[Told]) -> None:
    """Set in the data of these events what the reader drops, keeps or sets with their rows."""
    of_entities: defaultdict[str, list[Told]] = defaultdict(list)
    for each in told:
        of_entities[each.place.entity].append(each)
    for each in of_entities.pop("unit", ()):
        each.data.update(_of_unit(actor, each))
    for entity, of_entity in of_entities.items():
        for hanging in hanging_on(entity):
            _add_hanging(db, actor, hanging, of_entity)


def _add_hanging(db: Connection, actor: Actor, hanging: Hanging, told: Sequence[Told]) -> None:
    arrived = []
    for each in told:
        drops, brings = _with(actor, each, hanging)
        if drops:
            dropped = {"entity": hanging.kind.entity, "field": hanging.field}
            each.data["drops"] = [*each.data["drops"], dropped]
        if brings:
            arrived.append(each)
    if not arrived:
        return
    rows_of = dependants_then(db, hanging, [each.place for each in arrived])
    for each in arrived:
        brought = _shown(actor, hanging, each.place, rows_of[each.place.seq])
        each.data["brings"] = [*each.data["brings"], *brought]


def _with(actor: Actor, told: Told, hanging: Hanging) -> tuple[bool, bool]:
    """Whether rows of a kind are dropped with the row of an event, and whether they come with it."""
    if told.operation in _GONE:
        return True, False
    if _is_lifted(told.then):
        return False, True
    if not hanging.stands_with:
        return False, False
    if told.operation is EventOperation.moved:
        differs = _differs(actor, hanging.kind, told)
        return differs, differs
    return told.operation is EventOperation.left, told.operation is EventOperation.entered


def _is_lifted(then: RowThen) -> bool:
    """The record may be copied again from this change on."""
    if then.before is None or then.after is None:
        return False
    return bool(then.before.get("restricted")) and not then.after.get("restricted")


def _differs(actor: Actor, kind: NewsKind, told: Told) -> bool:
    """Whether the reader is shown other things of a kind where a move came to than where it came from."""
    tracked = manifest().by_entity[kind.entity][1]
    asked: tuple[Callable[[Any], Any], ...] = (
        lambda place: actor.covers(tracked.read_right, place),
        lambda place: hidden_at(actor, tracked, [place]),
    )
    return any(ask(told.place) != ask(told.other) for ask in asked)


def _shown(
    actor: Actor, hanging: Hanging, place: Any, rows: Sequence[DependantThen]
) -> Iterator[dict[str, Any]]:
    kind = hanging.kind
    tracked = manifest().by_entity[kind.entity][1]
    for row in rows:
        standing = row.standing
        stood = place if hanging.stands_with else standing.place
        readable = all(actor.covers(tracked.read_right, at) for at in (stood, standing.place))
        if readable and standing.shared and standing.exists:
            hidden = hidden_at(actor, tracked, [stood, *masking(standing)])
            yield {
                "entity": kind.entity,
                "entity_id": row.entity_id,
                "revision": row.revision,
                "unit_path": path_of(stood),
                "state": shown_of(kind, row.state, hidden, stood),
                "masked": masked_of(kind, hidden),
            }


def _of_unit(actor: Actor, told: Told) -> dict[str, Any]:
    """Nothing that stands in a unit has an event when the unit moves."""
    if told.operation not in _MOVED:
        return {}
    kinds = manifest().news.values()
    if told.other is None or any(_differs(actor, kind, told) for kind in kinds):
        return {"export_again": True}
    state = told.then.after or {}
    if state.get("level") not in _ABOVE:
        # What is below a district names its communes, and these their province.
        return {"export_again": told.place.province_id != told.other.province_id}
    field, above = _ABOVE[UnitLevel(state["level"])]
    units = {name: getattr(told.place, name) for name in above}
    return {"sets": {"field": field, "value": int(told.place.entity_id), "units": units}}
