"""Text that can be composed (NFC) in a time that its length bounds."""

import re
import sys
import unicodedata
from functools import cache
from typing import Final

from app.errors import Problem

# On one letter: no language has as many (UAX #15, Stream-Safe Text Format).
_MOST_MARKS: Final = 30


def composable(text: str) -> str:
    """The text. Raises when one letter in it has marks without end: to compose them takes the square
    of their number."""
    if len(text) <= _MOST_MARKS or text.isascii():
        return text
    # A run of more has one of these places.
    some = text[_MOST_MARKS :: _MOST_MARKS + 1]
    if any(map(unicodedata.combining, some)) and _endless_marks().search(text):
        raise Problem("import_damaged", part="Unicode")
    return text


@cache
def _endless_marks() -> re.Pattern[str]:
    marks = filter(unicodedata.combining, map(chr, range(sys.maxunicode + 1)))
    return re.compile(f"[{''.join(marks)}]{{{_MOST_MARKS + 1}}}")
