"""Bytes as they go into the store, sealed, and come back; chunk by chunk in both directions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from app.models.base import new_id
from app.security import sealed_files
from app.services.files.protocol import ObjectMissing, Store

_CONTEXT = b"hoiso:file"
# The store does not have an object, or not as it was written.
LOST = (ObjectMissing, sealed_files.Unreadable)


@dataclass(frozen=True, slots=True)
class Shelf:
    """The objects of one file, and the secret that seals them.

    The id of an object is its salt: no object can be passed off as another one.
    """

    store: Store
    secret: str

    def begin(self) -> "NewObject":
        return NewObject(self)

    def put(self, data: bytes) -> UUID:
        """Bytes that are in memory anyway, as an object."""
        made = self.begin()
        made.write(data)
        made.keep()
        return made.id

    def read(self, name: UUID, start: int = 0) -> Iterator[bytes]:
        """What was written, from a byte on; an error of `LOST` where it is not there as it was."""
        with self.store.open(name) as file:
            yield from sealed_files.opened(file, self.secret, name.bytes, _CONTEXT, start)

    def read_all(self, names: Iterable[UUID]) -> Iterator[bytes]:
        for name in names:
            yield from self.read(name)


class NewObject:
    """An object on its way into the store: it is there when it is kept."""

    def __init__(self, shelf: Shelf) -> None:
        self.id = new_id()
        self.size = 0
        self._draft = shelf.store.create(self.id)
        self._sealed = sealed_files.SealedWriter(self._draft, shelf.secret, self.id.bytes, _CONTEXT)

    def write(self, data: bytes) -> None:
        self._sealed.write(data)
        self.size += len(data)

    def keep(self) -> None:
        self._sealed.finish()
        self._draft.keep()

    def drop(self) -> None:
        self._draft.drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Kept when the block ends; dropped when it raises."""
        if kind is None:
            self.keep()
        else:
            self.drop()
