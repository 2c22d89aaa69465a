"""The comments of a sheet, and the shapes that show them."""

import re
from collections.abc import Mapping, Sequence, Set
from functools import partial
from posixpath import basename, dirname, join, relpath, splitext
from typing import Final
from zipfile import ZipFile

from app.workbooks import guards
from app.workbooks.package import (
    MAIN,
    OFFICE,
    PACKAGE,
    UnpatchableError,
    escaped,
    parsed,
    targets,
    text_of,
)

AUTHOR: Final = "Hội Số"
# More than these would make a file that opens slowly; their texts are in a column as well.
_MOST: Final = 5_000
_BLOCKS: Final = 8
_SHAPE: Final = re.compile(r"<v:shape\b(?!type).*?</v:shape>", re.DOTALL)
_SHAPE_CELL: Final = re.compile(
    r"<x:Row>\s*(\d+)\s*</x:Row>.*?<x:Column>\s*(\d+)\s*</x:Column>", re.DOTALL
)


class Comments:
    """The comments of a sheet, and the shapes that show them: others' stay, ours are written anew."""

    COMMENTS, DRAWING = "rIdHoiSoComments", "rIdHoiSoDrawing"

    def __init__(
        self, book: ZipFile, names: Set[str], sheet: str, wrong: Mapping[int, Mapping[int, str]]
    ) -> None:
        """`wrong` are the texts by row number and column, from 0."""
        self.book = book
        self.sheet = sheet
        self.wrong = wrong
        stem, _ = splitext(basename(sheet))
        self.rels = join(dirname(sheet), "_rels", f"{basename(sheet)}.rels")
        known = book.read(self.rels) if self.rels in names else b""
        self.rels_xml = known.decode("utf-8-sig") if known else ""
        related = targets(known, dirname(sheet)) if known else {}
        by_type = {kind: part for kind, part in related.values() if part in names}
        self.had_comments, self.had_drawing = by_type.get("comments"), by_type.get("vmlDrawing")
        if bool(self.had_comments) != bool(self.had_drawing):
            raise UnpatchableError("comments without shapes")
        self.comments = self.had_comments or f"xl/commentsHoiSo-{stem}.xml"
        self.drawing = self.had_drawing or f"xl/drawings/vmlDrawingHoiSo-{stem}.vml"

    @property
    def wanted(self) -> bool:
        return bool(self.wrong) or self.had_comments is not None

    def parts(self, turn: int) -> dict[str, str]:
        """The changed parts; `turn` counts the sheets with comments, from 0."""
        authors, kept, dropped = self._others()
        if AUTHOR not in authors:
            authors.append(AUTHOR)
        mine = {
            (row, column): text
            for row, cells in sorted(self.wrong.items())
            for column, text in sorted(cells.items())
            if (row, column) not in kept
        }
        mine = dict(list(mine.items())[:_MOST])
        number = authors.index(AUTHOR)
        comments = "".join([*kept.values(), *(_comment(at, number, mine[at]) for at in mine)])
        listed = "".join(f"<author>{escaped(author)}</author>" for author in authors)
        parts = {
            self.comments: (
                f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<comments xmlns="{MAIN}">'
                f"<authors>{listed}</authors><commentList>{comments}</commentList></comments>"
            ),
            self.drawing: self._shapes(dropped | set(mine), list(mine), turn),
        }
        if self.had_comments is None:
            parts[self.rels] = self._relationships()
        return parts

    def _others(self) -> tuple[list[str], dict[tuple[int, int], str], set[tuple[int, int]]]:
        """Authors, the comments that are not ours, and where ours were."""
        if self.had_comments is None:
            return [], {}, set()
        xml = text_of(self.book, self.had_comments)
        if "<comments" not in xml:
            raise UnpatchableError("comments")
        root = parsed(xml.encode())
        authors = [each.text or "" for each in root.iter(f"{{{MAIN}}}author")]
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

    def _shapes(
        self, dropped: set[tuple[int, int]], mine: Sequence[tuple[int, int]], turn: int
    ) -> str:
        # Shapes are numbered through the workbook, in blocks of 1,024.
        block = turn * _BLOCKS + 1
        if self.had_drawing is None:
            before = _VML_START.replace("BLOCK", str(block))
        else:
            xml = text_of(self.book, self.had_drawing)
            before = _SHAPE.sub(partial(_unless, dropped), xml).rpartition("</xml>")[0]
            if not before:
                raise UnpatchableError("shapes")
        taken = [int(number) for number in re.findall(r'id="_x0000_s([0-9]+)"', before)]
        first = max([1024 * block, *taken]) + 1
        return before + "".join(_shape(first + n, at) for n, at in enumerate(mine)) + "</xml>"

    def _relationships(self) -> str:
        folder = dirname(self.sheet)
        added = "".join(
            f'<Relationship Id="{id_}" Type="{OFFICE}/{kind}" Target="{relpath(part, folder)}"/>'
            for id_, kind, part in (
                (self.COMMENTS, "comments", self.comments),
                (self.DRAWING, "vmlDrawing", self.drawing),
            )
        )
        if self.rels_xml:
            if "</Relationships>" not in self.rels_xml:
                raise UnpatchableError("relationships")
            return self.rels_xml.replace("</Relationships>", added + "</Relationships>")
        return f'<Relationships xmlns="{PACKAGE}">{added}</Relationships>'


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
    '<o:idmap v:ext="edit" data="BLOCK"/></o:shapelayout><v:shapetype id="_x0000_t202"'
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
