"""Text from before Unicode: fonts that drew Vietnamese letters over Latin-1 ones.

TCVN3 (.VnTime) has one byte for a letter, VNI a base letter and the mark after it (domain facts,
4.4; TCVN 5712:1993, VN3). Read as Latin-1 "hép møt tÕt" is TCVN3 and "chaøo caùc baïn" is VNI.
Which it is, is decided for a whole column, by which reading gives syllables of Vietnamese: one
word alone may be read in two ways (Hoàng; or VNI for Hồng).

UTF-8 that was read as Windows-1252 ("Nguyá»…n") is undone too: what is valid UTF-8 then was nothing else.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from app.workbooks.tables import Encoding

# From 0xA1 on; letters in order of their bytes. Capitals with tones are drawn by another font
# (.VnTimeH) from the bytes of small letters: their case is lost.
_TCVN3_FROM = {
    0xA1: "ĂÂÊÔƠƯĐăâêôơưđ",
    0xB5: "àảãáạ",
    0xBB: "ằẳẵắ",
    0xC6: "ặầẩẫấậè",
    0xCE: "ẻẽéẹềểễếệìỉ",
    0xDC: "ĩíịò",
    0xE1: "ỏõóọồổỗốộờởỡớợù",
    0xF1: "ủũúụừửữứựỳỷỹýỵ",
}
TCVN3 = {
    first + place: letter
    for first, letters in _TCVN3_FROM.items()
    for place, letter in enumerate(letters)
}

# The mark letters after a base letter; a mark of its own for each circumflex or breve with a tone.
_TONES_VNI = dict(zip("ùøûõï", "\u0301\u0300\u0309\u0303\u0323", strict=True))
_SHAPED_VNI = dict(
    zip(
        "âáàåãäêéèúüë",
        [
            shape + tone
            for shape in "\u0302\u0306"
            for tone in ("", "\u0301", "\u0300", "\u0309", "\u0303", "\u0323")
        ],
        strict=True,
    )
)
_ALONE_VNI = {"æ": "ỉ", "ó": "ĩ", "ò": "ị", "î": "ỵ", "ñ": "đ", "ö": "ư", "ô": "ơ"}


def _vni() -> dict[str, str]:
    pairs = {base + mark: base + tone for base in "aeouyôö" for mark, tone in _TONES_VNI.items()}
    pairs |= {base + mark: base + over for base in "aeo" for mark, over in _SHAPED_VNI.items()}
    small = {
        written: unicodedata.normalize("NFC", _ALONE_VNI.get(letter[0], letter[0]) + letter[1:])
        for written, letter in pairs.items()
    } | _ALONE_VNI
    capitals = {written.upper(): letter.upper() for written, letter in small.items()}
    # A capital with a small mark, as typed with the shift key let go.
    mixed = {written[0].upper() + written[1:]: letter.upper() for written, letter in small.items()}
    return mixed | capitals | small


VNI = _vni()
_VNI_LETTERS = re.compile("|".join(sorted(map(re.escape, VNI), key=len, reverse=True)))

_HIGH = re.compile("[\u00a1-\u00ff]")
_BEYOND = re.compile("[\u0100-\u01b0\u0300-\u0323\u1ea0-\u1ef9]")
_WORD = re.compile(r"[^\W\d_\u00ad]+(?:[\u00a1-\u00ff]|[^\W\d_])*|[\u00a1-\u00ff]+[^\s\d]*")

_TONE = re.compile("[\u0300\u0301\u0303\u0309\u0323]")
_SYLLABLE = re.compile(
    "(?:b|ch|c|d|đ|gh|gi|g|h|kh|k|l|m|ngh|ng|nh|n|ph|p|qu|r|s|th|tr|t|v|x)?"
    "(?:(?:uy|u|o)?(?:a|ă|â|e|ê|i|ơ|y)|o|oo|ô|u|ư|iê|yê|ia|ya|uyê|uya|uô|ua|ươ|ưa)"
    "(?:ch|c|m|ng|nh|n|p|t|i|y|o|u)?"
)


OLD = tuple(each for each in Encoding if each is not Encoding.unicode)
_FONTS = (Encoding.unicode, Encoding.tcvn3, Encoding.vni)
# Windows-1252 has a sign for most bytes from 0x80 to 0x9f; the others stay controls.
_BYTES = {
    ord(bytes([byte]).decode("cp1252", "ignore") or chr(byte)): byte for byte in range(0x80, 0x100)
}
_SIGNS = "".join(re.escape(chr(sign)) for sign in _BYTES)
_RUN = re.compile(f"[{_SIGNS}]{{2,}}")
# How two or three bytes of UTF-8 begin that are a letter or a sign of Vietnamese.
_TWICE = re.compile(f"[ÃÄÅÆÌÍáâ][{_SIGNS}]")


class Read(NamedTuple):
    """`mixed` are values that are surely of another encoding than the column, and which."""

    encoding: Encoding
    mixed: dict[str, Encoding]


def decode(text: str, encoding: Encoding) -> str:
    """The text in Unicode, composed. What the encoding does not know stays as it is."""
    if encoding is Encoding.tcvn3:
        text = text.translate(TCVN3)
    elif encoding is Encoding.vni:
        text = _VNI_LETTERS.sub(lambda found: VNI[found[0]], text)
    elif encoding is Encoding.utf8_twice:
        text = _RUN.sub(lambda found: _undone(found[0]) or found[0], text)
    return unicodedata.normalize("NFC", text)


def _undone(run: str) -> str | None:
    """What the bytes that these signs stand for say in UTF-8."""
    try:
        return bytes(map(_BYTES.__getitem__, map(ord, run))).decode()
    except UnicodeDecodeError:
        return None


def _is_twice(value: str) -> bool:
    """Whether all of its letters beyond ASCII are bytes of UTF-8."""
    if not _TWICE.search(value):
        return False
    return _RUN.sub("", value).isascii() and all(map(_undone, _RUN.findall(value)))


def detect(values: Iterable[str]) -> Read:
    """The encoding of a column.

    Without a distinctive letter it is Unicode, as nothing changes then.
    """
    told = Counter(value for value in values if not value.isascii())
    if not told:
        return Read(Encoding.unicode, {})
    scores: Counter[Encoding] = Counter()
    sure: dict[str, Encoding] = {}
    for value, times in told.items():
        if _is_twice(value):
            scores[Encoding.utf8_twice] += times
            sure[value] = Encoding.utf8_twice
            continue
        # Most cells of most columns: letters that no old encoding has.
        if _BEYOND.search(value):
            scores[Encoding.unicode] += times
            sure[value] = Encoding.unicode
            continue
        marks = _marks(value)
        for encoding, mark in zip(_FONTS, marks, strict=True):
            scores[encoding] += mark * times
        best = max(marks)
        ahead = [e for e, mark in zip(_FONTS, marks, strict=True) if mark == best]
        if len(ahead) == 1:
            sure[value] = ahead[0]
    # Of equals the first: Unicode.
    asked = Encoding if scores[Encoding.utf8_twice] else _FONTS
    encoding = max(asked, key=lambda each: scores[each])
    return Read(encoding, {v: e for v, e in sure.items() if e is not encoding and _is_plain(v, e)})


def _is_plain(value: str, encoding: Encoding) -> bool:
    """Every word with a distinctive letter is valid Vietnamese in this encoding."""
    if encoding is Encoding.utf8_twice:
        return True
    words = [word for word in words_of(value) if not word.isascii()]
    return bool(words) and all(_fits(word, encoding) for word in words)


@lru_cache(maxsize=8192)
def _marks(value: str) -> tuple[int, ...]:
    """For each encoding: distinctive words that are valid in it, less those that are not."""
    words = [word for word in words_of(value) if not word.isascii()]
    return tuple(sum(1 if _fits(word, encoding) else -1 for word in words) for encoding in _FONTS)


@lru_cache(maxsize=32768)
def _fits(word: str, encoding: Encoding) -> bool:
    if encoding is not Encoding.unicode and (_BEYOND.search(word) or not _HIGH.search(word)):
        return False
    return reads_well(decode(word, encoding))


def words_of(text: str) -> list[str]:
    """Its words; a letter of an old encoding may look like a sign (¸, ­) and belongs to one."""
    return _WORD.findall(text)


def reads_well(word: str) -> bool:
    """Whether a word may be a syllable of Vietnamese, by its letters and its one tone."""
    apart = unicodedata.normalize("NFD", word.casefold())
    bare, tones = _TONE.subn("", apart)
    return tones <= 1 and bool(_SYLLABLE.fullmatch(unicodedata.normalize("NFC", bare)))
