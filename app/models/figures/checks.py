"""Checks of figures against each other, as clients ask for them and get them."""

from datetime import date
from enum import StrEnum

from pydantic import Field as Constraint

from app.models.base import ListQuery, Output, Page, UnitId
from app.models.figures.definitions import CheckSeverity
from app.models.figures.figures import PERIOD, Period
from app.models.kernel.hierarchy import InHierarchy


class CheckResult(StrEnum):
    """`unknown`: a figure that it needs is not known; `withheld`: I get one of them rounded or not at
    all, so that they do not reveal what the exact ones say."""

    holds = "holds"
    fails = "fails"
    unknown = "unknown"
    withheld = "withheld"


class FigureCheckQuery(ListQuery, InHierarchy):
    unit: UnitId = Constraint(description="The unit whose figures are checked.")
    period: Period | None = Constraint(default=None, description=PERIOD)
    result: CheckResult | None = Constraint(
        default=None, description="Only those with this result."
    )


class CheckTerm(Output):
    """A figure that the condition names: of the period, or of the day before it."""

    indicator: str
    name_vi: str
    name_en: str
    first_day: date
    last_day: date
    value: float | None


class FailedCheck(Output):
    """`text_vi` and `text_en`: what does not agree, in a sentence with its numbers."""

    check: str
    version: int
    severity: CheckSeverity
    first_day: date
    last_day: date
    text_vi: str
    text_en: str


class FigureCheckRead(Output):
    """`left` and `right`: the sides of the `condition`, which may be off by `tolerance`. `text_vi` and
    `text_en`: what does not agree, or why it was not checked; null where it holds. `missing`: the
    figures that are not known."""

    check: str
    version: int
    severity: CheckSeverity
    name_vi: str
    name_en: str
    condition: str
    tolerance: float
    first_day: date
    last_day: date
    result: CheckResult
    text_vi: str | None
    text_en: str | None
    left: float | None
    right: float | None
    terms: list[CheckTerm]
    missing: list[str]


class FigureCheckPage(Page):
    """`watermark`: every change up to this place of the change log is counted. `left_out`: checks of
    figures that I may not see in this unit."""

    watermark: int
    left_out: list[str]
    items: list[FigureCheckRead]
