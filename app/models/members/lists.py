"""Lists and counts of members: what they may be narrowed to, and what a count answers."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.models.base import Day, Input, ListQuery, Output, UnitId
from app.models.kernel.access import Right
from app.models.kernel.code_lists import EthnicityCode
from app.models.kernel.sensitive import Sensitive, SensitiveIf
from app.models.kernel.units import UnitRef
from app.models.members.fields import PastDay
from app.models.members.members import (
    Education,
    Gender,
    Identifier,
    MemberKind,
    MemberStatus,
    PartyStatus,
    Qualification,
    Religion,
)
from app.text import digits

Age = Annotated[int, Field(ge=0, le=130)]


def _told_by_search(q: str) -> Iterable[str]:
    """Who is found by digits may have been found by any of her numbers."""
    return Identifier if digits(q) else ()


class MemberQuery(ListQuery):
    """In name order. `unit`: all below it. Without `status`: those in the union today.

    Ages are in years of this year: nobody's birthday counts.
    """

    q: Annotated[Annotated[str, Field(max_length=100)] | None, SensitiveIf(_told_by_search)] = None
    unit: UnitId | None = None
    branch: UnitId | None = None
    commune: UnitId | None = None
    status: MemberStatus | None = None
    kind: MemberKind | None = None
    gender: Gender | None = None
    age_from: Age | None = None
    age_to: Age | None = None
    joined_from: Day | None = None
    joined_to: Day | None = None
    core: bool | None = None
    party: Annotated[PartyStatus | None, Sensitive(Right.members_party)] = None
    ethnicity: Annotated[EthnicityCode | None, Sensitive(Right.members_ethnicity)] = None
    religion: Annotated[Religion | None, Sensitive(Right.members_religion)] = None
    education: Education | None = None
    qualification: Qualification | None = None
    household: UUID | None = None
    group: UnitId | None = None
    restricted: bool | None = None


class MemberCountBy(StrEnum):
    status = "status"
    kind = "kind"
    gender = "gender"
    age_band = "age_band"
    ethnicity = "ethnicity"
    religion = "religion"
    party = "party"
    education = "education"
    qualification = "qualification"
    core = "core"
    joined_year = "joined_year"
    branch = "branch"
    commune = "commune"


class AgeBand(StrEnum):
    """Years of age in the year counted: year minus year of birth, both ends inclusive."""

    under_30 = "under_30"
    from_30_to_39 = "30_39"
    from_40_to_49 = "40_49"
    from_50_to_59 = "50_59"
    over_59 = "60_plus"


class MemberCountQuery(Input):
    by: MemberCountBy | None = None
    unit: UnitId | None = None
    as_of: PastDay | None = None
    status: MemberStatus | None = None


class CountItem(Output):
    """`value` null: not recorded. `people` null: withheld, fewer than 10.

    `label` is the name of a unit or of an ethnic group; other values need none.
    """

    value: str | None
    label: str | None
    people: int | None


class MemberCount(Output):
    """People, each once: regular and honorary members, of whom `honorary` are honorary.

    The items add up to `people`, unless it is `rounded`: then every figure is a multiple of 5 near
    the true one, and `suppressed` names the values whose rounded figure is under 10.
    """

    unit: UnitRef | None
    as_of: date
    people: int
    honorary: int
    by: MemberCountBy | None
    items: list[CountItem]
    rounded: bool
    suppressed: list[str | None]
