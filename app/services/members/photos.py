"""The photo of a member: `photo` of the record names a file, and who may read the record sees it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlmodel import Session

from app.errors import invalid
from app.models.files.files import FileSize
from app.services.files import stored
from app.services.files.stored import Content
from app.services.kernel.access import Actor, Db

_ENTITY = "member"


def of_record(db: Db, member: Mapping[str, Any], size: FileSize) -> Content:
    """The photo of a record that the caller may read; 404 where there is none that was sent here."""
    return stored.of_record(db, stored.referred(member["photo"]), _ENTITY, member["id"], size)


def follow(
    session: Session, actor: Actor, member_id: UUID, old: str | None, new: str | None
) -> None:
    """The record has another photo: it must be a picture that the actor has sent, and the one of
    before is deleted."""
    if new == old:
        return
    before, file_id = stored.referred(old), stored.referred(new)
    if stored.is_reference(new) and (
        file_id is None or not stored.have(session, actor, file_id, _ENTITY, member_id)
    ):
        raise invalid("file_unknown", "/photo")
    if before is not None and before != file_id:
        stored.give_up(session, before, _ENTITY, member_id)


def forget(session: Session, member_id: UUID) -> None:
    """The record is gone."""
    stored.give_up_all(session, _ENTITY, member_id)
