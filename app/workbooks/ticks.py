"""A group of columns under one heading, of which each row ticks one: read as one column."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from app.text import clean, fold
from app.workbooks import guards, header_rows
from app.workbooks.tables import Cell, Note, Row, Table

# Folded, without the numbers that may be one.
MARKS: Final = frozenset({"x", "v", "×", "✓", "✔", "☑", "√", "+", "*", "•", "●"})
_TICKS: Final = MARKS | {"1"}
# Of ten cells so many are ticks: what else is written in a group is no reason to lose the ticks.
_MOST_OF_TEN: Final = 8


def join(table: Table, texts: dict[int, str]) -> frozenset[int]:
    """Put the heading of each row's tick into the first column of the group.

    Changes the rows, and `texts`, the headers by column ("Nghề nghiệp / Công nhân"). Returns the
    columns that are read with the first of their group. Columns that have a name of their own (Nam,
    Nữ) are left as they are.
    """
    joined: set[int] = set()
    for group, below in _groups(texts).items():
        values = {column: part for column, part in below.items() if not header_rows.known(part)}
        parts = _ticked(table.rows, values)
        if len(parts) < 2:
            continue
        first, *others = sorted(parts)
        for row in table.rows:
            written = [(parts[column], row.cells[column]) for column in (first, *others)]
            said = [part if _is_tick(cell) else f"{part} {cell}" for part, cell in written if cell]
            row.cells[first] = ", ".join(said) or None
        texts[first] = group
        joined.update(others)
        letters = f"{guards.letter(first)}-{guards.letter(others[-1])}"
        table.notes.append(Note("ticks_read", {"letters": letters, "header": clean(group)}))
    return frozenset(joined)


def _groups(texts: dict[int, str]) -> dict[str, dict[int, str]]:
    """By the heading above: the columns and their own headings."""
    groups: dict[str, dict[int, str]] = defaultdict(dict)
    for column, text in texts.items():
        above, apart, part = text.rpartition(" / ")
        if apart:
            groups[above][column] = part
    return groups


def _ticked(rows: Sequence[Row], parts: dict[int, str]) -> dict[int, str]:
    """The columns of ticks: all of them, or those beside columns that hold something else."""
    if _are_ticked(rows, [*parts]):
        return parts
    return {column: part for column, part in parts.items() if _are_ticked(rows, [column])}


def _are_ticked(rows: Sequence[Row], columns: Sequence[int]) -> bool:
    """Whether these columns hold ticks and hardly anything else."""
    written = [
        # A nought ticks nothing.
        cell
        for row in rows
        for column in columns
        if (cell := row.cells[column])
    ]
    return bool(written) and sum(map(_is_tick, written)) * 10 >= len(written) * _MOST_OF_TEN


def _is_tick(cell: Cell) -> bool:
    return fold(str(cell)) in _TICKS
