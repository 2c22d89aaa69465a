"""The old Excel file (.xls) from outside: whether it is locked, how far its sheets go.

Compound file and BIFF8 as published by Microsoft ([MS-CFB], [MS-XLS]); nothing is read but the
directory and the heads of the records.
"""

import struct
from dataclasses import dataclass
from typing import Final

MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_END: Final = 0xFFFFFFFA  # and above: no sector
_ENTRY: Final = 128
_SMALL_STREAM: Final = 4096
# Records whose first words are a row and a column: FORMULA, NUMBER, LABEL, BOOLERR, RK, RSTRING,
# LABELSST; MULRK and MULBLANK end with their last column.
_FORMULA: Final = 0x0006
_CELLS: Final = frozenset({_FORMULA, 0x0203, 0x0204, 0x0205, 0x027E, 0x00D6, 0x00FD, 0x0201})
_SEVERAL: Final = frozenset({0x00BD, 0x00BE})
_BOF, _LOCKED, _SUPBOOK = 0x0809, 0x002F, 0x01AE
_OTHER_FILE: Final = 8  # a SUPBOOK with more than its own sheets names a file


@dataclass(slots=True)
class OleFacts:
    encrypted: bool = False
    workbook: bool = False
    macros: bool = False
    external_links: bool = False
    rows: int = 0
    columns: int = 0
    formulas: int = 0


@dataclass(frozen=True, slots=True)
class _Stream:
    name: str
    start: int
    size: int


class _Container:
    def __init__(self, data: bytes) -> None:
        self.data = data
        shift, small_shift = struct.unpack_from("<HH", data, 30)
        if shift not in (9, 12) or small_shift != 6:
            raise ValueError("sector size")
        self.sector = 1 << shift
        fats, self.directory = struct.unpack_from("<II", data, 44)
        self.small_table, _, more, mores = struct.unpack_from("<IIII", data, 60)
        listed = list(struct.unpack_from("<109I", data, 76))
        seen = 0
        while more < _END and seen < mores:
            words = self._words(more)
            listed += words[:-1]
            more, seen = words[-1], seen + 1
        if fats > len(data) // self.sector + 1:
            raise ValueError("allocation table")
        self.next = [word for each in listed[:fats] if each < _END for word in self._words(each)]

    def _words(self, sector: int) -> tuple[int, ...]:
        return struct.unpack(f"<{self.sector // 4}I", self._sector(sector))

    def _sector(self, number: int) -> bytes:
        start = (number + 1) * self.sector
        found = self.data[start : start + self.sector]
        if not found:
            raise ValueError("sector")
        return found.ljust(self.sector, b"\0")

    def chain(self, start: int) -> bytes:
        pieces: list[bytes] = []
        while start < _END:
            if len(pieces) > len(self.next):
                raise ValueError("a chain without end")
            pieces.append(self._sector(start))
            start = self.next[start]
        return b"".join(pieces)

    def streams(self) -> list[_Stream]:
        data = self.chain(self.directory)
        found = []
        for place in range(0, len(data) - _ENTRY + 1, _ENTRY):
            length = struct.unpack_from("<H", data, place + 64)[0]
            name = data[place : place + max(min(length, 64) - 2, 0)].decode("utf-16-le", "replace")
            start, size = struct.unpack_from("<II", data, place + 116)
            if name:
                found.append(_Stream(name, start, size))
        return found

    def read(self, stream: _Stream, root: _Stream) -> bytes:
        if stream.size >= _SMALL_STREAM:
            return self.chain(stream.start)[: stream.size]
        small = self.chain(root.start)
        table = self.chain(self.small_table)
        links = struct.unpack(f"<{len(table) // 4}I", table)
        pieces: list[bytes] = []
        at = stream.start
        while at < _END:
            if len(pieces) > len(links):
                raise ValueError("a chain without end")
            pieces.append(small[at * 64 : at * 64 + 64])
            at = links[at]
        return b"".join(pieces)[: stream.size]


def look(data: bytes) -> OleFacts:
    """Raises ValueError, IndexError or struct.error when it is no compound file."""
    container = _Container(data)
    streams = container.streams()
    named = {stream.name.lower(): stream for stream in streams}
    facts = OleFacts(
        encrypted="encryptedpackage" in named, macros="_vba_project_cur" in named or "vba" in named
    )
    book = named.get("workbook") or named.get("book")
    if book is not None and not facts.encrypted:
        facts.workbook = True
        _look_at_records(container.read(book, streams[0]), facts)
    return facts


def _look_at_records(data: bytes, facts: OleFacts) -> None:
    view = memoryview(data)
    place = 0
    while place + 4 <= len(data):
        record, length = struct.unpack_from("<HH", view, place)
        start = place + 4
        place = start + length
        if record in _CELLS and length >= 4:
            row, column = struct.unpack_from("<HH", view, start)
            facts.formulas += record == _FORMULA
        elif record in _SEVERAL and length >= 6:
            row = struct.unpack_from("<H", view, start)[0]
            column = struct.unpack_from("<H", view, place - 2)[0]
            # The last of several empty cells has a style and no value.
            if record == 0x00BE:
                continue
        else:
            facts.encrypted |= record == _LOCKED
            facts.external_links |= record == _SUPBOOK and length > _OTHER_FILE
            continue
        if record != 0x0201:
            facts.rows = max(facts.rows, row + 1)
            facts.columns = max(facts.columns, column + 1)
