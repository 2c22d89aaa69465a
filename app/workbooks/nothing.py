"""Cells that say that there is nothing to say."""

from typing import Final

from app.text import fold

# Cell texts that mean "nothing".
_NOTHING: Final = frozenset(
    {"", "-", "--", "_", ".", "...", "…", "?", "0", "n/a", "na", "null", "none"}
)
_NOTHING_FOLDED: Final = frozenset(
    {
        *("khong", "ko", "k", "khong co", "chua co", "khong ro", "k co"),
        *("khong nho", "khong biet", "chua ro", "quen"),
    }
)
# Fewer digits than this may be a number.
_MADE_UP: Final = 8


def is_nothing(text: str) -> bool:
    low = text.strip().casefold()
    return low in _NOTHING or fold(low) in _NOTHING_FOLDED


def repeats_one_digit(digits: str) -> bool:
    """000000000000 or 111111111111, where a number has to be filled in."""
    return len(digits) >= _MADE_UP and digits.isdecimal() and len(set(digits)) == 1
