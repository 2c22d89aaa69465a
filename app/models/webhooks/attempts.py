"""Attempts: each try to send an event to an endpoint, and what the receiver said."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from pydantic import Field as Constraint
from sqlmodel import Field, SQLModel

from app.models.base import ListQuery, Output, Page, Uuid, new_id, str_enum


class WebhookPurpose(StrEnum):
    event = "event"
    # An event that was sent before, again on request.
    replay = "replay"
    ping = "ping"


class WebhookError(StrEnum):
    """Why a try did not succeed. `address_refused`: the name leads to an address that is not public.
    `certificate`: its certificate is not good for the name. `redirect`: it sends us elsewhere, where we
    do not go. `status`: any other answer than 2xx. `answer`: no HTTP, or too long a head."""

    name_unknown = "name_unknown"
    address_refused = "address_refused"
    connection = "connection"
    certificate = "certificate"
    timeout = "timeout"
    redirect = "redirect"
    gone = "gone"
    status = "status"
    answer = "answer"


class WebhookAttempt(SQLModel, table=True):
    """`number` counts the tries of one event. `answer`: the first bytes of what the receiver said, of
    tries that did not succeed; none where it repeats what it was sent."""

    __tablename__ = "webhook_attempt"
    __table_args__ = (
        sa.Index("ix_webhook_attempt_endpoint_id_id", "endpoint_id", "id"),
        sa.Index("ix_webhook_attempt_at", "at"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    endpoint_id: UUID = Field(foreign_key="webhook_endpoint.id", ondelete="CASCADE", sa_type=Uuid)
    purpose: WebhookPurpose = Field(sa_type=str_enum(WebhookPurpose))
    seq: int | None = Field(default=None, sa_type=sa.BigInteger)
    webhook_id: str = Field(max_length=100)
    type: str = Field(max_length=80)
    number: int
    at: datetime
    duration_ms: int
    status: int | None = None
    error: WebhookError | None = Field(default=None, sa_type=str_enum(WebhookError))
    answer: str | None = Field(default=None, max_length=500)


class WebhookAttemptQuery(ListQuery):
    failed: bool | None = Constraint(
        default=None, description="Only those that did not succeed, or only those that did."
    )
    seq: int | None = Constraint(
        default=None, ge=0, le=2**63 - 1, description="Only tries of this event."
    )


class WebhookAttemptRead(Output):
    """`webhook_id` is the header of that name. `status`: what the receiver answered, if it did."""

    id: UUID
    purpose: WebhookPurpose
    seq: int | None
    webhook_id: str
    type: str
    number: int
    at: AwareDatetime
    duration_ms: int
    status: int | None
    error: WebhookError | None
    answer: str | None


class WebhookAttemptPage(Page):
    """The newest first."""

    items: list[WebhookAttemptRead]
