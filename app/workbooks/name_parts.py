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
# Whose wife or child she is, by which neighbours tell two of one name apart: "(Hùng)", "(ô. Thành)".
_KIN: Final = re.compile(
    r"\s*\(\s*(?:(?:chồng|vợ|con|mẹ|bố|nhà|là|ông|bà|anh|cụ|ô)\b[\s.:]*)*([^()]+)\)\s*$",
    re.IGNORECASE,
)
_MOST_OF_KIN: Final = 4
# Flowers and hearts beside a name in a chat, with what joins and colours them.
_PICTURES: Final = re.compile(
    "[\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\ufe0f\u200d]+"
)


def name_alone(written: str) -> str:
    """The name without what stands before and behind it; as written, where nothing does."""
    text = _PICTURES.sub(" ", written).strip() if _PICTURES.search(written) else written
    for before in (_NUMBERED, _ADDRESSED):
        found = before.match(text)
        text = text[found.end() :] if found else text
    behind = _BEHIND.search(text)
    if behind and fold(behind[1]).strip(" .") in _POSTS:
        return text[: behind.start()]
    kin = _KIN.search(text) if "(" in text else None
    named = kin is not None and " " in text[: kin.start()].strip() and _is_of_person(kin[1])
    return text[: kin.start()] if kin and named else text


def _is_of_person(name: str) -> bool:
    """Whether these few words are written as names are."""
    words = name.split()
    return 0 < len(words) <= _MOST_OF_KIN and all(
        len(word) > 1 and word.isalpha() and word[0].isupper() for word in words
    )
