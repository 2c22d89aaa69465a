"""What is over goes: uploads nobody went on with, files nothing has, objects without a row."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.db import Database
from app.models.files.files import FilePiece, FileUpload, StoredFile
from app.models.kernel.changes import ChangeSource
from app.services.files.protocol import Store
from app.services.files.stores import store_of
from app.services.kernel import changes, due
from app.services.kernel.access import Db

CHUNK: Final = 500
# An object is written before the row that names it.
_GRACE: Final = timedelta(hours=1)


def forget_expired(session: Session) -> int:
    """Delete uploads and files that are over; returns how many."""
    changes.attribute(session, changes.Origin(ChangeSource.job, source_ref="files"))
    now = utc_now()
    late = sa.delete(FileUpload).where(col(FileUpload.expires_at) <= now)
    uploads = session.connection().execute(late).rowcount
    over = (col(StoredFile.expires_at) <= now, col(StoredFile.used_by).is_(None))
    # Locked: a record may just be given one of them.
    found = select(StoredFile).where(*over).limit(CHUNK).with_for_update(skip_locked=True)
    files = session.exec(found).all()
    for file in files:
        session.delete(file)
    return uploads + len(files)


def remove_unnamed(database: Database) -> int:
    """Remove the objects that no row names: of files that were deleted, and of requests that died
    between their bytes and their row; returns how many.

    They are unreadable already, since what unsealed them went with the row, unless it is the database
    that is not the folder's. So all of them stay after a restore until the operator has said that it
    goes on (a drill, the wrong backup), and beside a database that has no file (one begun by mistake).
    """
    with database.reading() as db:
        if due.asks_until(db) is not None or not _has_files(db):
            return 0
    store = store_of(database.settings)
    names = settled(store)
    removed = 0
    while chunk := list(islice(names, CHUNK)):
        with database.reading() as db:
            over = unnamed(db, chunk)
        store.remove(over)
        removed += len(over)
    return removed


def settled(store: Store) -> Iterator[UUID]:
    """The objects that a row should name by now."""
    return store.names(utc_now() - _GRACE)


def _has_files(db: Db) -> bool:
    return any(
        db.execute(sa.select(col(model.id)).limit(1)).first() for model in (StoredFile, FilePiece)
    )


# -- which objects a database names


class Lost(NamedTuple):
    """A file whose bytes are not in the store, and what has it."""

    file_id: UUID
    used_as: str | None
    used_by: UUID | None

    def __str__(self) -> str:
        of = f" of {self.used_as} {self.used_by}" if self.used_by else ""
        return f"file {self.file_id}{of}"


_NAMES: Final[tuple[Any, ...]] = (FilePiece.id, StoredFile.object_id, StoredFile.thumbnail_id)


def names(db: Db) -> Iterator[UUID]:
    """All of them, in their order, as they are read."""
    each = (sa.select(column).where(column.is_not(None)) for column in _NAMES)
    every = sa.union_all(*each).order_by(sa.text("1"))
    found = db.execute(every, execution_options={"yield_per": CHUNK}).scalars()
    try:
        yield from found
    finally:
        found.close()  # also of a reader that ends early


def unnamed(db: Db, names: Sequence[UUID]) -> set[UUID]:
    """Those of these that no row names."""
    named = (db.execute(sa.select(each).where(each.in_(names))).scalars() for each in _NAMES)
    return set(names).difference(*named)


def holders(db: Db, names: Sequence[UUID]) -> list[Lost]:
    """The files and uploads that have these objects."""
    has = sa.or_(col(StoredFile.object_id).in_(names), col(StoredFile.thumbnail_id).in_(names))
    columns = (col(StoredFile.id), col(StoredFile.used_as), col(StoredFile.used_by))
    whole = db.execute(sa.select(*columns).where(has).order_by(columns[0]))
    return [
        *(Lost(*row) for row in whole),
        *(Lost(each, None, None) for each in _uploads(db, names)),
    ]


def drop_uploads(session: Session, names: Sequence[UUID]) -> None:
    """Delete the uploads that have these pieces."""
    of_these = col(FileUpload.id).in_(list(_uploads(session, names)))
    session.execute(sa.delete(FileUpload).where(of_these))


def _uploads(db: Db, names: Sequence[UUID]) -> Iterable[UUID]:
    found = sa.select(col(FilePiece.upload_id)).where(col(FilePiece.id).in_(names)).distinct()
    return db.execute(found).scalars()
