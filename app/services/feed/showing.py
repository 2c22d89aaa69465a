"""What an actor is shown of a row as it was: by the rights over where it stood then and where it stands today."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from app.services.feed.states import RowStanding, State, fields_of
from app.services.kernel.access import Actor
from app.services.kernel.offers import NewsKind
from app.services.kernel.reach import Placed
from app.services.kernel.tracking import PATH, Tracked


def hidden_at(actor: Actor, tracked: Tracked, places: Iterable[Placed]) -> set[str]:
    """The columns that are hidden at one of these places."""
    return {name for place in places for name in actor.hidden(tracked.masks, place)}


def masking(standing: RowStanding | None) -> Iterator[Placed]:
    """Beside where a row stood by then: where it stands today, and whose rights mask it, too."""
    if standing is not None:
        yield standing.place
        if standing.masked_at is not None:
            yield standing.masked_at


def masked_of(kind: NewsKind, hidden: set[str]) -> Sequence[str]:
    """The fields that are not there, for the columns that are hidden."""
    return [name for name, column in fields_of(kind.entity).items() if column in hidden]


def shown_of(kind: NewsKind, state: State | None, hidden: set[str], place: Any) -> State | None:
    """The fields of a state that are not hidden; where it stood is that of the place."""
    if state is None:
        return None
    shown = {
        name: state[column]
        for name, column in fields_of(kind.entity).items()
        if column in state and column not in hidden
    }
    if kind.path:
        shown |= {name: getattr(place, name) for name in PATH if name in shown}
    return shown


def path_of(place: Any) -> list[int]:
    """The units in which something stood by then, the highest first."""
    levels = (*(getattr(place, name) for name in PATH), getattr(place, "unit_id", None))
    return list(dict.fromkeys(unit for unit in levels if unit is not None))
