"""Whole files: something has them, or they are deleted; who has one says who may read it.

A capability whose records have files keeps a reference (`files/` and the id) in a field of its own,
and calls `have` when it is written, `give_up` when it is replaced. Erasing the person or merging two records needs no
more: `used_by` is declared in the manifest.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.db import settings_of
from app.errors import Problem, not_found
from app.models.files.files import FileKind, FileSize, StoredFile
from app.services.files.objects import LOST, Shelf
from app.services.files.stores import store_of
from app.services.kernel.access import Actor, Db

_PREFIX: Final = "files/"
_ENDINGS: Final = {
    "image/jpeg": "jpg",
    "application/pdf": "pdf",
    "text/plain": "txt",
    "application/x-ndjson": "ndjson",
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
_CONTENT = sa.select(
    *(col(StoredFile.id), col(StoredFile.media_type), col(StoredFile.secret)),
    *(col(StoredFile.object_id), col(StoredFile.thumbnail_id), col(StoredFile.size)),
    *(col(StoredFile.used_as), col(StoredFile.used_by)),
)


@dataclass(frozen=True, slots=True)
class Content:
    """A file, whose bytes never change: `tag` is theirs for good. `used_as` and `used_by` name what
    has it. `read` gives its bytes from one on, chunk by chunk; 410 where they are lost."""

    file_id: UUID
    used_as: str | None
    used_by: UUID | None
    name: str
    media_type: str
    size: int
    tag: str
    read: Callable[[int], Iterator[bytes]]


def is_reference(value: str | None) -> bool:
    """Whether a field is meant to name a file of ours."""
    return value is not None and value.startswith(_PREFIX)


def referred(value: str | None) -> UUID | None:
    """The file that a field names; None for what is no reference to one of ours."""
    if value is None or not is_reference(value):
        return None
    try:
        return UUID(value.removeprefix(_PREFIX))
    except ValueError:
        return None


# -- reading


def of_sender(db: Db, actor: Actor, file_id: UUID, size: FileSize) -> Content:
    """A file that the actor has sent, while nothing has it: then its readers are those of what has
    it."""
    mine = (col(StoredFile.account_id) == actor.account_id, col(StoredFile.used_by).is_(None))
    return _content(db, file_id, size, *mine)


def of_record(
    db: Db, file_id: UUID | None, entity: str, record_id: UUID, size: FileSize
) -> Content:
    """A file of a record that the caller may read; 404 where the record does not have it."""
    if file_id is None:
        raise not_found()
    its = (col(StoredFile.used_as) == entity, col(StoredFile.used_by) == record_id)
    return _content(db, file_id, size, *its)


def of_link(db: Db, file_id: UUID, size: FileSize) -> Content:
    """A file to which a link was given by who may read it, while something has it."""
    return _content(db, file_id, size, col(StoredFile.used_by).is_not(None))


def _content(db: Db, file_id: UUID, size: FileSize, *where: sa.ColumnElement[bool]) -> Content:
    row = db.execute(_CONTENT.where(col(StoredFile.id) == file_id, *where)).one_or_none()
    if row is None:
        raise not_found()
    small = size is FileSize.thumbnail
    object_id = row.thumbnail_id if small else row.object_id
    if object_id is None:
        raise Problem("file_without_thumbnail")
    shelf = Shelf(store_of(settings_of(db)), row.secret)
    read, length = partial(_begun, shelf, object_id), row.size
    if small:
        thumbnail = b"".join(read(0))
        read, length = partial(_from, thumbnail), len(thumbnail)
    return Content(
        file_id=row.id,
        used_as=row.used_as,
        used_by=row.used_by,
        name=f"{row.id}.{_ENDINGS[row.media_type]}",
        media_type=row.media_type,
        size=length,
        tag=f'"{object_id.hex}"',
        read=read,
    )


def _begun(shelf: Shelf, object_id: UUID, start: int) -> Iterator[bytes]:
    """What is not there is a problem before the answer begins."""
    chunks = shelf.read(object_id, start)
    try:
        first = next(chunks, b"")
    except LOST as error:
        raise Problem("file_lost") from error
    return chain([first], chunks)


def _from(data: bytes, start: int) -> Iterator[bytes]:
    return iter([data[start:]])


# -- what has a file


def have(session: Session, actor: Actor, file_id: UUID, entity: str, record_id: UUID) -> bool:
    """From now on the record has the file. False for a file that does not exist, that another
    account has sent, that something else has, or that is no picture."""
    file = session.get(StoredFile, file_id, with_for_update=True)
    if file is None:
        return False
    if file.used_by is not None:
        return (file.used_as, file.used_by) == (entity, record_id)
    if file.account_id != actor.account_id or file.kind is not FileKind.picture:
        return False
    file.used_as, file.used_by, file.expires_at = entity, record_id, None
    session.add(file)
    session.flush()
    return True


def give_up(session: Session, file_id: UUID, entity: str, record_id: UUID) -> None:
    """The record has the file no longer: it is deleted."""
    file = session.get(StoredFile, file_id, with_for_update=True)
    if file is not None and (file.used_as, file.used_by) == (entity, record_id):
        session.delete(file)
        session.flush()


def give_up_all(session: Session, entity: str, record_id: UUID) -> None:
    """The record is gone, with all its files."""
    its = (col(StoredFile.used_as) == entity, col(StoredFile.used_by) == record_id)
    for file in session.exec(select(StoredFile).where(*its)):
        session.delete(file)
    session.flush()
