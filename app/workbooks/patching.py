"""A workbook changed in place: cells added to a sheet, cells coloured, comments put on them.

What else the file holds goes into the new one byte for byte (fonts, pictures, rules, formulas),
which a library that loads and saves a workbook loses in part and takes ten times as long for.
ECMA-376 defines the parts; macros are left out.
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import IO, Final
from xml.etree import ElementTree as ET
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from app.workbooks import guards
from app.workbooks.guards import Source

AUTHOR: Final = "Hội Số"
# Of a cell in error; a colour of our own, so that we know it again when the file comes back.
COLOUR: Final = "FFFFC7D1"

_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
_COMMENTS_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.comments+xml"
_VML_TYPE: Final = "application/vnd.openxmlformats-officedocument.vmlDrawing"
_BOOK_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
_MACRO_TYPES: Final = (
    "application/vnd.ms-excel.sheet.macroEnabled.main+xml",
    "application/vnd.ms-excel.template.macroEnabled.main+xml",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml",
)
# More than these would make a file that opens slowly; their texts are in a column as well.
_MOST_COMMENTS: Final = 5_000
_CELL_CHARACTERS: Final = 32_767
_PIECE: Final = 1 << 20
_COMPRESSION: Final = 3

_ROW: Final = re.compile(rb"<row\b([^>]*?)(?:/>|>(.*?)</row>)", re.DOTALL)
_ROW_NUMBER: Final = re.compile(rb'\br="([0-9]+)"')
_SPANS: Final = re.compile(rb'\s+spans="[^"]*"')
_CELL: Final = re.compile(rb'<c r="([A-Z]{1,3})[0-9]+"([^>]*?)(?:/>|>(.*?)</c>)', re.DOTALL)
_STYLE: Final = re.compile(rb'\s+s="([0-9]+)"')
_DIMENSION: Final = re.compile(rb"<dimension\b[^>]*?(?:/>|>\s*</dimension>)")
_COLUMN_ENDS: Final = re.compile(rb'<col\b[^>]*?\bmax="([0-9]+)"')
_AFTER_DRAWING: Final = re.compile(
    rb"<(?:legacyDrawingHF|drawingHF|picture|oleObjects|controls|webPublishItems|tableParts|extLst|"
    rb"mc:AlternateContent)\b|</worksheet>"
)
_SHAPE: Final = re.compile(r"<v:shape\b(?!type).*?</v:shape>", re.DOTALL)
_SHAPE_CELL: Final = re.compile(
    r"<x:Row>\s*(\d+)\s*</x:Row>.*?<x:Column>\s*(\d+)\s*</x:Column>", re.DOTALL
)
_SPECIAL: Final = re.compile(
    '[&<>"\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)'
)


class UnpatchableError(Exception):
    """The workbook is written in a way that we do not change in place."""


@dataclass(slots=True)
class Changes:
    """What to change in one sheet. Rows are Excel's numbers, columns count from 0.

    `texts` are cells to write ("" empties one), `wrong` the cells to colour with their comments,
    `head` the row whose style the new header takes, `width` how wide the new columns are.
    """

    sheet: str
    texts: Mapping[int, Mapping[int, str]]
    wrong: Mapping[int, Mapping[int, str]]
    head: int
    width: Mapping[int, int] = field(default_factory=dict)


def patch(source: Source, changes: Changes, target: Path) -> None:
    """Writes the changed workbook. Raises UnpatchableError, after which the target is to be dropped."""
    try:
        with guards.opened(source) as file, ZipFile(file) as book:
            _patch(book, changes, target)
    # Of a part that is not as it should be; what reads the list does without most of them.
    except (ValueError, LookupError, BadZipFile, zlib.error, EOFError) as error:
        raise UnpatchableError("a damaged part") from error


def _patch(book: ZipFile, changes: Changes, target: Path) -> None:
    parts = _Parts(book, set(book.namelist()), changes)
    with ZipFile(target, "w", ZIP_DEFLATED, compresslevel=_COMPRESSION) as out:
        # The sheet first: which styles it needs is known when it is written.
        with out.open(parts.sheet, "w", force_zip64=True) as to, book.open(parts.sheet) as of:
            for piece in parts.patched(of):
                to.write(piece)
        for name, content in parts.replaced().items():
            out.writestr(name, content)
        for name in book.namelist():
            if name not in parts.done and not name.endswith("/"):
                out.writestr(name, book.read(name))


class _Parts:
    def __init__(self, book: ZipFile, names: set[str], changes: Changes) -> None:
        self.book = book
        self.names = names
        self.changes = changes
        self.sheet = part_of_sheet(book, names, changes.sheet)
        self.rels = join(dirname(self.sheet), "_rels", self.sheet.rpartition("/")[2] + ".rels")
        self.styles = _Styles(_text(book, _styles_part(names)))
        self.notes = _Notes(self)
        self.done: set[str] = {self.sheet}
        self.letters = {
            column: guards.letter(column).encode()
            for row in (*changes.texts.values(), *changes.wrong.values())
            for column in row
        }

    # -- the sheet

    def patched(self, sheet: IO[bytes]) -> Iterator[bytes]:
        buffer = b""
        while b"<sheetData" not in buffer:
            piece = sheet.read(_PIECE)
            buffer += piece
            if not piece or len(buffer) > 16 * _PIECE:
                raise UnpatchableError("no rows")
        head, _, buffer = buffer.partition(b"<sheetData")
        yield self._head(head) + b"<sheetData"
        while b"</sheetData>" not in buffer:
            cut = buffer.rfind(b"</row>")
            if cut >= 0:
                yield _ROW.sub(self._row, buffer[: cut + 6])
                buffer = buffer[cut + 6 :]
            piece = sheet.read(_PIECE)
            buffer += piece
            if not piece or len(buffer) > 64 * _PIECE:
                raise UnpatchableError("no end of rows")
        rows, _, tail = buffer.partition(b"</sheetData>")
        yield _ROW.sub(self._row, rows) + b"</sheetData>"
        yield self._tail(tail + sheet.read())

    def _head(self, head: bytes) -> bytes:
        head = _DIMENSION.sub(b"", head)
        ends = [int(end) for end in _COLUMN_ENDS.findall(head)]
        new = {c: w for c, w in self.changes.width.items() if c + 1 > max(ends, default=0)}
        columns = "".join(
            f'<col min="{c + 1}" max="{c + 1}" width="{w}" customWidth="1"/>'
            for c, w in sorted(new.items())
        ).encode()
        if not columns:
            return head
        if b"</cols>" in head:
            return head.replace(b"</cols>", columns + b"</cols>")
        return head + b"<cols>" + columns + b"</cols>"

    def _row(self, match: re.Match[bytes]) -> bytes:
        attributes, inner = match[1], match[2] or b""
        if (found := _ROW_NUMBER.search(attributes)) is None:
            raise UnpatchableError("a row without its number")
        number = int(found[1])
        texts = self.changes.texts.get(number)
        wrong = self.changes.wrong.get(number, {})
        if texts is None and not wrong and not self.styles.ours:
            return match[0]
        texts = texts or {}
        start = b"<row" + _SPANS.sub(b"", attributes) + b">"
        cells: dict[int, bytes] = {}
        end = 0
        for cell in _CELL.finditer(inner):
            if inner[end : cell.start()].strip():
                raise UnpatchableError("between the cells")
            end = cell.end()
            column = guards.place_of(cell[1]) - 1
            cells[column] = cell[0]
            style = _STYLE.search(cell[2])
            if column in wrong:
                cells[column] = self._styled(cell, self.styles.coloured(_number(style)))
            elif style and int(style[1]) in self.styles.ours:
                cells[column] = self._styled(cell, self.styles.uncoloured(int(style[1])))
        if inner[end:].strip() and not inner[end:].lstrip().startswith(b"<extLst"):
            raise UnpatchableError("after the cells")
        for column in wrong:
            if column not in cells:
                style_now = self.styles.coloured(0)
                cells[column] = b'<c r="%b%d" s="%d"/>' % (self.letters[column], number, style_now)
        if texts:
            style_now = self._style_of_text(number, cells)
            for column, text in texts.items():
                cells[column] = self._text_cell(number, column, text, style_now)
        return start + b"".join(cells[column] for column in sorted(cells)) + inner[end:] + b"</row>"

    def _style_of_text(self, number: int, cells: Mapping[int, bytes]) -> int:
        """Of a header that of the header at its left, of a row plain text."""
        if number != self.changes.head:
            return self.styles.text
        own = self.changes.texts[number]
        at_left = [column for column in cells if column not in own]
        style = _STYLE.search(cells[max(at_left)].partition(b">")[0]) if at_left else None
        return _number(style)

    def _styled(self, cell: re.Match[bytes], style: int) -> bytes:
        attributes = _STYLE.sub(b"", cell[2])
        start = cell[0][: cell.start(2) - cell.start()]
        return start + b' s="%d"' % style + attributes + cell[0][cell.end(2) - cell.start() :]

    def _text_cell(self, number: int, column: int, text: str, style: int) -> bytes:
        place = b"%b%d" % (self.letters[column], number)
        if not text:
            return b'<c r="%b" s="%d"/>' % (place, style)
        shown = escaped(text[:_CELL_CHARACTERS]).encode()
        return b'<c r="%b" s="%d" t="inlineStr"><is><t xml:space="preserve">%b</t></is></c>' % (
            place,
            style,
            shown,
        )

    def _tail(self, tail: bytes) -> bytes:
        if not self.notes.wanted or b"<legacyDrawing " in tail:
            return tail
        found = _AFTER_DRAWING.search(tail)
        if found is None:
            raise UnpatchableError("the end of the sheet")
        drawing = f'<legacyDrawing xmlns:r="{_OFFICE}" r:id="{_Notes.DRAWING}"/>'.encode()
        return tail[: found.start()] + drawing + tail[found.start() :]

    # -- the parts around it

    def replaced(self) -> dict[str, str]:
        """What changes besides the sheet: styles, comments, relationships, the list of types."""
        styles = _styles_part(self.names)
        parts = {styles: self.styles.written()} | self.notes.parts()
        types = self._types(set(parts))
        parts["[Content_Types].xml"] = types
        macros = [name for name in self.names if name.lower().endswith("vbaproject.bin")]
        self.done |= {*parts, *macros}
        if macros:
            rels = "xl/_rels/workbook.xml.rels"
            known = parts.get(rels) or _text(self.book, rels)
            parts[rels] = re.sub(r"<Relationship\b[^>]*vbaProject[^>]*/>", "", known)
            self.done.add(rels)
        return parts

    def _types(self, parts: set[str]) -> str:
        types = _text(self.book, "[Content_Types].xml")
        for macro_type in _MACRO_TYPES:
            types = types.replace(macro_type, _BOOK_TYPE)
        types = re.sub(r"<(?:Override|Default)\b[^>]*vbaProject[^>]*/>", "", types)
        added = ""
        if self.notes.wanted:
            if 'Extension="vml"' not in types:
                added += f'<Default Extension="vml" ContentType="{_VML_TYPE}"/>'
            if f'"/{self.notes.comments}"' not in types:
                added += (
                    f'<Override PartName="/{self.notes.comments}" ContentType="{_COMMENTS_TYPE}"/>'
                )
        return types.replace("</Types>", added + "</Types>")


def _number(style: re.Match[bytes] | None) -> int:
    return int(style[1]) if style else 0


def _text(book: ZipFile, name: str) -> str:
    return book.read(name).decode("utf-8-sig")


def _styles_part(names: set[str]) -> str:
    if "xl/styles.xml" not in names:
        raise UnpatchableError("no styles")
    return "xl/styles.xml"


def part_of_sheet(book: ZipFile, names: set[str], sheet: str) -> str:
    """The part that holds a sheet. Raises UnpatchableError when none does."""
    for name in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels", "[Content_Types].xml"):
        if name not in names:
            raise UnpatchableError(name)
    root = parsed(book.read("xl/workbook.xml"))
    ids = {
        each.get("name"): each.get(f"{{{_OFFICE}}}id") for each in root.iter(f"{{{_MAIN}}}sheet")
    }
    targets = _targets(book.read("xl/_rels/workbook.xml.rels"), "xl")
    part = targets.get(ids.get(sheet) or "", ("", ""))[1]
    if part not in names:
        raise UnpatchableError(sheet)
    return part


def parsed(xml: bytes) -> ET.Element:
    """A small part. One with a document type, whose entities might grow, is none of ours."""
    if b"<!" in xml:
        raise UnpatchableError("document type")
    try:
        return ET.fromstring(xml)  # noqa: S314  # without a document type nothing can grow
    except ET.ParseError as error:
        raise UnpatchableError("xml") from error


def _targets(rels: bytes, folder: str) -> dict[str, tuple[str, str]]:
    """By id: the last word of the type, and the part."""
    root = parsed(rels)
    return {
        each.get("Id", ""): (
            each.get("Type", "").rpartition("/")[2],
            normpath(join("/" + folder, each.get("Target", ""))).lstrip("/"),
        )
        for each in root.iter(f"{{{_PACKAGE}}}Relationship")
    }


def escaped(text: str) -> str:
    """Text of an element; what XML does not take as Excel writes it (_x0007_)."""

    def one(match: re.Match[str]) -> str:
        char = match[0]
        known = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
        return known.get(char) or f"_x{ord(char):04X}_"

    return _SPECIAL.sub(one, text)


class _Styles:
    """The cell formats of a workbook, to which some are added as they are asked for."""

    def __init__(self, xml: str) -> None:
        self.xml = xml
        self.formats = self._items("cellXfs", "xf")
        self.fills = self._items("fills", "fill")
        self.before = len(self.formats)
        mine = [place for place, fill in enumerate(self.fills) if COLOUR in fill]
        self.fill = mine[0] if mine else len(self.fills)
        self.new_fill = not mine
        # Formats with our colour, of a file that comes back.
        self.ours = {
            place
            for place, each in enumerate(self.formats)
            if mine and re.search(rf'\bfillId="{self.fill}"', each)
        }
        self._coloured: dict[int, int] = {}
        self._uncoloured: dict[int, int] = {}
        self.text = self._added(
            '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        )

    def _items(self, group: str, item: str) -> list[str]:
        found = re.search(rf"<{group}\b[^>]*>(.*?)</{group}>", self.xml, re.DOTALL)
        if found is None:
            raise UnpatchableError(group)
        return re.findall(rf"<{item}\b[^>]*?/>|<{item}\b.*?</{item}>", found[1], re.DOTALL)

    def _added(self, format_: str) -> int:
        self.formats.append(format_)
        return len(self.formats) - 1

    def coloured(self, style: int) -> int:
        if style not in self._coloured:
            self._coloured[style] = (
                style if style in self.ours else self._added(self._filled(style, self.fill))
            )
        return self._coloured[style]

    def uncoloured(self, style: int) -> int:
        if style not in self._uncoloured:
            self._uncoloured[style] = self._added(self._filled(style, 0))
        return self._uncoloured[style]

    def _filled(self, style: int, fill: int) -> str:
        whole = self.formats[style] if style < self.before else self.formats[0]
        start, rest = re.match(r"<xf\b([^>]*?)(/?>.*)", whole, re.DOTALL).groups()  # type: ignore[union-attr]  # _items found it so
        start = re.sub(r'\s+(?:fillId|applyFill)="[^"]*"', "", start)
        return f'<xf{start} fillId="{fill}" applyFill="1"{rest}'

    def written(self) -> str:
        fills = self.fills
        if self.new_fill:
            solid = f'<patternFill patternType="solid"><fgColor rgb="{COLOUR}"/></patternFill>'
            fills = [*fills, f"<fill>{solid}</fill>"]
        xml = self._with(self.xml, "fills", fills)
        return self._with(xml, "cellXfs", self.formats)

    def _with(self, xml: str, group: str, items: Sequence[str]) -> str:
        whole = f'<{group} count="{len(items)}">{"".join(items)}</{group}>'
        return re.sub(
            rf"<{group}\b[^>]*>.*?</{group}>", lambda _: whole, xml, count=1, flags=re.DOTALL
        )


class _Notes:
    """The comments of a sheet, and the shapes that show them: others' stay, ours are written anew."""

    COMMENTS, DRAWING = "rIdHoiSoComments", "rIdHoiSoDrawing"

    def __init__(self, parts: _Parts) -> None:
        self.book = parts.book
        self.rels = parts.rels
        self.sheet = parts.sheet
        self.wrong = parts.changes.wrong
        known = parts.book.read(self.rels) if self.rels in parts.names else b""
        self.rels_xml = known.decode("utf-8-sig") if known else ""
        targets = _targets(known, dirname(self.sheet)) if known else {}
        by_type = {kind: part for kind, part in targets.values() if part in parts.names}
        self.had_comments, self.had_drawing = by_type.get("comments"), by_type.get("vmlDrawing")
        if bool(self.had_comments) != bool(self.had_drawing):
            raise UnpatchableError("comments without shapes")
        self.comments = self.had_comments or "xl/commentsHoiSo.xml"
        self.drawing = self.had_drawing or "xl/drawings/vmlDrawingHoiSo.vml"

    @property
    def wanted(self) -> bool:
        return bool(self.wrong) or self.had_comments is not None

    def parts(self) -> dict[str, str]:
        if not self.wanted:
            return {}
        authors, kept, dropped = self._others()
        if AUTHOR not in authors:
            authors.append(AUTHOR)
        mine = {
            (row, column): text
            for row, cells in sorted(self.wrong.items())
            for column, text in sorted(cells.items())
            if (row, column) not in kept
        }
        mine = dict(list(mine.items())[:_MOST_COMMENTS])
        number = authors.index(AUTHOR)
        comments = "".join([*kept.values(), *(_comment(at, number, mine[at]) for at in mine)])
        listed = "".join(f"<author>{escaped(author)}</author>" for author in authors)
        parts = {
            self.comments: (
                f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<comments xmlns="{_MAIN}">'
                f"<authors>{listed}</authors><commentList>{comments}</commentList></comments>"
            ),
            self.drawing: self._shapes(dropped | set(mine), list(mine)),
        }
        if self.had_comments is None:
            parts[self.rels] = self._relationships()
        return parts

    def _others(self) -> tuple[list[str], dict[tuple[int, int], str], set[tuple[int, int]]]:
        """Authors, the comments that are not ours, and where ours were."""
        if self.had_comments is None:
            return [], {}, set()
        xml = _text(self.book, self.had_comments)
        if "<comments" not in xml:
            raise UnpatchableError("comments")
        root = parsed(xml.encode())
        authors = [each.text or "" for each in root.iter(f"{{{_MAIN}}}author")]
        kept: dict[tuple[int, int], str] = {}
        dropped: set[tuple[int, int]] = set()
        for each in re.findall(r"<comment\b.*?</comment>", xml, re.DOTALL):
            start = each.partition(">")[0]
            ref = re.search(r'\bref="([A-Z]+)([0-9]+)"', start)
            author = re.search(r'\bauthorId="([0-9]+)"', start)
            if ref is None or author is None:
                raise UnpatchableError("a comment")
            at = int(ref[2]), guards.place_of(ref[1].encode()) - 1
            if int(author[1]) < len(authors) and authors[int(author[1])] == AUTHOR:
                dropped.add(at)
            else:
                # Revision ids need a namespace that we do not declare.
                kept[at] = re.sub(r'\s+xr:uid="[^"]*"', "", start) + each[len(start) :]
        return authors, kept, dropped

    def _shapes(self, dropped: set[tuple[int, int]], mine: Sequence[tuple[int, int]]) -> str:
        if self.had_drawing is None:
            before = _VML_START
        else:
            xml = _text(self.book, self.had_drawing)
            before = _SHAPE.sub(partial(_unless, dropped), xml).rpartition("</xml>")[0]
            if not before:
                raise UnpatchableError("shapes")
        taken = [int(number) for number in re.findall(r'id="_x0000_s([0-9]+)"', before)]
        first = max([1024, *taken]) + 1
        return before + "".join(_shape(first + n, at) for n, at in enumerate(mine)) + "</xml>"

    def _relationships(self) -> str:
        folder = dirname(self.sheet)
        added = "".join(
            f'<Relationship Id="{id_}" Type="{_OFFICE}/{kind}" Target="{relpath(part, folder)}"/>'
            for id_, kind, part in (
                (self.COMMENTS, "comments", self.comments),
                (self.DRAWING, "vmlDrawing", self.drawing),
            )
        )
        if self.rels_xml:
            if "</Relationships>" not in self.rels_xml:
                raise UnpatchableError("relationships")
            return self.rels_xml.replace("</Relationships>", added + "</Relationships>")
        return f'<Relationships xmlns="{_PACKAGE}">{added}</Relationships>'


def _unless(dropped: set[tuple[int, int]], match: re.Match[str]) -> str:
    found = _SHAPE_CELL.search(match[0])
    return "" if found and (int(found[1]) + 1, int(found[2])) in dropped else match[0]


def _comment(at: tuple[int, int], author: int, text: str) -> str:
    return (
        f'<comment ref="{guards.letter(at[1])}{at[0]}" authorId="{author}"><text>'
        f'<t xml:space="preserve">{escaped(text)}</t></text></comment>'
    )


_VML_START: Final = (
    '<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
    ' xmlns:x="urn:schemas-microsoft-com:office:excel"><o:shapelayout v:ext="edit">'
    '<o:idmap v:ext="edit" data="1"/></o:shapelayout><v:shapetype id="_x0000_t202"'
    ' coordsize="21600,21600" o:spt="202" path="m,l,21600r21600,l21600,xe">'
    '<v:stroke joinstyle="miter"/><v:path gradientshapeok="t" o:connecttype="rect"/></v:shapetype>'
)


def _shape(number: int, at: tuple[int, int]) -> str:
    row, column = at[0] - 1, at[1]
    anchor = f"{column + 1}, 15, {row}, 2, {column + 4}, 15, {row + 5}, 4"
    return (
        f'<v:shape id="_x0000_s{number}" type="#_x0000_t202" style="position:absolute;width:200pt;'
        f'height:75pt;z-index:{number};visibility:hidden" fillcolor="#ffffe1" o:insetmode="auto">'
        '<v:fill color2="#ffffe1"/><v:path o:connecttype="none"/><v:textbox/>'
        '<x:ClientData ObjectType="Note"><x:MoveWithCells/><x:SizeWithCells/>'
        f"<x:Anchor>{anchor}</x:Anchor><x:AutoFill>False</x:AutoFill>"
        f"<x:Row>{row}</x:Row><x:Column>{column}</x:Column></x:ClientData></v:shape>"
    )
