"""Names of what stands on a list, as people write them: to its code, or to nothing.

Case, spaces, hyphens, points and apostrophes do not count (K’Ho, kho, Cơ-tu, Cơtu). Marks may be left
out, not be others: Mạ is not Mả. A name that may mean two entries means none of them.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from app.person_names import latin_letters
from app.text import all_near, clean, fold

_TONES: Final = frozenset("\u0300\u0309\u0303\u0301\u0323")
# Letters that Unicode does not decompose.
_BASES: Final = {"đ": "d", "ƀ": "b"}
# What is longer is no name that comes back on the next row: not remembered.
_LONG: Final = 60
# Fewer letters than this are like too many others.
_LONG_ENOUGH: Final = 5
_CLOSE: Final = 88
_AS_CLOSE: Final = 5
# No list has a longer name; to compose marks without end takes the square of their number.
_LONGEST: Final = 300


class Entry(NamedTuple):
    """`names` are its own; `others` are what else it is called: they yield to names of others."""

    code: str
    names: tuple[str, ...]
    others: tuple[str, ...] = ()


class _Form(NamedTuple):
    """A name as it is compared: `bare` letters, the letters with their shapes, the tones in order."""

    bare: str
    letters: tuple[str, ...]
    tones: str

    def may_be(self, other: "_Form") -> bool:
        """Whether this is the other, with some or all of its marks left out."""
        pairs = zip(self.letters, other.letters, strict=True)
        return self.tones in ("", other.tones) and all(
            letter in (whole, _base(whole)) for letter, whole in pairs
        )


class Spellings:
    """The names of the entries of one list; `before` are words that may stand before a name."""

    def __init__(self, entries: Iterable[Entry], before: Iterable[str] = ()) -> None:
        self._before = tuple(fold(words).split() for words in before)
        self._by_bare: dict[str, list[tuple[_Form, str, bool]]] = defaultdict(list)
        for entry in entries:
            for is_own, names in ((True, entry.names), (False, entry.others)):
                for form in filter(None, map(_form, names)):
                    self._by_bare[form.bare].append((form, entry.code, is_own))
        # A column of a list holds the same few names on thousands of rows.
        self._found = lru_cache(maxsize=1024)(self._find)

    def find(self, text: str) -> str | None:
        """The code of the entry that is meant, if one alone can be."""
        return self._found(text) if len(text) <= _LONG else self._find(text)

    def _find(self, text: str) -> str | None:
        return next((code for form in self._forms(text) if (code := self._of(form))), None)

    def nearest(self, text: str) -> str | None:
        """The code of the entry that may be meant, for somebody to confirm; None where several may
        be, or none is near."""
        form = next(self._forms(text), None)
        if form is None:
            return None
        alike = {code for _, code, _ in self._by_bare.get(form.bare, ())}
        if alike or len(form.bare) < _LONG_ENOUGH:
            return _only(alike)
        near = all_near(form.bare, list(self._by_bare), _CLOSE - _AS_CLOSE)
        if not near or near[0][1] < _CLOSE:
            return None
        as_near = [bare for bare, score in near if near[0][1] - score < _AS_CLOSE]
        return _only({code for bare in as_near for _, code, _ in self._by_bare[bare]})

    def _forms(self, text: str) -> Iterator[_Form]:
        """As written; without what is in brackets; without the words that may stand before it."""
        if len(text) > _LONGEST:
            return iter(())
        outside = clean(text).partition("(")[0]
        words = outside.split()
        rests = [
            " ".join(words[len(before) :])
            for before in self._before
            if fold(outside).split()[: len(before)] == before
        ]
        return iter(dict.fromkeys(filter(None, map(_form, (text, outside, *rests)))))

    def _of(self, form: _Form) -> str | None:
        known = self._by_bare.get(form.bare, ())
        for same in (form.__eq__, form.may_be):
            fitting = [(code, is_own) for other, code, is_own in known if same(other)]
            own = {code for code, is_own in fitting if is_own}
            if found := own or {code for code, _ in fitting}:
                return _only(found)
        return None


def may_be(text: str, name: str) -> bool:
    """Whether the text is this name, with some or all of its marks left out: Năm is not Nam."""
    written, meant = _form(text), _form(name)
    if written is None or meant is None or len(written.letters) != len(meant.letters):
        return False
    return written.may_be(meant)


def _only(codes: set[str]) -> str | None:
    return next(iter(codes)) if len(codes) == 1 else None


def _form(text: str) -> _Form | None:
    """None where there is no letter or digit in it."""
    letters: list[str] = []
    tones = ""
    for char in unicodedata.normalize("NFD", latin_letters(clean(text)).casefold()):
        if char in _TONES:
            tones += char
        elif unicodedata.combining(char) and letters:
            letters[-1] += char
        elif char.isalnum():
            letters.append(char)
    if not letters:
        return None
    composed = tuple(unicodedata.normalize("NFC", letter) for letter in letters)
    return _Form("".join(map(_base, composed)), composed, tones)


def _base(letter: str) -> str:
    return _BASES.get(letter) or unicodedata.normalize("NFD", letter)[0]
