"""A workbook changed in place: cells added to its sheets, cells coloured, comments put on them.

What else the file holds goes into the new one byte for byte (fonts, pictures, rules, formulas),
which a library that loads and saves a workbook loses in part and takes ten times as long for.
ECMA-376 defines the parts; macros are left out.
"""

import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from app.workbooks import guards
from app.workbooks.cell_comments import Comments
from app.workbooks.cell_styles import Styles
from app.workbooks.guards import Source
from app.workbooks.package import UnpatchableError, part_of_sheet, text_of
from app.workbooks.sheet_patch import Changes, PatchedSheet

_COMMENTS_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.comments+xml"
_VML_TYPE: Final = "application/vnd.openxmlformats-officedocument.vmlDrawing"
_BOOK_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
_MACRO_TYPES: Final = (
    "application/vnd.ms-excel.sheet.macroEnabled.main+xml",
    "application/vnd.ms-excel.template.macroEnabled.main+xml",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml",
)
_STYLES: Final = "xl/styles.xml"
_COMPRESSION: Final = 3


def patch(source: Source, changes: Sequence[Changes], target: Path) -> None:
    """Writes the changed workbook. Raises UnpatchableError, after which the target is to be dropped."""
    try:
        with guards.opened(source) as file, ZipFile(file) as book:
            _patch(book, changes, target)
    # Of a part that is not as it should be; what reads the list does without most of them.
    except (ValueError, LookupError, BadZipFile, zlib.error, EOFError) as error:
        raise UnpatchableError("a damaged part") from error


def _patch(book: ZipFile, changes: Sequence[Changes], target: Path) -> None:
    names = set(book.namelist())
    if _STYLES not in names:
        raise UnpatchableError("no styles")
    styles = Styles(text_of(book, _STYLES))
    done: set[str] = set()
    parts: dict[str, str] = {}
    commented: list[Comments] = []
    with ZipFile(target, "w", ZIP_DEFLATED, compresslevel=_COMPRESSION) as out:
        # The sheets first: which styles they need is known when they are written.
        for each in changes:
            part = part_of_sheet(book, names, each.sheet)
            comments = Comments(book, names, part, each.wrong)
            sheet = PatchedSheet(each, styles, comments)
            with out.open(part, "w", force_zip64=True) as to, book.open(part) as of:
                for piece in sheet.patched(of):
                    to.write(piece)
            done.add(part)
            if comments.wanted:
                parts |= comments.parts(len(commented))
                commented.append(comments)
        parts[_STYLES] = styles.written()
        parts |= _around(book, names, commented)
        done |= {*parts, *_macros(names)}
        for name, content in parts.items():
            out.writestr(name, content)
        for name in book.namelist():
            if name not in done and not name.endswith("/"):
                out.writestr(name, book.read(name))


def _around(book: ZipFile, names: set[str], commented: Sequence[Comments]) -> dict[str, str]:
    """The list of types and, of a workbook with macros, the relationships without them."""
    parts = {"[Content_Types].xml": _types(book, commented)}
    if _macros(names):
        rels = "xl/_rels/workbook.xml.rels"
        parts[rels] = re.sub(r"<Relationship\b[^>]*vbaProject[^>]*/>", "", text_of(book, rels))
    return parts


def _macros(names: set[str]) -> list[str]:
    return [name for name in names if name.lower().endswith("vbaproject.bin")]


def _types(book: ZipFile, commented: Sequence[Comments]) -> str:
    types = text_of(book, "[Content_Types].xml")
    for macro_type in _MACRO_TYPES:
        types = types.replace(macro_type, _BOOK_TYPE)
    types = re.sub(r"<(?:Override|Default)\b[^>]*vbaProject[^>]*/>", "", types)
    added = ""
    if commented and 'Extension="vml"' not in types:
        added = f'<Default Extension="vml" ContentType="{_VML_TYPE}"/>'
    for each in commented:
        if f'"/{each.comments}"' not in types:
            added += f'<Override PartName="/{each.comments}" ContentType="{_COMMENTS_TYPE}"/>'
    return types.replace("</Types>", added + "</Types>")
