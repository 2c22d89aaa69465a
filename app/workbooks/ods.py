"""How far the sheets of an OpenDocument (.ods) go: asked before anything is parsed.

A row and a cell may stand for any number of the same (OpenDocument 1.3, part 3, 19.673 and 19.675):
a small file can name a table of billions of cells.
"""

from typing import Final
from xml.parsers import expat

MEDIA_TYPE: Final = b"application/vnd.oasis.opendocument.spreadsheet"
CONTENT: Final = "content.xml"
_TABLE: Final = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
_OFFICE: Final = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
_TEXT: Final = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
_SPACES: Final = f"{_TEXT} s"
_CELLS: Final = (f"{_TABLE} table-cell", f"{_TABLE} covered-table-cell")
_ROW: Final = f"{_TABLE} table-row"


class Extent:
    """Fed with the content piece by piece; `rows` and `columns` are the furthest that hold anything,
    `characters` the text of all cells, those repeated among them.

    Raises ValueError for what is no such content.
    """

    def __init__(self) -> None:
        self.rows = self.columns = self.formulas = 0
        self.characters = 0
        self._row = self._column = self._filled = self._again = 0
        # Of the cell, and of one such row.
        self._times = self._text = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._add

    def feed(self, piece: bytes) -> None:
        try:
            self._parser.Parse(piece)
        except expat.ExpatError as error:
            raise ValueError("no content of OpenDocument") from error

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        if name in _CELLS:
            self._times = int(attributes.get(f"{_TABLE} number-columns-repeated", 1))
            self._column += self._times
            if f"{_OFFICE} value-type" in attributes:
                self._filled = self._column
            self._text += len(attributes.get(f"{_OFFICE} string-value", "")) * self._times
            self.formulas += f"{_TABLE} formula" in attributes
        elif name == _SPACES:
            self._text += int(attributes.get(f"{_TEXT} c", 1)) * self._times
        elif name == _ROW:
            self._column = self._filled = self._text = 0
            self._again = int(attributes.get(f"{_TABLE} number-rows-repeated", 1))
        elif name == f"{_TABLE} table":
            self._row = 0

    def _add(self, text: str) -> None:
        self._text += len(text) * self._times

    def _end(self, name: str) -> None:
        if name in _CELLS:
            self._times = 0
        if name != _ROW:
            return
        self._row += self._again
        self.characters += self._text * self._again
        if self._filled:
            self.rows = max(self.rows, self._row)
            self.columns = max(self.columns, self._filled)
