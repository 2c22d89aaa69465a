"""How much text the cells of an .xls hold: each text is stored once and named by many ([MS-XLS] 2.4.265)."""

import struct
from collections.abc import Sequence
from typing import Final

_WIDE, _FOREIGN, _RICH = 1, 4, 8
_HEAD: Final = 8


def lengths(pieces: Sequence[memoryview]) -> list[int]:
    """Of each shared text, in an SST record and those that continue it. Raises ValueError."""
    if not pieces or len(pieces[0]) < _HEAD:
        return []
    [count] = struct.unpack_from("<I", pieces[0], 4)
    table = _Table(pieces)
    found: list[int] = []
    while len(found) < count and not table.at_end():
        found.append(table.next_text())
    return found


class _Table:
    def __init__(self, pieces: Sequence[memoryview]) -> None:
        self.pieces, self.piece, self.place = pieces, 0, _HEAD

    def at_end(self) -> bool:
        while self.place >= len(self.pieces[self.piece]):
            if self.piece + 1 == len(self.pieces):
                return True
            self.piece, self.place = self.piece + 1, self.place - len(self.pieces[self.piece])
        return False

    def next_text(self) -> int:
        length = self._number(2)
        flags = self._number(1)
        runs = self._number(2) if flags & _RICH else 0
        foreign = self._number(4) if flags & _FOREIGN else 0
        self._skip_characters(length, 1 + (flags & _WIDE))
        self.place += 4 * runs + foreign
        return length

    def _number(self, size: int) -> int:
        number = 0
        for at in range(size):
            if self.at_end():
                raise ValueError("a text is cut off")
            number |= self.pieces[self.piece][self.place] << 8 * at
            self.place += 1
        return number

    def _skip_characters(self, length: int, size: int) -> None:
        """Where they go on in the next record a byte says anew how wide they are."""
        while (here := (len(self.pieces[self.piece]) - self.place) // size) < length:
            length -= max(here, 0)
            self.place = len(self.pieces[self.piece])
            size = 1 + (self._number(1) & _WIDE)
        self.place += length * size
