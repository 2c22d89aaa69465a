"""What the cells of a column look like, whatever its heading says."""

import re
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from app.workbooks.tables import Cell, Table

# Fields that are known by their values alone.
NUMBERS: Final = {
    "citizen_id": re.compile("0[0-9]{11}"),
    "phone": re.compile("0[35789][0-9]{8}"),
}


def index_like(table: Table, unnamed: Iterable[int], pattern: re.Pattern[str]) -> int | None:
    """The first of these columns most of whose first values look like this."""
    for index in unnamed:
        values = [v for row in table.rows[:50] if (v := row.cells[index]) is not None]
        fits = sum(bool(pattern.fullmatch(v)) for v in values if isinstance(v, str))
        if values and fits * 10 >= len(values) * 8:
            return index
    return None


def is_word(cell: Cell) -> bool:
    return isinstance(cell, str) and len(cell.split()) <= 2 and cell.replace(" ", "").isalpha()


def has_ids_of_others(table: Table, index: int) -> bool:
    """Whether the column is filled in, and none of its cells is an id of ours."""
    values = [v for row in table.rows if (v := row.cells[index]) is not None]
    return bool(values) and not any(map(_is_id, values))


def _is_id(value: object) -> bool:
    try:
        UUID(str(value).strip())
    except ValueError:
        return False
    return True
