"""Consents: a member's answer to one purpose of using her data, with its evidence."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from sqlmodel import Field

from app.models.base import (
    Input,
    ListQuery,
    Output,
    Page,
    Parameters,
    Revised,
    UnitId,
    Uuid,
    line,
    lines,
    new_id,
    str_enum,
)
from app.models.members.fields import PastDay, PersonName


class ConsentDecision(StrEnum):
    """Silence is neither."""

    given = "given"
    refused = "refused"


class EvidenceKind(StrEnum):
    """How the answer can be proven."""

    paper = "paper"
    verbal_witnessed = "verbal_witnessed"
    app = "app"
    message = "message"
    recording = "recording"


class ConsentState(StrEnum):
    """Where a member stands towards a purpose; `missing`: she was never asked; `objected`: she
    objects to it, whatever she consented to before."""

    given = "given"
    refused = "refused"
    withdrawn = "withdrawn"
    missing = "missing"
    objected = "objected"


class Consent(Revised, table=True):
    """One answer to one purpose. Earlier answers stay, with the moment they were superseded.

    `text` is the version she was shown. A withdrawn consent was good until `withdrawn_on`.
    """

    __tablename__ = "consent"
    __table_args__ = (
        sa.Index("ix_consent_member_id", "member_id"),
        # What holds now: one answer a member and purpose, found by both.
        sa.Index(
            "uq_consent_current",
            "member_id",
            "purpose",
            unique=True,
            sqlite_where=sa.text("superseded_at IS NULL"),
            postgresql_where=sa.text("superseded_at IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    purpose: str = Field(max_length=32)
    text: str = Field(max_length=32)
    decision: ConsentDecision = Field(sa_type=str_enum(ConsentDecision))
    evidence: EvidenceKind = Field(sa_type=str_enum(EvidenceKind))
    evidence_reference: str | None = Field(default=None, max_length=120)
    note: str | None = Field(default=None, max_length=500)
    representative: str | None = Field(default=None, max_length=120)
    representative_relation: str | None = Field(default=None, max_length=60)
    recorded_on: date
    recorded_by: UUID = Field(sa_type=Uuid)
    withdrawn_on: date | None = None
    withdrawn_by: UUID | None = Field(default=None, sa_type=Uuid)
    withdrawal_evidence: EvidenceKind | None = Field(default=None, sa_type=str_enum(EvidenceKind))
    withdrawal_note: str | None = Field(default=None, max_length=500)
    superseded_at: datetime | None = None


# -- what clients send

PurposeCode = Annotated[str, *line(32)]
Reference = Annotated[str, *line(120)]
Note = Annotated[str, *lines(500)]


class Evidence(Input):
    """`reference` finds it again: the number of a form, the folder it is in, the witness."""

    kind: EvidenceKind
    reference: Reference | None = None
    note: Note | None = None


class Representative(Input):
    """Who consents for a minor: her parent or guardian by law."""

    full_name: PersonName
    relation: Annotated[str, *line(60)]


class OwnConsentCreate(Input):
    """My own answer: that I am signed in is the evidence."""

    id: UUID | None = None
    purpose: PurposeCode
    decision: ConsentDecision
    text: Annotated[str, *line(32)]


class ConsentCreate(Input):
    """`decision` has no default: silence is no consent. `recorded_on` is the day she said it."""

    id: UUID | None = None
    purpose: PurposeCode
    decision: ConsentDecision
    evidence: Evidence
    recorded_on: PastDay
    representative: Representative | None = None


class Withdrawal(Input):
    """`withdrawn_on` is the first day it no longer holds; today by default."""

    evidence: Evidence
    withdrawn_on: PastDay | None = None


class ConsentQuery(ListQuery):
    """Members in the union today by where they stand towards a purpose, in name order."""

    purpose: PurposeCode = Field(
        description="The purpose asked about, a code of GET /v1/privacy/purposes."
    )
    state: ConsentState | None = Field(default=None, description="Only this state.")
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )


# -- what clients get


class ConsentRead(Output):
    """`state`: of the answer itself. `current`: it is her latest to this purpose."""

    id: UUID
    member_id: UUID
    purpose: str
    text: str
    decision: ConsentDecision
    state: ConsentState
    current: bool
    evidence: EvidenceKind
    evidence_reference: str | None
    note: str | None
    representative: str | None
    representative_relation: str | None
    recorded_on: date
    recorded_by: UUID
    withdrawn_on: date | None
    withdrawal_evidence: EvidenceKind | None
    withdrawal_note: str | None
    superseded_at: AwareDatetime | None
    revision: int


class ConsentPage(Page):
    items: list[ConsentRead]


class ConsentStanding(Output):
    """Where one member stands towards the purpose asked about."""

    member_id: UUID
    full_name: str
    branch_id: int
    purpose: str
    state: ConsentState
    recorded_on: date | None
    text: str | None


class StandingPage(Page):
    items: list[ConsentStanding]


class ConsentCountQuery(Parameters):
    purpose: PurposeCode = Field(
        description="The purpose asked about, a code of GET /v1/privacy/purposes."
    )
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )


class ConsentCount(Output):
    """People in the union today by where they stand; the five add up to `people`."""

    purpose: str
    people: int
    given: int
    refused: int
    withdrawn: int
    missing: int
    objected: int
