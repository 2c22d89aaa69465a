"""Vietnamese text: cleaning, search and sort keys of names, phone numbers. Pure functions.

Both databases compare the keys byte by byte (COLLATE "C", BINARY), so they agree with each other.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

SORT_KEY_LENGTH: Final = 400

# Eth looks like Đ, old official texts use it, and it casefolds to another letter than đ.
# Nor has any Vietnamese word the African d with a stroke.
LOOKS_LIKE_D: Final = str.maketrans("\u00d0\u00f0\u0189\u0256", "ĐđĐđ")
_INVISIBLE: Final = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
APOSTROPHES: Final = "'\u2018\u2019\u02bc"
HYPHENS: Final = "-\u2010\u2011"

# Letters Unicode does not decompose (ƀ is Ê Đê), and i/y: Vĩ and Vỹ, Lí and Lý are one name.
_BARE: Final = str.maketrans("đƀy", "dbi")
_ONE_I: Final = str.maketrans("yỳỷỹýỵYỲỶỸÝỴ", "iìỉĩíịIÌỈĨÍỊ")
# A mark without a composed letter (Lơ̆k) belongs to its word.
_NOT_WORD: Final = re.compile(r"(?:[^\w\u0300-\u036f]|_)+")
_ONE_APOSTROPHE: Final = str.maketrans(dict.fromkeys(APOSTROPHES, "'"))
_NO_APOSTROPHE: Final = str.maketrans("", "", APOSTROPHES)
# Begins a word of the given name in a search key.
GIVEN: Final = "/"

# Sort key bytes: "!" ends a level, "," is a space, then - . / (apostrophe), digits, letters.
# "{" and "|" are above "z": "a{" (ă) follows every word in plain a, and "a|" (â) every word in ă.
_SHAPES: Final = {
    "a\u0306": "a{",
    "a\u0302": "a|",
    "e\u0302": "e{",
    "o\u0302": "o{",
    "o\u031b": "o|",
    "u\u031b": "u{",
}
_WEIGHTS: Final = (
    {char: char for char in ".0123456789abcdefghijklmnopqrstuvwxyz"}
    | {"đ": "d{", "ƀ": "b{"}
    | dict.fromkeys(HYPHENS, "-")
    | dict.fromkeys(APOSTROPHES, "/")
)
_TONES: Final = {"\u0300": "1", "\u0309": "2", "\u0303": "3", "\u0301": "4", "\u0323": "5"}
_OTHER_MARK: Final = "6"

# Mobile prefixes renumbered from 11 to 10 digits on 2018-09-15; old lists still carry them.
_RENUMBERED: Final = (
    {f"16{digit}": f"3{digit}" for digit in "23456789"}
    | {"120": "70", "121": "79", "122": "77", "126": "76", "128": "78"}
    | {"123": "83", "124": "84", "125": "85", "127": "81", "129": "82"}
    | {"186": "56", "188": "58", "199": "59"}
)
_PHONE: Final = re.compile(r"\+?[0-9]{8,15}")
_PHONE_PUNCTUATION: Final = re.compile(r"[\s().\-\u2010-\u2015]")
_OLD_MOBILE: Final = re.compile(r"(?:(?:\+|00)?840?|0)?(1[0-9]{2})([0-9]{7})")
# Nothing is left to parse in it: what a list holds thousands of.
_OF_VIETNAM: Final = re.compile(r"(?:0|\+84)([1-9][0-9]{8,9})")
_FULL_WIDTH: Final = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
# What people put between the digits of a number; of full width, too.
_BETWEEN_DIGITS: Final = re.compile(r"[\s.\-'\u2010-\u2015]")

_NUMBER = re.compile(r"\d+")


def clean(text: str) -> str:
    """Text as we store it: NFC, real Đ, no invisible characters, single spaces, trimmed.

    Other control characters (NUL) stay, for the schemas to refuse.
    """
    return tidy(text).translate(LOOKS_LIKE_D)


def tidy(text: str) -> str:
    """Text as written, in NFC, without invisible characters and with single spaces."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    return " ".join(text.split())


def has_invisible(text: str) -> bool:
    """Whether it has characters that nobody sees: of no width, or of direction."""
    return _INVISIBLE.search(text) is not None


def digits(text: str) -> str:
    """Its digits as a search reads them: those in circles or of full width are digits, too."""
    return "".join(re.findall("[0-9]", unicodedata.normalize("NFKC", text)))


def number_text(text: str) -> str:
    """An identity number as it is stored: plain digits, without the gaps people leave in it."""
    return _BETWEEN_DIGITS.sub("", plain_width(clean(text)))


def plain_width(text: str) -> str:
    """Letters, digits and signs of full width, which some keyboards type, as plain ones."""
    return text if text.isascii() else text.translate(_FULL_WIDTH)


def fold(text: str) -> str:
    """Search fold: case, marks, đ/d, y/i and spacing do not count; punctuation stays.

    Tone placement falls out with the marks: hoà and hòa are both "hoa".
    """
    bare = "".join(char for char in _decomposed(clean(text)) if not unicodedata.combining(char))
    return clean(bare.translate(_BARE))


def name_key(name: str) -> str:
    """Search key of a unit's name: folded, numbers padded so that khu 1 does not find khu 10."""
    return _padded(fold(name))


def unit_sort_key(name: str) -> str:
    """ASCII key, at most 400 bytes, whose byte order is the Vietnamese order of units' names.

    By all letters as written, then by all tones: "Ngô Xá" precedes "Yên Tập"; khu 2, khu 10.
    """
    return "!".join(_levels(_padded(clean(name))))[:SORT_KEY_LENGTH]


def _padded(name: str) -> str:
    return _NUMBER.sub(lambda number: number[0].zfill(6), name)


def search_words(text: str) -> list[tuple[str, str | None]]:
    """The words of a name, each folded ("hoa") and, where it carries marks, with them ("1hoa").

    For the stored name and for what is typed in the search box alike. The tone comes first and
    belongs to the word, not to a letter: hoà and hòa are both "1hoa", and both begin like "1ho".
    """
    return _words_of(_casefolded(clean(text)))


def _words_of(text: str) -> list[tuple[str, str | None]]:
    words = map(_search_word, _NOT_WORD.sub(" ", text).split())
    return [(bare, marked) for bare, marked in words if bare]


@lru_cache(maxsize=8_000)
def search_key(full_name: str, given_name: str | None = None) -> str:
    """What a search compares with: "Đỗ Thị Hoà" gives " do=3d{o| thi=5thi hoa=1hoa /hoa=1hoa ".

    One column answers all questions: `% hoa=%` finds the word as folded, `%=1hoa %` with its
    marks, `% /hoa=%` as the given name. H'Hen is found as "hen", "h hen" and "hhen".
    """
    name = clean(full_name)
    words = name.split(" ")
    named = " ".join(words[slice(*_given_at(words, given_name))])
    return _key(name, "") + _key(named, GIVEN) + " "


def _key(text: str, sign: str) -> str:
    folded = _casefolded(text)
    words = _words_of(folded)
    joined = folded.translate(_NO_APOSTROPHE)
    if joined != folded:
        words += [word for word in _words_of(joined) if word not in words]
    return "".join(f" {sign}{bare}={marked or ''}" for bare, marked in words)


def words_of_key(key: str) -> tuple[str, ...]:
    """The folded words of a name, from its search key, whichever of them is the given name."""
    return tuple(part.partition("=")[0] for part in name_in_key(key).split())


def name_in_key(key: str) -> str:
    """What is equal for all who bear a name, whichever of its words is the given name."""
    return key.partition(f" {GIVEN}")[0]


def any_given(full_name: str) -> str:
    """The LIKE pattern of the search keys of all who bear this name."""
    return f"{name_in_key(search_key(full_name))} {GIVEN}%"


def sort_key(full_name: str, given_name: str | None = None) -> str:
    """ASCII key, at most 400 bytes, whose byte order is the Vietnamese order of people.

    Given name (the last word, unless it is given), then surname (the first word), then middle names.
    Each field compares by its letters, then by the tones of its syllables (CLDR `vi`); case does
    not count. Unlike CLDR the key holds the tone of a syllable, not of a letter, so hoà and hòa are
    equal. Names of the same words in another order have another key.
    """
    words = clean(full_name).split(" ")
    start, end = _given_at(words, given_name)
    others = words[:start] + words[end:]
    fields = (words[start:end], others[:1], others[1:])
    levels = [level for field in fields for level in _levels(" ".join(field))]
    if end < len(words):
        levels.append(str(start))
    return "!".join(levels)[:SORT_KEY_LENGTH]


def sort_keys(full_name: str) -> list[str]:
    """The sort keys of all who may bear this name, whichever of its words is the given name."""
    words = clean(full_name).split(" ")
    count = len(words)
    runs = (words[start:end] for start in range(count) for end in range(start + 1, count + 1))
    return sorted({sort_key(full_name), *(sort_key(full_name, " ".join(run)) for run in runs)})


def has_given(full_name: str, given_name: str) -> bool:
    """Whether the given name is one word of the name, or several in a row."""
    words, asked = _comparable(full_name), _comparable(given_name)
    return bool(asked) and any(words[n : n + len(asked)] == asked for n in range(len(words)))


def _comparable(name: str) -> list[str]:
    """Its words in one case and with one kind of apostrophe."""
    return clean(name).casefold().translate(_ONE_APOSTROPHE).split()


def _given_at(words: Sequence[str], given_name: str | None) -> tuple[int, int]:
    """Where in the words of a name the given name begins and ends."""
    asked = _comparable(given_name or "")
    folded = _comparable(" ".join(words)) if asked else []
    for start in range(len(words) - len(asked), -1, -1) if asked else ():
        if folded[start : start + len(asked)] == asked:
            return start, start + len(asked)
    return len(words) - 1, len(words)


@lru_cache(maxsize=8_000)
def normalise_phone(text: str) -> str | None:
    """The number in E.164 (+84912345678), read as Vietnamese unless it has a country code.

    Mobile numbers from before the renumbering of 2018 are converted, and a leading zero eaten by
    a spreadsheet is restored. None when it is not a valid phone number.
    """
    import phonenumbers

    digits = _PHONE_PUNCTUATION.sub("", plain_width(clean(text)))
    if not _PHONE.fullmatch(digits):
        return None
    if (old := _OLD_MOBILE.fullmatch(digits)) and old[1] in _RENUMBERED:
        digits = f"0{_RENUMBERED[old[1]]}{old[2]}"
    if plain := _OF_VIETNAM.fullmatch(digits):
        number = phonenumbers.PhoneNumber(84, int(plain[1]))
    else:
        try:
            number = phonenumbers.parse(digits, "VN")
        except phonenumbers.NumberParseException:
            return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def _casefolded(text: str) -> str:
    return unicodedata.normalize("NFC", _decomposed(text))


@lru_cache(maxsize=4096)
def _search_word(word: str) -> tuple[str, str | None]:
    letters, tones = _levels(word.translate(_ONE_I))
    bare = fold(word)
    marked = f"{tones[:1] or '0'}{letters}"
    return bare, None if marked == f"0{bare}" else marked


# A few hundred surnames and middle names make up most of any list.
@lru_cache(maxsize=4096)
def _levels(field: str) -> tuple[str, str]:
    """The letters of a field and, syllable by syllable, its tones (none = ngang)."""
    letters = [""]
    tones = []
    for char in _decomposed(field):
        if shape := _SHAPES.get(letters[-1] + char):
            letters[-1] = shape
        elif unicodedata.combining(char):
            tones.append(_TONES.get(char, _OTHER_MARK))
        elif char == " ":
            letters.append(",")
            tones.append(",")
        else:
            letters.append(_WEIGHTS.get(char) or f"~{ord(char):06x}")
    return "".join(letters), "".join(tones)


# -- likeness, in percent of letters

_NEAR: Final = 12


def likeness(one: str, other: str, at_least: float) -> float:
    """How like two texts are; 0 below `at_least`."""
    from rapidfuzz import fuzz

    return fuzz.ratio(one, other, score_cutoff=at_least)


def nearest(text: str, among: Iterable[str], at_least: float) -> tuple[str, float] | None:
    """The text that is most like this one, and how like it is."""
    return next(iter(all_near(text, among, at_least)), None)


def all_near(text: str, among: Iterable[str], at_least: float) -> list[tuple[str, float]]:
    """The texts that are like this one, and how like they are; the likest first."""
    from rapidfuzz import fuzz, process

    found = process.extract(text, among, scorer=fuzz.ratio, score_cutoff=at_least, limit=_NEAR)
    return [(each, score) for each, score, _ in found]
