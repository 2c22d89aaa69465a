"""An Excel workbook (ECMA-376), written while it goes out: a row at a time, no file on the disk.

Text is stored as text: no cell is a formula, and a phone keeps its leading zero and its plus, also
when somebody edits it. What does not fit on a sheet goes on the next one.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import IO, Any, cast
from zipfile import ZIP_DEFLATED, ZipFile

Pages = Iterable[Sequence[Mapping[str, Any]]]

# Of a sheet, the header among them (Microsoft, "Excel specifications and limits"), and of a zip
# entry without the 64-bit extension that spreadsheets may not know.
MOST_ROWS = 1_048_576
_MOST_BYTES = 1_500_000_000
_CELL_CHARACTERS = 32_767
_NARROWEST, _WIDEST = 8, 50
_PIECE = 65_536
# 6, the default, makes it 6 % smaller in twice the time.
_COMPRESSION = 3

# Excel counts days from here, and takes 1900 for a leap year: true from March of that year on.
_EPOCH, _FIRST_DAY = date(1899, 12, 30), date(1900, 3, 1)
_WHOLE_DAY = len("1968-05-17")
_GENERAL, _TEXT, _DAY, _HEAD = range(4)  # places in cellXfs, below

_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_STYLES = f"""<styleSheet {_MAIN}>
<numFmts count="1"><numFmt numFmtId="164" formatCode="dd/mm/yyyy"/></numFmts>
<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>
<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>
<fills count="2"><fill><patternFill patternType="none"/></fill>
<fill><patternFill patternType="gray125"/></fill></fills>
<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>
<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>
<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>
<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>
<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>
<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>
</cellXfs>
<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>
</styleSheet>"""


def workbook(
    columns: Mapping[str, str],
    dates: Collection[str],
    pages: Pages,
    title: str,
    text: Callable[[Any], str],
) -> Iterator[bytes]:
    """The file, in pieces.

    `columns` are the names of the values in a row, with their headings; `dates` are the columns of days, which may be known in part; `text` writes a value that is not a number.
    """
    out = _Outgoing()
    with ZipFile(cast("IO[bytes]", out), "w", ZIP_DEFLATED, compresslevel=_COMPRESSION) as book:
        sheets = 0
        rows = _rows(pages)
        first = next(rows, ())
        while first or not sheets:
            sheets += 1
            with book.open(f"xl/worksheets/sheet{sheets}.xml", "w") as sheet:
                layout = _Layout(columns, dates, text)
                size = sheet.write(layout.head(first))
                number = 1
                while first and number < MOST_ROWS and size < _MOST_BYTES:
                    now, first = first[: MOST_ROWS - number], first[MOST_ROWS - number :]
                    size += sheet.write(layout.rows(now, number))
                    number += len(now)
                    first = first or next(rows, ())
                    if out.size > _PIECE:
                        yield out.take()
                sheet.write(b"</sheetData></worksheet>")
        for name, content in _parts(title, sheets).items():
            book.writestr(name, _DECLARATION + content)
    yield out.take()


def _rows(pages: Pages) -> Iterator[Sequence[Mapping[str, Any]]]:
    return (rows for rows in pages if rows)


class _Outgoing:
    """What a ZipFile writes to and never seeks in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return taken


class _Layout:
    """The columns of one sheet, and its rows as XML."""

    def __init__(
        self, columns: Mapping[str, str], dates: Collection[str], text: Callable[[Any], str]
    ) -> None:
        self.headings = columns
        self.text = text
        self.places = [
            (name, f'<c r="{_letters(place)}', name in dates) for place, name in enumerate(columns)
        ]

    def head(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        """Up to the header, with columns as wide as the first rows need."""
        widths = []
        for number, (name, _, is_day) in enumerate(self.places, 1):
            longest = max((len(self.text(row[name])) for row in rows), default=0)
            width = min(max(longest, len(self.headings[name]), _NARROWEST), _WIDEST) + 2
            style = _DAY if is_day else _TEXT
            widths.append(
                f'<col min="{number}" max="{number}" width="{width}" style="{style}"'
                ' customWidth="1"/>'
            )
        names = "".join(
            _string(start, 1, self.headings[name], _HEAD) for name, start, _ in self.places
        )
        return (
            f"{_DECLARATION}<worksheet {_MAIN}>"
            '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2"'
            ' activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
            f"<cols>{''.join(widths)}</cols>"
            f'<sheetData><row r="1">{names}</row>'
        ).encode()

    def rows(self, rows: Sequence[Mapping[str, Any]], above: int) -> bytes:
        """Rows that come after so many others."""
        return "".join(
            f'<row r="{number}">{self._cells(row, number)}</row>'
            for number, row in enumerate(rows, above + 1)
        ).encode("utf-8", "replace")

    def _cells(self, row: Mapping[str, Any], number: int) -> str:
        cells = []
        for name, start, is_day in self.places:
            value = row[name]
            if value is None:
                continue
            if is_day and (days := _days(value)) is not None:
                cells.append(f'{start}{number}" s="{_DAY}"><v>{days}</v></c>')
            elif value is True or value is False:
                cells.append(f'{start}{number}" t="b"><v>{value:d}</v></c>')
            elif isinstance(value, int | float):
                cells.append(f'{start}{number}" s="{_GENERAL}"><v>{value}</v></c>')
            elif shown := value if type(value) is str else self.text(value):
                cells.append(_string(start, number, shown, _TEXT))
        return "".join(cells)


def _letters(place: int) -> str:
    """A, B, ... Z, AA, ..."""
    rest, last = divmod(place, 26)
    return (_letters(rest - 1) if rest else "") + chr(ord("A") + last)


def _days(value: Any) -> int | None:
    if isinstance(value, str) and len(value) < _WHOLE_DAY:
        return None
    day = date.fromisoformat(value) if isinstance(value, str) else value
    return (day - _EPOCH).days if day >= _FIRST_DAY else None


# What XML does not take as it is, and what Excel takes for a character by its number.
_SPECIAL = re.compile("[&<>\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    return {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(char) or f"_x{ord(char):04X}_"


def _string(start: str, number: int, text: str, style: int) -> str:
    shown = _SPECIAL.sub(_escaped, text[:_CELL_CHARACTERS])
    return f'{start}{number}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{shown}</t></is></c>'


def _parts(title: str, sheets: int) -> dict[str, str]:
    """What makes sheets a workbook."""
    numbers = range(1, sheets + 1)
    names = [title[:31]] + [f"{title[:27]} {number}" for number in numbers[1:]]
    listed = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>'
        for number, name in zip(numbers, names, strict=True)
    )
    related = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet"'
        f' Target="worksheets/sheet{number}.xml"/>'
        for number in numbers
    )
    typed = "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml"'
        f' ContentType="{_SHEET}.worksheet+xml"/>'
        for number in numbers
    )
    return {
        "xl/styles.xml": _STYLES,
        "xl/workbook.xml": (
            f'<workbook {_MAIN} xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships">{related}'
            f'<Relationship Id="rId{sheets + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/>'
            "</Relationships>"
        ),
        "_rels/.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
            f' Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
        "[Content_Types].xml": (
            f'<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels"'
            ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEET}.sheet.main+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{_SHEET}.styles+xml"/>'
            f"{typed}</Types>"
        ),
    }
