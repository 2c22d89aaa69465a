"""What others do when a unit goes to another parent, or closes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session

from app.models.kernel.units import Unit
from app.services.kernel.manifest import manifest

Columns = Mapping[str, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfUnits:
    """Called in the transaction itself; what a follower does not need stays None."""

    # Refuses that the unit goes to this parent.
    may_move: Callable[[Session, Unit, Unit], None] | None = None
    # These units stand elsewhere: what is kept of the `columns` of their path is now this.
    carried: Callable[[Session, Sequence[int], Columns], None] | None = None
    columns: tuple[str, ...] = ("province_id", "commune_id")
    # The unit has its new parent, and all below it has been carried.
    moved: Callable[[Session, int], None] | None = None
    # The unit is closed from this day on.
    closed: Callable[[Session, int, date], None] | None = None


def may_move(session: Session, unit: Unit, parent: Unit) -> None:
    for each in manifest().followers(OfUnits):
        if each.may_move is not None:
            each.may_move(session, unit, parent)


def carry(session: Session, unit_ids: Sequence[int], columns: Columns) -> None:
    for each in manifest().followers(OfUnits):
        kept = {name: columns[name] for name in each.columns if name in columns}
        if each.carried is not None and kept:
            each.carried(session, unit_ids, kept)


def moved(session: Session, unit_id: int) -> None:
    for each in manifest().followers(OfUnits):
        if each.moved is not None:
            each.moved(session, unit_id)


def closed(session: Session, unit_id: int, on: date) -> None:
    for each in manifest().followers(OfUnits):
        if each.closed is not None:
            each.closed(session, unit_id, on)
