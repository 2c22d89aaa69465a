"""The file of a backup: a line that says what it is, a header that can be read, sealed contents."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Literal, Protocol

import zstandard
from pydantic import BaseModel, ValidationError

from app.security import sealed_files

MAGIC: Final = b"HOISO BACKUP 1\n"
_HEADER_MOST: Final = 64 * 1024

# What is being done, how much of it is done, and how much there is, if that is known.
Progress = Callable[[str, int, int | None], None]


class BackupRefused(ValueError):
    """A backup that cannot be made or restored; the message says why."""


class JournalPlace(BaseModel):
    """How far the journal of erasures had come."""

    id: str
    lines: int


class Header(BaseModel):
    """What everybody may read of a backup. It is not altered either: the contents depend on it."""

    key: str
    salt: bytes
    taken_at: datetime
    database: Literal["sqlite", "postgresql"]
    # The schema: a revision of alembic.
    revision: str = ""
    # Of SQLite's file.
    size: int | None = None
    # None: none was kept.
    journal: JournalPlace | None = None

    model_config = {"ser_json_bytes": "base64", "val_json_bytes": "base64"}


class Sink(Protocol):
    """Where the contents go."""

    def write(self, data: bytes, /) -> int: ...


class BackupSource(Protocol):
    """Where the contents come from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class BackupKeys:
    """The secrets of HOISO_BACKUP_KEYS: the first seals, all open."""

    secrets: Sequence[str]

    @property
    def first(self) -> str:
        if not self.secrets:
            raise BackupRefused(
                "HOISO_BACKUP_KEYS is not set: make a key with `openssl rand -hex 32`,"
                " and keep it away from the backups"
            )
        return self.secrets[0]

    def named(self, name: str) -> str:
        for secret in (self.first, *self.secrets[1:]):
            if sealed_files.name_of(secret) == name:
                return secret
        raise BackupRefused("the backup was sealed with a key that is not among HOISO_BACKUP_KEYS")


# -- writing


class _Packer:
    """Packs what is written into the sealed file."""

    def __init__(self, sealed: sealed_files.SealedWriter) -> None:
        self._sealed = sealed
        self._packer = zstandard.ZstdCompressor().compressobj()

    def write(self, data: bytes, /) -> int:
        self._sealed.write(self._packer.compress(data))
        return len(data)

    def finish(self) -> None:
        self._sealed.write(self._packer.flush())
        self._sealed.finish()


@contextmanager
def created(path: Path, keys: BackupKeys, header: Header) -> Iterator[Sink]:
    """A new backup, for its owner alone. It has its name only when it is whole, on the disk, and
    has been read back."""
    if path.exists():
        raise BackupRefused(f"{path} exists already")
    draft = path.with_name(f".{path.name}.part")
    draft.unlink(missing_ok=True)
    try:
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            told = header.model_dump_json().encode()
            file.write(MAGIC + len(told).to_bytes(4, "big") + told)
            sealed = sealed_files.SealedWriter(file, keys.first, header.salt, told)
            packer = _Packer(sealed)
            yield packer
            packer.finish()
            file.flush()
            os.fsync(file.fileno())
        check(draft, keys)
        # A link and no renaming: what was put there meanwhile is not overwritten.
        path.hardlink_to(draft)
        sync_folder(path.parent)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# -- reading


@contextmanager
def opened(path: Path, keys: BackupKeys) -> Iterator[tuple[Header, BackupSource]]:
    """The contents of a backup. `BackupRefused` where the file is not as it was written."""
    with path.open("rb") as file:
        header, told = _header(path, file)
        chunks = sealed_files.opened(file, keys.named(header.key), header.salt, told)
        yield header, _Contents(_refusing(path, chunks))


def header_of(path: Path) -> Header:
    """What is said of a backup before it is opened."""
    with path.open("rb") as file:
        return _header(path, file)[0]


def check(path: Path, keys: BackupKeys, progress: Progress = lambda *_: None) -> Header:
    """Read a backup to its end: it is whole, and as it was written."""
    done, total = 0, path.stat().st_size
    with path.open("rb") as file:
        header, told = _header(path, file)
        chunks = sealed_files.opened(file, keys.named(header.key), header.salt, told)
        for chunk in _refusing(path, chunks):
            done += len(chunk)
            progress("checking", min(done, total), total)
    progress("checking", total, total)
    return header


def _header(path: Path, file: BinaryIO) -> tuple[Header, bytes]:
    if file.read(len(MAGIC)) != MAGIC:
        raise BackupRefused(
            f"{path} is no backup of Hội Số, or of a version that cannot be read here"
        )
    length = int.from_bytes(file.read(4), "big")
    told = file.read(min(length, _HEADER_MOST))
    try:
        return Header.model_validate_json(told), told
    except ValidationError:
        raise BackupRefused(_altered(path)) from None


def _altered(path: Path) -> str:
    return f"{path} is damaged: it is not as it was written"


def _refusing(path: Path, chunks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except sealed_files.CutOff:
        raise BackupRefused(f"{path} is not whole: its end is missing") from None
    except sealed_files.Unreadable:
        raise BackupRefused(_altered(path)) from None


class _Contents:
    """Gives as many bytes as are asked for, to the end of the contents."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        unpacker = zstandard.ZstdDecompressor().decompressobj()
        self._parts = (unpacker.decompress(chunk) for chunk in chunks)
        self._left = bytearray()

    def read(self, size: int, /) -> bytes:
        while len(self._left) < size and (part := next(self._parts, None)) is not None:
            self._left += part
        taken = bytes(self._left[:size])
        del self._left[:size]
        return taken
