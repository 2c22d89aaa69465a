"""The header of a list: which rows it is, and what each column is called."""

from collections.abc import Iterator, Sequence
from typing import Final

from app.text import clean
from app.workbooks import headers, legacy
from app.workbooks.grids import Grid
from app.workbooks.tables import ID, OURS, Cell, Encoding

WITHIN: Final = 60
_LONGEST: Final = 200


def known(cell: Cell) -> bool:
    return isinstance(cell, str) and len(cell) <= 120 and any(map(headers.is_known, readings(cell)))


def readings(text: str) -> Iterator[str]:
    """A header as it is, and as it would be in each old encoding."""
    yield clean(text)
    if not text.isascii():
        yield clean(legacy.decode(text, Encoding.tcvn3))
        yield clean(legacy.decode(text, Encoding.vni))


def known_at(grid: Grid, place: int | None) -> int:
    return 0 if place is None else sum(map(known, grid.rows[place][1]))


def place_of(grid: Grid) -> int | None:
    """Which of `grid.rows` is the header: the one with the most names we know (two, or all there
    are); without any, the first that is nearly as wide as the sheet and nothing but text."""
    first = grid.rows[:WITHIN]
    best, most = None, 0
    for place, (_, cells) in enumerate(first):
        names = sum(map(known, cells))
        alone = sum(cell is not None for cell in cells) == 1
        if names > most and (names >= 2 or alone):
            best, most = place, names
    if best is not None:
        return best
    for place, (_, cells) in enumerate(first):
        filled = [cell for cell in cells if cell is not None]
        if len(filled) >= 2 and len(filled) * 10 >= grid.width * 7:
            plain_text = all(isinstance(c, str) and not any(map(str.isdigit, c)) for c in filled)
            return place if plain_text else None
    return None


def has_second(grid: Grid, place: int) -> bool:
    """Whether the row below belongs to the header: it names parts of what is above (Nam, Nữ)."""
    if place + 1 >= len(grid.rows):
        return False
    (number, upper), (below, lower) = grid.rows[place : place + 2]
    if below != number + 1:
        return False
    spread = {
        column
        for top, left, bottom, right in grid.merged
        if top == number - 1 and bottom == top and right > left
        for column in range(left, right + 1)
    }
    told = [column for column, cell in enumerate(lower) if cell is not None]
    texts = all(isinstance(lower[column], str) for column in told)
    apart = all(upper[column] is None or column in spread for column in told)
    parts = len(told) > 1 and spread.issuperset(told)
    return texts and apart and (parts or any(known(lower[column]) for column in told))


def texts_of(grid: Grid, place: int, two: bool) -> dict[int, str]:
    """The header of each column that has one, as written; parts joined by " / "."""
    number, upper = grid.rows[place]
    row = number - 1
    over: dict[int, str] = {}
    again: dict[int, str] = {}
    for top, left, bottom, right in grid.merged:
        if top <= row <= bottom and right > left and upper[left] is not None:
            for column in range(left + 1, min(right + 1, grid.width)):
                over[column] = str(upper[left])
                again[column] = f"{upper[left]} ({column - left + 1})"
    lower: Sequence[Cell] = grid.rows[place + 1][1] if two else [None] * grid.width
    texts: dict[int, str] = {}
    # An upper header without a merge stands over the unnamed columns at its right that have a part.
    last = ""
    for column in range(grid.width):
        above = str(upper[column]) if upper[column] is not None else over.get(column, "")
        last = above or last
        part = str(lower[column]) if lower[column] is not None else ""
        if clean(part) in (*OURS, ID):
            texts[column] = part
        elif part:
            texts[column] = f"{above or last} / {part}" if above or last else part
        elif upper[column] is not None:
            texts[column] = str(upper[column])
        elif column in again:
            texts[column] = again[column]
    return {column: text[:_LONGEST] for column, text in texts.items()}
