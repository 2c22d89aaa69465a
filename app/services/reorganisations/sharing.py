"""Where a draft says that the people and households of a branch go."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from app.errors import Problem, invalid
from app.models.kernel.units import UnitLevel
from app.models.reorganisations.operations import SplitUnit, TransferPart
from app.services.reorganisations.residents import Handings, Residents
from app.services.reorganisations.world import Known
from app.services.units.handing import BranchPart, Ref
from app.services.units.identifiers import date_conflict
from app.services.units.tree import DAY
from app.services.units.units import ensure_open


@dataclass(slots=True)
class Sharing:
    """Shares out the people of branches; `done` is called with each branch that is another then."""

    residents: Mapping[Ref, Residents]
    since: date
    done: Callable[[Known], None]
    handings: Handings = field(default_factory=Handings)

    def hand_over(self, unit: Known, heir: Known) -> None:
        """The people of a branch that closes, and all that stands in it, are the other's."""
        if not (unit.level is heir.level is UnitLevel.branch) or not isinstance(unit.ref, int):
            return
        self.handings.empty(unit.ref, heir.ref)
        heir.members += unit.members
        unit.members = 0
        self.done(heir)

    def split(self, unit: Known, body: SplitUnit, into: Mapping[Ref, Known]) -> None:
        """Its people and households go where they are assigned, all others where the default says."""
        there = self._of(unit)
        parts = _assigned(body, there)
        left = there.left
        for place, (ref, part) in enumerate(parts.items()):
            left -= part
            self._pass_on(unit, into[ref], part, f"/into_ids/{place}")
        if body.default_id is None:
            if left or self.handings.came_to(unit.ref):
                raise _unassigned(unit, left)
        elif unit.ref not in into:
            self.hand_over(unit, into[body.default_id])
        else:
            self.handings.forward(unit.ref, body.default_id)
            self._pass_on(unit, into[body.default_id], left, "/default_id")

    def transfer(self, unit: Known, heir: Known, body: TransferPart) -> None:
        """These go, all others stay."""
        self._pass_on(unit, heir, _transferred(body, self._of(unit)), "/to_id")

    def _of(self, unit: Known) -> Residents:
        return self.residents.get(unit.ref, Residents())

    def _pass_on(self, unit: Known, heir: Known, part: BranchPart, pointer: str) -> None:
        if heir is unit or not part or not isinstance(unit.ref, int):
            return
        if heir.level is not UnitLevel.branch:
            raise invalid("unit_level_wrong", pointer, expected=UnitLevel.branch)
        ensure_open(unit, self.since)
        ensure_open(heir, self.since)
        there = self._of(unit)
        latest = max(there.days_of(part))
        if latest >= self.since:
            raise date_conflict(self.since - DAY, latest)
        there.take(part)
        self.handings.hand(unit.ref, heir.ref, part)
        unit.members -= len(part.member_ids)
        heir.members += len(part.member_ids)
        self.done(unit)
        self.done(heir)


def _unassigned(unit: Known, left: BranchPart) -> Problem:
    """Somebody goes nowhere; how many is said to those who may count them."""
    counts = {"members": len(left.member_ids), "households": len(left.household_ids)}
    shown = counts if unit.members_shown else dict.fromkeys(counts, "…")
    return Problem("people_unassigned", unit=unit.name, **shown)


def _assigned(body: SplitUnit, there: Residents) -> Mapping[Ref, BranchPart]:
    """Those who go to each branch: all of this one, each named once."""
    members = {f"/members/{n}": each for n, each in enumerate(body.members)}
    households = {f"/households/{n}": each for n, each in enumerate(body.households)}
    targets = {pointer: each.to_id for pointer, each in members.items()}
    targets |= {pointer: each.to_id for pointer, each in households.items()}
    for pointer, to_id in targets.items():
        if to_id not in body.into_ids:
            raise invalid("invalid", f"{pointer}/to_id")
    _ensure_there(
        {f"{pointer}/member_id": each.member_id for pointer, each in members.items()},
        there.members,
    )
    _ensure_there(
        {f"{pointer}/household_id": each.household_id for pointer, each in households.items()},
        there.households,
    )
    return {
        ref: BranchPart(
            frozenset(each.member_id for each in members.values() if each.to_id == ref),
            frozenset(each.household_id for each in households.values() if each.to_id == ref),
        )
        for ref in body.into_ids
    }


def _transferred(body: TransferPart, there: Residents) -> BranchPart:
    """Those who go, all of the branch that they leave."""
    _ensure_there(_pointers("/member_ids", body.member_ids), there.members)
    _ensure_there(_pointers("/household_ids", body.household_ids), there.households)
    return BranchPart(frozenset(body.member_ids), frozenset(body.household_ids))


def _pointers(name: str, ids: Sequence[UUID]) -> Mapping[str, UUID]:
    return {f"{name}/{place}": each for place, each in enumerate(ids)}


def _ensure_there(named: Mapping[str, UUID], there: Iterable[UUID]) -> None:
    left = set(there)
    for pointer, each in named.items():
        if each not in left:
            raise invalid("not_of_this_branch", pointer)
        left.remove(each)
