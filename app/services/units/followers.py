"""What others do when a unit goes to another parent, or closes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session

from app.models.kernel.units import Unit
from app.services.kernel.manifest import manifest

Columns = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Moving:
    """The unit is about to go to this parent; None: to one that the same change opens."""

    unit: Unit
    parent_id: int | None


@dataclass(frozen=True, slots=True)
class Closing:
    """The unit is about to close after its last day."""

    unit: Unit
    last_day: date


Draft = Moving | Closing


@dataclass(frozen=True, slots=True, kw_only=True)
class OfUnits:
    """Called in the transaction that changes the tree; unneeded functions stay None.

    Nothing is reverted: a move is corrected by another move, and what a closing ended stays ended.
    """

    # Raises the problem that prevents a draft; writes nothing.
    preview: Callable[[Session, Draft], None] | None = None
    # Units have moved: writes the new values of the `columns` of their path.
    apply: Callable[[Session, Sequence[int], Columns], None] | None = None
    columns: tuple[str, ...] = ("province_id", "commune_id")
    # Units have new parents, and every follower has applied the move; or another area type.
    moved: Callable[[Session, Sequence[int]], None] | None = None
    # The last day of what is recorded in the unit: it does not close before that.
    last_day: Callable[[Session, int], date | None] | None = None
    # The unit is closed from this day on.
    ended: Callable[[Session, int, date], None] | None = None


def preview(session: Session, draft: Draft) -> None:
    for each in manifest().followers(OfUnits):
        if each.preview is not None:
            each.preview(session, draft)


def apply(session: Session, unit_ids: Sequence[int], columns: Columns) -> None:
    for each in manifest().followers(OfUnits):
        kept = {name: columns[name] for name in each.columns if name in columns}
        if each.apply is not None and kept:
            each.apply(session, unit_ids, kept)


def moved(session: Session, unit_ids: Sequence[int]) -> None:
    for each in manifest().followers(OfUnits):
        if each.moved is not None and unit_ids:
            each.moved(session, unit_ids)


def last_day(session: Session, unit_id: int) -> date | None:
    found = [
        each.last_day(session, unit_id)
        for each in manifest().followers(OfUnits)
        if each.last_day is not None
    ]
    return max((day for day in found if day is not None), default=None)


def ended(session: Session, unit_id: int, on: date) -> None:
    for each in manifest().followers(OfUnits):
        if each.ended is not None:
            each.ended(session, unit_id, on)
