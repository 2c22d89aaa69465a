"""The file of a backup: a line that says what it is, a header that can be read, sealed contents."""

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Literal, Protocol

import zstandard
from pydantic import BaseModel, NonNegativeInt, ValidationError

from app.security import sealed_files
from app.services.backups.scratch import scratch_folder
from app.services.kernel.durable import sync_folder

MAGIC: Final = b"HOISO BACKUP 1\n"
_HEADER_MOST: Final = 64 * 1024
# So many times its own size a backup may hold, where its header does not say how much it does.
_PACKED_MOST: Final = 1_000
# What comes before the bytes of a file: its id, and how many they are.
FILE_HEAD: Final = ">16sQ"
# So many bytes an id takes at least, however it is packed: the random ones of UUID version 7.
_ID_PACKED: Final = 8

# What is being done, how much of it is done, and how much there is, if that is known.
Progress = Callable[[str, int, int | None], None]


class BackupRefused(ValueError):
    """A backup that cannot be made or restored; the message says why."""


class JournalPlace(BaseModel):
    """How far the journal of erasures had come."""

    id: str
    lines: int


class FilesInside(BaseModel):
    """So many objects of the store the database names, and so many bytes they had."""

    count: NonNegativeInt
    size: NonNegativeInt


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
    # Behind the database; None: no files are in it.
    files: FilesInside | None = None

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
    _ensure_free(path)
    with scratch_folder(path.parent) as folder:
        draft = folder / "backup"
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
        _ensure_free(path)
        # A link and no renaming: what was put there meanwhile is not overwritten.
        path.hardlink_to(draft)
        sync_folder(path.parent)


def _ensure_free(path: Path) -> None:
    """Nothing has this name, a link to nothing neither."""
    if path.exists() or path.is_symlink():
        raise BackupRefused(f"{path} exists already")


# -- reading


@contextmanager
def opened(path: Path, keys: BackupKeys) -> Iterator[tuple[Header, BackupSource]]:
    """The contents of a backup. `BackupRefused` where the file is not as it was written."""
    with path.open("rb") as file:
        header, told = _header(path, file)
        chunks = sealed_files.opened(file, keys.named(header.key), header.salt, told)
        most = _most(path, header, path.stat().st_size)
        yield header, _Contents(path, _refusing(path, chunks), most)


def _most(path: Path, header: Header, size: int) -> int:
    """How much may come out of a file of this size."""
    files = header.files or FilesInside(count=0, size=0)
    # Files are sealed, and what is sealed cannot be packed.
    if files.size + files.count * _ID_PACKED > size:
        raise BackupRefused(f"{path} says that it holds more than it can")
    heads = files.count * struct.calcsize(FILE_HEAD)
    database = header.size if header.size is not None else size * _PACKED_MOST
    return database + heads + files.size


def ensure_end(source: BackupSource) -> None:
    if source.read(1):
        raise BackupRefused("the backup holds more than it says")


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
    """Gives as many bytes as are asked for, to the end of the contents; no more than `most` in all,
    and never more at once in memory than that: a few bytes may be packed that are many."""

    def __init__(self, path: Path, chunks: Iterator[bytes], most: int) -> None:
        self._path = path
        self._unpacked = zstandard.ZstdDecompressor().stream_reader(
            _Chunks(chunks)  # type: ignore[arg-type]  # only its `read` is used
        )
        self._left = most

    def read(self, size: int, /) -> bytes:
        try:
            taken = self._unpacked.read(size)
        except zstandard.ZstdError:
            raise BackupRefused(_altered(self._path)) from None
        self._left -= len(taken)
        if self._left < 0:
            raise BackupRefused(f"{self._path} holds more than it may")
        return taken


class _Chunks:
    """What is unpacked, as a file: read by read a chunk."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def read(self, _size: int = -1, /) -> bytes:
        return next(self._chunks, b"")
