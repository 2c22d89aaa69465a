"""Objects in a bucket of S3, Amazon's or another one (the extra `s3`).

An object is in the bucket with its last byte, or not at all: it is sent when all of it is there, until
then it waits in a file without a name. So a client that is slow or gone leaves nothing behind.
"""

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import lru_cache
from tempfile import SpooledTemporaryFile
from threading import Lock
from time import monotonic
from typing import Any, BinaryIO, Final
from uuid import UUID

import obstore
from obstore.exceptions import BaseError, GenericError
from obstore.store import ObjectStore, S3Store

from app import logs
from app.config import Settings
from app.errors import Problem
from app.services.files.protocol import (
    ObjectDraft,
    ObjectMissing,
    full,
    key_of,
    name_of,
    reason_of,
)

# Larger objects go in parts of this size, two at a time (S3 takes no smaller ones), and are read in
# blocks of it.
_BLOCK: Final = 5 * 1024 * 1024
_AT_A_TIME: Final = 2
_IN_MEMORY: Final = 1024 * 1024
_CONNECT, _REQUEST = timedelta(seconds=3), timedelta(seconds=30)
_RETRIES: Final = 3
_RETRYING: Final = timedelta(seconds=10)
# An error that came sooner has held nobody up.
_LONG_SECONDS: Final = 1
_AWAY_SECONDS: Final = 5
# Of an object that was cut, and of an empty one from its first byte on (RFC 9110, 14.1.2): obstore has
# no error of its own for it.
_BEHIND_THE_END: Final = re.compile(r"code: 416 |Invalid range: Wanted range starting at")


def bucket_of(settings: Settings) -> "BucketStore":
    """The bucket of an installation, with the connections of before."""
    key, secret = settings.files_access_key, settings.files_secret_key
    return _connected(
        settings.files_url,
        settings.files_endpoint,
        settings.files_region,
        None if key is None else key.get_secret_value(),
        None if secret is None else secret.get_secret_value(),
    )


@lru_cache
def _connected(
    url: str, endpoint: str, region: str, key: str | None, secret: str | None
) -> "BucketStore":
    """What is not given is that of the machine: `AWS_...` in its environment, or its role."""
    bucket, _, folder = url.removeprefix("s3://").partition("/")
    known: dict[str, str | None] = {
        "endpoint": endpoint or None,
        "region": region or None,
        "access_key_id": key,
        "secret_access_key": secret,
    }
    given: Any = {name: value for name, value in known.items() if value is not None}
    return BucketStore(
        S3Store(
            bucket,
            prefix=folder.strip("/") or None,
            config=given,
            client_options={
                "allow_http": endpoint.startswith("http://"),
                "connect_timeout": _CONNECT,
                "timeout": _REQUEST,
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRYING},
        )
    )


class BucketStore:
    """A bucket, or a folder of one. A problem where it does not answer: of a bucket that is not there S3
    says of each object that it is not there."""

    def __init__(self, remote: ObjectStore) -> None:
        self._remote = _Remote(remote)
        with self._remote.asked() as store:
            next(iter(obstore.list(store)), None)

    def create(self, name: UUID) -> ObjectDraft:
        return _BucketDraft(self._remote, name)

    def open(self, name: UUID) -> BinaryIO:
        return io.BufferedReader(_Blocks(self._remote, name))

    def size(self, name: UUID) -> int | None:
        try:
            with self._remote.asked(name) as store:
                size: int = obstore.head(store, key_of(name))["size"]
        except ObjectMissing:
            return None
        return size

    def remove(self, names: Iterable[UUID]) -> None:
        keys = [key_of(name) for name in names]
        if keys:
            with self._remote.asked() as store:
                obstore.delete(store, keys)

    def names(self, before: datetime) -> Iterator[UUID]:
        for each in self._listed():
            name = name_of(each["path"])
            if name is not None and each["last_modified"] < before:
                yield name

    def _listed(self) -> Iterator[Any]:
        """A page a request: whoever reads them slowly keeps nobody waiting."""
        with self._remote.asked() as store:
            pages = iter(obstore.list(store))
            page = next(pages, None)
        while page is not None:
            yield from page
            with self._remote.asked():
                page = next(pages, None)


class _Remote:
    """What is asked. After it has kept somebody waiting in vain one thread at a time asks it, until it
    answers, and the others have the problem at once: the threads of endpoints are few."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._is_away = False
        self._asking = Lock()

    @contextmanager
    def asked(self, name: UUID | None = None) -> Iterator[ObjectStore]:
        """A problem where it is away, or refuses; what is wrong stands in the log. `ObjectMissing` where
        the object of this name is not there."""
        alone = self._is_away
        if alone and not self._asking.acquire(blocking=False):
            raise Problem("files_away", retry_after=_AWAY_SECONDS)
        began = monotonic()
        try:
            yield self._store
            self._is_away = False
        except FileNotFoundError as error:
            self._is_away = False
            # Of no object: the bucket itself.
            raise (_away(error) if name is None else ObjectMissing(name)) from error
        except BaseError as error:
            self._is_away = monotonic() - began >= _LONG_SECONDS
            raise _away(error) from error
        finally:
            if alone:
                self._asking.release()


class _BucketDraft:
    def __init__(self, remote: _Remote, name: UUID) -> None:
        self._remote = remote
        self._key = key_of(name)
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # keep and drop close it

    def write(self, data: bytes, /) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            raise full(error) from error

    def keep(self) -> None:
        try:
            self._file.seek(0)  # what waits is written
        except OSError as error:
            raise full(error) from error
        with self._file as file, self._remote.asked() as store:
            obstore.put(*(store, self._key, file), chunk_size=_BLOCK, max_concurrency=_AT_A_TIME)

    def drop(self) -> None:
        with suppress(OSError):  # what could not be written cannot be flushed either
            self._file.close()


class _Blocks(io.RawIOBase):
    """The bytes of an object, a block a request: however slowly they are read, no request waits.

    `ObjectMissing` where there is none; one that is removed or cut meanwhile ends early.
    """

    def __init__(self, remote: _Remote, name: UUID) -> None:
        super().__init__()
        self._remote = remote
        self._name = name
        self._block, self._size = self._fetched(0)
        self._come = len(self._block)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._come - len(self._block)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """What is read next is fetched from there; positions are counted from the beginning alone."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation
        self._block, self._come = self._block[:0], offset
        return offset

    def readinto(self, buffer: Any, /) -> int:
        if not self._block and self._come < self._size:
            self._go_on()
        part = self._block[: len(buffer)]
        buffer[: len(part)] = part
        self._block = self._block[len(part) :]
        return len(part)

    def _go_on(self) -> None:
        with suppress(ObjectMissing):
            self._block, _ = self._fetched(self._come)
        self._come += len(self._block)

    def _fetched(self, start: int) -> tuple[memoryview, int]:
        """A block, and the bytes of the whole object."""
        key = key_of(self._name)
        with self._remote.asked(self._name) as store:
            try:
                found = obstore.get(store, key, options={"range": (start, start + _BLOCK)})
            except GenericError as error:
                if _BEHIND_THE_END.search(str(error)) is None:
                    raise
                return memoryview(b""), start
            return memoryview(found.bytes()), found.meta["size"]


def _away(error: Exception) -> Problem:
    logs.warning("files_away", reason=reason_of(error))
    return Problem("files_away", retry_after=_AWAY_SECONDS)
