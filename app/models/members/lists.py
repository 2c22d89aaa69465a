"""Lists and counts of members: what they may be narrowed to, and what a count answers."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.models.base import Day, Fields, Filed, ListQuery, Output, UnitId
from app.models.kernel.access import Right
from app.models.kernel.code_lists import EthnicityCode
from app.models.kernel.external_ids import ExternalRef
from app.models.kernel.hierarchy import InHierarchy
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


def _noted_by_search(q: str) -> Iterable[str]:
    """A search by digits may have matched any of her numbers."""
    return Identifier if digits(q) else ()


class MemberQuery(ListQuery, InHierarchy):
    """In name order. `unit`: all below it. Without `status`: those in the union today.

    Of a past day (`as_of`), or in the tree of one (`hierarchy`), only units and `restricted` are
    filters.

    Ages are in years of this year: nobody's birthday counts.
    """

    q: Annotated[Annotated[str, Field(max_length=100)] | None, SensitiveIf(_noted_by_search)] = (
        Field(
            default=None,
            description=(
                "Words in the name, in any order, with or without tone marks; of members also"
                " initials, and the last 4 or more digits of a phone or identity number (its right is needed)."
            ),
        )
    )
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    branch: UnitId | None = Field(default=None, description="Only members of this branch.")
    commune: UnitId | None = Field(default=None, description="Only what stands in this commune.")
    status: MemberStatus | None = Field(
        default=None, description="Only this status; without it, those in use today."
    )
    kind: MemberKind | None = Field(default=None, description="Only this kind.")
    gender: Gender | None = Field(default=None, description="Only this gender.")
    age_from: Age | None = Field(
        default=None, description="Only who turns this age this year, or is older."
    )
    age_to: Age | None = Field(
        default=None, description="Only who turns this age this year, or is younger."
    )
    joined_from: Day | None = Field(
        default=None,
        description="Only who joined the union on this day or later; a year or a month counts by its first day.",
    )
    joined_to: Day | None = Field(
        default=None,
        description="Only who joined the union on this day or earlier; a year or a month counts by its first day.",
    )
    core: bool | None = Field(
        default=None, description="Only core members (hội viên nòng cốt), or only the others."
    )
    party: Annotated[PartyStatus | None, Sensitive(Right.members_party)] = Field(
        default=None,
        description="Only this standing towards the Communist Party; its right is needed.",
    )
    ethnicity: Annotated[EthnicityCode | None, Sensitive(Right.members_ethnicity)] = Field(
        default=None, description="Only this ethnic group, by code or name; its right is needed."
    )
    religion: Annotated[Religion | None, Sensitive(Right.members_religion)] = Field(
        default=None, description="Only this religion; its right is needed."
    )
    education: Education | None = Field(
        default=None, description="Only this level of general schooling."
    )
    qualification: Qualification | None = Field(
        default=None, description="Only this professional degree."
    )
    household: UUID | None = Field(default=None, description="Only members of this household.")
    group: UnitId | None = Field(
        default=None, description="Only who takes part in this group today."
    )
    external_id: ExternalRef | None = Field(
        default=None,
        description="Only the one that another system calls so: `system|value`.",
    )
    restricted: bool | None = Field(
        default=None, description="Only restricted records, or only the others."
    )
    as_of: PastDay | None = Field(
        default=None,
        description="Who was in the union on this day, in her branch and with her record of then.",
    )


class MemberAsOf(Fields):
    as_of: PastDay | None = Field(
        default=None, description="The record as it was on this day; today by default."
    )


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


class MemberCountQuery(Filed, InHierarchy):
    by: MemberCountBy | None = Field(default=None, description="What to count apart.")
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    as_of: PastDay | None = Field(
        default=None, description="The day asked about; today by default."
    )
    status: MemberStatus | None = Field(
        default=None, description="Only this status; without it, those in use today."
    )


class CountItem(Output):
    """`value` null: not recorded. `people` null: withheld, fewer than 10.

    `label` is the name of a unit or of an ethnic group; other values need none.
    """

    value: str | None
    label: str | None
    people: int | None


class CountRow(Output):
    """A line of a file of counts: a value of `by`, or all."""

    as_of: date
    unit_id: int | None
    unit_name: str | None
    by: MemberCountBy | None
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
    not_dated: list[str]
