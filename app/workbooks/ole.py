"""The old Excel file (.xls) from outside: whether it is locked, how far its sheets go.

The compound file is olefile's; BIFF8 is as published by Microsoft ([MS-XLS]). Nothing is read but
the directory and the heads of the records.
"""

import io
import struct
from collections import Counter
from dataclasses import dataclass
from typing import Final

import olefile

from app.workbooks import ole_text

MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_SECTOR_SHIFTS: Final = (9, 12)
_MACROS: Final = frozenset({"_vba_project_cur", "vba"})
# Records whose first words are a row and a column: FORMULA, NUMBER, LABEL, BOOLERR, RK, RSTRING,
# LABELSST; MULRK and MULBLANK end with their last column.
_FORMULA: Final = 0x0006
_CELLS: Final = frozenset({_FORMULA, 0x0203, 0x0204, 0x0205, 0x027E, 0x00D6, 0x00FD, 0x0201})
_SEVERAL: Final = frozenset({0x00BD, 0x00BE})
_SHARED, _CONTINUED, _NAMES_SHARED = 0x00FC, 0x003C, 0x00FD
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
    # Of the text of all cells that name a shared one.
    characters: int = 0


def look(data: bytes) -> OleFacts:
    """ValueError or struct.error when it is no compound file."""
    _ensure_bounded(data)
    try:
        with olefile.OleFileIO(io.BytesIO(data)) as container:
            return _facts(container)
    except (OSError, IndexError, RecursionError) as error:  # olefile's message for a broken file
        raise ValueError("no compound file") from error


def _ensure_bounded(data: bytes) -> None:
    """The library reads as many sectors of the allocation table as the file claims to have."""
    shift, tables = struct.unpack_from("<30xH12xI", data)
    if shift not in _SECTOR_SHIFTS or tables > (len(data) >> shift) + 1:
        raise ValueError("allocation table")


def _facts(container: olefile.OleFileIO) -> OleFacts:
    names = {entry.name.lower() for entry in container.direntries if entry is not None}
    facts = OleFacts(encrypted="encryptedpackage" in names, macros=not names.isdisjoint(_MACROS))
    book = next((name for name in ("Workbook", "Book") if container.exists(name)), None)
    if book is not None and not facts.encrypted:
        facts.workbook = True
        _look_at_records(container.openstream(book).read(), facts)
    return facts


def _look_at_records(data: bytes, facts: OleFacts) -> None:
    view = memoryview(data)
    place = before = 0
    shared: list[memoryview] = []
    named: Counter[int] = Counter()
    while place + 4 <= len(data):
        record, length = struct.unpack_from("<HH", view, place)
        start = place + 4
        place = start + length
        if record == _SHARED or (record == _CONTINUED and before == _SHARED):
            shared.append(view[start:place])
            before = _SHARED
            continue
        before = record
        if record == _NAMES_SHARED and length >= 10:
            named[struct.unpack_from("<I", view, start + 6)[0]] += 1
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
    each = ole_text.lengths(shared) if named else []
    facts.characters = sum(each[at] * times for at, times in named.items() if at < len(each))
