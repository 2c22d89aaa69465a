"""Households (hộ gia đình): where they live and who belongs to them, each by dates.

All validity is by whole days, inclusive at both ends. A household, unlike a person in it, is never
in two places; a person is never in two households; and on every day of its life a household has
exactly one head. The database refuses overlaps too (migration 0009).
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING
from pydantic import Field as Constraint
from sqlmodel import Field, SQLModel

from app.models.base import (
    Input,
    MemberId,
    Output,
    OwnBranch,
    Page,
    PersonId,
    Revised,
    Uuid,
    json_type,
    key_text,
    line,
    lines,
    new_id,
    str_enum,
)
from app.models.kernel.units import AreaType
from app.models.members.fields import PartialDate, PastDay, PersonName
from app.models.members.members import Gender
from app.problem_texts import HintCode


class Relation(StrEnum):
    """To the head of the household."""

    head = "head"
    spouse = "spouse"
    child = "child"
    child_in_law = "child_in_law"
    parent = "parent"
    grandparent = "grandparent"
    grandchild = "grandchild"
    sibling = "sibling"
    other = "other"


class PersonEnd(StrEnum):
    """Why a stay in a household ended; `role` begins the next stay on the next day."""

    role = "role"
    split = "split"  # type: ignore[assignment]  # hides str.split, which no one calls on a reason
    join = "join"  # type: ignore[assignment]  # nor str.join
    moved_out = "moved_out"
    marriage = "marriage"
    death = "death"
    closed = "closed"
    other = "other"


class HouseholdEventKind(StrEnum):
    formed = "formed"
    split = "split"  # type: ignore[assignment]  # hides str.split, which no one calls on a kind
    joined = "joined"
    head_changed = "head_changed"
    moved = "moved"
    person_added = "person_added"
    person_left = "person_left"
    closed = "closed"


class PovertyClass(StrEnum):
    """What the commune People's Committee recognises (domain facts, 2.4)."""

    poor = "poor"
    near_poor = "near_poor"
    average = "average"
    not_poor = "not_poor"
    escaped_poverty = "escaped_poverty"
    escaped_near_poverty = "escaped_near_poverty"


class UnionLabel(StrEnum):
    """The union's own word; no law defines it (domain facts, 2.1)."""

    well_off = "well_off"
    rich = "rich"


class Household(Revised, table=True):
    """A household as it is today, or was on its last day (`closed_on`, inclusive).

    `head_name`, `person_count`, `poverty_class` and `assessed_class` follow from its rows of other
    tables and are kept here for lists: the class recognised today (of a status in force on
    `poverty_since`) and the class of the last assessment that nobody has corrected.
    """

    __tablename__ = "household"
    __table_args__ = (
        sa.Index("ix_household_branch_id_sort_key_id", "branch_id", "sort_key", "id"),
        sa.Index("ix_household_commune_id_sort_key_id", "commune_id", "sort_key", "id"),
        sa.Index("ix_household_province_id_sort_key_id", "province_id", "sort_key", "id"),
        sa.Index("ix_household_sort_key_id", "sort_key", "id"),
        sa.Index("ix_household_commune_id_poverty_class", "commune_id", "poverty_class"),
        sa.Index("ix_household_code", "code"),
        sa.Index("ix_household_head_id", "head_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    province_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    commune_id: int | None = Field(default=None, foreign_key="unit.id", ondelete="RESTRICT")
    branch_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    # Of the commune's register: not unique, a merger has put two 0001 into one commune.
    code: str | None = Field(default=None, max_length=40)
    # Of the last head where nobody is named after a death: the household is known by that name.
    head_id: UUID = Field(sa_type=Uuid)
    head_missing_since: date | None = None
    head_name: str = Field(max_length=120)
    sort_key: str = Field(sa_type=key_text)
    search_key: str = Field(sa_type=key_text)
    address: str | None = Field(default=None, max_length=300)
    # Only where it is not that of the commune (a hamlet that keeps its urban status).
    area_type: AreaType | None = Field(default=None, sa_type=str_enum(AreaType))
    female_headed: bool
    ethnic_minority: bool = False
    merit: bool = False
    no_labour_capacity: bool = False
    person_count: int
    opened_on: date
    closed_on: date | None = None
    poverty_class: PovertyClass | None = Field(default=None, sa_type=str_enum(PovertyClass))
    poverty_since: date | None = None
    assessed_class: str | None = Field(default=None, max_length=32)
    assessed_on: date | None = None
    union_label: UnionLabel | None = Field(default=None, sa_type=str_enum(UnionLabel))
    union_label_on: date | None = None


class HouseholdPlace(SQLModel, table=True):
    """Where a household lived from when to when: the rows follow each other without a gap."""

    __tablename__ = "household_place"
    __table_args__ = (
        sa.Index("ix_household_place_branch_id_valid_from", "branch_id", "valid_from", "valid_to"),
    )

    household_id: UUID = Field(
        primary_key=True, foreign_key="household.id", ondelete="CASCADE", sa_type=Uuid
    )
    valid_from: date = Field(primary_key=True)
    valid_to: date | None = None
    branch_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    province_id: int
    address: str | None = Field(default=None, max_length=300)
    area_type: AreaType | None = Field(default=None, sa_type=str_enum(AreaType))


class HouseholdPerson(Revised, table=True):
    """One stay of one person in a household in one role; who becomes head begins another.

    `person_id` is the same human in every household: the member's id, or an id of its own for a
    non-member. `full_name`, `birth_date` and `gender` are of those only; a member has hers on her
    record.
    """

    __tablename__ = "household_person"
    __table_args__ = (
        sa.Index("ix_household_person_household_id", "household_id", "valid_from"),
        sa.Index("ix_household_person_person_id", "person_id", "valid_from"),
        sa.Index(
            "uq_household_person_open",
            "person_id",
            unique=True,
            sqlite_where=sa.text("valid_to IS NULL"),
            postgresql_where=sa.text("valid_to IS NULL"),
        ),
        sa.Index(
            "uq_household_person_head",
            "household_id",
            unique=True,
            sqlite_where=sa.text("valid_to IS NULL AND relation = 'head'"),
            postgresql_where=sa.text("valid_to IS NULL AND relation = 'head'"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    household_id: UUID = Field(foreign_key="household.id", ondelete="CASCADE", sa_type=Uuid)
    person_id: UUID = Field(sa_type=Uuid)
    member_id: UUID | None = Field(
        default=None, foreign_key="member.id", ondelete="RESTRICT", sa_type=Uuid
    )
    province_id: int
    full_name: str | None = Field(default=None, max_length=120)
    birth_date: str | None = Field(default=None, max_length=10)
    gender: Gender | None = Field(default=None, sa_type=str_enum(Gender))
    relation: Relation = Field(sa_type=str_enum(Relation))
    valid_from: date
    valid_to: date | None = None
    ended_by: PersonEnd | None = Field(default=None, sa_type=str_enum(PersonEnd))


class HouseholdEvent(SQLModel, table=True):
    """What happened to a household, with what was before and after. Insert-only.

    Of a split or a join both households have one, naming the other.
    """

    __tablename__ = "household_event"
    __table_args__ = (
        sa.Index("ix_household_event_household_id", "household_id", "effective_on", "id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    household_id: UUID = Field(foreign_key="household.id", ondelete="CASCADE", sa_type=Uuid)
    other_household_id: UUID | None = Field(default=None, sa_type=Uuid)
    province_id: int
    kind: HouseholdEventKind = Field(sa_type=str_enum(HouseholdEventKind))
    effective_on: date
    before: dict[str, Any] | None = Field(default=None, sa_type=json_type)
    after: dict[str, Any] | None = Field(default=None, sa_type=json_type)
    note: str | None = Field(default=None, max_length=500)
    account_id: UUID | None = Field(default=None, sa_type=Uuid)
    at: datetime


# -- what clients send

Address = Annotated[str, *line(300)]
HouseholdCode = Annotated[str, *line(40)]
Note = Annotated[str, *lines(500)]


class PersonInput(Input):
    """A member of the union by `member_id`; anyone else by name. `person_id`: of who was in a
    household before."""

    person_id: PersonId | None = None
    member_id: MemberId | None = None
    full_name: PersonName | None = None
    birth_date: PartialDate | None = None
    gender: Gender | None = None
    relation: Relation


People = Annotated[list[PersonInput], Constraint(min_length=1, max_length=40)]


class HouseholdCreate(Input):
    """`people` has exactly one head. `opened_on`: since when the household is as written."""

    id: UUID | None = None
    branch_id: OwnBranch = None
    code: HouseholdCode | None = None
    address: Address | None = None
    area_type: AreaType | None = None
    ethnic_minority: bool = False
    merit: bool = False
    no_labour_capacity: bool = False
    union_label: UnionLabel | None = None
    opened_on: PastDay | None = None
    people: People


class HouseholdUpdate(Input):
    """A JSON merge patch of what has no history of its own."""

    elsewhere: ClassVar[Mapping[str, HintCode]] = {
        "branch_id": "changed_by_household_act",
        "head_id": "changed_by_household_act",
        "people": "changed_by_household_act",
        "closed_on": "changed_by_household_act",
    }

    code: HouseholdCode | None | MISSING = MISSING
    ethnic_minority: bool | MISSING = MISSING
    merit: bool | MISSING = MISSING
    no_labour_capacity: bool | MISSING = MISSING
    union_label: UnionLabel | None | MISSING = MISSING


# -- what clients get


class PersonRead(Output):
    """`full_name` is null where a member is out of the reader's sight."""

    person_id: UUID
    member_id: UUID | None
    full_name: str | None
    birth_date: str | None
    gender: Gender | None
    relation: Relation
    valid_from: date
    valid_to: date | None
    ended_by: PersonEnd | None


class HouseholdPersonState(Output):
    """What the row itself says: of a member her record has name, birth and gender."""

    id: UUID
    household_id: UUID
    person_id: UUID
    member_id: UUID | None
    full_name: str | None
    birth_date: str | None
    gender: Gender | None
    relation: Relation
    valid_from: date
    valid_to: date | None
    ended_by: PersonEnd | None


class HouseholdEventRead(Output):
    id: UUID
    kind: HouseholdEventKind
    effective_on: date
    other_household_id: UUID | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    note: str | None
    account_id: UUID | None
    at: datetime


class HouseholdEventPage(Page):
    items: list[HouseholdEventRead]
