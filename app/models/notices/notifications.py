"""The inbox of an account.

There is no sender to phones or mailboxes: a notification is delivered when the app reads the inbox.
"""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from sqlmodel import Field, SQLModel

from app.models.base import ListQuery, Name, Output, Page, Uuid, new_id
from app.models.kernel.units import UnitRef


class NotificationKind(Name):
    """What a notice is about: a capability that sends notices has kinds of its own."""


class Notification(SQLModel, table=True):
    """One message in the inbox of one account. What it is about is read from there, with the
    rights of that moment: a title kept here would outlive them.

    `occasion` tells two messages of one kind about one thing apart, for example two changes of a
    session.
    """

    __tablename__ = "notification"
    __table_args__ = (
        sa.UniqueConstraint(
            "account_id",
            "kind",
            "entity_id",
            "occasion",
            name="uq_notification_account_id_kind_entity_id_occasion",
        ),
        sa.Index("ix_notification_account_id_id", "account_id", "id"),
        sa.Index("ix_notification_created_at", "created_at"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: UUID = Field(foreign_key="account.id", ondelete="CASCADE", sa_type=Uuid)
    kind: str = Field(max_length=32)
    entity_id: UUID = Field(sa_type=Uuid)
    occasion: str = Field(default="", max_length=40)
    created_at: datetime
    read_at: datetime | None = None


class NotificationQuery(ListQuery):
    unread: bool = Field(default=False, description="Only those not read yet.")


class NotificationRead(Output):
    """`title` is that of the event, or says what waits; `text` what its notice says of the event,
    or what the reader has to decide. `unit` is
    the branch or unit that something waits for. `link` is where to read or decide it."""

    id: UUID
    kind: NotificationKind
    entity_id: UUID
    event_id: UUID | None
    session_id: UUID | None
    unit: UnitRef | None
    title: str
    text: str | None
    starts_at: AwareDatetime | None
    place: str | None
    state: str | None
    link: str
    created_at: AwareDatetime
    read_at: AwareDatetime | None


class NotificationPage(Page):
    """The newest first."""

    items: list[NotificationRead]
