"""What a file is, by its content: its type, and for pictures what is kept of it.

The name and the type that a client states decide nothing. A stated type that is another one than
the content's is a reason to refuse: one of the two is wrong, and nobody can say which.
"""

import codecs
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

from app.models.files.files import FileKind
from app.problem_texts import ProblemCode
from app.services.files import pictures
from app.services.files.objects import Shelf

PDF: Final = "application/pdf"
TEXT: Final = "text/plain"
# Says that the client does not know.
_UNKNOWN: Final = "application/octet-stream"
_OTHER_NAMES: Final = {"image/jpg": pictures.JPEG, "image/heif": pictures.HEIC}
# PDF 32000-1, 7.5.2: readers look for the header in the first kilobyte.
_PDF_MARK, _PDF_WITHIN = b"%PDF-", 1024


class Refusal(Exception):
    """The content is not what it should be; `code` is the problem to answer."""

    def __init__(self, code: ProblemCode) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Made:
    """A file in the store."""

    media_type: str
    size: int
    object_id: UUID
    thumbnail_id: UUID | None = None
    width: int | None = None
    height: int | None = None

    def columns(self) -> dict[str, Any]:
        return asdict(self)


def made_of(shelf: Shelf, kind: FileKind, stated: str | None, chunks: Iterator[bytes]) -> Made:
    """The file that these bytes are, put into the store; `Refusal` leaves nothing there."""
    if kind is FileKind.picture:
        return _picture(shelf, stated, b"".join(chunks))
    return _document(shelf, stated, chunks)


def _picture(shelf: Shelf, stated: str | None, data: bytes) -> Made:
    try:
        with pictures.opened(data) as picture:
            _ensure_honest(stated, picture.media_type)
            cleaned = picture.cleaned()
    except pictures.NoPicture:
        raise Refusal("file_type_refused") from None
    except pictures.TooManyPixels:
        raise Refusal("picture_pixels") from None
    except pictures.Damaged:
        raise Refusal("picture_damaged") from None
    return Made(
        media_type=pictures.JPEG,
        size=len(cleaned.full),
        object_id=shelf.put(cleaned.full),
        thumbnail_id=shelf.put(cleaned.thumbnail),
        width=cleaned.width,
        height=cleaned.height,
    )


def _document(shelf: Shelf, stated: str | None, chunks: Iterator[bytes]) -> Made:
    """Copied into one object, and looked at on the way."""
    first = next(chunks, b"")
    is_pdf = _PDF_MARK in first[:_PDF_WITHIN]
    _ensure_honest(stated, PDF if is_pdf else TEXT)
    text = codecs.getincrementaldecoder("utf-8")()
    with shelf.begin() as new:
        chunk = first
        while chunk:
            if not is_pdf:
                _ensure_text(text, chunk)
            new.write(chunk)
            chunk = next(chunks, b"")
        if not is_pdf:
            _ensure_text(text, b"", final=True)
    return Made(media_type=PDF if is_pdf else TEXT, size=new.size, object_id=new.id)


def _ensure_text(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> None:
    if b"\0" in chunk:
        raise Refusal("file_type_refused")
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        raise Refusal("file_type_refused") from None


def _ensure_honest(stated: str | None, found: str) -> None:
    name = (stated or _UNKNOWN).partition(";")[0].strip().lower()
    if name != _UNKNOWN and _OTHER_NAMES.get(name, name) != found:
        raise Refusal("file_type_differs")
