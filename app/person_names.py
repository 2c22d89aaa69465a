"""Names of people: what is typed becomes what is stored, and what was changed is said.

A name is refused only where nobody can know what was meant.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from app.text import APOSTROPHES, HYPHENS, LOOKS_LIKE_D, has_invisible, plain_width, tidy

NameProblem = Literal[
    "name_empty",
    "name_too_short",
    "name_too_long",
    "name_has_digits",
    "name_has_symbols",
]
NameRepair = Literal["name_had_invisible", "name_look_alike", "name_case_set"]

NAME_LENGTH: Final = 120

_MARKS: Final = frozenset(" ." + APOSTROPHES + HYPHENS)
# Grave, acute, circumflex, tilde, breve, hook, caron, horn, dot below: Ơ̆ of Ê Đê has no letter.
_JOINING: Final = frozenset(
    map(chr, (0x300, 0x301, 0x302, 0x303, 0x306, 0x309, 0x30C, 0x31B, 0x323))
)
# Cyrillic and Greek capitals and small letters that are drawn like Latin ones.
_OTHER_SCRIPTS: Final = str.maketrans(
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425"
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf",
    "ABEKMHOPCTYX" + "aeopcyxi" + "ABEZHIKMNOPTYXo",
)
# Back-tick, acute, primes, turned commas: between two letters, where an apostrophe is meant.
_LIKE_APOSTROPHE: Final = re.compile(
    r"(?<=\w)[`\u00b4\u02b9\u02bb\u02bd\u02c8\u02ca\u02cb\u201b\u2032\u2035\ua78c](?=\s?\w)"
)
_LIKE_HYPHEN: Final = re.compile(r"(?<=\w)[\u2012-\u2015\u2212\u2043\ufe58\ufe63](?=\w)")
_SYLLABLE: Final = re.compile(rf"[^\s.{APOSTROPHES}{re.escape(HYPHENS)}]+")
# Words of Vietnamese letters, a capital first: what most names are, and nothing is changed in one.
_CAPITAL: Final = "A-ZÀ-ÃÈ-ÊÌÍÒ-ÕÙÚÝĂĐĨŨƠƯ" + "".join(map(chr, range(0x1EA0, 0x1EFA, 2)))
_SMALL: Final = "a-zà-ãè-êìíò-õùúýăđĩũơư" + "".join(map(chr, range(0x1EA1, 0x1EFA, 2)))
_WELL_WRITTEN: Final = re.compile(rf"[{_CAPITAL}][{_SMALL}]*(?: [{_CAPITAL}][{_SMALL}]*)*")
# Of foreign names, where they may be small.
_PARTICLES: Final = frozenset({"bin", "da", "de", "den", "der", "di", "dos", "van", "von"})


class PersonName(NamedTuple):
    """A name as it is stored; `repairs` are codes of what was changed in what was typed."""

    text: str
    repairs: tuple[NameRepair, ...] = ()


def read_name(typed: str) -> PersonName:
    """The name that was meant: nothing invisible, in Latin letters, in name case."""
    if _WELL_WRITTEN.fullmatch(typed):
        return PersonName(typed)
    repairs: list[NameRepair] = []
    if has_invisible(typed.strip()):
        repairs += ["name_had_invisible"]
    written = tidy(typed)
    latin = latin_letters(written)
    if latin != written:
        repairs += ["name_look_alike"]
    cased = _in_name_case(latin)
    if cased != latin:
        repairs += ["name_case_set"]
    return PersonName(cased, tuple(repairs))


def name_problem(name: str) -> NameProblem | None:
    """What is wrong with a person's name, as a stable code; None when nothing is.

    Expects the text of `read_name`. Latin letters, the marks of Vietnam's languages, spaces,
    apostrophes, hyphens and dots are allowed (H'Hen Niê, Y Bhă), at most 120 characters.
    """
    if len(name) > NAME_LENGTH:
        return "name_too_long"
    if not _WELL_WRITTEN.fullmatch(name):
        if any(unicodedata.category(char).startswith("N") for char in name):
            return "name_has_digits"
        if not all(char in _MARKS or _of_a_name(char) for char in name):
            return "name_has_symbols"
    letters = sum(char.isalpha() for char in name)
    return None if letters > 1 else "name_too_short" if letters else "name_empty"


def latin_letters(text: str) -> str:
    """With letters and signs that only look like those of a name replaced by them."""
    if text.isascii() and "`" not in text:
        return text
    plain = plain_width(text).translate(LOOKS_LIKE_D)
    plain = "".join(map(_plain_letter, plain))
    if any(map(_is_latin, plain)):
        plain = plain.translate(_OTHER_SCRIPTS)
    plain = _LIKE_HYPHEN.sub("-", _LIKE_APOSTROPHE.sub("'", plain))
    return unicodedata.normalize("NFC", plain)


@lru_cache(maxsize=1024)
def _plain_letter(char: str) -> str:
    """A letter of an ornamental font (𝐋𝐚𝐧) as a letter that can be searched for."""
    plain = unicodedata.normalize("NFKC", char)
    return plain if char.isalpha() and all(map(_is_latin, plain)) else char


@lru_cache(maxsize=1024)
def _is_latin(char: str) -> bool:
    return char.isalpha() and unicodedata.name(char, "").startswith("LATIN")


def _of_a_name(char: str) -> bool:
    """A Latin letter, or a mark that Vietnam's languages put on one and Unicode has not joined to
    it. A Cyrillic а looks like ours, and nobody would ever find her again."""
    return char in _JOINING or _is_latin(char)


def _in_name_case(name: str) -> str:
    """Each syllable in capitals or in small letters as "Mơ"; others as they are (McDonald)."""
    all_small = not any(map(str.isupper, name[1:]))

    def cased(match: re.Match[str]) -> str:
        syllable = match[0]
        begins_word = match.start() == 0 or name[match.start() - 1] == " "
        is_small = syllable.islower() and (
            all_small or (begins_word and syllable not in _PARTICLES)
        )
        return _capitalised(syllable) if is_small or _in_capitals(syllable) else syllable

    return _SYLLABLE.sub(cased, name)


def _in_capitals(syllable: str) -> bool:
    """Also "MạC": old fonts have no capitals with tones."""
    small = filter(str.islower, syllable)
    return any(map(str.isupper, syllable[1:])) and not any(map(str.isascii, small))


def _capitalised(syllable: str) -> str:
    return _same_length(str.upper, syllable[0]) + "".join(
        _same_length(str.lower, char) for char in syllable[1:]
    )


def _same_length(change: Callable[[str], str], char: str) -> str:
    """Of a few foreign letters the other case is two characters (İ): those stay."""
    return changed if len(changed := change(char)) == 1 else char
