"""The cell formats of a workbook, to which those of wrong cells and of our own text are added."""

import re
from collections.abc import Sequence
from typing import Final

from app.workbooks.package import UnpatchableError

# Of a cell in error; a colour of our own, so that we know it again when the file comes back.
COLOUR: Final = "FFFFC7D1"


class Styles:
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
