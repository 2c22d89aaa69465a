"""Headings that are questions, as forms on the web have them: "Chị đang sinh hoạt tại chi hội nào?"."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from app.text import clean

_LONGEST: Final = 300
_IN_BRACKETS: Final = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_NOT_WORD: Final = re.compile(r"[\W_]+")
# A question, or words to the person asked.
_QUESTION: Final = re.compile(r"\?|(?<!\w)(?:chị|bạn|cô|bà|em|quý vị)(?!\w)", re.IGNORECASE)
_OTHERS: Final = re.compile(
    # "Là người dân tộc gì" asks what the person herself is.
    r"(?<!\w)(?:chồng|con|bố|mẹ|cha|vợ|cháu|chủ hộ|(?<!là )người(?! dân tộc)|chi hội trưởng"
    r"|chi hội phó|cán bộ|giáo viên)(?!\w)",
    re.IGNORECASE,
)
# What no field holds.
_ELSE: Final = re.compile(
    r"(?<!\w)(?:email|e-mail|mail|thư điện tử|facebook|góp ý|ý kiến|đề xuất|mong muốn|nguyện vọng)"
    r"(?!\w)",
    re.IGNORECASE,
)
# One thing, of which a part is none: "ngày sinh hoạt" is no "ngày sinh".
_WHOLE: Final = re.compile(r"(?<!\w)(sinh) (hoạt|viên)(?!\w)", re.IGNORECASE)


def phrases(names: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Field by the names of several words, as they are looked for in questions."""
    found: dict[str, str] = {}
    for name, field in names:
        words = _words(name)
        # "Chị em" in a question is who is asked.
        if " " in words.strip() and not _QUESTION.search(name):
            found.setdefault(words, field)
    return MappingProxyType(found)


def names_others(text: str) -> bool:
    """Whether it names somebody who is not the person herself."""
    return bool(_OTHERS.search(text))


def names_else(text: str) -> bool:
    """Whether it asks for what no field holds."""
    return bool(_ELSE.search(text))


def asked_for(header: str, known: Mapping[str, str]) -> str | None:
    """The field whose name the question holds, the longest if several; None for other headings."""
    if len(header) > _LONGEST or not _QUESTION.search(header):
        return None
    if names_others(header) or names_else(header):
        return None
    for text in (_IN_BRACKETS.sub(" ", header), header):
        words = _words(text)
        held = [name for name in known if name in words]
        if held:
            return known[max(held, key=len)]
    return None


@lru_cache(maxsize=4096)
def _words(text: str) -> str:
    """Its words with their marks, a space around each."""
    bare = " ".join(_NOT_WORD.sub(" ", clean(text).casefold()).split())
    whole = _WHOLE.sub(r"\1\2", bare)
    return f" {whole} "
