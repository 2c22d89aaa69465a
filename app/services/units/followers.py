"""What others do when a unit goes to another parent, closes, or goes on in another one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import chunks
from app.errors import Problem
from app.models.kernel.units import Unit
from app.services.kernel.access import Db
from app.services.kernel.manifest import manifest

Columns = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Moving:
    """The unit is about to go to this parent; None: to one that the same change opens. The people of
    `joining`, which close, are to be there too."""

    unit: Unit
    parent_id: int | None
    joining: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Closing:
    """The unit is about to close after its last day; `goes_on`: in another, which takes all that
    stands in it."""

    unit: Unit
    last_day: date
    goes_on: bool = False


Draft = Moving | Closing


@dataclass(frozen=True, slots=True)
class Concerned:
    """Units that are about to go elsewhere with what is above them, units that close, and those of
    them whose people go on in another."""

    moved: Sequence[int]
    closed: Sequence[int]
    handed: Sequence[int] = ()

    @property
    def going(self) -> list[int]:
        """The units whose people stand elsewhere afterwards."""
        return [*self.moved, *self.handed]


@dataclass(frozen=True, slots=True)
class Handover:
    """Units that close, and the one that goes on with all that stands in them from this day."""

    from_ids: Sequence[int]
    to_id: int
    since: date


@dataclass(frozen=True, slots=True, kw_only=True)
class OfUnits:
    """Called in the transaction that changes the tree; unneeded functions stay None.

    To take a change back the paths are applied again, and what `ended` has ended is restored from
    the change log (services/reorganisations/reverting.py).
    """

    # Raises the problem that prevents a draft; writes nothing.
    preview: Callable[[Db, Draft], None] | None = None
    # What a draft takes with it or ends, by kind; writes nothing.
    counts: Callable[[Db, Concerned], Mapping[str, int]] | None = None
    # Units have moved: writes the new values of the `columns` of their path.
    apply: Callable[[Session, Sequence[int], Columns], None] | None = None
    columns: tuple[str, ...] = ("province_id", "commune_id")
    # The same for facts that keep the path of their day: those of the day of the move and after it.
    stood: Callable[[Session, Sequence[int], Columns, date], None] | None = None
    # Units have new parents, and every follower has applied the move; or another area type.
    moved: Callable[[Session, Sequence[int]], None] | None = None
    # The last day of what is recorded in the unit and does not go on in another: it does not close
    # before that.
    last_day: Callable[[Db, Closing], date | None] | None = None
    # The unit is closed from this day on.
    ended: Callable[[Session, int, date], None] | None = None
    # What stands in the units stands in the other from the day on; returns what `handed_back` needs
    # to know, as JSON. All of them have the path of afterwards already.
    handed_over: Callable[[Session, Handover], Any] | None = None
    # It stands in them again, as if it had never gone; 409 when it has changed since.
    handed_back: Callable[[Session, Handover, Any], None] | None = None


def preview(db: Db, draft: Draft) -> None:
    for each in manifest().followers(OfUnits):
        if each.preview is not None:
            each.preview(db, draft)


def count_of(db: Db, column: Any, ids: Sequence[int], *which: sa.ColumnElement[bool]) -> int:
    """How many rows of a table name one of these units in the column."""
    return sum(
        db.execute(sa.select(sa.func.count()).where(col(column).in_(chunk), *which)).scalar_one()
        for chunk in chunks(ids)
    )


def counts(db: Db, concerned: Concerned) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in manifest().followers(OfUnits):
        if each.counts is not None:
            found |= each.counts(db, concerned)
    return found


def apply(session: Session, unit_ids: Sequence[int], columns: Columns, since: date) -> None:
    for each in manifest().followers(OfUnits):
        kept = {name: columns[name] for name in each.columns if name in columns}
        if each.apply is not None and kept:
            each.apply(session, unit_ids, kept)
        if each.stood is not None and kept:
            each.stood(session, unit_ids, kept, since)


def moved(session: Session, unit_ids: Sequence[int]) -> None:
    for each in manifest().followers(OfUnits):
        if each.moved is not None and unit_ids:
            each.moved(session, unit_ids)


def last_day(db: Db, closing: Closing) -> date | None:
    found = [
        each.last_day(db, closing)
        for each in manifest().followers(OfUnits)
        if each.last_day is not None
    ]
    return max((day for day in found if day is not None), default=None)


def ended(session: Session, unit_id: int, on: date) -> None:
    for each in manifest().followers(OfUnits):
        if each.ended is not None:
            each.ended(session, unit_id, on)


def changed_since(kind: str) -> Problem:
    """A row of this kind, which a change took along or ended, is another now: there is no way back."""
    return Problem("ended_row_changed", extra={"kind": kind})


def handed_over(session: Session, handover: Handover) -> dict[str, Any]:
    """By capability what it needs to hand it back."""
    return {
        name: each.handed_over(session, handover)
        for name, each in _by_capability()
        if each.handed_over is not None
    }


def handed_back(session: Session, handover: Handover, kept: Mapping[str, Any]) -> None:
    for name, each in _by_capability():
        if each.handed_back is not None:
            each.handed_back(session, handover, kept[name])


def _by_capability() -> Iterator[tuple[str, OfUnits]]:
    for capability in manifest().capabilities:
        for each in capability.follows:
            if isinstance(each, OfUnits):
                yield capability.name, each
