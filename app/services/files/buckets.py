"""Objects in a bucket of S3, Amazon's or another one (the extra `s3`).

An object is in the bucket with its last byte, or not at all: it is sent when all of it is there, until
then it waits in a file without a name. So a client that is slow or gone leaves nothing behind.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import lru_cache
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, Final
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, S3Store

from app import logs
from app.config import Settings
from app.errors import Problem
from app.services.files.protocol import ObjectDraft, ObjectMissing, full, key_of, name_of

# Larger objects go in parts of this size, two at a time (S3 takes no smaller ones), and are read in
# blocks of it.
_BLOCK: Final = 5 * 1024 * 1024
_AT_A_TIME: Final = 2
_IN_MEMORY: Final = 1024 * 1024
# Threads of endpoints wait for it: a bucket that is away must not hold all of them.
_CONNECT, _REQUEST = timedelta(seconds=3), timedelta(seconds=30)
_RETRIES: Final = 3
_RETRYING: Final = timedelta(seconds=10)
_AWAY_SECONDS: Final = 5
_MOST_SAID: Final = 300


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
        self._remote = remote
        with _answering():
            next(iter(obstore.list(remote)), None)

    def create(self, name: UUID) -> ObjectDraft:
        return _BucketDraft(self._remote, key_of(name))

    def open(self, name: UUID) -> BinaryIO:
        try:
            return io.BufferedReader(_Blocks(self._remote, key_of(name)))
        except FileNotFoundError:
            raise ObjectMissing(name) from None

    def size(self, name: UUID) -> int | None:
        with _answering():
            try:
                size: int = obstore.head(self._remote, key_of(name))["size"]
            except FileNotFoundError:
                return None
        return size

    def remove(self, names: Iterable[UUID]) -> None:
        keys = [key_of(name) for name in names]
        if keys:
            with _answering():
                obstore.delete(self._remote, keys)

    def names(self, before: datetime) -> Iterator[UUID]:
        with _answering():
            for listed in obstore.list(self._remote):
                for each in listed:
                    name = name_of(each["path"])
                    if name is not None and each["last_modified"] < before:
                        yield name


class _BucketDraft:
    def __init__(self, remote: ObjectStore, key: str) -> None:
        self._remote = remote
        self._key = key
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # keep and drop close it

    def write(self, data: bytes, /) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            raise full(error) from error

    def keep(self) -> None:
        with self._file as file, _answering():
            file.seek(0)
            try:
                obstore.put(
                    *(self._remote, self._key, file),
                    chunk_size=_BLOCK,
                    max_concurrency=_AT_A_TIME,
                )
            except FileNotFoundError as error:  # the bucket itself
                raise _away(error) from error

    def drop(self) -> None:
        self._file.close()


class _Blocks(io.RawIOBase):
    """The bytes of an object, a block a request: however slowly they are read, no request waits.

    FileNotFoundError where there is none; one that is removed meanwhile ends early.
    """

    def __init__(self, remote: ObjectStore, key: str) -> None:
        super().__init__()
        self._remote = remote
        self._key = key
        self._block, self._size = self._fetched(0)
        self._come = len(self._block)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._block and self._come < self._size:
            self._go_on()
        part = self._block[: len(buffer)]
        buffer[: len(part)] = part
        self._block = self._block[len(part) :]
        return len(part)

    def _go_on(self) -> None:
        with suppress(FileNotFoundError):
            self._block, _ = self._fetched(self._come)
        self._come += len(self._block)

    def _fetched(self, start: int) -> tuple[memoryview, int]:
        """A block, and the bytes of the whole object."""
        with _answering():
            found = obstore.get(self._remote, self._key, options={"range": (start, start + _BLOCK)})
            return memoryview(found.bytes()), found.meta["size"]


@contextmanager
def _answering() -> Iterator[None]:
    """A bucket that is away, or refuses, is a problem; what is wrong stands in the log."""
    try:
        yield
    except BaseError as error:
        raise _away(error) from error


def _away(error: Exception) -> Problem:
    logs.warning("files_away", reason=reason_of(error))
    return Problem("files_away", retry_after=_AWAY_SECONDS)


def reason_of(error: BaseException) -> str:
    """What obstore says, without what helps its authors alone."""
    said, _, _ = str(error).partition("\n\nDebug source")
    return " ".join(said.split())[:_MOST_SAID]
