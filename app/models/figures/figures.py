"""Figures of units, as clients ask for them and get them."""

from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field as Constraint

from app.models.base import ListQuery, Output, Page, UnitId
from app.models.figures.definitions import FigureKind, FigureUnit
from app.models.kernel.access import Right
from app.models.kernel.hierarchy import InHierarchy
from app.models.kernel.sensitive import About, SensitiveIf
from app.models.kernel.units import UnitRef

Period = Annotated[str, Constraint(min_length=4, max_length=22)]
PERIOD = (
    "A year (`2026`), half-year (`2026-H1`), quarter (`2026-Q3`) or month (`2026-07`), or days"
    " (`2026-06-15..2026-12-14`); the current year by default. It ends today at the latest."
)


class FigureBy(StrEnum):
    child = "child"
    month = "month"
    quarter = "quarter"
    year = "year"


class FigureLine(StrEnum):
    """What a line is of: the unit; a unit directly below it; the unit itself, without those below;
    what is counted in several of these and once in the unit, to be taken from their sum; or the unit
    in a part of the period."""

    total = "total"
    child = "child"
    own = "own"
    overlap = "overlap"
    period = "period"


class FigureQuery(ListQuery, InHierarchy):
    unit: UnitId = Constraint(description="The unit the figures are of.")
    indicators: Annotated[str, Constraint(max_length=2000)] | None = Constraint(
        default=None,
        description="Codes of figures, separated by commas; all that I may see by default.",
    )
    period: Period | None = Constraint(default=None, description=PERIOD)
    by: FigureBy | None = Constraint(
        default=None,
        description="Also of each unit directly below, or of each part of the period.",
    )


class ExplainFigureQuery(ListQuery, InHierarchy):
    unit: UnitId = Constraint(description="The unit the figure is of.")
    period: Period | None = Constraint(default=None, description=PERIOD)


class FigureTerm(Output):
    """A figure that a formula names, and its value there."""

    indicator: str
    value: float | None


class FigureRead(Output):
    """`value` null: not known, or `withheld` because it is small and I may not see whose it is.
    `rounded`: to a multiple of 5, up or down at random. `terms`: of a formula."""

    indicator: str
    version: int
    line: FigureLine
    unit_id: int | None
    unit_name: str | None
    first_day: date
    last_day: date
    measured_in: FigureUnit
    kind: FigureKind
    value: float | None
    terms: list[FigureTerm]
    rounded: bool
    withheld: bool


class FigurePage(Page):
    """`watermark`: every change up to this place of the change log is counted. `left_out`: figures
    that I may not see in this unit."""

    watermark: int
    left_out: list[str]
    items: list[FigureRead]


class FigurePart(Output):
    unit: UnitRef
    value: float | None


class FigureExcluded(Output):
    """Rows of the unit and the period that count nowhere, and why."""

    reason: str
    rows: int


def _named(value: list[str]) -> list[str]:
    return value


class FigureRow(Output):
    """One of the rows behind a number. `entity` and `entity_id`: whose it is, as in the change log.
    `reveals`: what of theirs one learns from its being here."""

    about: ClassVar = About(None, ("entity_id",))

    unit_id: int
    entity: str
    entity_id: str
    title: str | None
    day: date | None
    amount: int | None
    reveals: Annotated[list[str], SensitiveIf(_named)]


class FigureExplanation(Page):
    """value = the sum of `children` + `own` - `overlap`, where rows are counted; `terms`: the figures
    of a formula, each with an explanation of its own. `masked`: the rights I lack to see the rows."""

    watermark: int
    indicator: str
    version: int
    name_vi: str
    name_en: str
    rule_vi: str
    rule_en: str
    unit: UnitRef
    first_day: date
    last_day: date
    measured_in: FigureUnit
    kind: FigureKind
    formula: str | None
    value: float | None
    terms: list[FigureTerm]
    children: list[FigurePart]
    own: float | None
    overlap: float | None
    excluded: list[FigureExcluded]
    rounded: bool
    withheld: bool
    masked: list[Right]
    items: list[FigureRow]
