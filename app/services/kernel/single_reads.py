"""Single records that one long answer shows: kept small until they are noted together."""

from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

from sqlmodel import Session

from app.models.kernel.access_log import ReadHow
from app.services.kernel import access_log
from app.services.kernel.access import Actor
from app.services.kernel.shown import Names, Shown

# Parts that are noted one after another. All that is shown of a record is in one of them.
_PARTS: Final = 256
_BYTES: Final = 16
_Kind = tuple[str, Names, ReadHow]


class SingleReads:
    """16 bytes a record, however many there are."""

    def __init__(self) -> None:
        self._parts: list[dict[_Kind, bytearray]] = [{} for _ in range(_PARTS)]

    def add(self, shown: Iterable[Shown]) -> None:
        for entity, ids, names, how in shown:
            kind = (entity, names, how)
            for id_ in ids:
                data = id_.bytes
                # The last byte is random in ids of ours and of phones.
                self._parts[data[-1]].setdefault(kind, bytearray()).extend(data)

    def note(self, session: Session, actor: Actor) -> None:
        """Note them in a transaction of the caller; each record once, whatever shows it."""
        for part in self._parts:
            access_log.note_in(session, actor, _shown(part))


def _shown(part: dict[_Kind, bytearray]) -> Iterator[Shown]:
    for (entity, names, how), data in part.items():
        ids = {bytes(data[start : start + _BYTES]) for start in range(0, len(data), _BYTES)}
        yield Shown(entity, [UUID(bytes=each) for each in sorted(ids)], names, how)
