"""Signatures of webhooks and the secrets behind them (standardwebhooks.com, specification 1.0)."""

import hmac
from base64 import b64decode, b64encode
from secrets import token_bytes
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.security.secret_texts import SECRET_BYTES

_SYMMETRIC: Final = "whsec_"
_PRIVATE: Final = "whsk_"
_PUBLIC: Final = "whpk_"


def new_symmetric() -> str:
    """A secret for HMAC-SHA256, `whsec_` and 32 random bytes in base64."""
    return _SYMMETRIC + b64encode(token_bytes(SECRET_BYTES)).decode()


def new_pair() -> tuple[str, str]:
    """Keys for ed25519: the private one (`whsk_`) to sign with, the public one (`whpk_`)."""
    private = Ed25519PrivateKey.generate()
    return (
        _PRIVATE + b64encode(private.private_bytes_raw()).decode(),
        _PUBLIC + b64encode(private.public_key().public_bytes_raw()).decode(),
    )


def signature(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """One signature, with its version: `v1,...` of a `whsec_`, `v1a,...` of a `whsk_`."""
    message = f"{webhook_id}.{timestamp}.".encode() + body
    if secret.startswith(_SYMMETRIC):
        key = b64decode(secret.removeprefix(_SYMMETRIC))
        return "v1," + b64encode(hmac.digest(key, message, "sha256")).decode()
    private = Ed25519PrivateKey.from_private_bytes(b64decode(secret.removeprefix(_PRIVATE)))
    return "v1a," + b64encode(private.sign(message)).decode()
