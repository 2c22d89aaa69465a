"""The rows of one sheet changed in place: cells written, wrong cells coloured."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Final

from app.workbooks import guards
from app.workbooks.cell_comments import Comments
from app.workbooks.cell_styles import Styles
from app.workbooks.package import OFFICE, UnpatchableError, escaped

_CELL_CHARACTERS: Final = 32_767
_PIECE: Final = 1 << 20

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


@dataclass(slots=True)
class Changes:
    """What to change in one sheet. Rows are Excel's numbers, columns count from 0.

    `texts` are cells to write ("" empties one), `wrong` the cells to colour with their comments,
    `heads` the rows whose style the new headers take, `width` how wide the new columns are.
    """

    sheet: str
    texts: dict[int, Mapping[int, str]] = field(default_factory=dict)
    wrong: dict[int, Mapping[int, str]] = field(default_factory=dict)
    heads: set[int] = field(default_factory=set)
    width: dict[int, int] = field(default_factory=dict)


class PatchedSheet:
    """The sheet as it is to be, read from how it is; `styles` get the formats it needs."""

    def __init__(self, changes: Changes, styles: Styles, comments: Comments) -> None:
        self.changes = changes
        self.styles = styles
        self.comments = comments
        self.letters = {
            column: guards.letter(column).encode()
            for row in (*changes.texts.values(), *changes.wrong.values())
            for column in row
        }

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
        if number not in self.changes.heads:
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
        if not self.comments.wanted or b"<legacyDrawing " in tail:
            return tail
        found = _AFTER_DRAWING.search(tail)
        if found is None:
            raise UnpatchableError("the end of the sheet")
        drawing = f'<legacyDrawing xmlns:r="{OFFICE}" r:id="{Comments.DRAWING}"/>'.encode()
        return tail[: found.start()] + drawing + tail[found.start() :]


def _number(style: re.Match[bytes] | None) -> int:
    return int(style[1]) if style else 0
