"""The records of a csv. A quote that nobody closes takes no other record with it: it is found by the
number of columns, and its own line is a record."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple

# So many lines show how many columns there are.
_SHOWN: Final = 1_000


class Record(NamedTuple):
    """`line` is the number of its first line, `unclosed` the column of a quote without an end;
    `too_long`: it has a cell that cannot be read."""

    line: int
    cells: list[str]
    unclosed: int | None = None
    too_long: bool = False


def usual_width(lines: Sequence[str], delimiter: str) -> tuple[int, int]:
    """How many lines are alike in their number of cells, and that number; those of one do not count."""
    widths = Counter(len(_alone(line, delimiter)) for line in lines[:_SHOWN])
    alike = [(times, width) for width, times in widths.items() if width > 1]
    return max(alike, default=(0, 0))


def records(lines: Sequence[str], delimiter: str) -> Iterator[Record]:
    """Each record, in order. Raises csv.Error."""
    _, width = usual_width(lines, delimiter)
    begun = 0
    while begun < len(lines):
        for record, last in _read(lines, begun, delimiter):
            own = lines[record.line - 1 : last]
            if last > len(lines) or _swallows(record, own, width, delimiter):
                yield _cut_off(record.line, lines[record.line - 1], delimiter)
                begun = record.line
                break
            if record.too_long:
                raise csv.Error
            yield record
        else:
            return


def _read(lines: Sequence[str], begun: int, delimiter: str) -> Iterator[tuple[Record, int]]:
    """The records from a line on, each with the number of its last line: one more than there are, if
    a quote in it is still open where the file ends."""
    rest = (lines[at] for at in range(begun, len(lines)))
    reader = csv.reader(chain(rest, "\n"), delimiter=delimiter)
    last = begun
    while last < len(lines):
        try:
            record = Record(last + 1, next(reader))
        except csv.Error:
            # More text than a cell may hold, as behind a quote that nobody closes.
            record = Record(last + 1, [], too_long=True)
        last = begun + reader.line_num
        yield record, last


def _swallows(record: Record, lines: Sequence[str], width: int, delimiter: str) -> bool:
    """Whether one of the lines of a record, but the first, is a record of its own: it has all columns,
    and ends no quote of the record's own."""
    if len(lines) == 1 or width < 2:
        return False
    whole = [line for line in lines[1:] if width in _widths(line, delimiter)]
    return bool(whole) and (
        len(record.cells) != width
        or not all('"' in line for line in whole)
        or not _is_sound(lines, delimiter)
    )


def _widths(line: str, delimiter: str) -> tuple[int, int]:
    """How many cells the line has by itself, by its quotes and without regard to them."""
    return len(_alone(line, delimiter)), line.count(delimiter) + 1


def _is_sound(lines: Sequence[str], delimiter: str) -> bool:
    """Whether each quote ends where its cell does."""
    try:
        return bool(list(csv.reader(lines, delimiter=delimiter, strict=True)))
    except csv.Error:
        return False


def _cut_off(number: int, line: str, delimiter: str) -> Record:
    """The record of a line whose last quote is never closed: that belongs to the text."""
    *before, rest = _alone(line, delimiter)
    return Record(number, [*before, *rest.rstrip("\r\n").split(delimiter)], len(before))


def _alone(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])
