"""A stream of bytes sealed into a file: it is read as it was written, or refused.

AES-256-GCM in numbered chunks, the last of which is marked (STREAM, Hoang et al. 2015): what is
altered, left out, put elsewhere, cut off or added is found.
"""

import hmac
import os
from collections.abc import Iterator
from typing import BinaryIO, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

CHUNK: Final = 1024 * 1024
SALT_BYTES: Final = 32
_LENGTH_BYTES: Final = 4
_TAG_BYTES: Final = 16
_NAME_BYTES: Final = 8


class Unreadable(ValueError):
    """The file is not as it was written."""


class CutOff(Unreadable):
    """The end of the file is missing."""


def new_salt() -> bytes:
    return os.urandom(SALT_BYTES)


def name_of(secret: str) -> str:
    """Says which key it is, without revealing it."""
    return hmac.digest(secret.encode(), b"hoiso:name", "sha256")[:_NAME_BYTES].hex()


class _Chunks:
    """The cipher of one file. No nonce comes twice: the key is the file's own."""

    def __init__(self, secret: str, salt: bytes, context: bytes, first: int = 0) -> None:
        key = HKDF(SHA256(), 32, salt, b"hoiso:sealed-file").derive(secret.encode())
        self._cipher = AESGCM(key)
        self._context = context
        self._number = first

    def seal(self, data: bytes, *, last: bool) -> bytes:
        sealed = self._cipher.encrypt(self._nonce(last), data, self._context)
        self._number += 1
        return sealed

    def open(self, sealed: bytes, *, last: bool) -> bytes:
        data = self._tried(sealed, last)
        if data is None:
            # The file ends with a chunk that was not its last one.
            raise CutOff if last and self._tried(sealed, False) is not None else Unreadable
        self._number += 1
        return data

    def _tried(self, sealed: bytes, last: bool) -> bytes | None:
        try:
            return self._cipher.decrypt(self._nonce(last), sealed, self._context)
        except InvalidTag:
            return None

    def _nonce(self, last: bool) -> bytes:
        return self._number.to_bytes(11, "big") + bytes([last])


class Target(Protocol):
    """Where sealed bytes go."""

    def write(self, data: bytes, /) -> int: ...


class SealedWriter:
    """Takes bytes by `write`; without `finish` the file counts as cut off."""

    def __init__(self, file: Target, secret: str, salt: bytes, context: bytes) -> None:
        self._file = file
        self._chunks = _Chunks(secret, salt, context)
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        self._waiting += data
        # The last chunk is only known at the end: one is always held back.
        while len(self._waiting) > CHUNK:
            self._put(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]
        return len(data)

    def finish(self) -> None:
        self._put(bytes(self._waiting), last=True)

    def _put(self, data: bytes, *, last: bool) -> None:
        sealed = self._chunks.seal(data, last=last)
        self._file.write(len(sealed).to_bytes(_LENGTH_BYTES, "big") + sealed)


def opened(
    file: BinaryIO, secret: str, salt: bytes, context: bytes, start: int = 0
) -> Iterator[bytes]:
    """What was written, from a byte on, chunk by chunk; `Unreadable` where it is not as it was
    written. What stands before `start` is not read."""
    first, skipped = divmod(start, CHUNK)
    chunks = _Chunks(secret, salt, context, first)
    if first:
        file.seek(first * (_LENGTH_BYTES + CHUNK + _TAG_BYTES))
    length = _length(file)
    if length is None:
        raise CutOff
    while length is not None:
        sealed = file.read(length)
        if len(sealed) < length:
            raise CutOff
        length = _length(file)
        yield chunks.open(sealed, last=length is None)[skipped:]
        skipped = 0


def _length(file: BinaryIO) -> int | None:
    """Of the chunk that follows; None at the end of the file."""
    given = file.read(_LENGTH_BYTES)
    if not given:
        return None
    length = int.from_bytes(given, "big")
    if len(given) < _LENGTH_BYTES:
        raise CutOff
    if not _TAG_BYTES <= length <= CHUNK + _TAG_BYTES:
        raise Unreadable
    return length
