"""What follows in other capabilities when records are changed, and when a life in the union ends."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlmodel import Session

from app.models.members.members import Identifier
from app.models.members.spells import Left
from app.services.kernel.manifest import manifest
from app.services.members import identifiers, names

Record = Mapping[str, Any]
# A whole record as it was, and as it has been written.
Changed = tuple[Record, Record]


@dataclass(frozen=True, slots=True)
class OfMembers:
    """Called in the transaction itself, with all records that were changed together."""

    changed: Callable[[Session, Sequence[Changed]], None]


@dataclass(frozen=True, slots=True)
class Ending:
    """The member is in no branch any more. `on`: the first day without her; `by` null: that she was
    in the union was a mistake."""

    member_id: UUID
    on: date
    by: Left | None


@dataclass(frozen=True, slots=True)
class OfEndings:
    """Called in the transaction itself; again with an earlier day when the day is corrected."""

    ended: Callable[[Session, Ending], None]


def end(session: Session, ending: Ending) -> None:
    """Bring all that names the member in step."""
    session.flush()
    for follower in manifest().followers(OfEndings):
        follower.ended(session, ending)


def follow(session: Session, changed: Sequence[Changed]) -> None:
    """Records have been changed: bring all that depends on them in step."""
    identifiers.renew_many(
        session,
        [(now, [kind for kind in Identifier if now[kind] != old[kind]]) for old, now in changed],
    )
    for follower in manifest().followers(OfMembers):
        follower.changed(session, changed)
    # Last: it may wait for another transaction that enters the same name.
    keys = ("sort_key", "search_key")
    renamed = [now for old, now in changed if any(old[key] != now[key] for key in keys)]
    names.remember(session, renamed)
