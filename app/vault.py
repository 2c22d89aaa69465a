"""Personal identifiers at rest: sealed with keys of the installation, found again by keyed digests.

A sealed value reads `<key>.<text>`; equal values of one field seal equally (AES-SIV, RFC 5297),
so a value can be compared and looked up without being opened. The first key seals, all open: that
is how keys are rotated (`services/kernel/key_rotation.py` brings what is stored to the first key).
"""

import hmac
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from app.security.sealing import Sealer

_PRINT_BYTES: Final = 4
# What is longer is no phone or number that comes back on the next page: not remembered.
_LONG: Final = 200


class Vault:
    """The data keys of one installation, each a secret text of at least 32 bytes."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("a vault needs at least one key")
        self._keys = {_print_of(key): _Key(key) for key in keys}
        self._first = next(iter(self._keys))
        # Pages of one list hold the same values again and again while somebody scrolls.
        self._opened = lru_cache(maxsize=20_000)(self._open)
        # A value that is written goes into its row and into the log.
        self._sealed = lru_cache(maxsize=20_000)(self._seal)

    @property
    def is_rotating(self) -> bool:
        """There are older keys, so what is stored may be sealed with one of them."""
        return len(self._keys) > 1

    def seal(self, value: str, field: str) -> str:
        """Text for the database; only `open` with the same field gives the value back."""
        return self._sealed(value, field) if len(value) < _LONG else self._seal(value, field)

    def open(self, sealed: str, field: str) -> str:
        """The value; ValueError when no key of ours sealed it for this field."""
        return self._opened(sealed, field) if len(sealed) < _LONG else self._open(sealed, field)

    def seeds_for(self, purpose: str) -> list[bytes]:
        """32 bytes for another use under every key, the first one first, without revealing it."""
        return [key.seed_for(purpose) for key in self._keys.values()]

    def _seal(self, value: str, field: str) -> str:
        sealed = self._keys[self._first].sealer.seal(value.encode(), field.encode())
        return f"{self._first}.{sealed}"

    def _open(self, sealed: str, field: str) -> str:
        name, _, text = sealed.partition(".")
        if name not in self._keys:
            raise ValueError("sealed with a key that is not among HOISO_DATA_KEYS")
        return self._keys[name].sealer.open(text, field.encode()).decode()

    def has_key(self, name: str) -> bool:
        """Whether the key whose name begins a sealed value is one of ours."""
        return name in self._keys

    def is_current(self, sealed: str) -> bool:
        """Sealed with the first key: nothing to rotate."""
        return sealed.startswith(f"{self._first}.")

    def digest(self, value: str, purpose: str) -> int:
        """64 bits to find a value by, signed as databases store them."""
        return self._keys[self._first].digest(value, purpose)

    def digests(self, value: str, purpose: str) -> list[int]:
        """Under every key, the first one first: while keys are rotated both kinds are stored."""
        return [key.digest(value, purpose) for key in self._keys.values()]


class _Key:
    def __init__(self, secret: str) -> None:
        seed = secret.encode()
        self._seed = seed
        self.sealer = Sealer(hmac.digest(seed, b"hoiso:seal", "sha512"))
        self._digest_key = hmac.digest(seed, b"hoiso:digest", "sha256")

    def digest(self, value: str, purpose: str) -> int:
        found = hmac.digest(self._digest_key, f"{purpose}:{value}".encode(), "sha256")
        return int.from_bytes(found[:8], signed=True)

    def seed_for(self, purpose: str) -> bytes:
        return hmac.digest(self._seed, f"hoiso:{purpose}".encode(), "sha256")


def _print_of(secret: str) -> str:
    return hmac.digest(secret.encode(), b"hoiso:name", "sha256")[:_PRINT_BYTES].hex()
