"""What a capability offers to readers above it: parts of the manifest, or why there is none.

So an inbox, figures, phones and feeds read the manifest, and import nobody for what it offers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from app.db import AnySelect
from app.models.kernel.access import Right
from app.services.kernel.access import Actor, Db
from app.services.kernel.keyset import Pages


@dataclass(frozen=True, slots=True)
class Without:
    """The capability offers nothing of the kind, because of this."""

    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One kind of thing that waits for people to act (`GET /v1/me/work`).

    `waiting` selects what waits for the actor: its `id` (unique in the list), `since` (the day or
    instant from which it waits, or the day it is due) and `unit_id`, the unit it is about. It is
    asked of those only who hold the `right` somewhere; without one, of everybody. `link` is where
    one of them is read, with its id for `{id}`.
    """

    kind: str
    right: Right | None
    waiting: Callable[[Db, Actor], AnySelect]
    link: str


class FigureSource(Protocol):
    """Computes the figures of a unit on a day, by their names."""

    def __call__(self, db: Db, unit_id: int, day: date, /) -> Mapping[str, int]: ...


class SyncSource(Protocol):
    """Lists the rows that a phone keeps for the actor."""

    def __call__(self, db: Db, actor: Actor, /) -> Pages: ...


class EventSource(Protocol):
    """What a change of one of its rows tells a feed; None when it is no news."""

    def __call__(self, change: Mapping[str, Any], /) -> Mapping[str, Any] | None: ...
