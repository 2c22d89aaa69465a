"""Minutes (biên bản) of a session: what was said and decided, signed off by the head."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING, AwareDatetime
from pydantic import Field as Constraint
from sqlmodel import Field

from app.models.base import Day, Input, Output, Revised, Uuid, json_type, line, lines, new_id
from app.models.events.events import Documents, Text


class SessionMinutes(Revised, table=True):
    """The minutes of one session. Once signed they are what was decided, for good."""

    __tablename__ = "session_minutes"
    __table_args__ = (sa.UniqueConstraint("session_id", name="uq_session_minutes_session_id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    session_id: UUID = Field(foreign_key="event_session.id", ondelete="CASCADE", sa_type=Uuid)
    province_id: int
    body: str | None = None
    decisions: list[dict[str, Any]] = Field(default_factory=list, sa_type=json_type)
    attachments: list[dict[str, Any]] = Field(default_factory=list, sa_type=json_type)
    photos: list[dict[str, Any]] = Field(default_factory=list, sa_type=json_type)
    signed_by: UUID | None = Field(default=None, sa_type=Uuid)
    signed_at: datetime | None = None


class MinutesDecision(Input):
    """`who` and `due_on`: who does it by when, in the words of the meeting."""

    text: Annotated[str, *lines(2_000)]
    who: Annotated[str, *line(200)] | None = None
    due_on: Day | None = None


Decisions = Annotated[list[MinutesDecision], Constraint(max_length=50)]


class MinutesUpdate(Input):
    """A JSON merge patch: the first one begins the minutes. Lists are sent whole. Attachments and
    photos are references; the files are kept elsewhere."""

    body: Text | None | MISSING = MISSING
    decisions: Decisions | MISSING = MISSING
    attachments: Documents | MISSING = MISSING
    photos: Documents | MISSING = MISSING


class DecisionRead(Output):
    text: str
    who: str | None
    due_on: str | None


class ReferenceRead(Output):
    title: str
    url: str


class MinutesRead(Output):
    """`signed_by` is the account of who signed."""

    id: UUID
    session_id: UUID
    body: str | None
    decisions: list[DecisionRead]
    attachments: list[ReferenceRead]
    photos: list[ReferenceRead]
    signed_by: UUID | None
    signed_at: AwareDatetime | None
    revision: int
