"""The headers of resumable uploads (tus 1.0: https://tus.io/protocols/resumable-upload)."""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final

from fastapi import Request

from app.errors import Problem, invalid

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,expiration,termination"
OFFSET_TYPE: Final = "application/offset+octet-stream"
# For pages of other origins.
SENT: Final = ("tus-resumable", "upload-length", "upload-metadata", "upload-offset")
ANSWERED: Final = (
    *("tus-resumable", "tus-version", "tus-extension", "tus-max-size"),
    *("upload-offset", "upload-length", "upload-expires"),
)


def _header(description: str, kind: str = "string") -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}}


# Of an answer about a file, as the contract describes them.
DESCRIBED: Final = {
    "Tus-Resumable": _header("The version of the protocol."),
    "Upload-Offset": _header("Bytes that have arrived: where the next piece begins.", "integer"),
    "Upload-Length": _header("Bytes of the whole file.", "integer"),
    "Upload-Expires": _header("Until when it waits, as an HTTP date; not where a record has it."),
}
LOCATED: Final = DESCRIBED | {"Location": _header("The address of the file.")}
# Digits: no file is as large as this, and no number of the database either.
_LONGEST: Final = 15


@contextmanager
def spoken(request: Request) -> Iterator[None]:
    """412 for another version; what is refused says the version, too. Without the header it is the
    only one there is."""
    told = {"Tus-Resumable": VERSION}
    if request.headers.get("tus-resumable", VERSION) != VERSION:
        raise Problem("tus_version", headers=told | {"Tus-Version": VERSION})
    try:
        yield
    except Problem as problem:
        problem.headers = told | problem.headers
        raise


def answered(item: Mapping[str, Any]) -> dict[str, str]:
    """The headers of a file: `offset` of `length` bytes are there, the rest until `expires_at`."""
    told = {
        "Tus-Resumable": VERSION,
        "Upload-Offset": str(item["offset"]),
        "Upload-Length": str(item["length"]),
        "Cache-Control": "no-store",
    }
    until: datetime | None = item["expires_at"]
    return told if until is None else told | {"Upload-Expires": format_datetime(until, usegmt=True)}


def number(request: Request, header: str) -> int:
    """A count of bytes; 422 for a header that is missing or is none."""
    value = request.headers.get(header)
    if value is None:
        raise invalid("required", f"/{header.lower()}", place="header")
    if not (value.isascii() and value.isdigit() and len(value) <= _LONGEST):
        raise invalid("wrong_format", f"/{header.lower()}", place="header")
    return int(value)


def metadata(request: Request) -> dict[str, str]:
    """`Upload-Metadata`: names and their values in Base64, with commas between the pairs."""
    found: dict[str, str] = {}
    for pair in filter(None, map(str.strip, request.headers.get("upload-metadata", "").split(","))):
        name, _, value = pair.partition(" ")
        try:
            found[name] = b64decode(value.strip(), validate=True).decode()
        except (NotBase64, UnicodeDecodeError):
            raise invalid("wrong_format", "/upload-metadata", place="header") from None
    return found
