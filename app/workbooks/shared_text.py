"""How much text the cells of an .xlsx hold: one text is stored once, and a small file may name it in
millions of cells, each of which gets its own when it is read (ECMA-376, part 1, 18.4)."""

from array import array
from collections.abc import Iterable
from typing import Final
from xml.parsers import expat

PART: Final = "xl/sharedstrings.xml"


def lengths(pieces: Iterable[bytes]) -> "array[int]":
    """Of each shared text. Raises ValueError for what is no XML."""
    found = array("L")
    length = 0

    def add(text: str) -> None:
        nonlocal length
        length += len(text)

    def end(name: str) -> None:
        nonlocal length
        if _local(name) == "si":
            found.append(length)
            length = 0

    parser = expat.ParserCreate()
    parser.CharacterDataHandler, parser.EndElementHandler = add, end
    _parse(parser, pieces)
    return found


def characters(pieces: Iterable[bytes], each: "array[int]") -> int:
    """Of all cells of a sheet that name shared texts of these lengths. Raises ValueError."""
    total = 0
    shared = False
    value = ""

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal shared, value
        if _local(name) == "c":
            shared = attributes.get("t") == "s"
        value = ""

    def add(text: str) -> None:
        nonlocal value
        value = (value + text)[:_DIGITS]

    def end(name: str) -> None:
        nonlocal total
        if shared and _local(name) == "v" and value.strip().isdecimal():
            place = int(value)
            total += each[place] if place < len(each) else 0

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.CharacterDataHandler = begin, add
    parser.EndElementHandler = end
    _parse(parser, pieces)
    return total


_DIGITS: Final = 20


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _parse(parser: expat.XMLParserType, pieces: Iterable[bytes]) -> None:
    try:
        for piece in pieces:
            parser.Parse(piece)
    except expat.ExpatError as error:
        raise ValueError("no XML") from error
