"""The same sheets as xlsx, xls, ods, and csv in the encodings that are met."""

import csv
import io
import unicodedata
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from xml.sax.saxutils import escape, quoteattr

import openpyxl
import xlwt
from openpyxl.styles import Font, PatternFill

from tests.workbooks.wild.sheets import Cell, Sheet

_DAYS = "dd/mm/yyyy"
# TCVN 5712:1993, VN3: one byte a letter. Capitals with tones are small letters in another font.
_TCVN3 = dict(
    zip(
        "àảãáạăằẳẵắặâầẩẫấậđèẻẽéẹêềểễếệìỉĩíịòỏõóọôồổỗốộơờởỡớợùủũúụưừửữứựỳỷỹýỵĂÂÊÔƠƯĐ",
        "µ¶·¸¹¨»¼½¾Æ©ÇÈÉÊË®ÌÎÏÐÑªÒÓÔÕÖ×ØÜÝÞßáâãä«åæçèé¬êëìíîïñòóô\xadõö÷øùúûüýþ¡¢£¤¥¦§",
        strict=True,
    )
)
_TONES = "\u0300\u0301\u0303\u0309\u0323"


def tcvn3(text: str) -> str:
    """Text as a font of the .VnTime kind draws it."""
    return "".join(_TCVN3.get(c) or _TCVN3.get(c.lower(), c) for c in text)


def vntime(sheets: Sequence[Sheet]) -> bytes:
    """A workbook in the font .VnTime."""
    return xlsx(*(_rewritten(sheet, tcvn3) for sheet in sheets), font=".VnTime")


def old_vntime(sheets: Sequence[Sheet]) -> bytes:
    """The same of Excel 97."""
    return xls(*(_rewritten(sheet, tcvn3) for sheet in sheets), font=".VnTime")


def _rewritten(sheet: Sheet, write: Callable[[str], str]) -> Sheet:
    lines = [[write(c) if isinstance(c, str) else c for c in line] for line in sheet.lines]
    return replace(sheet, lines=lines)


def xlsx(*sheets: Sheet, font: str = "Times New Roman", stray: bool = False) -> bytes:
    """`stray`: styled cells far right and on the last row of all, with nothing in them."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for each in sheets:
        sheet = book.create_sheet(each.name)
        for number, line in enumerate(each.lines, 1):
            for place, value in enumerate(line, 1):
                if value is None:
                    continue
                cell = sheet.cell(number, place, value)
                cell.font = Font(name=font, strike=number in each.struck)
                if isinstance(value, date):
                    cell.number_format = _DAYS
        for (number, place), shown in each.formats.items():
            sheet.cell(number, place).number_format = shown
        for number in each.hidden:
            sheet.row_dimensions[number].hidden = True
        for letter in each.hidden_columns:
            sheet.column_dimensions[letter].hidden = True
        for merged in each.merged:
            sheet.merge_cells(merged)
        if stray:
            for where in ("XFD1", "A1048576"):
                sheet[where].fill = PatternFill("solid", fgColor="FFFFFF00")
    return _saved(book)


def _saved(book: openpyxl.Workbook) -> bytes:
    book.properties.created = book.properties.modified = datetime(2026, 1, 1)  # noqa: DTZ001  # of the file
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def with_backslashes(content: bytes) -> bytes:
    """The parts of the file named as a careless program names them."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", 8) as new:
        for part in old.namelist():
            entry = zipfile.ZipInfo("x")
            entry.filename = part.replace("/", "\\")
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(part))
    return out.getvalue()


def xls(*sheets: Sheet, font: str = "Arial") -> bytes:
    book = xlwt.Workbook(encoding="utf-8")
    plain = xlwt.easyxf(f"font: name {font}")
    days = xlwt.easyxf(f"font: name {font}", num_format_str=_DAYS)
    for each in sheets:
        sheet = book.add_sheet(each.name)
        for number, line in enumerate(each.lines):
            for place, value in enumerate(line):
                if isinstance(value, date):
                    sheet.write(number, place, value, days)
                elif value is not None:
                    sheet.write(number, place, value, plain)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


_ODS = "application/vnd.oasis.opendocument.spreadsheet"
_NAMES = "urn:oasis:names:tc:opendocument:xmlns"


def ods(*sheets: Sheet) -> bytes:
    """OpenDocument 1.3; as LibreOffice does it, empty rows to the end of the sheet are one row repeated."""
    tables = "".join(
        f"<table:table table:name={quoteattr(each.name)}>"
        + "".join(
            f"<table:table-row>{''.join(map(_ods_cell, line))}</table:table-row>"
            for line in each.lines
        )
        + '<table:table-row table:number-rows-repeated="1048000"><table:table-cell '
        'table:number-columns-repeated="16384"/></table:table-row></table:table>'
        for each in sheets
    )
    content = (
        '<?xml version="1.0" encoding="UTF-8"?><office:document-content '
        f'xmlns:office="{_NAMES}:office:1.0" xmlns:table="{_NAMES}:table:1.0" '
        f'xmlns:text="{_NAMES}:text:1.0" office:version="1.3"><office:body><office:spreadsheet>'
        f"{tables}</office:spreadsheet></office:body></office:document-content>"
    )
    manifest = (
        '<?xml version="1.0" encoding="UTF-8"?><manifest:manifest '
        f'xmlns:manifest="{_NAMES}:manifest:1.0" manifest:version="1.3">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{_ODS}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>'
        "</manifest:manifest>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, part in (
            ("mimetype", _ODS),
            ("content.xml", content),
            ("META-INF/manifest.xml", manifest),
        ):
            entry = zipfile.ZipInfo(name)
            archive.writestr(
                entry, part, zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            )
    return out.getvalue()


def _ods_cell(value: Cell) -> str:
    if value is None:
        return "<table:table-cell/>"
    if isinstance(value, date):
        return (
            f'<table:table-cell office:value-type="date" office:date-value="{value.isoformat()}">'
            f"<text:p>{value:%d/%m/%Y}</text:p></table:table-cell>"
        )
    if isinstance(value, int):
        return (
            f'<table:table-cell office:value-type="float" office:value="{value}">'
            f"<text:p>{value}</text:p></table:table-cell>"
        )
    return (
        '<table:table-cell office:value-type="string">'
        f"<text:p>{escape(value)}</text:p></table:table-cell>"
    )


def csv_file(sheet: Sheet, encoding: str = "utf-8-sig", delimiter: str = ";") -> bytes:
    """`encoding`: a codec of Python, or `tcvn3`."""
    out = io.StringIO()
    width = max(map(len, sheet.lines))
    lines = ([_text(c) for c in line] + [""] * (width - len(line)) for line in sheet.lines)
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows(lines)
    text = unicodedata.normalize("NFC", out.getvalue())
    if encoding == "tcvn3":
        return tcvn3(text).encode("latin-1")
    if encoding == "cp1258":
        return _tones_apart(text).encode("cp1258")
    return text.encode(encoding)


def csv_as(encoding: str, delimiter: str = ";") -> Callable[[Sequence[Sheet]], bytes]:
    """What writes the first sheet so."""
    return lambda sheets: csv_file(sheets[0], encoding, delimiter)


def mac_csv(sheets: Sequence[Sheet]) -> bytes:
    """A csv of a Mac: each tone a character of its own, lines end with LF."""
    text = csv_file(sheets[0], "utf-8", ",").decode().replace("\r\n", "\n")
    return unicodedata.normalize("NFD", text).encode()


def _text(cell: Cell) -> str:
    if isinstance(cell, date):
        return f"{cell:%d/%m/%Y}"
    return "" if cell is None else str(cell)


def _tones_apart(text: str) -> str:
    """Windows-1258 has letters of their own for ă â đ ê ô ơ ư, and the five tones beside them."""
    out = []
    for char in text:
        parts = unicodedata.normalize("NFD", char)
        tone = "".join(mark for mark in parts if mark in _TONES)
        letter = unicodedata.normalize("NFC", "".join(m for m in parts if m not in _TONES))
        out.append(letter + tone)
    return "".join(out)


def decoded_twice(sheets: Sequence[Sheet]) -> bytes:
    """Text of UTF-8 that a program has read as Windows-1252 and stored again."""
    return xlsx(*(_rewritten(sheet, _misread) for sheet in sheets))


def _misread(text: str) -> str:
    return "".join(_latin(byte) for byte in text.encode())


def _latin(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


MAKERS = {"xlsx": xlsx, "xls": xls, "ods": ods}


def made(name: str, sheets: Sequence[Sheet]) -> bytes:
    """By the ending of its name; a csv is of the first sheet."""
    ending = name.rpartition(".")[2]
    return csv_file(sheets[0]) if ending == "csv" else MAKERS[ending](*sheets)
