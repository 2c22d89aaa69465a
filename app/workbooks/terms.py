"""The term of an office in one cell: "2021-2026", or as JSON of our export has it."""

import re
from typing import Any, Final

from app.problem_texts import FieldCode
from app.workbooks import objects

_NAMES: Final = ("congress_number", "starts_on", "ends_on")
_TERM: Final = re.compile(
    r"(?:nhiệm kỳ\s*)?((?:19|20)[0-9]{2})\s*[-–—/]\s*((?:19|20)[0-9]{2})", re.IGNORECASE
)


def read(text: str) -> dict[str, Any] | FieldCode:
    """The number of its congress and its partial dates, or what is wrong with the text."""
    found = objects.in_text(text)
    if found is not None:
        return {name: objects.plain(found.get(name)) for name in _NAMES}
    if (match := _TERM.fullmatch(text)) is None:
        return "wrong_format"
    if match[1] > match[2]:
        return "dates_reversed"
    return dict(zip(_NAMES, (None, match[1], match[2]), strict=True))
