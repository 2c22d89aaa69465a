"""Withhold the figures of a table that are too small to show: under 5, a person could be recognised.

For tables whose rows and columns add up; `rounding` is for one distribution that anybody may ask
for again and again.
"""

from collections.abc import Mapping, Sequence

FEWEST = 5
Cell = tuple[int, int]


def hidden(rows: Sequence[Sequence[int]], has_total: bool) -> set[Cell]:
    """The (row, column) of every figure to be withheld.

    Figures from 1 to 4 are; and wherever that leaves a single one in a row or column that adds up,
    another with it, the smallest that is not zero, so that no subtraction brings it back. The first
    row is the total of the others when `has_total`.
    """
    found = {
        (place, column)
        for place, row in enumerate(rows)
        for column, value in enumerate(row)
        if 0 < abs(value) < FEWEST
    }
    lines = [[(place, column) for column in range(len(row))] for place, row in enumerate(rows)]
    if has_total and rows:
        lines += [[(place, column) for place in range(len(rows))] for column in range(len(rows[0]))]
    changed = True
    while changed:
        changed = False
        for line in lines:
            alone = [cell for cell in line if cell in found]
            if len(alone) == 1 and (other := _companion(rows, line, alone[0])) is not None:
                found.add(other)
                changed = True
    return found


def _companion(rows: Sequence[Sequence[int]], line: Sequence[Cell], alone: Cell) -> Cell | None:
    others = [cell for cell in line if cell != alone]
    counted = [cell for cell in others if rows[cell[0]][cell[1]]]
    return min(counted or others, key=lambda cell: abs(rows[cell[0]][cell[1]]), default=None)


def withheld(row: Mapping[str, int], hide: set[str]) -> dict[str, int | None]:
    """The figures of a row, null where they are withheld."""
    return {name: None if name in hide else value for name, value in row.items()}
