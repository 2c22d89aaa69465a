"""Uploads that survive a broken network: the rules of tus 1.0 (core, creation, expiration,
termination) over pieces in the store (files/arriving.py).
"""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import settings_of
from app.errors import Problem, not_found
from app.models.files.files import FileKind, FilePiece, FileState, FileUpload, StoredFile
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account
from app.security.secret_texts import new_secret
from app.services.files import contents
from app.services.files.contents import Made, Refusal
from app.services.files.objects import LOST, Shelf
from app.services.files.stores import store_of
from app.services.kernel.access import Actor, Db, forbidden

# How long an upload waits for its next piece, and a whole file for something to have it.
KEPT: Final = timedelta(days=7)
# Who may put a file into some record may send one.
_RIGHTS: Final = (Right.members_write, Right.events_write)

_UPLOAD = sa.select(*(getattr(FileUpload, name) for name in FileUpload.model_fields))
_FILE = sa.select(*(getattr(StoredFile, name) for name in StoredFile.model_fields))


def most_bytes(db: Db, kind: FileKind) -> int:
    settings = settings_of(db)
    return {
        FileKind.picture: settings.picture_max_bytes,
        FileKind.document: settings.document_max_bytes,
    }[kind]


# -- what there is


def find(db: Db, actor: Actor, file_id: UUID) -> dict[str, Any]:
    """A file that the actor has sent, on its way or whole, as FileRead; 404 for any other."""
    upload = upload_of(db, actor, file_id)
    return _read_upload(upload) if upload is not None else _read_file(file_of(db, actor, file_id))


def upload_of(db: Db, actor: Actor, file_id: UUID) -> Any | None:
    """410 when it has waited for too long."""
    own = (col(FileUpload.id) == file_id, col(FileUpload.account_id) == actor.account_id)
    row = db.execute(_UPLOAD.where(*own)).one_or_none()
    if row is not None and row.expires_at <= utc_now():
        raise Problem("upload_expired")
    return row


def file_of(db: Db, actor: Actor, file_id: UUID) -> Any:
    own = (col(StoredFile.id) == file_id, col(StoredFile.account_id) == actor.account_id)
    row = db.execute(_FILE.where(*own)).one_or_none()
    if row is None:
        raise not_found()
    return row


def _read_upload(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "state": FileState.refused if row.refused else FileState.uploading,
        "offset": row.offset,
        "length": row.length,
        "media_type": row.media_type,
        **dict.fromkeys(("size", "width", "height", "used_as")),
        "refused": row.refused,
        "expires_at": row.expires_at,
    }


def _read_file(row: Any) -> dict[str, Any]:
    names = ("id", "kind", "length", "media_type", "size", "width", "height", "used_as")
    told = {name: getattr(row, name) for name in names}
    state = {"state": FileState.ready, "offset": row.length, "refused": None}
    return {**told, **state, "expires_at": row.expires_at}


# -- creation and termination


def begin(
    session: Session, actor: Actor, kind: FileKind, length: int, media_type: str | None
) -> dict[str, Any]:
    """An upload of so many bytes. One of none is whole at once."""
    if not any(actor.reach(right) for right in _RIGHTS):
        raise forbidden(session, actor, _RIGHTS[0], None)
    limit = most_bytes(session, kind)
    if length > limit:
        raise Problem("file_too_large", limit=limit, extra={"limit": limit})
    _ensure_room(session, actor, length)
    now = utc_now()
    upload = FileUpload(
        account_id=actor.account_id,
        kind=kind,
        media_type=media_type,
        length=length,
        secret=new_secret(),
        created_at=now,
        expires_at=now + KEPT,
    )
    session.add(upload)
    session.flush()
    if length == 0:
        shelf = Shelf(store_of(settings_of(session)), upload.secret)
        take(session, upload, looked_at(shelf, upload, []))
    return find(session, actor, upload.id)


def _ensure_room(session: Session, actor: Actor, length: int) -> None:
    """What the account has sent and nothing has yet, stays within its quota."""
    mine = col(Account.id) == actor.account_id
    session.execute(sa.select(col(Account.id)).where(mine).with_for_update())
    taken = _sum(session, FileUpload.length, FileUpload, actor, col(FileUpload.refused).is_(None))
    taken += _sum(session, StoredFile.size, StoredFile, actor, col(StoredFile.used_by).is_(None))
    limit = settings_of(session).file_quota_bytes
    if taken + length > limit:
        raise Problem("file_quota", limit=limit, extra={"limit": limit, "taken": taken})


def _sum(
    session: Session, column: Any, model: Any, actor: Actor, counts: sa.ColumnElement[bool]
) -> int:
    statement = sa.select(sa.func.coalesce(sa.func.sum(column), 0)).where(
        model.account_id == actor.account_id, counts
    )
    return int(session.execute(statement).scalar_one())


def end(session: Session, actor: Actor, file_id: UUID) -> None:
    """The client wants it no longer. A file that something has is removed there."""
    own = col(FileUpload.account_id) == actor.account_id
    mine = sa.delete(FileUpload).where(col(FileUpload.id) == file_id, own)
    if session.connection().execute(mine).rowcount:
        return
    file = session.get(StoredFile, file_id, with_for_update=True)
    if file is None or file.account_id != actor.account_id:
        raise not_found()
    if file.used_by is not None:
        raise Problem("file_in_use", extra={"used_as": file.used_as})
    session.delete(file)


# -- the end


def looked_at(shelf: Shelf, upload: Any, pieces: list[UUID]) -> Made | Refusal:
    """What these pieces are together, in the store."""
    try:
        return contents.made_of(shelf, upload.kind, upload.media_type, shelf.read_all(pieces))
    except Refusal as refusal:
        return refusal
    except LOST as error:
        raise Problem("file_lost") from error


def take(session: Session, upload: Any, made: Made | Refusal) -> None:
    """The upload is over: a file, or the code why it is none."""
    this = col(FileUpload.id) == upload.id
    if isinstance(made, Refusal):
        session.execute(sa.delete(FilePiece).where(col(FilePiece.upload_id) == upload.id))
        session.execute(sa.update(FileUpload).where(this).values(refused=made.code))
        return
    session.execute(sa.delete(FileUpload).where(this))
    mine = col(Account.id) == upload.account_id
    now = utc_now()
    session.add(
        StoredFile(
            id=upload.id,
            account_id=upload.account_id,
            unit_id=session.execute(sa.select(col(Account.unit_id)).where(mine)).scalar_one(),
            kind=upload.kind,
            length=upload.length,
            secret=upload.secret,
            **made.columns(),
            created_at=now,
            updated_at=now,
            expires_at=now + KEPT,
        )
    )
    session.flush()
