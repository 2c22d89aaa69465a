"""Where the bytes of files are: objects by id, written once and whole, all of them sealed.

A folder, which several servers may share. Nothing else is kept between requests.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from errno import EDQUOT, ENOSPC
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO, Protocol
from uuid import UUID

from app.config import Settings
from app.errors import Problem

_DRAFT = ".part-"


class Missing(LookupError):
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
        """`Missing` where there is none."""
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


def store_of(settings: Settings) -> Store:
    """The store of an installation."""
    return FolderStore(settings.files_dir or settings.data_dir / "files")


class FolderStore:
    """A folder, in which 256 folders have the objects; for its owner alone."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, name: UUID) -> ObjectDraft:
        path = self._path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _FileDraft(path)

    def open(self, name: UUID) -> BinaryIO:
        try:
            return self._path(name).open("rb")
        except FileNotFoundError:
            raise Missing(name) from None

    def size(self, name: UUID) -> int | None:
        try:
            return self._path(name).stat().st_size
        except FileNotFoundError:
            return None

    def remove(self, names: Iterable[UUID]) -> None:
        for name in names:
            self._path(name).unlink(missing_ok=True)

    def names(self, before: datetime) -> Iterator[UUID]:
        for path in self.root.glob("??/*"):
            with suppress(FileNotFoundError):  # somebody else has removed it meanwhile
                if datetime.fromtimestamp(path.stat().st_mtime, UTC) >= before:
                    continue
                if path.name.startswith(_DRAFT):
                    path.unlink()
                elif (name := _name_of(path)) is not None:
                    yield name

    def _path(self, name: UUID) -> Path:
        # Ids of one hour begin alike, and end at random.
        return self.root / name.hex[-2:] / str(name)


def _name_of(path: Path) -> UUID | None:
    """None for what others put there: a network folder (`.nfs…`), a copy on its way."""
    try:
        return UUID(path.name)
    except ValueError:
        return None


class _FileDraft:
    def __init__(self, path: Path) -> None:
        self._path = path
        descriptor, draft = mkstemp(dir=path.parent, prefix=_DRAFT)
        self._draft = Path(draft)
        self._file = os.fdopen(descriptor, "wb")

    def write(self, data: bytes, /) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            raise _full(error) from error

    def keep(self) -> None:
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._draft.replace(self._path)
            _sync(self._path.parent)
        except OSError as error:
            raise _full(error) from error

    def drop(self) -> None:
        with suppress(OSError):  # what could not be written cannot be flushed either
            self._file.close()
        self._draft.unlink(missing_ok=True)


def _full(error: OSError) -> Exception:
    """The problem of a disk without room; any other error is one of the server."""
    if error.errno in (ENOSPC, EDQUOT):
        return Problem("storage_full", retry_after=60)
    return error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
