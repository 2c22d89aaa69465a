"""Secrets that we make: random ones for programs, codes for people, and their digests."""

import hashlib
import secrets
from typing import Final

SECRET_BYTES: Final = 32
# No 0 O 1 I L U: nothing to confuse on paper or over the phone. 30 signs, 16 of them: 78 bits.
_CODE_SIGNS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_GROUPS: Final = 4
_CODE_LENGTH: Final = 16


def new_secret() -> str:
    """A URL-safe secret of 256 random bits, 43 characters."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> str:
    """Hex SHA-256 of a secret of ours, for storage; too fast for anything a person chose."""
    return hashlib.sha256(as_bytes(secret)).hexdigest()


def new_code() -> str:
    """A one-time code a person can read out and type, 78 bits: `7KQM-2XPD-94TN-BHRW`."""
    return canonical_code("".join(secrets.choice(_CODE_SIGNS) for _ in range(_CODE_LENGTH)))


def code_of(number: int) -> str:
    """The code that stands for a number of at least 78 bits."""
    signs = ""
    for _ in range(_CODE_LENGTH):
        number, place = divmod(number, len(_CODE_SIGNS))
        signs += _CODE_SIGNS[place]
    return canonical_code(signs)


def canonical_code(typed: str) -> str:
    """A code as `new_code` wrote it, from however a person typed it: case and gaps do not count."""
    signs = "".join(sign for sign in typed.upper() if sign in _CODE_SIGNS)
    step = _CODE_LENGTH // _CODE_GROUPS
    return "-".join(signs[at : at + step] for at in range(0, len(signs), step))


def as_bytes(text: str) -> bytes:
    # What a client sends may hold lone surrogates; they match nothing, and must not raise.
    return text.encode("utf-8", "surrogatepass")
