"""What lists write beside a name: how she is addressed, and the post she holds."""

import re
from typing import Final

from app.text import fold

_ADDRESSED: Final = re.compile(
    r"\s*(?:bà|chị|cô|cụ|bác|đ/c|đ\.c|đồng chí|d/c|dong chi)\.?\s+(?=\S+\s+\S)", re.IGNORECASE
)
_BEHIND: Final = re.compile(r"(?:\s+[-–—]\s*|\s*[-–—]\s+|\s*[,(]\s*)([^-–—,()]+)\)?\s*$")
_POSTS: Final = frozenset(
    {
        *("cht", "chp", "chi hoi truong", "chi hoi pho", "to truong", "to pho"),
        *("ct", "pct", "chu tich", "pho chu tich", "uv", "bch", "uv bch", "uy vien"),
    }
)


def name_alone(written: str) -> str:
    """The name without what stands before and behind it; as written, where nothing does."""
    addressed = _ADDRESSED.match(written)
    text = written[addressed.end() :] if addressed else written
    behind = _BEHIND.search(text)
    return text[: behind.start()] if behind and fold(behind[1]).strip(" .") in _POSTS else text
