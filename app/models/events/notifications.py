"""Reminders of sessions and the inbox they arrive in.

There is no sender to phones or mailboxes: a notification is delivered when the app reads the inbox.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from sqlmodel import Field, SQLModel

from app.models.base import Input, ListQuery, Output, Page, Revised, Uuid, line, new_id, str_enum
from app.models.events.events import Instant


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
    # In whose name: her account, and the sign-in she asked from.
    account_id: UUID = Field(sa_type=Uuid)
    sign_in_id: UUID = Field(sa_type=Uuid)
    job_id: UUID | None = Field(default=None, sa_type=Uuid)


class NotificationKind(StrEnum):
    event_reminder = "event_reminder"


class Notification(SQLModel, table=True):
    """One message in the inbox of one account. What it is about is read from there, with the
    rights of that moment: a title kept here would outlive them."""

    __tablename__ = "notification"
    __table_args__ = (
        sa.UniqueConstraint(
            "account_id", "reminder_id", name="uq_notification_account_id_reminder_id"
        ),
        sa.Index("ix_notification_account_id_id", "account_id", "id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: UUID = Field(foreign_key="account.id", ondelete="CASCADE", sa_type=Uuid)
    kind: NotificationKind = Field(sa_type=str_enum(NotificationKind))
    reminder_id: UUID = Field(foreign_key="event_reminder.id", ondelete="CASCADE", sa_type=Uuid)
    session_id: UUID = Field(foreign_key="event_session.id", ondelete="CASCADE", sa_type=Uuid)
    created_at: datetime
    read_at: datetime | None = None


# -- what clients send


class ReminderCreate(Input):
    """At once, or at `send_at`."""

    id: UUID | None = None
    send_at: Instant | None = None
    text: Annotated[str, *line(500)] | None = None


class NotificationQuery(ListQuery):
    unread: bool = False


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


class NotificationRead(Output):
    id: UUID
    kind: NotificationKind
    event_id: UUID
    session_id: UUID
    title: str
    text: str | None
    starts_at: AwareDatetime
    place: str | None
    state: str
    created_at: AwareDatetime
    read_at: AwareDatetime | None


class NotificationPage(Page):
    """The newest first."""

    items: list[NotificationRead]
