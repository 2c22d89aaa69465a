"""A review in one act: what was found at the households of a list, and the one decision on them."""

from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import MISSING
from pydantic import Field as Constraint

from app.models.base import HouseholdId, Input, Output
from app.models.households.households import Note, PovertyClass
from app.models.kernel.access import Right
from app.models.kernel.items import ItemProblem
from app.models.kernel.sensitive import About, Sensitive
from app.models.members.fields import PastDay
from app.models.poverty.poverty import (
    AssessedClass,
    AssessmentCreate,
    DecisionTerms,
    IndicatorCode,
    Points,
    StatusChange,
)


class Recognised(Input):
    """What the decision recognises of one household; `change` is computed when left out."""

    id: UUID | None = None
    class_: Annotated[PovertyClass, Constraint(alias="class")]
    change: StatusChange | None = None
    causes: Annotated[list[IndicatorCode], Constraint(max_length=20)] = []
    note: Note | None = None


class ReviewedHousehold(Input):
    """`assessment`: what was found; `recognised`: what the decision says of it. One of them is
    needed."""

    household_id: HouseholdId
    assessment: AssessmentCreate | None = None
    recognised: Recognised | None = None


class PovertyReview(Input):
    """`decision`: the one that covers the list; needed where something is `recognised`."""

    decision: DecisionTerms | None = None
    items: Annotated[list[ReviewedHousehold], Constraint(min_length=1, max_length=500)]


class ReviewRow(DecisionTerms):
    """One line of a result list: what is decided on a household, and, with `assessed_on`, the
    official totals that were found."""

    id: UUID | None = None
    household_id: HouseholdId
    class_: Annotated[PovertyClass, Constraint(alias="class")]
    assessed_on: PastDay | None = None
    income_points: Points | None = None
    b2_points: Points | None = None
    note: Note | None = None


class ReviewRowUpdate(Input):
    """Nothing else of a decision is corrected: it is annulled, and another one made."""

    note: Note | None | MISSING = MISSING


class ReviewVerdict(StrEnum):
    """`same`: this very item was stored before."""

    stored = "stored"
    same = "same"
    refused = "refused"


class ReviewOutcome(Output):
    """What became of one household: all of it is stored, or nothing. `assessed_class` is what the
    standard makes of the answers, `differs` whether the decision says otherwise."""

    about: ClassVar = About("household", ("household_id",))

    household_id: UUID
    verdict: ReviewVerdict
    assessment_id: UUID | None
    assessed_class: Annotated[AssessedClass | None, Sensitive(Right.poverty_read)]
    decision_id: UUID | None
    change: Annotated[StatusChange | None, Sensitive(Right.poverty_read)]
    differs: bool
    problem: ItemProblem | None


class ReviewOutcomes(Output):
    """In the order of the request, with the numbers of each verdict."""

    stored: int
    same: int
    refused: int
    items: list[ReviewOutcome]
