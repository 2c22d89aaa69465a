"""Poverty: assessments of households under a dated standard, and the decisions of the commune."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field as Constraint
from pydantic import StrictBool, create_model
from sqlmodel import Field

from app.models.base import (
    Day,
    Input,
    ListQuery,
    Names,
    Output,
    Page,
    Parameters,
    Revised,
    UnitId,
    Uuid,
    json_type,
    line,
    new_id,
    str_enum,
)
from app.models.households.households import Note, PovertyClass
from app.models.kernel.access import Right
from app.models.kernel.sensitive import About
from app.models.kernel.units import AreaType
from app.models.members.fields import PastDay


class AssessedClass(StrEnum):
    """The results a standard can give for the answers."""

    poor = "poor"
    near_poor = "near_poor"
    average = "average"
    not_poor = "not_poor"
    undetermined = "undetermined"


class AssessmentSource(StrEnum):
    official_survey = "official_survey"
    union_visit = "union_visit"
    self = "self"


class StatusChange(StrEnum):
    """What a decision makes of those before it (domain facts, 2.5); `none`: it was not poor nor
    near-poor, and is not."""

    new = "new"
    still = "still"
    relapsed = "relapsed"
    from_near_poor = "from_near_poor"
    to_near_poor = "to_near_poor"
    escaped = "escaped"
    none = "none"


class Restated(StrEnum):
    """What was corrected in the records of a household's people, so that it is counted otherwise."""

    ethnicity_corrected = "ethnicity_corrected"
    gender_corrected = "gender_corrected"


class Assessment(Revised, table=True):
    """What was found at a household on a day, and what the standard makes of it. Append-only.

    `answers`: {indicator: true deprived | false not | null unknown}. `result`: the explanation as
    `classify` gave it, with the version of the rule. `corrects_id`: the one it replaces; an
    assessment that another corrects counts no more.
    """

    __tablename__ = "assessment"
    __table_args__ = (
        sa.Index("ix_assessment_household_id_assessed_on", "household_id", "assessed_on", "id"),
        sa.Index("ix_assessment_branch_id_assessed_on", "branch_id", "assessed_on"),
        sa.Index("uq_assessment_corrects_id", "corrects_id", unique=True),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    household_id: UUID = Field(foreign_key="household.id", ondelete="CASCADE", sa_type=Uuid)
    # Where the household stood on the day.
    province_id: int
    commune_id: int | None = None
    branch_id: int
    standard: str = Field(max_length=32)
    rule_version: str = Field(max_length=64)
    assessed_on: date
    area_type: AreaType | None = Field(default=None, sa_type=str_enum(AreaType))
    income_per_person: int | None = Field(default=None, sa_type=sa.BigInteger)
    income_points: int | None = None
    b2_points: int | None = None
    answers: dict[str, Any] = Field(sa_type=json_type)
    source: AssessmentSource = Field(sa_type=str_enum(AssessmentSource))
    assessor: str | None = Field(default=None, max_length=120)
    witnesses: list[str] = Field(sa_type=json_type)
    evidence: list[str] = Field(sa_type=json_type)
    note: str | None = Field(default=None, max_length=500)
    poverty_class: AssessedClass = Field(sa_type=str_enum(AssessedClass))
    deprived: list[str] = Field(sa_type=json_type)
    result: dict[str, Any] = Field(sa_type=json_type)
    corrects_id: UUID | None = Field(
        default=None, foreign_key="assessment.id", ondelete="RESTRICT", sa_type=Uuid
    )
    account_id: UUID | None = Field(default=None, sa_type=Uuid)


class PovertyStatus(Revised, table=True):
    """A decision of the commune People's Committee on one household (domain facts, 2.4).

    In force from `valid_from` to `valid_to`, inclusive; open until the next one. Annulled ones never
    were. `branch_id` and the units above: where the household stood on `valid_from`. `ethnicity`: by
    which it is counted, as recorded when the decision was; a correction sets `restated_for`.
    """

    __tablename__ = "poverty_status"
    __table_args__ = (
        sa.Index("ix_poverty_status_household_id_valid_from", "household_id", "valid_from"),
        sa.Index("ix_poverty_status_branch_id_valid_from", "branch_id", "valid_from", "valid_to"),
        sa.Index("ix_poverty_status_commune_id_valid_from", "commune_id", "valid_from", "valid_to"),
        sa.Index(
            "uq_poverty_status_open",
            "household_id",
            unique=True,
            sqlite_where=sa.text("valid_to IS NULL AND annulled_on IS NULL"),
            postgresql_where=sa.text("valid_to IS NULL AND annulled_on IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    household_id: UUID = Field(foreign_key="household.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    commune_id: int | None = None
    branch_id: int
    poverty_class: PovertyClass = Field(sa_type=str_enum(PovertyClass))
    change: StatusChange = Field(sa_type=str_enum(StatusChange))
    # As it was sent, if it was: what is computed follows the decisions before it.
    stated_change: StatusChange | None = Field(default=None, sa_type=str_enum(StatusChange))
    ethnicity: str | None = Field(default=None, max_length=2)
    restated_for: Restated | None = Field(default=None, sa_type=str_enum(Restated))
    decision_number: str = Field(max_length=60)
    decided_on: date
    valid_from: date
    valid_to: date | None = None
    standard: str = Field(max_length=32)
    # Codes of the standard's causes of poverty.
    causes: list[str] = Field(sa_type=json_type)
    assessment_id: UUID | None = Field(
        default=None, foreign_key="assessment.id", ondelete="RESTRICT", sa_type=Uuid
    )
    note: str | None = Field(default=None, max_length=500)
    annulled_on: date | None = None
    # The decision that ended this one, if it would be open otherwise: annulled, this one is again.
    ended_by_id: UUID | None = Field(default=None, sa_type=Uuid)
    account_id: UUID | None = Field(default=None, sa_type=Uuid)


# -- what clients send

AssessmentOfHousehold = Annotated[UUID, Names("assessment", of_parent=True)]
Money = Annotated[int, Constraint(ge=0, le=10**12, strict=True)]
Points = Annotated[int, Constraint(ge=0, le=1000, strict=True)]
IndicatorCode = Annotated[str, *line(40)]
StandardId = Annotated[str, *line(32)]
Answers = Annotated[dict[IndicatorCode, StrictBool | None], Constraint(max_length=40)]
Witnesses = Annotated[list[Annotated[str, *line(120)]], Constraint(max_length=10)]
Evidence = Annotated[list[Annotated[str, *line(300)]], Constraint(max_length=20)]


class AssessmentCreate(Input):
    """`income_per_person` is VND a month; `income_points` the official total B1 of the survey,
    instead. `b2_points`: the official total B2, where the answers are not at hand, or beside them.

    `answers`: {indicator: true = deprived, false = not, null = unknown}; `standard` and `area_type`
    follow from the day and the place when left out.
    """

    id: UUID | None = None
    standard: StandardId | None = None
    assessed_on: PastDay
    area_type: AreaType | None = None
    income_per_person: Money | None = None
    income_points: Points | None = None
    b2_points: Points | None = None
    answers: Answers
    source: AssessmentSource
    assessor: Annotated[str, *line(120)] | None = None
    witnesses: Witnesses = []
    evidence: Evidence = []
    note: Note | None = None
    corrects_id: AssessmentOfHousehold | None = None


class DecisionTerms(Input):
    """What a decision says of all households that it names."""

    decision_number: Annotated[str, *line(60)]
    decided_on: PastDay
    valid_from: Day
    valid_to: Day | None = None
    standard: StandardId | None = None


class StatusCreate(DecisionTerms):
    """A decision. `class` is what was recognised; `change` is computed when left out."""

    id: UUID | None = None
    class_: Annotated[PovertyClass, Constraint(alias="class")]
    change: StatusChange | None = None
    causes: Annotated[list[IndicatorCode], Constraint(max_length=20)] = []
    assessment_id: AssessmentOfHousehold | None = None
    note: Note | None = None


class StandardQuery(Parameters):
    """`on`: the day asked about, today by default. `unit`: with what its province has set."""

    on: Day | None = Field(default=None, description="The day asked about; today by default.")
    unit: UnitId | None = Field(
        default=None, description="With what the province of this unit has set."
    )


class DifferenceQuery(ListQuery):
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )


# -- what clients get


class ClassReasonRead(Output):
    """`deprived` null: not answered, or of a reason that is not about one indicator."""

    indicator: str | None
    deprived: bool | None
    text_vi: str
    text_en: str


# `class` is a word of Python: no class body can declare the field that the contract calls so.
_Assessed = create_model("_Assessed", __base__=Output, **{"class": (AssessedClass, ...)})  # type: ignore[call-overload]  # a name in a mapping
_Recognised = create_model("_Recognised", __base__=Output, **{"class": (PovertyClass, ...)})  # type: ignore[call-overload]  # a name in a mapping


class AssessmentRead(_Assessed):  # type: ignore[misc,valid-type]  # made at run time
    """`possible`: the classes that what is `missing` leaves open. Where it is one, that is the class,
    whatever is missing."""

    about: ClassVar = About("household", ("household_id",), row=Right.poverty_read)

    id: UUID
    household_id: UUID
    standard: str
    rule_version: str
    assessed_on: date
    area_type: AreaType | None
    income_per_person: int | None
    income_points: int | None
    b2_points: int | None
    answers: dict[str, bool | None]
    source: AssessmentSource
    assessor: str | None
    witnesses: list[str]
    evidence: list[str]
    note: str | None
    deprived: list[str]
    reasons: list[ClassReasonRead]
    missing: list[str]
    possible: list[AssessedClass]
    corrects_id: UUID | None
    corrected_by: UUID | None
    account_id: UUID | None
    revision: int


class AssessmentPage(Page):
    """The newest first."""

    items: list[AssessmentRead]


class StatusAnnul(Input):
    """Why the decision never counted: a withdrawn decision, a slip of the pen."""

    note: Note


class StatusRead(_Recognised):  # type: ignore[misc,valid-type]  # made at run time
    """`assessment_standard`: that of its assessment, where it is another than the decision's."""

    about: ClassVar = About("household", ("household_id",), row=Right.poverty_read)

    id: UUID
    household_id: UUID
    change: StatusChange
    restated_for: Restated | None
    decision_number: str
    decided_on: date
    valid_from: date
    valid_to: date | None
    standard: str
    causes: list[str]
    assessment_id: UUID | None
    assessment_standard: str | None
    note: str | None
    annulled_on: date | None
    account_id: UUID | None
    revision: int


class StatusPage(Page):
    """The newest first."""

    items: list[StatusRead]


class DifferenceRead(Output):
    """A household whose last assessment differs from the decision in force."""

    about: ClassVar = About("household", ("household_id",), row=Right.poverty_read)

    household_id: UUID
    head_name: str
    branch_id: int
    assessed_class: AssessedClass
    assessed_on: date
    poverty_status: PovertyClass | None
    poverty_since: date | None


class DifferencePage(Page):
    items: list[DifferenceRead]
