"""Base64url (RFC 7515) without padding."""

from base64 import urlsafe_b64decode, urlsafe_b64encode


def decoded(segment: str) -> bytes:
    """The bytes of a base64url segment, only in its one canonical spelling; else ValueError."""
    data = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if encoded(data) != segment:
        raise ValueError("not the canonical spelling")
    return data


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
