"""Secret addresses of calendar feeds: what a phone's calendar subscribes to."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from sqlmodel import Field

from app.models.base import Input, ListQuery, Output, Page, Revised, UnitId, Uuid, new_id


class CalendarLink(Revised, table=True):
    """The calendar of a unit, or of a member, as its owner may see it on the day it is read.

    Only a digest of the secret is kept: who reads the database cannot read calendars with it.
    """

    __tablename__ = "calendar_link"
    __table_args__ = (
        sa.UniqueConstraint("token_digest", name="uq_calendar_link_token_digest"),
        sa.Index("ix_calendar_link_account_id", "account_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: UUID = Field(foreign_key="account.id", ondelete="CASCADE", sa_type=Uuid)
    # Null: the member of the account.
    unit_id: int | None = Field(default=None, foreign_key="unit.id", ondelete="RESTRICT")
    token_digest: str = Field(max_length=64)
    revoked_at: datetime | None = None


class CalendarLinkCreate(Input):
    """`unit_id` null: my own calendar."""

    unit_id: UnitId | None = None


class CalendarLinkQuery(ListQuery):
    """My own, the newest first; those revoked too."""


class CalendarLinkRead(Output):
    id: UUID
    unit_id: int | None
    created_at: AwareDatetime
    revoked_at: AwareDatetime | None
    revision: int


class CalendarLinkMade(CalendarLinkRead):
    """`path` holds the secret; it goes behind the address of the server. It is shown this once:
    null in the answer to a repeated request."""

    path: str | None


class CalendarLinkPage(Page):
    items: list[CalendarLinkRead]
