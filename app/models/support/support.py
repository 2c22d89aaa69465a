"""Support (hỗ trợ): what a household was given, by whom, against which deprivation; visits; loans."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field as Constraint
from sqlmodel import Field

from app.models.base import (
    Day,
    HouseholdId,
    Input,
    ListQuery,
    Names,
    Output,
    Page,
    Revised,
    UnitId,
    Uuid,
    line,
    lines,
    new_id,
    str_enum,
)
from app.models.households.households import Note, PovertyClass
from app.models.kernel.access import Right
from app.models.kernel.hierarchy import ListInHierarchy
from app.models.kernel.sensitive import About, Sensitive
from app.models.kernel.units import AreaType
from app.models.members.fields import PastDay
from app.models.poverty.poverty import IndicatorCode, Money


class SupportKind(StrEnum):
    """`housing`: mái ấm tình thương; `sponsorship`: mẹ đỡ đầu, of a child of the household."""

    loan = "loan"
    livelihood = "livelihood"
    housing = "housing"
    health_card = "health_card"
    training = "training"
    sponsorship = "sponsorship"
    gift = "gift"
    work = "work"
    other = "other"


class SupportUnit(StrEnum):
    """What a quantity is counted in; money is whole đồng."""

    vnd = "vnd"
    kg = "kg"
    head = "head"
    piece = "piece"
    card = "card"
    work_day = "work_day"
    month = "month"
    place = "place"


class SupportState(StrEnum):
    proposed = "proposed"
    approved = "approved"
    refused = "refused"
    cancelled = "cancelled"


class LoanScheme(StrEnum):
    """`vbsp`: groups of the Social Policy Bank (tổ TK&VV); the rest the union's own lines."""

    vbsp = "vbsp"
    tym = "tym"
    union_fund = "union_fund"
    savings_group = "savings_group"
    other = "other"


class Support(Revised, table=True):
    """One help to one household: proposed by one person, approved by another.

    `as_of` and `source` are the date and the origin of a loan's figure: the bank's books are the
    truth. `child_id`: the person of the household who is sponsored, with the guardian's consent.
    """

    __tablename__ = "support"
    __table_args__ = (
        sa.Index("ix_support_household_id_deprivation", "household_id", "deprivation", "given_on"),
        sa.Index("ix_support_branch_id_id", "branch_id", "id"),
        sa.Index("ix_support_commune_id_id", "commune_id", "id"),
        sa.Index("ix_support_province_id_id", "province_id", "id"),
        sa.Index("ix_support_child_id", "child_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    household_id: UUID = Field(foreign_key="household.id", ondelete="CASCADE", sa_type=Uuid)
    # Where the household stood when it was proposed: whose work it is.
    province_id: int
    commune_id: int | None = None
    branch_id: int
    kind: SupportKind = Field(sa_type=str_enum(SupportKind))
    programme: str | None = Field(default=None, max_length=40)
    deprivation: str | None = Field(default=None, max_length=40)
    provider: str | None = Field(default=None, max_length=120)
    given_on: date
    ends_on: date | None = None
    quantity: int | None = Field(default=None, sa_type=sa.BigInteger)
    quantity_unit: SupportUnit | None = Field(default=None, sa_type=str_enum(SupportUnit))
    value_vnd: int | None = Field(default=None, sa_type=sa.BigInteger)
    as_of: date | None = None
    source: str | None = Field(default=None, max_length=200)
    child_id: UUID | None = Field(default=None, sa_type=Uuid)
    guardian_consent_on: date | None = None
    note: str | None = Field(default=None, max_length=500)
    state: SupportState = Field(sa_type=str_enum(SupportState))
    proposed_by: UUID | None = Field(default=None, sa_type=Uuid)
    decided_by: UUID | None = Field(default=None, sa_type=Uuid)
    decided_at: datetime | None = None
    reason: str | None = Field(default=None, max_length=500)


# -- programmes: data, not code (app/data/support/programmes.yaml)


class Eligibility(Input):
    """Who a programme is for; what is not named does not matter. `deprived`: in any of these."""

    classes: list[PovertyClass] = []
    deprived: list[str] = []
    female_headed: bool | None = None
    ethnic_minority: bool | None = None
    area: AreaType | None = None


class ProgrammeEntry(Input):
    code: str
    vi: str
    en: str
    kind: SupportKind
    provider: str
    addresses: list[str]
    eligibility: Eligibility
    repeat_days: int
    valid_from: date
    valid_to: date | None = None
    source: str
    confirmed: bool


class ProgrammeFile(Input):
    double_support_days: int
    escape_check_months: list[int]
    programmes: list[ProgrammeEntry]


# -- what clients send

Reason = Annotated[str, *lines(500)]
Provider = Annotated[str, *line(120)]
Source = Annotated[str, *line(200)]
ProgrammeCode = Annotated[str, *line(40)]
Quantity = Annotated[int, Constraint(ge=1, le=10**12, strict=True)]
Count = Annotated[int, Constraint(ge=0, le=10**7, strict=True)]


class ProgrammeQuery(ListQuery):
    """`on`: the day asked about; `household`: with whether it is for this household, and why."""

    on: Day | None = Field(default=None, description="The day asked about; today by default.")
    household: UUID | None = Field(
        default=None, description="With whether it is for this household, and why."
    )


class SupportQuery(ListQuery, ListInHierarchy):
    """The newest first."""

    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )
    state: SupportState | None = Field(default=None, description="Only this state.")
    kind: SupportKind | None = Field(default=None, description="Only this kind.")


class SupportCreate(Input):
    """`deprivation` is the indicator it is to mend; a programme for a single one implies it.

    `quantity` with its unit, `value_vnd` what it is worth. A loan names `as_of` and `source`, a
    sponsorship the child and the day of the guardian's consent.
    """

    id: UUID | None = None
    kind: SupportKind
    programme: ProgrammeCode | None = None
    deprivation: IndicatorCode | None = None
    provider: Provider | None = None
    given_on: PastDay
    ends_on: Day | None = None
    quantity: Quantity | None = None
    quantity_unit: SupportUnit | None = None
    value_vnd: Money | None = None
    as_of: PastDay | None = None
    source: Source | None = None
    child_id: Annotated[UUID, Names("person", of_parent=True)] | None = None
    guardian_consent_on: PastDay | None = None
    note: Note | None = None


class SupportNote(SupportCreate):
    """Help for this household, sent as an operation of its own."""

    household_id: HouseholdId


class SupportRefuse(Input):
    reason: Reason


# -- what clients get


class ProgrammeRead(Output):
    """`eligible` and `lacking` are null unless a household was asked about. `confirmed` false: its
    terms are a guess to be checked with who runs it."""

    about: ClassVar = About("household", ("household",))

    code: str
    vi: str
    en: str
    kind: SupportKind
    provider: str
    addresses: list[str]
    classes: list[PovertyClass]
    repeat_days: int
    valid_from: date
    valid_to: date | None
    source: str
    confirmed: bool
    eligible: Annotated[bool | None, Sensitive(Right.support_read)]
    lacking: Annotated[list[str] | None, Sensitive(Right.support_read)]


class ProgrammePage(Page):
    items: list[ProgrammeRead]


class SupportRead(Output):
    """`child_id` is null, and named in `masked`, for a caller who may not see sponsored children."""

    about: ClassVar = About("household", ("household_id",), row=Right.support_read)

    id: UUID
    household_id: UUID
    branch_id: int
    kind: SupportKind
    programme: str | None
    deprivation: str | None
    provider: str | None
    given_on: date
    ends_on: date | None
    quantity: int | None
    quantity_unit: SupportUnit | None
    value_vnd: int | None
    as_of: date | None
    source: str | None
    child_id: UUID | None
    guardian_consent_on: date | None
    note: str | None
    state: SupportState
    proposed_by: UUID | None
    decided_by: UUID | None
    decided_at: datetime | None
    reason: str | None
    revision: int
    masked: list[str]


class SupportWarning(Output):
    """`support_id`: the earlier help that a double support warning is about."""

    code: str
    detail: str
    support_id: UUID | None


class SupportSaved(SupportRead):
    warnings: list[SupportWarning]


class SupportPage(Page):
    items: list[SupportRead]
