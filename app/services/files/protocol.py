"""What a store of files is: objects by id, written once and whole, all of them sealed."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from errno import EDQUOT, ENOSPC
from typing import BinaryIO, Final, Protocol
from uuid import UUID

from app.errors import Problem

_MOST_SAID: Final = 400


class ObjectMissing(LookupError):
    """The store has no object of this id."""


class ObjectDraft(Protocol):
    """An object that is being written: nobody sees it before it is kept."""

    def write(self, data: bytes, /) -> int: ...

    def keep(self) -> None: ...

    def drop(self) -> None: ...


class Store(Protocol):
    """Objects by id. An object never changes."""

    def create(self, name: UUID) -> ObjectDraft: ...

    def open(self, name: UUID) -> BinaryIO:
        """`ObjectMissing` where there is none."""
        ...

    def size(self, name: UUID) -> int | None:
        """Its bytes; None where there is none."""
        ...

    def remove(self, names: Iterable[UUID]) -> None:
        """Those that are there."""
        ...

    def names(self, before: datetime) -> Iterator[UUID]:
        """The objects that were written before this instant; drafts of before are removed."""
        ...


def key_of(name: UUID) -> str:
    """Where an object is, in a folder and in a bucket: so either becomes the other by a copy."""
    # Ids of one hour begin alike, and end at random.
    return f"{name.hex[-2:]}/{name}"


def name_of(key: str) -> UUID | None:
    """None for what others put there: a network folder (`.nfs…`), a copy on its way."""
    try:
        name = UUID(key.rpartition("/")[2])
    except ValueError:
        return None
    return name if key_of(name) == key else None


def full(error: OSError) -> Exception:
    """The problem of a disk without room; any other error is one of the server."""
    if error.errno in (ENOSPC, EDQUOT):
        return Problem("storage_full", retry_after=60)
    return error


def reason_of(error: BaseException) -> str:
    """What an error says, in a line: without what obstore adds for its authors, and without the
    request, which S3 repeats at length where it refuses a signature."""
    said, _, _ = str(error).partition("\n\nDebug source")
    return " ".join(said.split())[:_MOST_SAID]
