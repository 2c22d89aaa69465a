"""The words of headings: those that say what a column holds, and those that only stand beside them."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from app.data_files import DATA, load
from app.text import clean, fold

_NOT_WORD: Final = re.compile(r"[\W_]+")
_FILE: Final = DATA / "import_columns" / "words.yaml"


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    data: dict[str, Any] = load(_FILE)
    return data


@lru_cache(maxsize=8)
def _words(name: str, *, bare: bool) -> re.Pattern[str]:
    """Any of the words of this list, the longest first. Without marks one word may be another
    (Đảng, đang): only several together are known."""
    listed: list[str] = _data()[name]
    known = [fold(each) for each in listed if " " in each] if bare else listed
    return re.compile(rf"\b(?:{'|'.join(sorted(known, key=len, reverse=True) or ['(?!)'])})\b")


@lru_cache(maxsize=1)
def _shortened() -> dict[str, str]:
    shortened: dict[str, str] = _data()["shortened"]
    return shortened


@lru_cache(maxsize=4096)
def left_of(heading: str, *, herself: bool = False) -> str:
    """What is left of a heading, with its marks, without the words beside it. `herself`: without
    those for the woman of a couple as well."""
    words = _NOT_WORD.sub(" ", clean(heading).casefold()).split()
    whole = " ".join(_shortened().get(word, word) for word in words)
    if herself:
        whole = _words("herself", bare=False).sub(" ", whole)
    return " ".join(_words("beside", bare=whole.isascii()).sub(" ", whole).split())


def says_when_alone(left: str) -> bool:
    """Whether all its words say when, and none what."""
    return set(left.split()) <= set(_data()["when"])


def is_of_herself(heading: str) -> bool:
    return _words("herself", bare=False).search(clean(heading).casefold()) is not None


def is_of_else(heading: str) -> bool:
    """Whether the column holds something else than its other words name."""
    low = clean(heading).casefold()
    return _words("elsewhere", bare=low.isascii()).search(low) is not None


@lru_cache(maxsize=1)
def surnames() -> frozenset[str]:
    """In small letters, with their marks and without."""
    marked = [each.casefold() for each in _data()["surnames"].split()]
    return frozenset({*marked, *map(fold, marked)})


def held_in(key: str, names: Iterable[str]) -> str | None:
    """The longest of these names whose words stand in the key in their order."""
    within = f" {key} "
    held = [name for name in names if f" {name} " in within]
    return max(held, key=len) if held else None
