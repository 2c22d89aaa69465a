"""Lists of households."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field as Constraint
from sqlmodel import Field

from app.models.base import (
    Day,
    ListQuery,
    Output,
    Page,
    Parameters,
    UnitId,
)
from app.models.households.households import (
    HouseholdCode,
    PersonRead,
    PovertyClass,
    Relation,
    UnionLabel,
)
from app.models.kernel.access import Right
from app.models.kernel.external_ids import ExternalRef
from app.models.kernel.hierarchy import ListInHierarchy, PeriodQuery
from app.models.kernel.sensitive import About, Sensitive, SensitiveIf
from app.models.kernel.units import AreaType
from app.models.members.fields import PastDay
from app.models.members.members import Warned

# False is also what is stored where nobody asked.
_ETHNICITY = SensitiveIf(lambda minority: ("ethnicity",) if minority else ())


class HouseholdQuery(ListQuery, ListInHierarchy):
    """Households that exist today. `q`: words of the head's name, or its code.

    Of a past day (`as_of`) only the unit is a filter.
    """

    q: Annotated[str, Constraint(min_length=1, max_length=100)] | None = Field(
        default=None,
        description="Words in the name, in any order, with or without tone marks; or the code.",
    )
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    external_id: ExternalRef | None = Field(
        default=None,
        description="Only the one that another system calls so: `system|value`.",
    )
    poverty_status: Annotated[PovertyClass | None, Sensitive(Right.poverty_read)] = Field(
        default=None,
        description="Only this class, as recognised today; its right is needed.",
    )
    female_headed: bool | None = Field(
        default=None, description="Only headed by a woman, or only the others."
    )
    ethnic_minority: Annotated[bool | None, _ETHNICITY] = Field(
        default=None,
        description="Only of an ethnic minority, or only the others; its right is needed.",
    )
    merit: Annotated[bool | None, Sensitive(Right.poverty_read)] = Field(
        default=None,
        description="Only of people with merit (người có công), or only the others; its right is needed.",
    )
    no_labour_capacity: Annotated[bool | None, Sensitive(Right.poverty_read)] = Field(
        default=None,
        description="Only without anybody able to work, or only the others; needs its right.",
    )
    area_type: AreaType | None = Field(default=None, description="Only rural, or only urban.")
    code: HouseholdCode | None = Field(
        default=None,
        description="Only of this code in the register.",
    )
    head_missing: bool | None = Field(
        default=None, description="Only where nobody heads it since a death, or only the others."
    )
    closed: bool = Field(
        default=False, description="Those that are no more, instead of those of today."
    )
    as_of: PastDay | None = Field(
        default=None,
        description="Households that lived there on this day, each as it was then.",
    )
    deprived: Annotated[str | None, Constraint(max_length=40), Sensitive(Right.poverty_read)] = (
        Field(
            default=None,
            description="Only found to be deprived in this indicator when last assessed.",
        )
    )
    without_support: Annotated[
        str | None,
        Constraint(pattern=r"^[a-z][a-z0-9_]{0,39}:[1-9][0-9]{0,3}d$"),
        Sensitive(Right.support_read),
    ] = Field(
        default=None,
        description="Only who was given nothing against this in so many days: `water:365d`.",
    )

    @property
    def last_day(self) -> date | None:
        return self.as_of


class HouseholdAsOf(Parameters):
    fields: Annotated[str, Constraint(max_length=500)] | None = Field(
        default=None, description="Only these fields of each item, separated by commas."
    )
    as_of: Day | None = Field(
        default=None, description="The household as it was on this day; today by default."
    )


class HouseholdItem(Output):
    """One line of a list. `area_type` is that of the commune unless the household has its own.

    `head_missing_since`: from this day on there is no head (she has died) until another is named;
    `head_id` is null then, and `head_name` is hers, by which the household is known.

    `union_label` is the union's own word, not a status: `poverty_status` is the decision.
    """

    about: ClassVar = About("household")

    id: UUID
    code: str | None
    head_id: UUID | None
    head_name: str
    head_missing_since: date | None
    branch_id: int
    commune_id: int | None
    province_id: int
    address: str | None
    area_type: AreaType | None
    person_count: int
    female_headed: bool
    ethnic_minority: Annotated[bool | None, _ETHNICITY]
    merit: Annotated[bool | None, Sensitive(Right.poverty_read)]
    no_labour_capacity: Annotated[bool | None, Sensitive(Right.poverty_read)]
    opened_on: date
    closed_on: date | None
    poverty_status: Annotated[PovertyClass | None, Sensitive(Right.poverty_read)]
    poverty_since: Annotated[date | None, Sensitive(Right.poverty_read)]
    assessed_class: Annotated[str | None, Sensitive(Right.poverty_read)]
    assessed_on: Annotated[date | None, Sensitive(Right.poverty_read)]
    union_label: Annotated[UnionLabel | None, Sensitive(Right.poverty_read)]
    union_label_on: Annotated[date | None, Sensitive(Right.poverty_read)]
    revision: int
    masked: list[str]


class HouseholdOnDay(HouseholdItem):
    """Of a past day everything is as it was then; `not_dated` names the fields that are as they are
    today, because the change log does not reach that day."""

    not_dated: list[str]


class HouseholdRead(HouseholdOnDay):
    """With its people."""

    people: list[PersonRead]


class HouseholdSaved(HouseholdRead):
    """A household just written, with what an officer should look at again."""

    warnings: list[Warned]


class PeopleQuery(PeriodQuery):
    """People who were in the households on a day of the period; without one those of today."""

    relation: Relation | None = Field(
        default=None, description="Only who stands so to the head of the household."
    )


class HouseholdPersonItem(PersonRead):
    """A person in a household, with the household and where it stands today."""

    household_id: UUID
    household_code: str | None
    head_name: str
    branch_id: int
    commune_id: int | None


class HouseholdPersonPage(Page):
    """By household, in each the head first."""

    items: list[HouseholdPersonItem]


class HouseholdPage(Page):
    items: list[HouseholdOnDay]
