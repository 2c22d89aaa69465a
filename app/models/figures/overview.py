"""The page of a unit in one answer: where it stands, how it goes, and what needs attention."""

from datetime import date

from app.models.base import Output
from app.models.figures.checks import FailedCheck
from app.models.figures.definitions import FigureKind, FigureUnit
from app.models.figures.figures import FigureTerm
from app.models.kernel.units import UnitRef


class OverviewFigure(Output):
    """`value` null: not known, or withheld because it is small and I may not see whose it is."""

    indicator: str
    version: int
    name_vi: str
    name_en: str
    measured_in: FigureUnit
    value: float | None
    rounded: bool
    withheld: bool


class OverviewPoint(Output):
    first_day: date
    last_day: date
    value: float | None


class OverviewTrend(Output):
    """Of each of the last 12 months: a flow of all its days, a stock of its last one; this month up
    to today."""

    indicator: str
    version: int
    name_vi: str
    name_en: str
    measured_in: FigureUnit
    kind: FigureKind
    points: list[OverviewPoint]


class OverviewChild(Output):
    unit: UnitRef
    figures: list[FigureTerm]


class Overview(Output):
    """`children`: the units directly below, the one with most members first. `attention`: what
    somebody should look at; 0 is well. `failed_checks`: figures of this month that do not agree with each
    other (`/v1/figure-checks` has the numbers). Each figure is explained by `/v1/figures/{indicator}/explain`
    with the same unit and days. `left_out`: figures that I may not see in this unit."""

    unit: UnitRef
    as_of: date
    watermark: int
    stocks: list[OverviewFigure]
    trends: list[OverviewTrend]
    children: list[OverviewChild]
    attention: list[OverviewFigure]
    failed_checks: list[FailedCheck]
    left_out: list[str]
