"""The kinds of notices a capability sends: a part of its manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from app.services.kernel.access import Actor, Db


class NoticeSource(Protocol):
    """What notices of a kind tell the reader of what they are about, by its id: only of those that
    the reader may know of now. `says` is a text of it by language."""

    def __call__(
        self, db: Db, actor: Actor, ids: Sequence[UUID], /
    ) -> Mapping[UUID, Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class NoticeKind:
    """`vi` and `en` say what has happened. `link` is where to read of it, or to decide: an address
    of the API with the field of the notice that its id is in, as `/v1/events/{event_id}`."""

    name: str
    vi: str
    en: str
    link: str
    source: NoticeSource
