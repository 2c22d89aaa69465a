"""What a file is, by its content, and whether it is safe to parse: asked before anything is parsed.

A workbook is a zip of XML. It is unpacked here once in pieces, so that its true size, its rows and
columns are known (a reader reserves rows x columns) whatever its directory claims.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from app.errors import Problem
from app.workbooks import ods, ole, shared_text
from app.workbooks.tables import BookFormat, Limits

Source = Path | bytes

# All that `check`, and reading after it, refuse a whole file for.
REFUSALS: Final = (
    "import_too_large",
    "import_zip_bomb",
    "import_unsafe",
    "import_not_a_workbook",
    "import_format_unsupported",
    "import_damaged",
    "import_encrypted",
    "import_empty",
    "import_no_header",
    "import_no_rows",
    "import_too_many_rows",
    "import_too_many_columns",
    "import_mixed_encodings",
    "import_sheet_unknown",
)

# A title, a header and totals do not count as rows of the list.
AROUND: Final = 1_000
_PIECE: Final = 1 << 20
_PACKED: Final = 1 << 16
# Nothing smaller is worth calling a bomb.
_SMALL: Final = 10_000_000
_MOST_PARTS: Final = 5_000

_ROW: Final = re.compile(rb"<(?:\w+:)?row\b[^<>]*?\br\s*=\s*[\"']([0-9]+)[\"']")
# A cell with its column, and the other attributes of its tag.
_CELL: Final = re.compile(rb"<c r=\"([A-Za-z]{1,3})[0-9]{1,7}\"([^<>]*)>")
# Rows from 10,000 on by their cells, which a row's own number may hide.
_FAR: Final = re.compile(rb"\br\s*=\s*[\"'][A-Za-z]+([0-9]{5,})[\"']")
_FILLED: Final = re.compile(rb"<(?:\w+:)?c(?=[\s>])([^<>]*)(?<!/)>(?!\s*</)")
_ROW_OF_CELL: Final = re.compile(rb"\br\s*=\s*[\"'][A-Za-z]+([0-9]+)[\"']")
_CELL_ANYHOW: Final = re.compile(rb"<(?:\w+:)?c\b([^<>]*)>")
_REFERENCE: Final = re.compile(rb"\br\s*=\s*[\"']([A-Za-z]+)[0-9]+[\"']")
_SHARED: Final = re.compile(rb"=\s*[\"']s[\"']")
_FORMULA: Final = re.compile(rb"<(?:\w+:)?f[\s>/]")
_NOT_CALCULATED: Final = re.compile(
    rb"(?:</(?:\w+:)?f>|<(?:\w+:)?f\b[^<>]*/>)\s{0,9}(?:<(?:\w+:)?v\s?/>|<v>\s{0,9}</v>)?\s{0,9}</(?:\w+:)?c>"
)
# References with an entity in them, or of another namespace, would hide their target.
_HIDDEN: Final = re.compile(rb"<(?:\w+:)?(?:c|row)\s[^<>]*(?:&|:r\s*=)")
_ODD_SPACES: Final = tuple(tag + space for tag in (b"<c", b":c") for space in (b"\t", b"\n", b"\r"))
_DECLARED: Final = re.compile(rb"^\s*<\?xml[^>]*encoding\s*=\s*[\"']([^\"']*)[\"']")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the check found out. Counts are of the whole file."""

    kind: BookFormat
    formulas: int = 0
    not_calculated: int = 0
    macros: bool = False
    external_links: bool = False


@dataclass(slots=True)
class _Extent:
    """How far a sheet goes, and its formulas."""

    is_sheet: bool = False
    rows: int = 0
    # The last row that was begun, which the next piece may fill.
    open_row: int = 0
    columns: int = 0
    formulas: int = 0
    not_calculated: int = 0
    # At least the number of cells that name a shared text, and the parts they are in.
    shared: int = 0
    sheets: list[ZipInfo] = field(default_factory=list)


def opened(source: Source) -> BinaryIO:
    return BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def check(source: Source, limits: Limits) -> FileFacts:
    """What the file is. Raises a Problem (one of REFUSALS) for what must not be parsed."""
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size > limits.file_bytes:
        raise Problem("import_too_large", size=size, limit=limits.file_bytes)
    if size == 0:
        raise Problem("import_empty")
    with opened(source) as file:
        head = file.read(4096)
        file.seek(0)
        if head.startswith(b"PK"):
            return _of_zip(file, limits)
        if head.startswith(ole.MAGIC):
            return _of_ole(file.read(), limits)
    return FileFacts(_text_kind(head))


def _text_kind(head: bytes) -> BookFormat:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return BookFormat.csv
    if start[:1] == b"<":
        raise Problem("import_format_unsupported", format="HTML/XML")
    if start.startswith(
        (b"%PDF", b"{\\rtf", b"\x89PNG", b"\xff\xd8", b"Rar!", b"7z\xbc", b"\x1f\x8b")
    ):
        raise Problem("import_not_a_workbook")
    if start.startswith(b"{"):
        return BookFormat.ndjson
    # UTF-16 without its mark has a nul in every other place; text of one byte has none.
    nuls = head.count(0)
    wide = nuls * 3 > len(head) and not (
        head[0::2].count(0) and head[1::2].count(0) * 3 > len(head)
    )
    strange = sum(byte < 32 and byte not in b"\t\r\n\x0b\x0c" for byte in head)
    if strange > nuls * wide and strange * 100 > len(head):
        raise Problem("import_not_a_workbook")
    return BookFormat.csv


# -- xlsx


def _of_zip(file: BinaryIO, limits: Limits) -> FileFacts:
    try:
        with ZipFile(file) as book:
            parts = book.infolist()
            _look_at_directory(parts, limits)
            names = {part.filename.lower() for part in parts}
            kind = _kind_of(book, names)
            extent = _unpacked(book, parts, limits, kind)
            _look_at_shared(book, parts, extent, limits)
    except (
        *(BadZipFile, zlib.error, EOFError, NotImplementedError),
        *(ValueError, KeyError, OSError),
    ) as error:
        raise Problem("import_damaged", part="zip") from error
    except RuntimeError as error:  # zipfile: a part has a password
        raise Problem("import_encrypted") from error
    return FileFacts(
        kind,
        formulas=extent.formulas,
        not_calculated=extent.not_calculated,
        macros=any(name.startswith(("xl/vbaproject.bin", "basic/")) for name in names),
        external_links=any(name.startswith("xl/externallinks/") for name in names),
    )


def _kind_of(book: ZipFile, names: set[str]) -> BookFormat:
    if "xl/workbook.bin" in names:
        raise Problem("import_format_unsupported", format="xlsb")
    if "xl/workbook.xml" in names or any(name.endswith("/workbook.xml") for name in names):
        if ods.CONTENT in names:  # which of the two a parser takes is not known
            raise Problem("import_damaged", part=ods.CONTENT)
        return BookFormat.xlsx
    if ods.CONTENT not in names:
        raise Problem("import_not_a_workbook")
    with book.open("mimetype") as file:
        if file.read(len(ods.MEDIA_TYPE)) != ods.MEDIA_TYPE:
            raise Problem("import_not_a_workbook")
    with book.open("META-INF/manifest.xml") as file:
        if b"encryption-data" in file.read(_PIECE):
            raise Problem("import_encrypted")
    return BookFormat.ods


def _look_at_directory(parts: list[ZipInfo], limits: Limits) -> None:
    """What the directory itself admits."""
    if len({part.filename.lower() for part in parts}) < len(parts):
        raise Problem("import_damaged", part="zip")
    if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > limits.unpacked_bytes:
        raise Problem("import_zip_bomb", part="zip", limit=limits.unpacked_bytes)
    for part in parts:
        if part.flag_bits & 1:
            raise Problem("import_encrypted")
        _look_at_ratio(part, part.file_size, limits)


def _look_at_ratio(part: ZipInfo, size: int, limits: Limits) -> None:
    if size > _SMALL and size > part.compress_size * limits.packing_ratio:
        raise Problem("import_zip_bomb", part=_name(part), limit=limits.unpacked_bytes)


def _name(part: ZipInfo) -> str:
    return part.filename[-60:]


def _unpacked(book: ZipFile, parts: list[ZipInfo], limits: Limits, kind: BookFormat) -> _Extent:
    """Each part read through to its end; the sum of the sheets' formulas."""
    total = _Extent()
    left = limits.unpacked_bytes
    for part in parts:
        if part.is_dir():
            continue
        extent = _Extent()
        content = (
            ods.Extent()
            if kind is BookFormat.ods and part.filename.lower() == ods.CONTENT
            else None
        )
        size = 0
        tail = end = b""
        written = part.filename.lower().endswith((".xml", ".rels", ".vml"))
        for piece in _pieces(book, part):
            if written:
                _look_at_xml(piece, end, part)
            end = piece[-16:]
            size += len(piece)
            if size > left:
                raise Problem("import_zip_bomb", part=_name(part), limit=limits.unpacked_bytes)
            _look_at_ratio(part, size, limits)
            if content is not None:
                content.feed(piece)
                within(content.rows, content.columns, limits)
                _within_text(content.characters, _name(part), limits)
                extent.formulas = content.formulas
                continue
            whole = tail + piece
            # Up to its last whole cell: a tag at the end is measured with the next piece.
            cut = max(whole.rfind(b"</"), 0) or max(whole.rfind(b"<"), 0) or len(whole)
            _measure(whole[:cut], extent, limits)
            tail = whole[cut:]
        _measure(tail, extent, limits)
        if size != part.file_size:
            raise Problem("import_damaged", part=_name(part))
        left -= size
        total.formulas += extent.formulas
        total.not_calculated += extent.not_calculated
        if extent.shared:
            total.shared += extent.shared
            total.sheets.append(part)
    return total


def _look_at_shared(book: ZipFile, parts: list[ZipInfo], extent: _Extent, limits: Limits) -> None:
    """Raises when the cells would hold too much text, each having its own of what they share."""
    shared = next((part for part in parts if part.filename.lower() == shared_text.PART), None)
    if shared is None or not extent.shared:
        return
    lengths = shared_text.lengths(_pieces(book, shared))
    if max(lengths, default=0) * extent.shared <= limits.characters:
        return
    total = 0
    for sheet in extent.sheets:
        total += shared_text.characters(_pieces(book, sheet), lengths)
        _within_text(total, _name(shared), limits)


def _within_text(characters: int, part: str, limits: Limits) -> None:
    if characters > limits.characters:
        raise Problem("import_zip_bomb", part=part, limit=limits.characters)


def _pieces(book: ZipFile, part: ZipInfo) -> Iterator[bytes]:
    """The part unpacked, whatever size the directory gives: that is what the parser will see."""
    file = book.fp
    if file is None or part.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise BadZipFile
    file.seek(part.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise BadZipFile
    name, extra = struct.unpack("<HH", header[26:30])
    file.seek(part.header_offset + 30 + name + extra)
    left = part.compress_size
    inflate = zlib.decompressobj(-zlib.MAX_WBITS) if part.compress_type == ZIP_DEFLATED else None
    while left > 0 and (packed := file.read(min(left, _PACKED))):
        left -= len(packed)
        if inflate is None:
            yield packed
            continue
        while packed and not inflate.eof:
            if piece := inflate.decompress(packed, _PIECE):
                yield piece
            packed = inflate.unconsumed_tail
    if inflate is not None and (rest := inflate.flush(_PIECE)):
        yield rest


def _look_at_xml(piece: bytes, before: bytes, part: ZipInfo) -> None:
    """No document type, whose entities could grow without end, and no letters we cannot search."""
    if b"<!DOCTYPE" in before + piece or b"<!ENTITY" in before + piece:
        raise Problem("import_unsafe", part=_name(part))
    if before:
        return
    declared = _DECLARED.match(piece.removeprefix(b"\xef\xbb\xbf"))
    if piece.startswith((b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")) or (
        declared and declared[1].lower() not in (b"utf-8", b"us-ascii", b"ascii")
    ):
        raise Problem("import_damaged", part=_name(part))


def _measure(piece: bytes, extent: _Extent, limits: Limits) -> None:
    """How far its cells go. Raises when that is too far."""
    extent.is_sheet = extent.is_sheet or b"sheetData" in piece
    if not extent.is_sheet:
        return
    hides = b"&" in piece or b":r" in piece
    if (hides and _HIDDEN.search(piece)) or any(tag in piece for tag in _ODD_SPACES):
        raise Problem("import_damaged", part="xml")
    if b"<f" in piece or b":f" in piece:
        extent.formulas += len(_FORMULA.findall(piece))
        extent.not_calculated += len(_NOT_CALCULATED.findall(piece))
    extent.shared += len(_SHARED.findall(piece))
    rows = _ROW.findall(piece)
    cells = _CELL.findall(piece)
    # Cells that close at once have a style and no value: a sheet coloured to its edge has many.
    letters = {each.upper() for each, rest in set(cells) if not rest.endswith(b"/")}
    if piece.count(b"<c ") + piece.count(b"<c>") + piece.count(b":c ") > len(cells):
        letters |= {found[1].upper() for found in _REFERENCE.finditer(piece)}
        # Without references the cells of a row are counted.
        per_row = (len(_CELL_ANYHOW.findall(row)) for row in re.split(rb"<(?:\w+:)?row\b", piece))
        extent.columns = max(extent.columns, *per_row)
    extent.columns = max([extent.columns, *map(place_of, letters)])
    furthest = max([extent.open_row, *map(int, [*rows, *set(_FAR.findall(piece))])])
    extent.open_row = int(rows[-1]) if rows else extent.open_row
    if furthest > limits.rows or furthest * extent.columns > limits.cells:
        furthest = _last_filled(piece, furthest)
    if rows:
        extent.rows = max(extent.rows, furthest)
    else:
        counted = extent.rows + len(re.findall(rb"<(?:\w+:)?row\b", piece))
        extent.rows = max(counted, furthest)
    within(extent.rows, extent.columns, limits)


def _last_filled(piece: bytes, furthest: int) -> int:
    """The last row with a cell that holds something: a sheet styled to its end has rows with none."""
    last = 0
    for cell in _FILLED.finditer(piece):
        number = _ROW_OF_CELL.search(cell[1])
        if number is None:
            return furthest  # it stands in the row around it, whichever that is
        last = max(last, int(number[1]))
    return last


def within(rows: int, columns: int, limits: Limits) -> None:
    if columns > limits.columns:
        raise Problem("import_too_many_columns", columns=columns, limit=limits.columns)
    if rows > limits.rows + AROUND:
        raise Problem("import_too_many_rows", rows=rows, limit=limits.rows)
    if rows * columns > limits.cells:
        raise Problem("import_too_many_rows", rows=rows, limit=limits.cells // columns)


def place_of(letters: bytes) -> int:
    """A is 1, AA is 27."""
    place = 0
    for letter in letters:
        place = place * 26 + letter - 64
    return place


def letter(index: int) -> str:
    """What Excel calls a column: 0 is A, 26 is AA."""
    rest, last = divmod(index, 26)
    return (letter(rest - 1) if rest else "") + chr(ord("A") + last)


# -- xls


def _of_ole(data: bytes, limits: Limits) -> FileFacts:
    try:
        facts = ole.look(data)
    except (struct.error, ValueError) as error:
        raise Problem("import_damaged", part="ole") from error
    if facts.encrypted:
        raise Problem("import_encrypted")
    if not facts.workbook:
        raise Problem("import_not_a_workbook")
    within(facts.rows, facts.columns, limits)
    _within_text(facts.characters, "SST", limits)
    return FileFacts(BookFormat.xls, facts.formulas, 0, facts.macros, facts.external_links)
