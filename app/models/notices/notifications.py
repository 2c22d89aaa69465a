"""The inbox of an account.

There is no sender to phones or mailboxes: a notification is delivered when the app reads the inbox.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from sqlmodel import Field, SQLModel

from app.models.base import ListQuery, Output, Page, Uuid, new_id, str_enum


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


class NotificationQuery(ListQuery):
    unread: bool = Field(default=False, description="Only those not read yet.")


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
