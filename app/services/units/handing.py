"""Which people and households of a branch go on in which other one when branches are merged or split."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

# A unit that exists by its id, one that the change opens by its key.
Ref = int | str


@dataclass(frozen=True, slots=True)
class BranchPart:
    """Some of the people and households of a branch."""

    member_ids: frozenset[UUID] = frozenset()
    household_ids: frozenset[UUID] = frozenset()

    def __or__(self, other: "BranchPart") -> "BranchPart":
        return BranchPart(
            self.member_ids | other.member_ids, self.household_ids | other.household_ids
        )

    def __sub__(self, other: "BranchPart") -> "BranchPart":
        return BranchPart(
            self.member_ids - other.member_ids, self.household_ids - other.household_ids
        )

    def __bool__(self) -> bool:
        return bool(self.member_ids or self.household_ids)


@dataclass(frozen=True, slots=True)
class Handing:
    """What stands in a branch goes on in another: `only` this part, or all that is left in it."""

    unit: int
    to: Ref
    only: BranchPart | None = None


def branch_after(handed: Sequence[Handing], member_id: UUID, branch_id: int) -> Ref:
    """The branch that a person of this branch is in afterwards; parts come before what is left."""
    for each in handed:
        if each.unit == branch_id and (each.only is None or member_id in each.only.member_ids):
            return each.to
    return branch_id
