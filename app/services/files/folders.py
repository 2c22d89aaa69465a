"""Objects in a folder, which several servers may share."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO
from uuid import UUID

from app.services.files.protocol import ObjectDraft, ObjectMissing, full, key_of, name_of
from app.services.kernel.durable import sync_folder

_DRAFT = ".part-"


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
            raise ObjectMissing(name) from None

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
                elif (name := name_of(f"{path.parent.name}/{path.name}")) is not None:
                    yield name

    def _path(self, name: UUID) -> Path:
        return self.root / key_of(name)


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
            raise full(error) from error

    def keep(self) -> None:
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._draft.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise full(error) from error

    def drop(self) -> None:
        with suppress(OSError):  # what could not be written cannot be flushed either
            self._file.close()
        self._draft.unlink(missing_ok=True)
