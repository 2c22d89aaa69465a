"""Files: how they arrive piece by piece (tus 1.0), and what is kept of them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime
from pydantic import Field as Constraint
from sqlmodel import Field, SQLModel

from app.models.base import (
    Input,
    Output,
    Parameters,
    Revised,
    Sealed,
    Uuid,
    key_text,
    new_id,
    str_enum,
)
from app.models.kernel.sensitive import PHOTO, About, SensitiveIf

# What seals the bytes of a file is sealed itself: bytes without their row cannot be read.
_SECRET = "file_secret"  # noqa: S105  # the name of a field


class FileKind(StrEnum):
    """What a file is for: it decides its largest size and the types it may have."""

    # JPEG, PNG, WebP or HEIC; kept as JPEG without what the camera wrote into it.
    picture = "picture"
    # PDF or plain text in UTF-8; kept as it is.
    document = "document"


class FileState(StrEnum):
    uploading = "uploading"
    ready = "ready"
    # All of it arrived, and it is not what it should be: nothing of it is kept.
    refused = "refused"


class FileSize(StrEnum):
    full = "full"
    thumbnail = "thumbnail"


class FileUpload(SQLModel, table=True):
    """A file on its way: so many of its `length` bytes have arrived."""

    __tablename__ = "file_upload"
    __table_args__ = (
        sa.Index("ix_file_upload_account_id", "account_id"),
        sa.Index("ix_file_upload_expires_at", "expires_at"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: UUID = Field(foreign_key="account.id", ondelete="CASCADE", sa_type=Uuid)
    kind: FileKind = Field(sa_type=str_enum(FileKind))
    # As the client says it is; checked when all of it is there.
    media_type: str | None = Field(default=None, max_length=100)
    length: int = Field(sa_type=sa.BigInteger)
    offset: int = Field(default=0, sa_type=sa.BigInteger)
    secret: str = Field(sa_type=Sealed(_SECRET))
    # The code of the problem with which it was refused.
    refused: str | None = Field(default=None, max_length=60)
    created_at: datetime
    expires_at: datetime


class FilePiece(SQLModel, table=True):
    """What one request brought of an upload; its bytes are in the store under its id."""

    __tablename__ = "file_piece"
    __table_args__ = (
        sa.UniqueConstraint("upload_id", "start", name="uq_file_piece_upload_id_start"),
    )

    id: UUID = Field(primary_key=True, sa_type=Uuid)
    upload_id: UUID = Field(foreign_key="file_upload.id", ondelete="CASCADE", sa_type=Uuid)
    start: int = Field(sa_type=sa.BigInteger)


class StoredFile(Revised, table=True):
    """A whole file. Its bytes are in the store, sealed with its `secret`: without the row they are
    noise, in old copies of the store too.

    `used_as` and `used_by` name what has the file: an entity of the change log, and its id. A file
    that nothing has is deleted at `expires_at`.
    """

    __tablename__ = "file"
    __table_args__ = (
        sa.Index("ix_file_account_id", "account_id"),
        sa.Index("ix_file_unit_id", "unit_id"),
        sa.Index("ix_file_used_by", "used_by"),
        sa.Index("ix_file_object_id", "object_id"),
        sa.Index("ix_file_thumbnail_id", "thumbnail_id"),
        sa.Index("ix_file_expires_at", "expires_at"),
    )

    # That of its upload.
    id: UUID = Field(primary_key=True, sa_type=Uuid)
    # Who sent it, and the unit that looked after the account then.
    account_id: UUID = Field(foreign_key="account.id", ondelete="CASCADE", sa_type=Uuid)
    unit_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    kind: FileKind = Field(sa_type=str_enum(FileKind))
    media_type: str = Field(max_length=100)
    # Bytes: as it was sent, and as it is kept.
    length: int = Field(sa_type=sa.BigInteger)
    size: int = Field(sa_type=sa.BigInteger)
    width: int | None = None
    height: int | None = None
    # Where the store has it.
    object_id: UUID = Field(sa_type=Uuid)
    thumbnail_id: UUID | None = Field(default=None, sa_type=Uuid)
    secret: str = Field(sa_type=Sealed(_SECRET))
    used_as: str | None = Field(default=None, sa_type=key_text, max_length=40)
    used_by: UUID | None = Field(default=None, sa_type=Uuid)
    expires_at: datetime | None = None


class FileQuery(Parameters):
    size: FileSize = Constraint(
        default=FileSize.full, description="Of a picture: all of it, or at most 320 pixels wide."
    )


class FileLinkCreate(Input):
    """A link is good for so many `seconds`, an hour at most: it does not end with the rights of who made
    it."""

    size: FileSize = FileSize.thumbnail
    seconds: Annotated[int, Constraint(ge=1, le=3_600)] = 900


class FileLinkRead(Output):
    """`path` goes behind the address of the server. Whoever has it reads the file until then."""

    path: str
    expires_at: AwareDatetime


class FileShown(Output):
    """What an answer with the bytes of a file shows, or a link to them: of whom they are."""

    about: ClassVar[About] = About(None)

    entity: str
    id: UUID
    content: Annotated[str, SensitiveIf(lambda _: (PHOTO,))]


class FileRead(Output):
    """`offset` of `length` bytes have arrived. When all are there, the file is `ready`, or `refused`
    with the code of a problem; `media_type` is then what its content shows it to be.

    `size`, `width`, `height`: of what is kept, in bytes and pixels; null while it is on its way, and
    pixels of documents. `used_as`: what has it (`member`), or null; then it is deleted at
    `expires_at`.
    """

    id: UUID
    kind: FileKind
    state: FileState
    offset: int
    length: int
    media_type: Annotated[str, Constraint(examples=["image/jpeg"])] | None
    size: int | None
    width: int | None
    height: int | None
    refused: str | None
    used_as: str | None
    expires_at: AwareDatetime | None
