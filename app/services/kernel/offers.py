"""What a capability offers to readers above it: parts of the manifest, or why there is none.

So an inbox, figures, phones and feeds read the manifest, and import nobody for what it offers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from app.services.kernel.access import Actor, Db
from app.services.kernel.keyset import Pages


@dataclass(frozen=True, slots=True)
class Without:
    """The capability offers nothing of the kind, because of this."""

    because: str


class WorkList(Protocol):
    """Lists what waits for the actor to act."""

    def __call__(self, db: Db, actor: Actor, /) -> Pages: ...


class FigureSource(Protocol):
    """Computes the figures of a unit on a day, by their names."""

    def __call__(self, db: Db, unit_id: int, day: date, /) -> Mapping[str, int]: ...


class SyncSource(Protocol):
    """Lists the rows that a phone keeps for the actor."""

    def __call__(self, db: Db, actor: Actor, /) -> Pages: ...


class EventSource(Protocol):
    """What a change of one of its rows tells a feed; None when it is no news."""

    def __call__(self, change: Mapping[str, Any], /) -> Mapping[str, Any] | None: ...
