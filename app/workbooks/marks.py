"""What is said of a row beside its values: it is hidden, struck out, or its note says she is gone."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from zipfile import ZipFile

from app.text import fold
from app.workbooks import gone, headers, questions
from app.workbooks.guards import Source, opened, place_of
from app.workbooks.package import parsed, part_of_sheet
from app.workbooks.tables import Column, Row

_PIECE: Final = 1 << 20
_HIDDEN: Final = re.compile(
    rb"<(?:\w+:)?row\b(?=[^<>]*\bhidden\s*=\s*[\"'](?:1|true)[\"'])[^<>]*?\br\s*=\s*[\"']([0-9]+)[\"']"
)
_CELL: Final = re.compile(rb"<(?:\w+:)?c\b([^<>]*[^<>/])>")
# A cell whose formula failed, or a text of its own that says so.
_FAILED: Final = re.compile(
    rb"<(?:\w+:)?c\b(?=[^<>]*\bt\s*=\s*[\"']e[\"'])[^<>]*?\br\s*=\s*[\"']([A-Z]{1,3})([0-9]+)[\"'][^<>]*>"
    rb"\s*(?:<(?:\w+:)?f\b[^<>]*/>|<(?:\w+:)?f\b[^<>]*>[^<>]*</(?:\w+:)?f>)?\s*<(?:\w+:)?v>(#[^<>]{1,20})<"
)
_NUMBER: Final = re.compile(rb"\br\s*=\s*[\"'][A-Z]{1,3}([0-9]+)[\"']")
_STYLE: Final = re.compile(rb"\bs\s*=\s*[\"']([0-9]+)[\"']")
# A heading of notes or of states, but of what is a state of something else.
_NOTES: Final = re.compile(
    r"\b(?:ghi chu|chu thich|luu i|bien dong|dien bien|trang thai|hien trang|nhan xet|li do"
    r"|tinh (?:trang|hinh)(?! (?:hon nhan|suc khoe|nha|viec lam|kinh te|gia dinh))"
    r"|(?:ket qua )?ra soat|theo doi|notes?|remarks?|status|state)\b"
)


# A column of who is a member, in a list of others as well; and what it says of who is none.
_MEMBERS: Final = re.compile(
    r"(?:la |da la )?(?:hoi vien|hv)(?: (?:phu nu|pn|hoi|hoi phu nu|hoi lhpn))?"
    r"|(?:da )?(?:vao|tham gia) hoi(?: phu nu| lhpn)?"
)
_IS_NONE: Final = re.compile(r"(?:chua|khong|ko)\b.*|k")


class Marks(NamedTuple):
    """Numbers of the rows that are hidden (by hand or by a filter), and of those mostly struck out;
    what failed cells show ("#N/A"), by row number and column index."""

    hidden: set[int]
    struck_out: set[int]
    failed: dict[tuple[int, int], str]


def of_sheet(source: Source, sheet: str) -> Marks:
    """What a sheet of an xlsx has that its cells do not say.

    Raises `package.UnpatchableError` for a workbook of a strange make.
    """
    hidden: set[int] = set()
    failed: dict[tuple[int, int], str] = {}
    struck: Counter[int] = Counter()
    filled: Counter[int] = Counter()
    with opened(source) as file, ZipFile(file) as book:
        names = set(book.namelist())
        part = part_of_sheet(book, names, sheet)
        styles = _struck_styles(book, names)
        for piece in _pieces(book, part):
            if b"hidden" in piece:
                hidden.update(map(int, _HIDDEN.findall(piece)))
            if b">#" in piece:
                failed |= dict(map(_shown, _FAILED.finditer(piece)))
            if styles:
                _count(piece, styles, struck, filled)
    struck_out = {number for number, count in struck.items() if count * 2 >= filled[number]}
    return Marks(hidden, struck_out, failed)


def _shown(found: re.Match[bytes]) -> tuple[tuple[int, int], str]:
    return (int(found[2]), place_of(found[1]) - 1), found[3].decode()


def _pieces(book: ZipFile, part: str) -> Iterator[bytes]:
    """The part in pieces that cut no cell."""
    rest = b""
    with book.open(part) as sheet:
        while piece := sheet.read(_PIECE):
            whole = rest + piece
            cut = whole.rfind(b"<c ")
            cut = whole.rfind(b"<") if cut <= 0 else cut
            yield whole[:cut]
            rest = whole[cut:]
    yield rest


def _struck_styles(book: ZipFile, names: set[str]) -> frozenset[bytes]:
    """The cell formats whose font is struck out, by their number."""
    if "xl/styles.xml" not in names:
        return frozenset()
    xml = book.read("xl/styles.xml")
    if b"strike" not in xml:
        return frozenset()
    root = parsed(xml)
    fonts = {
        str(place)
        for place, font in enumerate(root.findall("{*}fonts/{*}font"))
        if (strike := font.find("{*}strike")) is not None
        and strike.get("val", "1") not in ("0", "false")
    }
    formats = enumerate(root.findall("{*}cellXfs/{*}xf"))
    return frozenset(str(place).encode() for place, xf in formats if xf.get("fontId") in fonts)


def _count(
    piece: bytes, styles: frozenset[bytes], struck: Counter[int], filled: Counter[int]
) -> None:
    for tag in _CELL.findall(piece):
        number = _NUMBER.search(tag)
        if number is None:
            continue
        filled[int(number[1])] += 1
        style = _STYLE.search(tag)
        if style is not None and style[1] in styles:
            struck[int(number[1])] += 1


def notes_among(columns: Iterable[Column]) -> list[Column]:
    """The columns of notes about a row."""
    return [
        column
        for column in columns
        if _NOTES.search(headers.key(column.header)) and not questions.names_others(column.header)
    ]


def members_among(columns: Iterable[Column]) -> list[Column]:
    """The columns that say whether a row is of a member."""
    return [column for column in columns if _MEMBERS.fullmatch(headers.key(column.header))]


def says_no_member(row: Row, column: Column) -> bool:
    """Whether it says that she is none (yet)."""
    text = row.cells[column.index]
    return isinstance(text, str) and bool(_IS_NONE.fullmatch(fold(text).strip()))


def says_gone(row: Row, column: Column) -> bool:
    """Whether the note says that she died, moved away or left."""
    text = row.cells[column.index]
    return isinstance(text, str) and gone.says_gone(text)
