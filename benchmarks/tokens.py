"""HS256 tokens by the standard library: what the floor checks and what the peer is given."""

import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any


def _encode(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _signature(signed: bytes, secret: bytes) -> bytes:
    return _encode(hmac.digest(secret, signed, "sha256"))


def sign(claims: dict[str, Any], secret: str) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    signed = b".".join(_encode(json.dumps(part).encode()) for part in parts)
    return b".".join((signed, _signature(signed, secret.encode()))).decode()


def verify(token: bytes, secret: str) -> dict[str, Any] | None:
    """The claims, or None when the signature is wrong or the time is over."""
    signed, _, signature = token.rpartition(b".")
    if not hmac.compare_digest(signature, _signature(signed, secret.encode())):
        return None
    payload = signed.partition(b".")[2]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + b"=="))
    return claims if claims["exp"] > time.time() else None
