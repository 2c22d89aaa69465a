"""The register of what people ask of their own data, and by when the union has to answer."""

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
    Names,
    Output,
    Page,
    Parameters,
    Revised,
    UnitId,
    Uuid,
    lines,
    new_id,
    str_enum,
)
from app.models.members.fields import PastDay
from app.models.privacy.consents import PurposeCode
from app.models.privacy.rules import RequestKind


class RequestState(StrEnum):
    received = "received"
    acknowledged = "acknowledged"
    extended = "extended"
    done = "done"
    refused = "refused"
    cancelled = "cancelled"


OPEN_REQUESTS = (RequestState.received, RequestState.acknowledged, RequestState.extended)


class Channel(StrEnum):
    """How it came in."""

    app = "app"
    paper = "paper"
    in_person = "in_person"
    phone = "phone"
    message = "message"


class RefusalReason(StrEnum):
    """Why it was not done; `other` needs its words in `answer`."""

    not_identified = "not_identified"
    not_hers = "not_hers"
    legal_obligation = "legal_obligation"
    legal_hold = "legal_hold"
    rights_of_others = "rights_of_others"
    unfounded = "unfounded"
    other = "other"


class PrivacyRequest(Revised, table=True):
    """One request of one person, with its deadlines as they were computed when it came in."""

    __tablename__ = "privacy_request"
    __table_args__ = (
        sa.Index("ix_privacy_request_member_id", "member_id"),
        sa.Index("ix_privacy_request_state_due_on", "state", "due_on"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    kind: RequestKind = Field(sa_type=str_enum(RequestKind))
    purpose: str | None = Field(default=None, max_length=32)
    channel: Channel = Field(sa_type=str_enum(Channel))
    with_processors: bool = False
    note: str | None = Field(default=None, max_length=1000)
    state: RequestState = Field(sa_type=str_enum(RequestState))
    received_on: date
    rules: str = Field(max_length=32)
    answer_due_on: date
    due_on: date
    requested_by: UUID = Field(sa_type=Uuid)
    assigned_to: UUID | None = Field(default=None, sa_type=Uuid)
    acknowledged_by: UUID | None = Field(default=None, sa_type=Uuid)
    acknowledged_at: datetime | None = None
    extended_by: UUID | None = Field(default=None, sa_type=Uuid)
    extension_reason: str | None = Field(default=None, max_length=500)
    closed_by: UUID | None = Field(default=None, sa_type=Uuid)
    closed_at: datetime | None = None
    refusal_reason: RefusalReason | None = Field(default=None, sa_type=str_enum(RefusalReason))
    answer: str | None = Field(default=None, max_length=1000)


# -- what clients send

Answer = Annotated[str, *lines(1000)]


class OwnRequestCreate(Input):
    """`purpose`: which consent I take back, or what I object to; needed for those two."""

    id: UUID | None = None
    kind: RequestKind
    purpose: PurposeCode | None = None
    note: Answer | None = None


class RequestCreate(OwnRequestCreate):
    """`received_on` is the day it reached the union; the deadlines run from it.
    `with_processors`: others who hold her data have to act as well."""

    channel: Channel
    received_on: PastDay | None = None
    with_processors: bool = False


class RequestAssign(Input):
    """`account_id`: an officer who holds `privacy:manage` over the member."""

    account_id: Annotated[UUID, Names("account", of_parent=True)]


class RequestExtend(Input):
    """Once; `days` is at most what the rules allow."""

    days: Annotated[int, Field(ge=1, le=90)]
    reason: Annotated[str, *lines(500)]


class RequestComplete(Input):
    """`answer` is shown to the member."""

    answer: Answer | None = None


class RequestRefuse(Input):
    reason: RefusalReason
    answer: Answer | None = None


class RequestQuery(ListQuery):
    """What is due first comes first. `overdue`: open after a deadline today, or not."""

    state: RequestState | None = Field(default=None, description="Only this state.")
    open: bool | None = Field(
        default=None, description="Only requests that are open, or only those that are closed."
    )
    kind: RequestKind | None = Field(default=None, description="Only this kind.")
    overdue: bool | None = Field(
        default=None, description="Only what is open beyond a deadline, or only what is not."
    )
    assigned_to: UUID | None = Field(default=None, description="Only what this account sees to.")
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )


class RequestCountQuery(Parameters):
    unit: UnitId | None = Field(
        default=None, description="Only what stands in this unit or below it."
    )


# -- what clients get


class RequestCount(Output):
    """Requests, not people.

    `open` are `received`, `acknowledged` and `extended`; of them `overdue` have passed a deadline
    today, and `due_soon` have to be done within three days.
    """

    open: int
    overdue: int
    due_soon: int
    received: int
    acknowledged: int
    extended: int
    done: int
    refused: int
    cancelled: int


class RequestRead(Output):
    """`answer_due_on`: the last day to acknowledge the receipt; `due_on`: the last day to do it.

    `overdue`: one of the two has passed unmet. `assignee`: the name of the officer in charge.
    """

    id: UUID
    member_id: UUID
    full_name: str
    branch_id: int
    kind: RequestKind
    purpose: str | None
    channel: Channel
    with_processors: bool
    note: str | None
    state: RequestState
    received_on: date
    rules: str
    answer_due_on: date
    due_on: date
    overdue: bool
    assigned_to: UUID | None
    assignee: str | None
    acknowledged_at: AwareDatetime | None
    extension_reason: str | None
    closed_at: AwareDatetime | None
    refusal_reason: RefusalReason | None
    answer: str | None
    revision: int


class RequestPage(Page):
    items: list[RequestRead]
