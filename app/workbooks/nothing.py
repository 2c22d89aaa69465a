"""Cells that say that there is nothing to say."""

import re
from typing import Final

from app.text import fold

# Cell texts that mean "nothing".
_NOTHING: Final = frozenset({"", "0", "n/a", "na", "null", "none"})
# "ko có", "không nhớ số", "chưa làm CCCD".
_NOTHING_FOLDED: Final = re.compile(
    r"(?:khong|ko|k|kg|chua|quen)(?: (?:co|ro|biet|nho|dung|su dung|cap|lam|so|dt|sdt|dien thoai"
    r"|cccd|can cuoc|nao|gi)){0,4}"
)
# Places left to fill in: "..../..../......", "__/__", "00/00/0000".
_BLANK: Final = re.compile(r"[\s.…·_/\\|()\[\]:;,?–—-]+|0{1,2}[/.-]0{1,2}[/.-]0{2,4}")
# A dotted line, which is no text either; "-" may be one that somebody wrote.
_DOTTED: Final = re.compile(r"…+|(?=[^._…]*[._…])[\s._…/]{3,}")
# What programs write into an empty cell of text.
_UNFILLED: Final = frozenset({"n/a", "null", "(null)", "none", "nan", "undefined"})
# Fewer digits than this may be a number.
_MADE_UP: Final = 8


def is_nothing(text: str) -> bool:
    low = text.strip().casefold()
    return low in _NOTHING or is_blank(low) or _NOTHING_FOLDED.fullmatch(fold(low)) is not None


def is_blank(text: str) -> bool:
    """Whether it is a place left to fill in, or a sign for nothing."""
    return _BLANK.fullmatch(text) is not None


def is_unfilled(text: str) -> bool:
    """Whether a cell of text, where "không" may be an answer, holds none."""
    low = text.strip().casefold()
    return low in _UNFILLED or _DOTTED.fullmatch(low) is not None


def repeats_one_digit(digits: str) -> bool:
    """000000000000 or 111111111111, where a number has to be filled in."""
    return len(digits) >= _MADE_UP and digits.isdecimal() and len(set(digits)) == 1
