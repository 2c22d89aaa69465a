"""Definitions of figures: dated data of each capability (`app/data/figures`), and how clients see it."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field as Constraint
from pydantic import StringConstraints, model_validator

from app.models.base import Day, Input, ListQuery, Output, Page


class FigureUnit(StrEnum):
    """What a figure is counted in. People (người) and participations (lượt) are never added up."""

    person = "person"
    participation = "participation"
    household = "household"
    session = "session"
    branch = "branch"
    post = "post"
    group = "group"
    time = "time"
    vnd = "vnd"
    million_vnd = "million_vnd"
    percent = "percent"


class FigureKind(StrEnum):
    """A stock is of the last day of a period, a flow of all its days."""

    stock = "stock"
    flow = "flow"


class Deduplication(StrEnum):
    """`distinct`: each person or household once, however many rows it has; `rows`: every row;
    `sum`: the amounts of the rows."""

    distinct = "distinct"
    rows = "rows"
    sum = "sum"


class FigurePlace(StrEnum):
    """Where a figure stands on the page of a unit."""

    stock = "stock"
    trend = "trend"
    child = "child"
    attention = "attention"


class AtLeast(Input):
    """A range of numbers, both ends inclusive; without one end it is open there."""

    min: int | None = None
    max: int | None = None


class AnyBut(Input):
    """Known, and none of these."""

    known_but: list[str]


Condition = bool | int | str | list[str] | AtLeast | AnyBut
FigureCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$")]


class FigureText(Input):
    vi: str
    en: str


class FigureDefinition(Input):
    """One version of a figure: it counts rows, or it is a formula over other figures.

    `where`: which rows. `across`: of movements, only those whose other unit is outside of the unit.
    `reported`: somebody enters it, so that without a row it is unknown, and not zero. `places`:
    decimal places of a formula's result. `pages`: where it stands in an overview. For pictures,
    `bands`: the figures that divide it; `came` and `went`: those that made it more and less.
    """

    code: FigureCode
    version: Annotated[int, Constraint(ge=1)]
    valid_from: date
    valid_to: date | None = None
    name: FigureText
    rule: FigureText
    unit: FigureUnit
    kind: FigureKind
    rows: str | None = None
    where: dict[str, Condition] = {}
    counts: Deduplication | None = None
    amount: str | None = None
    across: bool = False
    reported: bool = False
    formula: str | None = None
    places: Annotated[int, Constraint(ge=0, le=6)] = 0
    pages: list[FigurePlace] = []
    bands: list[FigureCode] = []
    came: list[FigureCode] = []
    went: list[FigureCode] = []

    @model_validator(mode="after")
    def _one_way(self) -> "FigureDefinition":
        if (self.rows is None) == (self.formula is None):
            raise ValueError(f"{self.code}: either rows or a formula")
        if (self.rows is None) != (self.counts is None):
            raise ValueError(f"{self.code}: what counts is said of rows, and of rows alone")
        if (self.amount is None) == (self.counts is Deduplication.sum):
            raise ValueError(f"{self.code}: an amount is said of a sum, and of a sum alone")
        if self.formula is not None and (self.where or self.across or self.reported):
            raise ValueError(f"{self.code}: a formula has no rows to choose from")
        if self.kind is FigureKind.flow and {FigurePlace.stock, FigurePlace.attention} & {
            *self.pages
        }:
            raise ValueError(f"{self.code}: a flow is no number of today on a page")
        return self


class CheckSeverity(StrEnum):
    """`error`: it cannot be so; `warning`: somebody should look at it."""

    error = "error"
    warning = "warning"


class CheckDefinition(Input):
    """One version of a check of figures against each other.

    `condition`: two formulas with `<=`, `>=` or `==` between them; `before.` in front of a stock is
    what it was on the day before the period. `tolerance`: by how much they may differ from that.
    `fails`: the sentence where it does not hold, with {left}, {right} and {difference}; `unknown`:
    the one where a side is null although each figure is known.
    """

    code: FigureCode
    version: Annotated[int, Constraint(ge=1)]
    valid_from: date
    valid_to: date | None = None
    name: FigureText
    condition: str
    tolerance: Annotated[Decimal, Constraint(ge=0)] = Decimal(0)
    severity: CheckSeverity
    fails: FigureText
    unknown: FigureText | None = None


class FigureFile(Input):
    figures: list[FigureDefinition]
    checks: list[CheckDefinition] = []


# -- what clients send and get


class DefinitionQuery(ListQuery):
    on: Day | None = Constraint(
        default=None, description="The day whose rules are asked about; today by default."
    )


class DefinitionRead(Output):
    """`formula` names other figures; null where rows are counted. `deduplication`: how they are.
    `rolled_up`: it is kept of each unit and month, and where people or households are counted once of
    each quarter, half-year and year; where false, it is counted live.
    """

    code: str
    version: int
    valid_from: date
    valid_to: date | None
    capability: str
    name_vi: str
    name_en: str
    rule_vi: str
    rule_en: str
    unit: FigureUnit
    kind: FigureKind
    deduplication: Deduplication | None
    formula: str | None
    places: int
    rolled_up: bool


class DefinitionPage(Page):
    items: list[DefinitionRead]
