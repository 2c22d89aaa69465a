"""The parts of a workbook: which holds what, and how text stands in them (ECMA-376)."""

import re
from posixpath import join, normpath
from typing import Final
from xml.etree import ElementTree as ET
from zipfile import ZipFile

MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006/relationships"

_SPECIAL: Final = re.compile(
    '[&<>"\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)'
)


class UnpatchableError(Exception):
    """The workbook is written in a way that we do not change in place."""


def text_of(book: ZipFile, name: str) -> str:
    return book.read(name).decode("utf-8-sig")


def part_of_sheet(book: ZipFile, names: set[str], sheet: str) -> str:
    """The part that holds a sheet. Raises UnpatchableError when none does."""
    for name in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels", "[Content_Types].xml"):
        if name not in names:
            raise UnpatchableError(name)
    root = parsed(book.read("xl/workbook.xml"))
    ids = {each.get("name"): each.get(f"{{{OFFICE}}}id") for each in root.iter(f"{{{MAIN}}}sheet")}
    parts = targets(book.read("xl/_rels/workbook.xml.rels"), "xl")
    part = parts.get(ids.get(sheet) or "", ("", ""))[1]
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


def targets(rels: bytes, folder: str) -> dict[str, tuple[str, str]]:
    """By id: the last word of the type, and the part."""
    root = parsed(rels)
    return {
        each.get("Id", ""): (
            each.get("Type", "").rpartition("/")[2],
            normpath(join("/" + folder, each.get("Target", ""))).lstrip("/"),
        )
        for each in root.iter(f"{{{PACKAGE}}}Relationship")
    }


def escaped(text: str) -> str:
    """Text of an element; what XML does not take as Excel writes it (_x0007_)."""

    def one(match: re.Match[str]) -> str:
        char = match[0]
        known = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
        return known.get(char) or f"_x{ord(char):04X}_"

    return _SPECIAL.sub(one, text)
