"""Pictures of a session: what was sent to /v1/files, with its order, caption and who took it."""

from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING
from pydantic import Field as Constraint
from sqlmodel import Field

from app.models.base import Input, Output, Page, Revised, Uuid, line, new_id


class SessionPicture(Revised, table=True):
    """A picture of one session; its minutes and its event show it as well."""

    __tablename__ = "session_picture"
    __table_args__ = (
        sa.UniqueConstraint("file_id", name="uq_session_picture_file_id"),
        sa.Index("ix_session_picture_session_id", "session_id", "position", "id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    session_id: UUID = Field(foreign_key="event_session.id", ondelete="CASCADE", sa_type=Uuid)
    # `used_by` of the file names this row.
    file_id: UUID = Field(foreign_key="file.id", ondelete="CASCADE", sa_type=Uuid)
    # Pictures of one place are in the order in which they were entered.
    position: int
    caption: str | None = Field(default=None, max_length=500)
    taken_by: str | None = Field(default=None, max_length=120)


FileReference = Annotated[
    str, *line(50), Constraint(examples=["files/0190f6a0-0000-7000-8000-000000000000"])
]
Position = Annotated[int, Constraint(ge=1, le=1_000)]
Caption = Annotated[str, *line(500)]
Photographer = Annotated[str, *line(120)]


class PictureCreate(Input):
    """`file`: `files/` and the id of a picture that I have sent and nothing has yet. `position`: after the others by
    default. `taken_by`: who took it, in words."""

    id: UUID | None = None
    file: FileReference
    position: Position | None = None
    caption: Caption | None = None
    taken_by: Photographer | None = None


class PictureUpdate(Input):
    """A JSON merge patch. Another picture is another row."""

    position: Position | MISSING = MISSING
    caption: Caption | None | MISSING = MISSING
    taken_by: Photographer | None | MISSING = MISSING


class PictureRead(Output):
    """Its bytes are at GET /v1/session-pictures/{id}/content."""

    id: UUID
    session_id: UUID
    position: int
    caption: str | None
    taken_by: str | None
    revision: int


class PicturePage(Page):
    items: list[PictureRead]
