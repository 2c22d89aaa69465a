"""ID tokens of OpenID Connect providers: their keys and signatures. What they claim is checked elsewhere.

Verified by `cryptography` itself: jose has no EdDSA, and reads more of a token than it is asked to
(docs/decisions/0002, 0057).
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from app.security.base64url import decoded

ID_TOKEN_CHARS: Final = 16_384
_LEAST_RSA_BITS: Final = 2_048
_HALF: Final = 32
# What points to the key by its print is not used, and does no harm; jwk, jku, x5u and crit would.
_HEADER: Final = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256"})
_MOST_KEYS: Final = 100
_PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
IdTokenFault = Literal[
    "malformed",
    "forbidden_header",
    "wrong_algorithm",
    "unknown_key",
    "bad_signature",
    "missing_claim",
    "wrong_issuer",
    "wrong_audience",
    "wrong_nonce",
    "not_yet_valid",
    "expired",
    "used",
    "account_disabled",
]


class BadIdToken(Exception):
    """The token is refused; `reason` is a stable code."""

    def __init__(self, reason: IdTokenFault) -> None:
        super().__init__(reason)
        self.reason: IdTokenFault = reason


@dataclass(frozen=True, slots=True)
class IdKey:
    """A public key of a provider, for one algorithm."""

    kid: str | None
    algorithm: str
    key: _PublicKey

    def verifies(self, signature: bytes, signed: bytes) -> bool:
        try:
            _verify(self.key, signature, signed)
        except (InvalidSignature, ValueError):
            return False
        return True


def _verify(key: _PublicKey, signature: bytes, signed: bytes) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, signed, padding.PKCS1v15(), SHA256())
    elif isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, signed)
    else:
        if len(signature) != 2 * _HALF:
            raise InvalidSignature
        halves = (signature[:_HALF], signature[_HALF:])
        der = encode_dss_signature(*(int.from_bytes(half) for half in halves))
        key.verify(der, signed, ec.ECDSA(SHA256()))


def keys_of(document: object) -> list[IdKey]:
    """The keys of a JWK Set that can verify here; all others are passed over. ValueError: it is none."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("no JWK Set")
    found: list[IdKey] = []
    for jwk in listed[:_MOST_KEYS]:
        with suppress(KeyError, ValueError, TypeError, AttributeError):
            found.append(_key_of(jwk))
    return found


def _key_of(jwk: Mapping[str, Any]) -> IdKey:
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]):
        raise ValueError("for another use")
    algorithm, key = _LOADED[jwk["kty"]](jwk)
    if jwk.get("alg", algorithm) != algorithm:
        raise ValueError("for another algorithm")
    kid = jwk.get("kid")
    return IdKey(kid if isinstance(kid, str) else None, algorithm, key)


def _number(text: str) -> int:
    return int.from_bytes(decoded(text))


def _rsa(jwk: Mapping[str, Any]) -> tuple[str, _PublicKey]:
    modulus = _number(jwk["n"])
    if modulus.bit_length() < _LEAST_RSA_BITS:
        raise ValueError("too short")
    return "RS256", rsa.RSAPublicNumbers(_number(jwk["e"]), modulus).public_key()


def _ec(jwk: Mapping[str, Any]) -> tuple[str, _PublicKey]:
    if jwk["crv"] != "P-256":
        raise ValueError("another curve")
    point = (_number(jwk["x"]), _number(jwk["y"]))
    return "ES256", ec.EllipticCurvePublicNumbers(*point, ec.SECP256R1()).public_key()


def _okp(jwk: Mapping[str, Any]) -> tuple[str, _PublicKey]:
    if jwk["crv"] != "Ed25519":
        raise ValueError("another curve")
    return "EdDSA", ed25519.Ed25519PublicKey.from_public_bytes(decoded(jwk["x"]))


_LOADED = {"RSA": _rsa, "EC": _ec, "OKP": _okp}
ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A token in its parts. Nothing of it may be believed before `ensure_signed`."""

    algorithm: str
    kid: str | None
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes

    @classmethod
    def of(cls, token: str) -> "UnverifiedToken":
        """Refused before any cryptography: what is no plain signed token of a good algorithm."""
        parts = token.split(".", 3) if len(token) <= ID_TOKEN_CHARS else []
        if len(parts) != 3:
            raise BadIdToken("malformed")
        header, claims = _json_object(parts[0]), _json_object(parts[1])
        if not header.keys() <= _HEADER:
            raise BadIdToken("forbidden_header")
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise BadIdToken("wrong_algorithm")
        if kid is not None and not isinstance(kid, str):
            raise BadIdToken("malformed")
        signed = f"{parts[0]}.{parts[1]}".encode()
        return cls(algorithm, kid, claims, signed, _bytes(parts[2]))

    def fits(self, key: IdKey) -> bool:
        """The key may have signed it: of the same algorithm, and of the name where it has one."""
        return key.algorithm == self.algorithm and self.kid in (None, key.kid)

    def ensure_signed(self, keys: Sequence[IdKey]) -> None:
        fitting = [key for key in keys if self.fits(key)]
        if not fitting or (self.kid is None and len(fitting) > 1):
            raise BadIdToken("unknown_key")
        if not any(key.verifies(self.signature, self.signed) for key in fitting):
            raise BadIdToken("bad_signature")


def _bytes(segment: str) -> bytes:
    try:
        return decoded(segment)
    except ValueError:
        raise BadIdToken("malformed") from None


def _json_object(segment: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(segment).decode())
    except (ValueError, RecursionError):
        raise BadIdToken("malformed") from None
    if not isinstance(value, dict):
        raise BadIdToken("malformed")
    return value
