"""The operations of a reorganisation: what a decree does to units, in order.

A unit is named by its id, or by the `key` that an earlier operation of the same draft has opened it
under.
"""

from typing import Annotated, Literal

from pydantic import EmailStr, Field, StringConstraints

from app.models.base import AnyUnitId, Day, HouseholdId, Input, MemberId, line
from app.models.kernel.units import (
    AreaType,
    GroupKind,
    SuccessionKind,
    UnitCode,
    UnitLevel,
    UnitName,
)

Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Named = AnyUnitId | Key
Several = Annotated[list[Named], Field(min_length=1, max_length=200)]


class OpenUnit(Input):
    """A unit opens; `key` is what later operations of the draft call it. `closed_on` is the last day
    of one that is put on record after its time."""

    op: Literal["open"]
    key: Key
    level: UnitLevel
    name: UnitName
    parent_id: Named
    code: UnitCode | None = None
    area_type: AreaType | None = None
    group_kind: GroupKind | None = None
    phone: Annotated[str, *line(20)] | None = None
    email: EmailStr | None = None
    address: Annotated[str, *line(300)] | None = None
    closed_on: Day | None = None


class CloseUnit(Input):
    """A unit closes the day before; `successor_ids` name the units its people and facts went to. What
    is to come of it is the one successor's; of several, `sessions_to_id` takes it."""

    op: Literal["close"]
    unit_id: Named
    kind: SuccessionKind = SuccessionKind.abolish
    successor_ids: Annotated[list[Named], Field(max_length=50)] = []
    sessions_to_id: Named | None = None
    inferred: bool = False


class MoveUnit(Input):
    """A unit goes to another parent, with all below it."""

    op: Literal["move"]
    unit_id: Named
    parent_id: Named


class RenameUnit(Input):
    op: Literal["rename"]
    unit_id: Named
    name: UnitName


class ChangeCode(Input):
    """Another government code. Two units may exchange theirs in one draft."""

    op: Literal["change_code"]
    unit_id: Named
    code: UnitCode


class ChangeArea(Input):
    """A town becomes rural, or a commune urban."""

    op: Literal["change_area"]
    unit_id: Named
    area_type: AreaType


class MergeUnits(Input):
    """These units close, and what stands directly under them goes to `into_id`, which may be one of
    them: that one stays. `inferred`: no source names the successor."""

    op: Literal["merge"]
    unit_ids: Several
    into_id: Named
    inferred: bool = False


class Assignment(Input):
    unit_id: Named
    to_id: Named


class MemberAssignment(Input):
    member_id: MemberId
    to_id: Named


class HouseholdAssignment(Input):
    household_id: HouseholdId
    to_id: Named


class SplitUnit(Input):
    """A unit closes, and each unit directly under it, and each member and household of a branch, goes
    where it is assigned, or to `default_id`. `into_ids` may have the unit itself: it stays then."""

    op: Literal["split"]
    unit_id: Named
    into_ids: Annotated[list[Named], Field(min_length=2, max_length=50)]
    assigned: Annotated[list[Assignment], Field(max_length=2000)] = []
    members: Annotated[list[MemberAssignment], Field(max_length=2000)] = []
    households: Annotated[list[HouseholdAssignment], Field(max_length=2000)] = []
    default_id: Named | None = None
    sessions_to_id: Named | None = None
    inferred: bool = False


class TransferPart(Input):
    """Some units go from one parent to another, or some members and households from one branch to
    another; both stay."""

    op: Literal["transfer"]
    unit_ids: Annotated[list[Named], Field(max_length=200)] = []
    member_ids: Annotated[list[MemberId], Field(max_length=2000)] = []
    household_ids: Annotated[list[HouseholdId], Field(max_length=2000)] = []
    from_id: Named
    to_id: Named


class RetireLevel(Input):
    """All units of a level under a unit close, and what stands under each goes to its parent.
    `sessions_to_id` takes their sessions to come."""

    op: Literal["retire_level"]
    level: UnitLevel
    under_id: Named
    sessions_to_id: Named | None = None


UnitChange = Annotated[
    OpenUnit
    | CloseUnit
    | MoveUnit
    | RenameUnit
    | ChangeCode
    | ChangeArea
    | MergeUnits
    | SplitUnit
    | TransferPart
    | RetireLevel,
    Field(discriminator="op"),
]
