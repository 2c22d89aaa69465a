"""The files of a backup: the objects that its database names, sealed as the store has them.

Each has its id (16 bytes), its length (8 bytes) and its bytes, in the order of ids. There are no
names and no paths: an id leads to one place in the store, whatever it is.
"""

import struct
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.config import Settings
from app.db import Database
from app.db.statements import chunks
from app.models.files.files import StoredFile
from app.services.backups.files import (
    FILE_HEAD,
    BackupRefused,
    BackupSource,
    FilesInside,
    Progress,
    Sink,
)
from app.services.files import keeping
from app.services.files.keeping import Lost
from app.services.files.protocol import ObjectMissing, Store

_HEAD: Final = struct.Struct(FILE_HEAD)
# Stands for the length of what the store does not have.
_ABSENT: Final = 2**64 - 1
_BLOCK: Final = 1024 * 1024
_CHUNK: Final = 500
_ODD: Final = "the files in the backup are not whole"


# -- into a backup


def counted(connection: Connection, store: Store) -> FilesInside:
    """What is to be sent of a database. What is deleted meanwhile is missing then: an object never
    changes, so no more bytes come than these."""
    count = size = 0
    with closing(_names(connection)) as names:
        for name in names:
            count += 1
            size += store.size(name) or 0
    return FilesInside(count=count, size=size)


def send(
    connection: Connection, store: Store, sink: Sink, inside: FilesInside, progress: Progress
) -> list[UUID]:
    """The objects; returns those that the store does not have."""
    absent: list[UUID] = []
    done = 0
    with closing(_names(connection)) as names:
        for name in names:
            progress("sealing files", done, inside.size)
            try:
                done += _send(store, name, sink)
            except ObjectMissing:
                sink.write(_HEAD.pack(name.bytes, _ABSENT))
                absent.append(name)
    progress("sealing files", inside.size, inside.size)
    return absent


def _names(connection: Connection) -> Generator[UUID]:
    """None of a schema that knows no files yet."""
    if sa.inspect(connection).has_table(StoredFile.__tablename__):
        yield from keeping.names(connection)


def _send(store: Store, name: UUID, sink: Sink) -> int:
    length = store.size(name)
    if length is None:
        raise ObjectMissing(name)
    with store.open(name) as file:
        sink.write(_HEAD.pack(name.bytes, length))
        for start in range(0, length, _BLOCK):
            wanted = min(_BLOCK, length - start)
            block = file.read(wanted)
            if len(block) < wanted:
                raise BackupRefused(f"the file {name} is shorter than the store said")
            sink.write(block)
    return length


def lost_of(settings: Settings, absent: Sequence[UUID]) -> list[Lost]:
    """What of it the database in use still names: the rest was deleted while the backup was made."""
    if not absent:
        return []
    with closing(Database(settings)) as database, database.reading() as db:
        return [lost for chunk in chunks(absent) for lost in keeping.holders(db, chunk)]


# -- out of a backup


class Arrivals:
    """Objects that a restore has put into the store, and that were not there before."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # 16 bytes each: a province has a million.
        self._new = bytearray()

    def receive(self, source: BackupSource, inside: FilesInside, progress: Progress) -> None:
        left, last = inside.size, b""
        for _ in range(inside.count):
            progress("restoring files", inside.size - left, inside.size)
            name, length = self._head(source)
            if name <= last:
                raise BackupRefused(f"{_ODD}: one comes twice")
            last = name
            if length == _ABSENT:
                continue
            if length > left:
                raise BackupRefused(f"{_ODD}: they are more than it says")
            self._put(UUID(bytes=name), source, length)
            left -= length
        progress("restoring files", inside.size, inside.size)

    def _head(self, source: BackupSource) -> tuple[bytes, int]:
        head = source.read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise BackupRefused(_ODD)
        name, length = _HEAD.unpack(head)
        return name, length

    def _put(self, name: UUID, source: BackupSource, length: int) -> None:
        """What was there under this id is written anew: it may have been damaged."""
        is_new = self._store.size(name) is None
        draft = self._store.create(name)
        try:
            while length:
                block = source.read(min(length, _BLOCK))
                if not block:
                    raise BackupRefused(_ODD)
                draft.write(block)
                length -= len(block)
            draft.keep()
        except BaseException:
            draft.drop()
            raise
        if is_new:
            self._new += name.bytes

    def remove_unnamed(self, database: Database) -> None:
        """Of people who were erased again."""
        names = self._names()
        while chunk := list(islice(names, _CHUNK)):
            with database.reading() as db:
                over = keeping.unnamed(db, chunk)
            self._store.remove(over)

    def remove(self) -> None:
        self._store.remove(self._names())

    def _names(self) -> Iterator[UUID]:
        for start in range(0, len(self._new), 16):
            yield UUID(bytes=bytes(self._new[start : start + 16]))


@contextmanager
def arriving(store: Store) -> Iterator[Arrivals]:
    """What has come is gone again when the block fails."""
    arrivals = Arrivals(store)
    try:
        yield arrivals
    except BaseException:
        arrivals.remove()
        raise


def settle(database: Database, store: Store, *, were_inside: bool) -> list[Lost]:
    """After a restore: the files that the database names and the store does not have. Where files were
    in the backup, an upload that lacks a piece is dropped, and its client sends it anew."""
    with database.writing() as session:
        absent = [name for name in keeping.names(session) if store.size(name) is None]
        lost: list[Lost] = []
        for chunk in chunks(absent):
            if were_inside:
                keeping.drop_uploads(session, chunk)
            lost += keeping.holders(session, chunk)
    return lost
