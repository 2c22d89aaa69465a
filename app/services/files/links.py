"""Links that open one file for a time, without a token: for pages that show a picture.

A link holds the file and its end, sealed (AES-SIV): it can be neither made nor prolonged by anybody
else, and nothing is stored. A file that is deleted takes its links with it.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from app.clock import utc_now
from app.db import vault_of
from app.errors import not_found
from app.models.files.files import FileSize
from app.security.sealing import Sealer
from app.services.files import stored
from app.services.files.stored import Content
from app.services.kernel.access import Db
from app.vault import Vault

_CONTEXT: Final = b"file-link"
_SIZES: Final = tuple(FileSize)
_ID_BYTES, _LENGTH = 16, 21


def made(db: Db, content: Content, size: FileSize, seconds: int) -> tuple[str, datetime]:
    """The secret of a link to a file that the caller may read, and when it ends."""
    until = utc_now().replace(microsecond=0) + timedelta(seconds=seconds)
    told = content.file_id.bytes + bytes([_SIZES.index(size)])
    told += int(until.timestamp()).to_bytes(4, "big")
    return _sealers(vault_of(db))[0].seal(told, _CONTEXT), until


def opened(db: Db, secret: str) -> Content:
    """The file of a link; 404 for one that has ended, was changed or is none."""
    told = _told(vault_of(db), secret)
    if len(told) != _LENGTH or _ends(told) <= utc_now():
        raise not_found()
    return stored.of_link(db, UUID(bytes=told[:_ID_BYTES]), _SIZES[told[_ID_BYTES]])


def _ends(told: bytes) -> datetime:
    return datetime.fromtimestamp(int.from_bytes(told[_ID_BYTES + 1 :], "big"), UTC)


def _told(vault: Vault, secret: str) -> bytes:
    for sealer in _sealers(vault):
        try:
            return sealer.open(secret, _CONTEXT)
        except ValueError:
            continue
    return b""


def _sealers(vault: Vault) -> list[Sealer]:
    """Under every data key, the first one first: links outlive a rotation."""
    return [Sealer(seed) for seed in vault.seeds_for("file-link")]
