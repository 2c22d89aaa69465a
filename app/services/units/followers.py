"""What others do when a unit goes to another parent, or closes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import chunks
from app.models.kernel.units import Unit
from app.services.kernel.access import Db
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


@dataclass(frozen=True, slots=True)
class Concerned:
    """Units that are about to go elsewhere with what is above them, and units that close."""

    moved: Sequence[int]
    closed: Sequence[int]


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
    # Units have new parents, and every follower has applied the move; or another area type.
    moved: Callable[[Session, Sequence[int]], None] | None = None
    # The last day of what is recorded in the unit: it does not close before that.
    last_day: Callable[[Db, int], date | None] | None = None
    # The unit is closed from this day on.
    ended: Callable[[Session, int, date], None] | None = None


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


def apply(session: Session, unit_ids: Sequence[int], columns: Columns) -> None:
    for each in manifest().followers(OfUnits):
        kept = {name: columns[name] for name in each.columns if name in columns}
        if each.apply is not None and kept:
            each.apply(session, unit_ids, kept)


def moved(session: Session, unit_ids: Sequence[int]) -> None:
    for each in manifest().followers(OfUnits):
        if each.moved is not None and unit_ids:
            each.moved(session, unit_ids)


def last_day(db: Db, unit_id: int) -> date | None:
    found = [
        each.last_day(db, unit_id)
        for each in manifest().followers(OfUnits)
        if each.last_day is not None
    ]
    return max((day for day in found if day is not None), default=None)


def ended(session: Session, unit_id: int, on: date) -> None:
    for each in manifest().followers(OfUnits):
        if each.ended is not None:
            each.ended(session, unit_id, on)
