"""Hashes of passwords."""

import unicodedata
from dataclasses import dataclass
from typing import Final

from passlib.context import CryptContext

from app.security.secret_texts import new_secret

PASSWORD_BYTES: Final = 1024


class UnusablePassword(ValueError):
    """The password has a NUL or a lone surrogate, or is over 1024 bytes in UTF-8."""


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """`new_hash`, when set, is to be stored: the old one was made with other parameters."""

    ok: bool
    new_hash: str | None = None


class PasswordHasher:
    """argon2id (RFC 9106; defaults by OWASP: 19 MiB, 2 rounds, 1 lane)."""

    def __init__(self, memory_kib: int = 19456, rounds: int = 2, parallelism: int = 1) -> None:
        self._context = CryptContext(
            schemes=["argon2"],
            argon2__type="ID",
            argon2__memory_cost=memory_kib,
            argon2__rounds=rounds,
            argon2__parallelism=parallelism,
        )
        self._dummy = self.hash(new_secret())

    def hash(self, password: str) -> str:
        """A PHC string (`$argon2id$...`); raises `UnusablePassword`."""
        return str(self._context.hash(_prepared(password)))

    def verify(self, password: str, hashed: str | None) -> PasswordCheck:
        """Check a password; raises nothing, whatever the client sent.

        `hashed=None` (no such account, or one without a password) is always wrong and takes as long
        as a real check, so the answer time does not reveal which accounts exist.
        """
        try:
            prepared = _prepared(password)
        except UnusablePassword:
            return PasswordCheck(ok=False)
        ok, new_hash = self._context.verify_and_update(prepared, hashed or self._dummy)
        return PasswordCheck(ok=bool(ok and hashed), new_hash=new_hash)


def _prepared(password: str) -> bytes:
    # NFC (RFC 8265): an iPhone may type "mậtkhẩu" decomposed where an Android phone does not.
    try:
        prepared = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        raise UnusablePassword from None
    if len(prepared) > PASSWORD_BYTES or b"\0" in prepared:
        raise UnusablePassword
    return prepared
