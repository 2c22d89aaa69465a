"""The pieces of an upload.

What a request brings becomes one object; the row of the upload then moves from the offset at which
the request began to the next one, or the object is dropped. So of two requests at one offset one
wins, no lock is left by a request that died, and any server can take the next one.
"""

from contextlib import suppress
from typing import Any, Final, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import Database
from app.errors import Problem, not_found
from app.models.files.files import FilePiece, FileUpload, StoredFile
from app.problem_texts import ProblemCode
from app.services.files import uploads
from app.services.files.contents import Made, Refusal
from app.services.files.objects import NewObject, Shelf
from app.services.files.stores import store_of
from app.services.kernel import changes
from app.services.kernel.access import Actor
from app.services.kernel.changes import Origin

# Each is an object and a row, however short it is.
MOST_PIECES: Final = 2_000


class Arriving(Protocol):
    """What one request brings, from the offset that is due."""

    @property
    def is_last(self) -> bool:
        """Whether the file is whole with what has come."""
        ...

    def write(self, data: bytes) -> None:
        """413 for more bytes than were announced."""
        ...

    def drop(self) -> None: ...

    def done(self, origin: Origin) -> None:
        """What has come is kept. 409 where another request was faster; the problem of a file that
        is whole now and is not what it should be."""
        ...


def begin(database: Database, actor: Actor, file_id: UUID, offset: int) -> Arriving:
    """409 where another offset is due; the problem with which a file was refused."""
    with database.reading() as db:
        upload = uploads.upload_of(db, actor, file_id)
        due = uploads.file_of(db, actor, file_id).length if upload is None else upload.offset
    refused: ProblemCode | None = upload.refused if upload is not None else None
    if refused:
        raise Problem(refused)
    if offset != due:
        raise _elsewhere(due)
    return _Whole() if upload is None else _Piece(database, upload)


class _Whole:
    """Of a file that has arrived: there is nothing to bring."""

    is_last = False

    def write(self, data: bytes) -> None:
        raise Problem("upload_too_long")

    def drop(self) -> None:
        pass

    def done(self, origin: Origin) -> None:
        pass


class _Piece:
    def __init__(self, database: Database, upload: Any) -> None:
        self._database = database
        self._upload = upload
        self._room: int = upload.length - upload.offset
        self._shelf = Shelf(store_of(database.settings), upload.secret)
        self._new = self._shelf.begin()

    @property
    def is_last(self) -> bool:
        return self._room == 0

    def write(self, data: bytes) -> None:
        if len(data) > self._room:
            raise Problem("upload_too_long")
        self._room -= len(data)
        self._new.write(data)

    def drop(self) -> None:
        self._new.drop()

    def done(self, origin: Origin) -> None:
        if self._new.size == 0:
            self._new.drop()
            return
        self._new.keep()
        if self.is_last:
            self._complete(self._new, origin)
        else:
            self._add(self._new)

    def _add(self, new: NewObject) -> None:
        try:
            with self._database.writing() as session:
                self._move(session, new.size)
                self._ensure_few(session)
                start = self._upload.offset
                session.add(FilePiece(id=new.id, upload_id=self._upload.id, start=start))
        except Problem:
            self._forget([new.id])
            raise

    def _complete(self, new: NewObject, origin: Origin) -> None:
        """The file is made before its row is: what fails in between leaves the upload as it was,
        and the client sends the last piece again."""
        pieces = [*self._pieces(), new.id]
        made = uploads.looked_at(self._shelf, self._upload, pieces)
        try:
            with self._database.writing() as session:
                changes.attribute(session, origin)
                self._move(session, new.size)
                uploads.take(session, self._upload, made)
        except Problem:
            self._forget([new.id, *_objects_of(made)])
            raise
        self._forget(pieces)
        if isinstance(made, Refusal):
            raise Problem(made.code)

    def _forget(self, names: list[UUID]) -> None:
        """What no row names. Upkeep removes it where the store cannot do it now: the answer is certain."""
        with suppress(Problem):
            self._shelf.store.remove(names)

    def _move(self, session: Session, size: int) -> None:
        """From the offset where this request began, and from no other."""
        upload_id, start = self._upload.id, self._upload.offset
        moved = session.connection().execute(
            sa.update(FileUpload)
            .where(col(FileUpload.id) == upload_id, col(FileUpload.offset) == start)
            .values(offset=start + size, expires_at=utc_now() + uploads.KEPT)
        )
        if moved.rowcount:
            return
        arrived = sa.select(col(FileUpload.offset)).where(col(FileUpload.id) == upload_id)
        whole = sa.select(col(StoredFile.length)).where(col(StoredFile.id) == upload_id)
        due = session.execute(arrived.union_all(whole)).scalar()
        raise not_found() if due is None else _elsewhere(due)

    def _ensure_few(self, session: Session) -> None:
        """The upload is locked."""
        this = col(FilePiece.upload_id) == self._upload.id
        pieces = sa.select(sa.func.count()).select_from(FilePiece).where(this)
        if session.execute(pieces).scalar_one() >= MOST_PIECES:
            raise Problem("upload_in_crumbs", limit=MOST_PIECES, extra={"limit": MOST_PIECES})

    def _pieces(self) -> list[UUID]:
        of_upload = col(FilePiece.upload_id) == self._upload.id
        statement = sa.select(col(FilePiece.id)).where(of_upload).order_by(col(FilePiece.start))
        with self._database.reading() as db:
            return list(db.execute(statement).scalars())


def _elsewhere(due: int) -> Problem:
    return Problem(
        "upload_offset", offset=due, extra={"offset": due}, headers={"Upload-Offset": str(due)}
    )


def _objects_of(made: Made | Refusal) -> list[UUID]:
    if isinstance(made, Refusal):
        return []
    return [each for each in (made.object_id, made.thumbnail_id) if each is not None]
