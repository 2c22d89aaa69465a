"""The card of a member: a QR code that any phone can verify with a published key."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from sqlmodel import Field

from app.models.base import Input, Output, Parameters, Revised, Uuid, lines, new_id


class MemberCard(Revised, table=True):
    """A card that was issued; at most one of a member is good at a time."""

    __tablename__ = "member_card"
    __table_args__ = (
        sa.Index("ix_member_card_member_id", "member_id"),
        sa.Index(
            "uq_member_card_good",
            "member_id",
            unique=True,
            sqlite_where=sa.text("revoked_at IS NULL"),
            postgresql_where=sa.text("revoked_at IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    revoked_at: datetime | None = None
    reason: str | None = Field(default=None, max_length=500)


# -- what clients send


class Picture(StrEnum):
    json = "json"
    png = "png"
    svg = "svg"


class PictureQuery(Parameters):
    """`format`: the code as a picture to print or to hold up."""

    format: Picture = Field(
        default=Picture.json,
        description="The code itself, or as a picture to print or to hold up.",
    )


class CodeQuery(PictureQuery):
    """`printed`: a code that does not change, for a sheet of paper at the door."""

    printed: bool = Field(
        default=False, description="A code that does not change, for a sheet of paper."
    )


class CardRevocation(Input):
    """`reason`: lost, stolen, damaged, ...; the next card is another one."""

    reason: Annotated[str, *lines(500)]


# -- what clients get


class CardRead(Output):
    """`token` is what the QR code holds; null once the card is revoked."""

    id: UUID
    member_id: UUID
    full_name: str
    token: str | None
    issued_at: AwareDatetime
    revoked_at: AwareDatetime | None
    reason: str | None
    revision: int


class SessionCodeRead(Output):
    """The code to show now. It is taken from `valid_from` to `valid_to`, which include a step of
    tolerance; the next one begins at `next_at`, null for one on paper.

    `key` (base64url) makes all codes of this session, so that a phone can show them without a
    network: see docs/guides/meetings.md.
    """

    session_id: UUID
    token: str
    valid_from: AwareDatetime
    valid_to: AwareDatetime
    next_at: AwareDatetime | None
    step_seconds: int
    key: str
