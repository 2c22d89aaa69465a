"""What lists write beside a name: her number, how she is addressed, and the post she holds."""

import re
from typing import Final

from app.text import fold

_ADDRESSED: Final = re.compile(
    r"\s*(?:bà|chị|cô|cụ|bác|đ/c|đ\.c|đồng chí|d/c|dong chi)\.?\s+(?=\S+\s+\S)", re.IGNORECASE
)
_NUMBERED: Final = re.compile(r"\s*[0-9]{1,4}\s*[.)\-/:]\s*(?=\S+\s+\S)")
_BEHIND: Final = re.compile(r"(?:\s+[-–—]\s*|\s*[-–—]\s+|\s*[,(]\s*)([^-–—,()]+)\)?\s*$")
_POSTS: Final = frozenset(
    {
        *("cht", "chp", "chi hoi truong", "chi hoi pho", "to truong", "to pho"),
        *("ct", "pct", "chu tich", "pho chu tich", "uv", "bch", "uv bch", "uy vien"),
    }
)


def name_alone(written: str) -> str:
    """The name without what stands before and behind it; as written, where nothing does."""
    text = written
    for before in (_NUMBERED, _ADDRESSED):
        found = before.match(text)
        text = text[found.end() :] if found else text
    behind = _BEHIND.search(text)
    return text[: behind.start()] if behind and fold(behind[1]).strip(" .") in _POSTS else text
