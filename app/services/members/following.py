"""Update what is derived from changed records: search keys, and copies in other capabilities."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from app.models.members.members import Identifier
from app.services.kernel.manifest import manifest
from app.services.members import identifiers, names

Record = Mapping[str, Any]
# A whole record as it was, and as it has been written.
Changed = tuple[Record, Record]


@dataclass(frozen=True, slots=True)
class OfMembers:
    """Called in the transaction itself, with all records that were changed together."""

    changed: Callable[[Session, Sequence[Changed]], None]


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
