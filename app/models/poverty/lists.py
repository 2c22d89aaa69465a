"""Lists of assessments and decisions of all households of a unit."""

from sqlmodel import Field

from app.models.base import Page
from app.models.households.households import PovertyClass
from app.models.kernel.hierarchy import PeriodQuery
from app.models.poverty.poverty import (
    AssessedClass,
    AssessmentRead,
    AssessmentSource,
    StatusChange,
    StatusRead,
)


class AssessmentQuery(PeriodQuery):
    """Assessments made in the period, the newest first. `class_` is sent as `class`."""

    class_: AssessedClass | None = Field(
        alias="class", default=None, description="Only with this result."
    )
    source: AssessmentSource | None = Field(default=None, description="Only made in this way.")


class AssessmentItem(AssessmentRead):
    """With the household, and where it stands today."""

    head_name: str
    branch_id: int
    commune_id: int | None


class AssessmentItemPage(Page):
    items: list[AssessmentItem]


class DecisionQuery(PeriodQuery):
    """Decisions that took effect in the period, the newest first. `class_` is sent as `class`."""

    class_: PovertyClass | None = Field(
        alias="class", default=None, description="Only of this class."
    )
    change: StatusChange | None = Field(default=None, description="Only of this change.")
    decision_number: str | None = Field(
        default=None, max_length=60, description="Only of this decision."
    )


class DecisionItem(StatusRead):
    """With the household, and where it stands today."""

    head_name: str
    branch_id: int
    commune_id: int | None


class DecisionItemPage(Page):
    items: list[DecisionItem]
