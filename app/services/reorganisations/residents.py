"""The people and households of branches, and in which other ones a draft has them go on."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import chunks
from app.models.households.households import HouseholdPlace
from app.models.members.spells import Membership
from app.services.kernel.access import Db
from app.services.units.handing import BranchPart, Handing, Ref


@dataclass(slots=True)
class Residents:
    """Who is in a branch, and the households that live there, each with the first day of that."""

    members: dict[UUID, date] = field(default_factory=dict)
    households: dict[UUID, date] = field(default_factory=dict)

    def days_of(self, part: BranchPart) -> list[date]:
        return [
            *(self.members[each] for each in part.member_ids),
            *(self.households[each] for each in part.household_ids),
        ]

    def take(self, part: BranchPart) -> None:
        for member_id in part.member_ids:
            del self.members[member_id]
        for household_id in part.household_ids:
            del self.households[household_id]

    @property
    def left(self) -> BranchPart:
        return BranchPart(frozenset(self.members), frozenset(self.households))


def load(db: Db, branch_ids: Collection[int]) -> dict[Ref, Residents]:
    """Of these branches."""
    found: dict[Ref, Residents] = {branch_id: Residents() for branch_id in branch_ids}
    spell, place = Membership, HouseholdPlace
    for chunk in chunks(sorted(branch_ids)):
        people = sa.select(col(spell.branch_id), col(spell.member_id), col(spell.valid_from)).where(
            col(spell.branch_id).in_(chunk),
            col(spell.valid_to).is_(None),
            col(spell.annulled_at).is_(None),
        )
        for branch_id, member_id, first in db.execute(people):
            found[branch_id].members[member_id] = first
        homes = sa.select(
            col(place.branch_id), col(place.household_id), col(place.valid_from)
        ).where(col(place.branch_id).in_(chunk), col(place.valid_to).is_(None))
        for branch_id, household_id, first in db.execute(homes):
            found[branch_id].households[household_id] = first
    return found


@dataclass(slots=True)
class Handings:
    """What branches hand over, over all operations: what goes on once more goes to the last at once."""

    parts: dict[tuple[int, Ref], BranchPart] = field(default_factory=dict)
    wholes: dict[int, Ref] = field(default_factory=dict)

    def hand(self, unit: int, to: Ref, part: BranchPart) -> None:
        if unit != to:
            self.parts[unit, to] = self.parts.get((unit, to), BranchPart()) | part

    def empty(self, unit: Ref, to: Ref) -> None:
        """All that is left in it, and what others have handed to it."""
        self.forward(unit, to)
        if isinstance(unit, int):
            self.wholes[unit] = to

    def forward(self, unit: Ref, to: Ref) -> None:
        """What others have handed to it goes there instead."""
        came = [(origin, part) for (origin, heir), part in self.parts.items() if heir == unit]
        for origin, part in came:
            del self.parts[origin, unit]
            self.hand(origin, to, part)
        self.wholes |= {origin: to for origin, heir in self.wholes.items() if heir == unit}

    def came_to(self, unit: Ref) -> bool:
        return unit in self.wholes.values() or any(heir == unit for _, heir in self.parts)

    def listed(self) -> Sequence[Handing]:
        """The parts before what is left."""
        parts = (
            Handing(unit, to, part)
            for (unit, to), part in self.parts.items()
            if self.wholes.get(unit) != to
        )
        wholes: Iterable[Handing] = (Handing(unit, to) for unit, to in self.wholes.items())
        return [*parts, *wholes]
