"""Access tokens: signed, verified, remembered."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final, Generic, Literal, TypeVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jwt
from jose.exceptions import JWTError

from app.security.base64url import decoded, encoded
from app.security.secret_texts import SECRET_BYTES, as_bytes, new_secret

Algorithm = Literal["HS256", "ES256"]
TokenFault = Literal[
    "malformed",
    "forbidden_header",
    "wrong_algorithm",
    "wrong_type",
    "unknown_key",
    "bad_signature",
    "missing_claim",
    "wrong_issuer",
    "wrong_audience",
    "not_yet_valid",
    "expired",
]
V = TypeVar("V")

TOKEN_CHARS: Final = 4096


_TYPES: Final = ("at+jwt", "application/at+jwt")  # RFC 9068
# An allow-list, so that crit, jwk, jku, x5u, x5c, b64 and whatever comes next are all refused.
_HEADER: Final = frozenset({"alg", "typ", "kid"})
_REQUIRED: Final = ("iss", "aud", "sub", "exp", "iat", "jti", "sid")
_REGISTERED: Final = frozenset({*_REQUIRED, "nbf"})
# jose reads the system clock, rounds floats and accepts an `aud` list: claims are checked here.
_SIGNATURE_ONLY: Final = {
    f"verify_{claim}": False
    for claim in ("aud", "iat", "exp", "nbf", "iss", "sub", "jti", "at_hash")
}
_LAST_INSTANT: Final = int(
    # A float rounds the last microseconds up into the year 10000.
    datetime.max.replace(microsecond=0, tzinfo=UTC).timestamp()
)


class BadToken(Exception):
    """The access token is refused; `reason` is a stable code, fit for logs and problem bodies."""

    def __init__(self, reason: TokenFault) -> None:
        super().__init__(reason)
        self.reason: TokenFault = reason


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a verified access token; `extra` holds those given to `issue` besides."""

    subject: str
    session_id: str
    jti: str
    issued_at: datetime
    expires_at: datetime
    extra: Mapping[str, str]


@dataclass(frozen=True, slots=True, repr=False)
class _Key:
    kid: str
    signing: object
    verifying: object
    public: dict[str, str] | None
    seed: bytes


class Keyring:
    """The keys of one pinned algorithm: the first signs, all verify, so keys can be rotated."""

    def __init__(self, algorithm: Algorithm, keys: Sequence[_Key]) -> None:
        if not keys:
            raise ValueError("a keyring needs at least one key")
        self.algorithm: Final = algorithm
        self._signer = keys[0]
        self._keys = {key.kid: key for key in keys}

    @classmethod
    def hs256(cls, secrets: Sequence[str]) -> "Keyring":
        """Shared secrets of at least 32 bytes each (RFC 7518 section 3.2), else ValueError."""
        return cls("HS256", [_hmac_key(secret) for secret in secrets])

    @classmethod
    def es256(cls, pems: Sequence[str]) -> "Keyring":
        """Unencrypted P-256 private keys in PEM, else ValueError; `kid` is the RFC 7638 print."""
        return cls("ES256", [_ec_key(pem) for pem in pems])

    @staticmethod
    def generate(algorithm: Algorithm) -> str:
        """New key material for `hs256` (a secret) or `es256` (a PKCS #8 PEM)."""
        if algorithm == "HS256":
            return new_secret()
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return pem.decode()

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys as a JWK Set (RFC 7517), the signing one first; none for HS256."""
        return {"keys": [key.public for key in self._keys.values() if key.public]}

    def secret_for(self, purpose: bytes) -> bytes:
        """32 bytes for another use (cursors), derived from the signing key without revealing it."""
        return hmac.digest(self._signer.seed, b"hoiso:" + purpose, "sha256")

    def issue(
        self,
        subject: str,
        *,
        session_id: str,
        lifetime: timedelta,
        issuer: str,
        audience: str,
        now: datetime,
        claims: Mapping[str, str] | None = None,
    ) -> tuple[str, str]:
        """Sign an access token (RFC 9068) and return it with its `jti`. Times are whole seconds.

        `claims` are further string claims; ValueError when one is a registered claim.
        """
        extra = claims or {}
        if taken := extra.keys() & _REGISTERED:
            raise ValueError(f"registered claims: {sorted(taken)}")
        jti = secrets.token_urlsafe(16)
        issued = int(now.timestamp())
        payload = {
            **extra,
            "iss": issuer,
            "aud": audience,
            "sub": subject,
            "sid": session_id,
            "jti": jti,
            "iat": issued,
            "exp": issued + int(lifetime.total_seconds()),
        }
        headers = {"typ": _TYPES[0], "kid": self._signer.kid}
        return str(jwt.encode(payload, self._signer.signing, self.algorithm, headers)), jti

    def verify(
        self,
        token: str,
        *,
        issuer: str,
        audience: str,
        now: datetime,
        leeway: timedelta = timedelta(seconds=5),
    ) -> Claims:
        """The claims of a good token; whatever else it is given raises `BadToken`.

        `leeway` forgives the clocks of several servers in both directions.
        """
        key = self._key_for(token)
        try:
            payload = jwt.decode(
                token, key.verifying, algorithms=[self.algorithm], options=_SIGNATURE_ONLY
            )
        except JWTError:
            raise BadToken("bad_signature") from None
        return _claims(payload, issuer, audience, now.timestamp(), leeway.total_seconds())

    def _key_for(self, token: str) -> _Key:
        """The key the header names, after every check that needs no cryptography (RFC 8725).

        jose accepts `crit`, skips characters outside the alphabet and reads the header before the
        signature, so nothing but a plain, canonical, three-part token of ours may reach it.
        """
        parts = token.split(".", 3) if len(token) <= TOKEN_CHARS else []
        if len(parts) != 3:
            raise BadToken("malformed")
        header = _json_object(_decoded(parts[0]))
        _json_object(_decoded(parts[1]))
        _decoded(parts[2])
        if not header.keys() <= _HEADER:
            raise BadToken("forbidden_header")
        if header.get("alg") != self.algorithm:
            raise BadToken("wrong_algorithm")
        if str(header.get("typ")).lower() not in _TYPES:
            raise BadToken("wrong_type")
        kid = header.get("kid")
        if not isinstance(kid, str) or kid not in self._keys:
            raise BadToken("unknown_key")
        return self._keys[kid]


class VerifiedTokens(Generic[V]):
    """What was found out about a token, remembered under its SHA-256 until a monotonic second.

    Reads take no lock; writes, from any thread, do. When full, the oldest entry goes.
    """

    def __init__(self, max_size: int = 4096) -> None:
        self._max_size = max_size
        self._entries: dict[bytes, tuple[V, float]] = {}
        self._writing = Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, token: str, now: float) -> V | None:
        """The remembered value, or None when there is none or its time has passed."""
        entry = self._entries.get(hashlib.sha256(as_bytes(token)).digest())
        return entry[0] if entry and now < entry[1] else None

    def put(self, token: str, value: V, until: float) -> None:
        """Remember a value for a token while `now < until`."""
        key = hashlib.sha256(as_bytes(token)).digest()
        with self._writing:
            self._entries.pop(key, None)
            self._entries[key] = (value, until)
            while len(self._entries) > self._max_size:
                del self._entries[next(iter(self._entries))]

    def drop(self, predicate: Callable[[V], bool]) -> int:
        """Forget every value that matches the predicate (a revocation); returns how many."""
        with self._writing:
            doomed = [key for key, (value, _) in self._entries.items() if predicate(value)]
            for key in doomed:
                del self._entries[key]
        return len(doomed)

    def clear(self) -> None:
        """Forget everything."""
        with self._writing:
            self._entries.clear()


def _hmac_key(secret: str) -> _Key:
    if len(secret.encode()) < SECRET_BYTES:
        raise ValueError(f"an HS256 secret needs at least {SECRET_BYTES} bytes")
    # A keyed digest reveals no more about the secret than the tokens' signatures do.
    kid = encoded(hmac.digest(secret.encode(), b"kid", "sha256")[:12])
    key = jwk.construct(secret, "HS256")
    return _Key(kid, signing=key, verifying=key, public=None, seed=secret.encode())


def _ec_key(pem: str) -> _Key:
    private = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
        raise ValueError("an ES256 key is a private key on P-256")
    point = private.public_key().public_numbers()
    public = {
        "crv": "P-256",
        "kty": "EC",
        "x": encoded(point.x.to_bytes(32, "big")),
        "y": encoded(point.y.to_bytes(32, "big")),
    }
    # RFC 7638: exactly these members, in this order, without spaces.
    kid = encoded(hashlib.sha256(json.dumps(public, separators=(",", ":")).encode()).digest())
    signing = jwk.construct(private, "ES256")
    return _Key(
        kid,
        signing=signing,
        verifying=signing.public_key(),
        public={**public, "kid": kid, "alg": "ES256", "use": "sig"},
        seed=private.private_numbers().private_value.to_bytes(32, "big"),
    )


def _claims(
    payload: Mapping[str, object], issuer: str, audience: str, now: float, leeway: float
) -> Claims:
    if not payload.keys() >= set(_REQUIRED):
        raise BadToken("missing_claim")
    if payload["iss"] != issuer:
        raise BadToken("wrong_issuer")
    if payload["aud"] != audience:
        raise BadToken("wrong_audience")
    issued_at = _instant(payload["iat"])
    expires_at = _instant(payload["exp"])
    if max(issued_at, _instant(payload.get("nbf", issued_at))) > now + leeway:
        raise BadToken("not_yet_valid")
    if expires_at <= now - leeway:
        raise BadToken("expired")
    return Claims(
        subject=_text(payload["sub"]),
        session_id=_text(payload["sid"]),
        jti=_text(payload["jti"]),
        issued_at=datetime.fromtimestamp(issued_at, UTC),
        expires_at=datetime.fromtimestamp(expires_at, UTC),
        extra={name: _text(payload[name]) for name in payload.keys() - _REGISTERED},
    )


def _instant(value: object) -> int:
    # `type`, because True is an int to isinstance and to jose.
    if type(value) is not int or not 0 <= value <= _LAST_INSTANT:
        raise BadToken("malformed")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise BadToken("malformed")
    return value


def _decoded(segment: str) -> bytes:
    try:
        return decoded(segment)
    except ValueError:
        raise BadToken("malformed") from None


def _json_object(data: bytes) -> dict[str, object]:
    try:
        # Decoded here: json.loads on bytes would take UTF-16 and UTF-32 as well.
        value = json.loads(data.decode())
    except (ValueError, RecursionError):
        raise BadToken("malformed") from None
    if not isinstance(value, dict):
        raise BadToken("malformed")
    return value
