"""Poverty in figures: stays in a class, the flows between them, and what is asked about them."""

from datetime import date
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.base import (
    Day,
    ListQuery,
    Output,
    Page,
    UnitId,
    Uuid,
    json_type,
    new_id,
    str_enum,
)
from app.models.kernel.hierarchy import InHierarchy
from app.models.kernel.units import AreaType


class FlowTable(StrEnum):
    """The two official flow tables (domain facts, 2.5: forms 2 and 3)."""

    poor = "poor"
    near_poor = "near_poor"


class FlowKind(StrEnum):
    """What brought a household into a class of a unit, or took it out.

    `adjusted_*`: it stayed in its class and is counted otherwise (more people, another head).
    """

    new = "new"
    relapsed = "relapsed"
    from_other = "from_other"
    moved_in = "moved_in"
    adjusted_in = "adjusted_in"
    to_other = "to_other"
    escaped = "escaped"
    moved_out = "moved_out"
    ended = "ended"
    adjusted_out = "adjusted_out"


ENTRIES = frozenset(
    {
        FlowKind.new,
        FlowKind.relapsed,
        FlowKind.from_other,
        FlowKind.moved_in,
        FlowKind.adjusted_in,
    }
)


class FlowGrain(StrEnum):
    day = "day"
    year = "year"


class FlowBy(StrEnum):
    unit = "unit"
    area = "area"
    ethnicity = "ethnicity"
    minority = "minority"
    female_head = "female_head"
    cause = "cause"


class PovertyStay(SQLModel, table=True):
    """A stretch of days of one household in one class, in one place, counted in one way. Derived.

    Recomputed from decisions, places and people (`services/poverty/account`). `people` and the
    groups are those of its first day.
    """

    __tablename__ = "poverty_stay"
    __table_args__ = (
        sa.Index("ix_poverty_stay_household_id", "household_id", "valid_from"),
        *(
            sa.Index(
                f"ix_poverty_stay_{level}_id",
                f"{level}_id",
                "valid_from",
                "valid_to",
                "poverty_class",
            )
            for level in ("branch", "commune", "district", "province")
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    household_id: UUID = Field(foreign_key="household.id", ondelete="CASCADE", sa_type=Uuid)
    poverty_class: FlowTable = Field(sa_type=str_enum(FlowTable))
    valid_from: date
    valid_to: date | None = None
    entered: FlowKind = Field(sa_type=str_enum(FlowKind))
    left_by: FlowKind | None = Field(default=None, sa_type=str_enum(FlowKind))
    people: int
    branch_id: int
    commune_id: int | None = None
    district_id: int | None = None
    province_id: int
    area: AreaType | None = Field(default=None, sa_type=str_enum(AreaType))
    ethnicity: str | None = Field(default=None, max_length=2)
    minority: bool
    female_head: bool
    causes: list[str] = Field(sa_type=json_type)


class PovertyFlow(SQLModel, table=True):
    """How many came or went that day, or in that year, in a unit: the roll-up of the stays.

    `by`: the total (empty), or one way to divide it, whose part is `part`.
    """

    __tablename__ = "poverty_flow"
    # Kept in the order of its key on SQLite: a unit's rows lie together.
    __table_args__ = {"sqlite_with_rowid": False}  # as SQLAlchemy declares it

    unit_id: int = Field(
        primary_key=True, sa_type=sa.Integer, sa_column_kwargs={"autoincrement": False}
    )
    by: str = Field(primary_key=True, max_length=12)
    grain: FlowGrain = Field(primary_key=True, sa_type=str_enum(FlowGrain))
    starts_on: date = Field(primary_key=True)
    poverty_class: FlowTable = Field(primary_key=True, sa_type=str_enum(FlowTable))
    kind: FlowKind = Field(primary_key=True, sa_type=str_enum(FlowKind))
    part: str = Field(primary_key=True, max_length=40)
    households: int
    people: int


# -- what clients send


class FlowQuery(ListQuery, InHierarchy):
    """`from` and `to`: both days belong to the period; the year so far by default."""

    unit: UnitId = Field(description="Only what stands in this unit or below it.")
    from_: Day | None = Field(
        alias="from", default=None, description="The first day of the period."
    )
    to: Day | None = Field(
        default=None, description="The last day of the period; today by default."
    )
    by: FlowBy | None = Field(default=None, description="What to count apart.")


class TransitionQuery(ListQuery, InHierarchy):
    """`from` and `to` are the two days that are compared."""

    unit: UnitId = Field(description="Only what stands in this unit or below it.")
    from_: Day = Field(alias="from", description="The first day of the period.")
    to: Day | None = Field(
        default=None, description="The last day of the period; today by default."
    )


# -- what clients get

_IN = ("new", "relapsed", "from_other", "moved_in")
_OUT = ("to_other", "escaped", "moved_out", "ended")
COLUMNS = ("opening", *_IN, *_OUT, "adjusted", "closing")


class FlowRead(Output):
    """One line of a flow table, in households and in people.

    closing = opening + new + relapsed + from_other + moved_in - to_other - escaped - moved_out -
    ended + adjusted. `from_other` and `to_other`: from and to the other of the two classes. `part`
    is null for the total. `rounded`: each figure to a multiple of 5 by itself, as published in
    `edition` of the province (null: those of several provinces), so that a line need not balance.
    """

    table: FlowTable
    unit_id: int
    first_day: date
    last_day: date
    part: str | None
    part_name: str | None
    opening_households: int
    new_households: int
    relapsed_households: int
    from_other_households: int
    moved_in_households: int
    to_other_households: int
    escaped_households: int
    moved_out_households: int
    ended_households: int
    adjusted_households: int
    closing_households: int
    opening_people: int
    new_people: int
    relapsed_people: int
    from_other_people: int
    moved_in_people: int
    to_other_people: int
    escaped_people: int
    moved_out_people: int
    ended_people: int
    adjusted_people: int
    closing_people: int
    rounded: bool
    edition: int | None


class FlowPage(Page):
    """The total first, then its parts."""

    items: list[FlowRead]


class FlowStanding(StrEnum):
    poor = "poor"
    near_poor = "near_poor"
    neither = "neither"


class TransitionRead(Output):
    """Households that stood in `before` on the first day and in `after` on the last.

    Those in neither class on both days are left out; those who left the unit meanwhile count as
    neither.
    """

    before: FlowStanding
    after: FlowStanding
    households: int
    people: int


class TransitionPage(Page):
    items: list[TransitionRead]
