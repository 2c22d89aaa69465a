"""Reminders of sessions: sent at once or at a time, into the inbox of each invited member."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from sqlmodel import Field

from app.models.base import Input, Instant, Output, Page, Revised, Uuid, lines, new_id
from app.models.kernel.jobs import Jobs


class EventJob(Jobs):
    reminder = "event_reminder"
    notice = "event_notice"


class Reminder(Revised, table=True):
    """To be sent at a time; `job_id` once it has been handed to a job."""

    __tablename__ = "event_reminder"
    __table_args__ = (
        sa.Index("ix_event_reminder_session_id", "session_id"),
        sa.Index(
            "ix_event_reminder_due",
            "send_at",
            sqlite_where=sa.text("job_id IS NULL"),
            postgresql_where=sa.text("job_id IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    session_id: UUID = Field(foreign_key="event_session.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    send_at: datetime
    text: str | None = Field(default=None, max_length=500)
    # The account that asked for it, and its sign-in session.
    account_id: UUID = Field(sa_type=Uuid)
    sign_in_id: UUID = Field(sa_type=Uuid)
    job_id: UUID | None = Field(default=None, sa_type=Uuid)


# -- what clients send


class ReminderCreate(Input):
    """At once, or at `send_at`."""

    id: UUID | None = None
    send_at: Instant | None = None
    text: Annotated[str, *lines(500)] | None = None


# -- what clients get


class ReminderRead(Output):
    """`job_id` once it has been sent off: see GET /v1/jobs/{id} for how far it is."""

    id: UUID
    session_id: UUID
    send_at: AwareDatetime
    text: str | None
    job_id: UUID | None
    revision: int


class ReminderPage(Page):
    items: list[ReminderRead]
