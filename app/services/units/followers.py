"""What others do when a unit goes to another parent, closes, or goes on in another one."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import chunks
from app.errors import Problem
from app.services.kernel.access import Db
from app.services.kernel.manifest import manifest
from app.services.units.handing import BranchPart, Handing, Ref

Columns = Mapping[str, int | None]
# Rows of a unit and days of it.
Days = Iterable[Any]


@dataclass(frozen=True, slots=True)
class TreeDraft:
    """What a change of the tree is about to do: units that get another parent (by its key, one that the
    same change opens), units that close after this last day with those that go on with what is to come of
    them, and what branches hand over."""

    last_day: date
    parents: Mapping[int, Ref]
    closed: Sequence[int]
    handed: Sequence[Handing]
    heirs: Mapping[int, Sequence[Ref]]

    @property
    def emptied(self) -> list[int]:
        """The units that close without another that takes what stands in them."""
        handed = {each.unit for each in self.handed}
        return [unit_id for unit_id in self.closed if unit_id not in handed]


Refusals = Iterable[tuple[int, Problem]]


@dataclass(frozen=True, slots=True)
class Concerned:
    """Units that are about to go elsewhere with what is above them, units that close, and what branches
    hand over."""

    moved: Sequence[int]
    closed: Sequence[int]
    handed: Sequence[Handing] = ()

    @property
    def going(self) -> list[int]:
        """The units all of whose people stand elsewhere afterwards."""
        return [*self.moved, *(each.unit for each in self.handed if each.only is None)]

    @property
    def parts(self) -> list[BranchPart]:
        """What goes out of the others."""
        whole = set(self.going)
        return [
            each.only for each in self.handed if each.only is not None and each.unit not in whole
        ]


@dataclass(frozen=True, slots=True)
class Handover:
    """Branches, and the one that goes on from this day with all that stands in them, or with `only`
    this part of it."""

    from_ids: Sequence[int]
    to_id: int
    since: date
    only: BranchPart | None = None


@dataclass(frozen=True, slots=True)
class Inheritance:
    """Units that close, and those that go on with what is to come of them from this day."""

    heirs: Mapping[int, Sequence[int]]
    since: date

    def taker(self, unit_id: int) -> int:
        """The one heir of a unit, or the unit itself."""
        heirs = self.heirs.get(unit_id, ())
        return heirs[0] if len(heirs) == 1 else unit_id


@dataclass(frozen=True, slots=True, kw_only=True)
class OfUnits:
    """Called in the transaction that changes the tree; unneeded functions stay None.

    To take a change back the paths are applied again, and what `ended` has ended is restored from
    the change log (services/reorganisations/reverting.py).
    """

    # The problems that prevent a draft, each with the unit it is about; writes nothing.
    preview: Callable[[Db, TreeDraft], Refusals] | None = None
    # What a draft takes with it or ends, by kind; writes nothing.
    counts: Callable[[Db, Concerned], Mapping[str, int]] | None = None
    # Units have moved: writes the new values of the `columns` of their path.
    apply: Callable[[Session, Sequence[int], Columns], None] | None = None
    columns: tuple[str, ...] = ("province_id", "commune_id")
    # The same for facts that keep the path of their day: those of the day of the move and after it have
    # the columns that units have now.
    stood: Callable[[Session, Sequence[int], Sequence[str], date], None] | None = None
    # Units have new parents, and every follower has applied the move; or another area type.
    moved: Callable[[Session, Sequence[int]], None] | None = None
    # Units have become what others go on in, or are so no longer.
    succeeded: Callable[[Session, Sequence[int]], None] | None = None
    # The last day of what is recorded in each unit: it does not close before that.
    last_days: Callable[[Db, Sequence[int]], Days] | None = None
    # The units are closed from this day on.
    ended: Callable[[Session, Sequence[int], date], None] | None = None
    # What stands in the branches stands in the other from the day on; returns what `handed_back` needs
    # to know, as JSON. All branches have the path of afterwards already.
    handed_over: Callable[[Session, Handover], Any] | None = None
    # It stands in them again, as if it had never gone; 409 when it has changed since.
    handed_back: Callable[[Session, Handover, Any], None] | None = None
    # What is to come of units that close is their heirs' from the day on; returns what `returned` needs to
    # know, as JSON.
    inherited: Callable[[Session, Inheritance], Any] | None = None
    # It is theirs again; 409 when it has changed since.
    returned: Callable[[Session, Any], None] | None = None


def preview(db: Db, draft: TreeDraft) -> Iterator[tuple[int, Problem]]:
    for each in manifest().followers(OfUnits):
        if each.preview is not None:
            yield from each.preview(db, draft)


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


def stood(session: Session, unit_ids: Sequence[int], names: Sequence[str], since: date) -> None:
    """The units have other `names` in their path since that day."""
    for each in manifest().followers(OfUnits):
        kept = [name for name in each.columns if name in names]
        if each.stood is not None and kept:
            each.stood(session, unit_ids, kept, since)


def moved(session: Session, unit_ids: Sequence[int]) -> None:
    for each in manifest().followers(OfUnits):
        if each.moved is not None and unit_ids:
            each.moved(session, unit_ids)


def succeeded(session: Session, unit_ids: Sequence[int]) -> None:
    for each in manifest().followers(OfUnits):
        if each.succeeded is not None and unit_ids:
            each.succeeded(session, unit_ids)


def last_days(db: Db, unit_ids: Sequence[int]) -> dict[int, date]:
    """By unit; without those in which nothing is recorded."""
    latest: dict[int, date] = {}
    for each in manifest().followers(OfUnits):
        if each.last_days is None:
            continue
        for chunk in chunks(unit_ids):
            for unit_id, *days in each.last_days(db, chunk):
                found = [day for day in (*days, latest.get(unit_id)) if day is not None]
                if found:
                    latest[unit_id] = max(found)
    return latest


def ended(session: Session, unit_ids: Sequence[int], on: date) -> None:
    for each in manifest().followers(OfUnits):
        if each.ended is not None:
            for chunk in chunks(unit_ids):
                each.ended(session, chunk, on)


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


def inherited(session: Session, inheritance: Inheritance) -> dict[str, Any]:
    """By capability what it needs to return it."""
    return {
        name: each.inherited(session, inheritance)
        for name, each in _by_capability()
        if each.inherited is not None
    }


def returned(session: Session, kept: Mapping[str, Any]) -> None:
    for name, each in _by_capability():
        if each.returned is not None and name in kept:
            each.returned(session, kept[name])


def _by_capability() -> Iterator[tuple[str, OfUnits]]:
    for capability in manifest().capabilities:
        for each in capability.follows:
            if isinstance(each, OfUnits):
                yield capability.name, each
