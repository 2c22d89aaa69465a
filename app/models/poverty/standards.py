"""What a file of app/data/poverty holds: a standard with its lines, indicators and rule; a change
of it by one province; a table of points. `confirmed: false` marks what no source at hand states.
"""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from app.models.base import Input, Output
from app.models.kernel.units import AreaType
from app.models.poverty.poverty import AssessedClass

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,31}$")]
Text = Annotated[str, Field(min_length=1, max_length=1000)]
Vnd = Annotated[int, Field(ge=0, le=10**9, strict=True)]
Points = Annotated[int, Field(ge=0, le=1000, strict=True)]
Lines = dict[AreaType, dict[Code, Vnd]]
PointLines = dict[AreaType, dict[Code, Points]]


class NamedCode(Input):
    code: Code
    vi: Text
    en: Text

    def words(self) -> dict[str, str]:
        """As texts of problems call it: by its name, and for programs by its code."""
        return {"vi": self.vi, "en": self.code}


class Indicator(NamedCode):
    """`deprived_if_*` is the definition: what makes the answer true."""

    dimension: Code
    deprived_if_vi: Text
    deprived_if_en: Text
    points: Points = 10
    confirmed: bool = True


class Rule(Input):
    """The first rule whose conditions all hold gives the class; the last has none.

    `income_at_most` names a line; the number of deprivations is `deprived_at_least` or more.
    """

    class_: Annotated[AssessedClass, Field(alias="class")]
    income_at_most: Code | None = None
    deprived_at_least: Annotated[int, Field(ge=1, le=40)] | None = None


class Standard(Input):
    """A poverty standard in force from `valid_from` to `valid_to`, both inclusive.

    `income_lines`: VND a person a month, by area type and name; `point_lines`: the same lines in
    points of form B1, where the survey uses points. `review_from`: since when households are assessed
    by it for decisions that hold once it is in force. `unconfirmed` names in words what to check.
    """

    id: Id
    version: Annotated[int, Field(ge=1)]
    vi: Text
    en: Text
    source: Text
    valid_from: date
    valid_to: date | None
    review_from: date | None = None
    income_lines: Lines
    point_lines: PointLines = {}
    dimensions: list[NamedCode]
    indicators: list[Indicator]
    rules: Annotated[list[Rule], Field(min_length=2)]
    causes: list[NamedCode]
    groups: list[NamedCode]
    unconfirmed: list[Text] = []

    def words(self) -> dict[str, str]:
        return {"vi": self.vi, "en": self.id}

    def judges(self, day: date) -> bool:
        """Households may be assessed by it on the day."""
        since = self.review_from or self.valid_from
        return since <= day and (self.valid_to is None or day <= self.valid_to)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        """Checks beyond the schema: all references resolve, and each class is reached."""
        codes = [indicator.code for indicator in self.indicators]
        dimensions = {dimension.code for dimension in self.dimensions}
        lines = {rule.income_at_most for rule in self.rules} - {None}
        last = self.rules[-1]
        wrong = [
            message
            for fault, message in (
                (len(set(codes)) != len(codes), "an indicator is named twice"),
                ({i.dimension for i in self.indicators} - dimensions, "unknown dimension"),
                (set(self.income_lines) != set(AreaType), "lines are needed for each area type"),
                (any(lines - set(of) for of in self.income_lines.values()), "a line is missing"),
                (last.income_at_most or last.deprived_at_least, "the last rule has no condition"),
                (
                    any(rule.class_ is AssessedClass.undetermined for rule in self.rules),
                    "no rule gives undetermined",
                ),
                (
                    self.valid_to is not None and self.valid_to < self.valid_from,
                    "it ends before it begins",
                ),
                (
                    self.review_from is not None and self.review_from > self.valid_from,
                    "its review begins after it",
                ),
            )
            if fault
        ]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


class Override(Input):
    """Lines other than the standard's: of one province (its government code), or of all.

    It applies from `valid_from` to `valid_to` while the standard does; lines it does not name stay.
    """

    id: Id
    version: Annotated[int, Field(ge=1)]
    overrides: Id
    province: Annotated[str, Field(pattern=r"^[0-9]{2}$")] | None = None
    source: Text
    valid_from: date
    valid_to: date | None = None
    income_lines: Lines = {}
    point_lines: PointLines = {}


class PointOption(NamedCode):
    points: Annotated[int, Field(ge=-1000, le=1000, strict=True)]


class PointItem(NamedCode):
    options: Annotated[list[PointOption], Field(min_length=1)]


class PointTable(Input):
    """Form B1 of one region and area type: points for what a household is and has.

    `provinces`: the government codes it is for, of old provinces too: one province may need two.
    """

    id: Id
    points_of: Id
    region: Code
    area_type: AreaType
    provinces: list[Annotated[str, Field(pattern=r"^[0-9]{2,3}$")]]
    source: Text
    items: Annotated[list[PointItem], Field(min_length=1)]


# -- what clients get


class NamedRead(Output):
    code: str
    vi: str
    en: str


class IndicatorRead(NamedRead):
    dimension: str
    deprived_if_vi: str
    deprived_if_en: str
    points: int
    confirmed: bool


class RuleRead(Output):
    """`then`: the class when all that is not null holds; the first such rule counts."""

    then: AssessedClass
    income_at_most: str | None
    deprived_at_least: int | None


class StandardRead(Output):
    """A standard as it applies on the day asked; `local` names the override that changed its lines,
    `rule_version` what an assessment made with it keeps."""

    id: str
    rule_version: str
    vi: str
    en: str
    source: str
    valid_from: date
    valid_to: date | None
    review_from: date | None
    currency: Literal["VND"]
    income_lines: dict[AreaType, dict[str, int]]
    point_lines: dict[AreaType, dict[str, int]]
    dimensions: list[NamedRead]
    indicators: list[IndicatorRead]
    rules: list[RuleRead]
    causes: list[NamedRead]
    groups: list[NamedRead]
    unconfirmed: list[str]
    local: list[str]
    point_tables: list[str]


class StandardList(Output):
    """The one in force on the day asked, or all of them, the oldest first."""

    items: list[StandardRead]
