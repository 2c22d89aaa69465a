"""Signed codes of attendance: the card of a member, and the changing code of a session.

A card is signed with Ed25519, so that a phone without a network verifies it by the published key;
it holds the ids of the card and of the member, and nothing else. The code of a session is an HMAC
that changes every 30 seconds: a picture of it, sent to somebody at home, is old when it arrives.

Both kinds have a key ring (`services/attendance/code_keys.py`): what any of its keys has signed is
recognised for good.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

Fault = Literal[
    "code_foreign", "code_forged", "code_expired", "code_replayed", "code_revoked", "code_unknown"
]
STEP: Final = timedelta(seconds=30)
# One step more on either side: clocks differ, and a hand is slow.
TOLERANCE: Final = 1

_CARD: Final = "HSC1."
_SESSION: Final = "HSS1."
_KID: Final = 4
_SIGNATURE: Final = 64
_MAC: Final = 16
# The step of a code on paper, which does not change.
_PRINTED: Final = 0


class BadCode(Exception):
    """A code that is refused; `reason` is stable, for programs."""

    def __init__(self, reason: Fault) -> None:
        super().__init__(reason)
        self.reason: Fault = reason


@dataclass(frozen=True, slots=True)
class CardCode:
    card_id: UUID
    member_id: UUID


@dataclass(frozen=True, slots=True)
class SessionCode:
    """`step` counts 30 seconds since 1970; null on paper."""

    session_id: UUID
    step: int | None


# -- keys


@dataclass(frozen=True, slots=True)
class Ring:
    """The seeds of an installation's codes: the first one signs, all verify."""

    cards: tuple[bytes, ...]
    sessions: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _CardKey:
    kid: bytes
    private: Ed25519PrivateKey
    public: Ed25519PublicKey


@lru_cache(maxsize=8)
def _card_keys(seeds: tuple[bytes, ...]) -> dict[bytes, _CardKey]:
    keys = [_card_key(Ed25519PrivateKey.from_private_bytes(seed)) for seed in seeds]
    return {key.kid: key for key in keys}


def _card_key(private: Ed25519PrivateKey) -> _CardKey:
    public = private.public_key()
    return _CardKey(hashlib.sha256(public.public_bytes_raw()).digest()[:_KID], private, public)


def public_keys(ring: Ring) -> list[dict[str, str]]:
    """What verifies cards, as JSON Web Keys (RFC 8037), the signing one first."""
    return [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": _encoded(key.public.public_bytes_raw()),
            "kid": _encoded(key.kid),
            "alg": "EdDSA",
            "use": "sig",
        }
        for key in _card_keys(ring.cards).values()
    ]


def session_key(ring: Ring, session_id: UUID) -> bytes:
    """Makes the codes of one session and of no other: a phone that has it needs no network."""
    return _session_keys(ring, session_id)[0]


def _session_keys(ring: Ring, session_id: UUID) -> list[bytes]:
    return [hmac.digest(seed, session_id.bytes, "sha256") for seed in ring.sessions]


# -- writing


def card_code(ring: Ring, card: CardCode) -> str:
    """`HSC1.` and, in base64url: key (4 bytes), card (16), member (16), signature (64) of all
    before it, the prefix included."""
    key = next(iter(_card_keys(ring.cards).values()))
    body = key.kid + card.card_id.bytes + card.member_id.bytes
    return _CARD + _encoded(body + key.private.sign(_CARD.encode() + body))


def session_code(key: bytes, session_id: UUID, step: int | None) -> str:
    """`HSS1.` and, in base64url: session (16 bytes), step (4, big-endian; 0 on paper), the first
    16 of HMAC-SHA-256 over both, the prefix included."""
    body = session_id.bytes + (step or _PRINTED).to_bytes(4, "big")
    return _SESSION + _encoded(body + _mac(key, body))


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, _SESSION.encode() + body, "sha256")[:_MAC]


def step_at(moment: datetime) -> int:
    return int(moment.timestamp() // STEP.total_seconds())


def begins(step: int) -> datetime:
    return datetime.fromtimestamp(step * STEP.total_seconds(), UTC)


# -- reading


def read(ring: Ring, token: str) -> CardCode | SessionCode:
    """The contents of a valid code of ours; `BadCode` for everything else.

    Its time is not checked.
    """
    if token.startswith(_CARD):
        return _read_card(ring, token)
    if token.startswith(_SESSION):
        return _read_session(ring, token)
    raise BadCode("code_foreign")


def _read_card(ring: Ring, token: str) -> CardCode:
    data = _decoded(token.removeprefix(_CARD), _KID + 32 + _SIGNATURE)
    body, signature = data[:-_SIGNATURE], data[-_SIGNATURE:]
    key = _card_keys(ring.cards).get(body[:_KID])
    if key is None:
        raise BadCode("code_foreign")
    try:
        key.public.verify(signature, _CARD.encode() + body)
    except InvalidSignature:
        raise BadCode("code_forged") from None
    return CardCode(UUID(bytes=body[_KID : _KID + 16]), UUID(bytes=body[_KID + 16 :]))


def _read_session(ring: Ring, token: str) -> SessionCode:
    data = _decoded(token.removeprefix(_SESSION), 20 + _MAC)
    body, mac = data[:-_MAC], data[-_MAC:]
    session_id, step = UUID(bytes=body[:16]), int.from_bytes(body[16:], "big")
    keys = _session_keys(ring, session_id)
    if not any(hmac.compare_digest(mac, _mac(key, body)) for key in keys):
        raise BadCode("code_forged")
    return SessionCode(session_id, step if step != _PRINTED else None)


def ensure_in_time(code: SessionCode, at: datetime) -> None:
    """The code was on the screen at that moment; one on paper always is."""
    if code.step is not None and abs(step_at(at) - code.step) > TOLERANCE:
        raise BadCode("code_expired")


def _decoded(text: str, length: int) -> bytes:
    """The bytes, only in their one canonical spelling."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise BadCode("code_forged") from None
    if len(data) != length or _encoded(data) != text:
        raise BadCode("code_forged")
    return data


def as_text(key: bytes) -> str:
    """A key as it is handed to a phone: base64url."""
    return _encoded(key)


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
