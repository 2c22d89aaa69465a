"""Review campaigns and simulations: who is to be looked at by when; who would change class."""

from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field as Constraint

from app.models.base import Input, ListQuery, Output, Page, UnitId
from app.models.households.households import PovertyClass
from app.models.kernel.access import Right
from app.models.kernel.jobs import Jobs
from app.models.kernel.sensitive import About
from app.models.kernel.units import AreaType
from app.models.poverty.poverty import Money

# -- campaigns: data (app/data/campaigns/reviews.yaml)


class MonthDay(Input):
    month: Annotated[int, Constraint(ge=1, le=12)]
    day: Annotated[int, Constraint(ge=1, le=31)]


class YearlyReview(Input):
    opens: MonthDay
    closes: MonthDay
    decided_by: MonthDay


class MonthlyReview(Input):
    opens_day: Annotated[int, Constraint(ge=1, le=28)]
    working_days: Annotated[int, Constraint(ge=1, le=60)]


class ReviewFile(Input):
    source: str
    confirmed: bool
    unconfirmed: list[str]
    yearly: YearlyReview
    monthly: MonthlyReview


class CampaignKind(StrEnum):
    yearly = "yearly"
    monthly = "monthly"


class PovertyJob(Jobs):
    simulation = "poverty_simulation"


class Missing(StrEnum):
    """What a household under review still needs; `agreement`: the two differ."""

    assessment = "assessment"
    decision = "decision"
    agreement = "agreement"
    nothing = "nothing"


class CampaignQuery(ListQuery):
    year: Annotated[int, Constraint(ge=2016, le=2100)] | None = Constraint(
        default=None, description="The year."
    )


class CoverageQuery(ListQuery):
    unit: UnitId = Constraint(description="Only what stands in this unit or below it.")


class WorklistQuery(ListQuery):
    unit: UnitId | None = Constraint(
        default=None, description="Only what stands in this unit or below it."
    )
    missing: Missing | None = Constraint(default=None, description="Only who still needs this.")


class CampaignRead(Output):
    """`decided_by`: the last day of the decisions that belong to it. `unconfirmed`: fields that no
    source at hand states."""

    id: str
    kind: CampaignKind
    opens_on: date
    closes_on: date
    decided_by: date
    source: str
    confirmed: bool
    unconfirmed: list[str]


class CampaignPage(Page):
    items: list[CampaignRead]


class CoverageRead(Output):
    """How far a branch is. `to_review`: poor or near-poor when the campaign opened, or looked at
    during it."""

    branch_id: int
    branch_name: str
    to_review: int
    assessed: int
    decided: int
    disagreeing: int
    closes_on: date


class CoveragePage(Page):
    items: list[CoverageRead]


class WorkRead(Output):
    """What was found and decided in this round; without a decision of it `poverty_status` is the
    class in force at its end, or today."""

    about: ClassVar = About("household", ("household_id",), row=Right.poverty_read)

    household_id: UUID
    head_name: str
    branch_id: int
    poverty_status: PovertyClass | None
    assessed_class: str | None
    assessed_on: date | None
    decided_on: date | None
    missing: Missing
    closes_on: date


class WorklistPage(Page):
    items: list[WorkRead]


# -- simulations

LineName = Annotated[str, Constraint(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class SimulationCreate(Input):
    """`income_lines`: {area: {line: VND}} to be tried instead of the standard's."""

    unit_id: UnitId
    income_lines: dict[AreaType, dict[LineName, Money]] = {}
