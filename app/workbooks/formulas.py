"""Text that a spreadsheet would take for a formula (OWASP, CSV injection), made harmless and back.

A mark goes before it: at the beginning of a cell, and behind what other settings take for the end of
one (a semicolon, a tab, a new line).
"""

import re
from typing import Final

_BEGINS: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_CELL: Final = r"(\A|[;\t\r\n])"
# A cell that begins with a tab or a carriage return is cut there by some.
_BEGUN: Final = rf"'*(?:[\t\r]|[^\S\t\r\n]*[{_BEGINS}])"
_DANGEROUS: Final = re.compile(rf"{_CELL}(?={_BEGUN})")
_MARKED: Final = re.compile(rf"{_CELL}'(?={_BEGUN})")


def guarded(text: str) -> str:
    return _DANGEROUS.sub(r"\1'", text)


def unguarded(text: str) -> str:
    """The text that was `guarded`."""
    return _MARKED.sub(r"\1", text)
