"""What a client would like (`Prefer`, RFC 7240): followed where it can be, never an error."""

from fastapi import Request


def prefers(request: Request, name: str) -> str | None:
    """The value of one preference, in lower case; None when it is not there. The first one counts."""
    for part in ",".join(request.headers.getlist("prefer")).split(","):
        given, _, value = part.partition(";")[0].partition("=")
        if given.strip().lower() == name:
            return value.strip().strip('"').lower()
    return None
