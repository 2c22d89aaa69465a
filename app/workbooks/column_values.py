"""What the cells of a column look like, whatever its heading says."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from statistics import median
from typing import Final
from uuid import UUID

from app.text import clean, fold, number_text
from app.workbooks import heading_words, sections
from app.workbooks.name_parts import name_alone
from app.workbooks.tables import Cell, Table

# So many of the first cells are looked at, and so many of ten are alike.
_LOOKED_AT: Final = 50
_MOST_OF_TEN: Final = 8
_CITIZEN_ID: Final = re.compile("0[0-9]{11}")
_ID_CARD: Final = re.compile("[0-9]{9}|0[0-9]{11}")
_PHONE: Final = re.compile(r"(?:0|84|\+84)?(?:[35789][0-9]{8}|1[0-9]{9})")
_DAY: Final = re.compile(
    r"(?:[0-9]{1,2}[/.\- ]+){0,2}((?:19|20)[0-9]{2})|((?:19|20)[0-9]{2})(?:-[0-9]{2}){1,2}"
)
_YEAR: Final = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])")
_SHORT: Final = 20
# Of grown women: the middle of their years of birth is not later.
_BORN: Final = range(1900, 2012)
_MIDDLE_OF_BORN: Final = 2002
_MOST_WORDS: Final = 6
# Words of a branch alone, as "Khu 1, Phượng Vĩ" has; an address goes on.
_WORDS_OF_BRANCH: Final = 9
_MOST_BRANCHES: Final = 60
_FEWEST_MARKS: Final = 3


def cells_of(table: Table, index: int) -> list[Cell]:
    """The first cells that are filled in."""
    return [v for row in table.rows[:_LOOKED_AT] if (v := row.cells[index]) is not None]


def _most(cells: Sequence[Cell], fits: Callable[[Cell], bool]) -> bool:
    return bool(cells) and sum(map(fits, cells)) * 10 >= len(cells) * _MOST_OF_TEN


def is_word(cell: Cell) -> bool:
    return isinstance(cell, str) and len(cell.split()) <= 2 and cell.replace(" ", "").isalpha()


def is_person(cell: Cell) -> bool:
    """Whether it is a name of two words or more, of which the first is a surname."""
    if not isinstance(cell, str):
        return False
    words = clean(name_alone(cell)).casefold().split()
    return (
        2 <= len(words) <= _MOST_WORDS
        and "".join(words).isalpha()
        and words[0] in heading_words.surnames()
    )


def year_in(cell: Cell) -> int | None:
    """The year of a day, a month or a year; the only one in a short text ("1978 - 46 tuổi")."""
    if isinstance(cell, date):
        return cell.year
    text = clean(str(cell))
    if found := _DAY.fullmatch(text):
        return int(found[1] or found[2])
    years = _YEAR.findall(text) if len(text) <= _SHORT else []
    return int(years[0]) if len(years) == 1 else None


def are_people(cells: Sequence[Cell]) -> bool:
    return _most(cells, is_person)


def are_births(cells: Sequence[Cell]) -> bool:
    """Whether they are days or years in which grown women were born."""
    years = [year for cell in cells if (year := year_in(cell)) in _BORN and year is not None]
    return _most(cells, lambda cell: year_in(cell) in _BORN) and median(years) <= _MIDDLE_OF_BORN


def are_letters(cells: Sequence[Cell]) -> bool:
    """Whether they are several marks of one letter, as of a roll call (x, P, K)."""
    return len(cells) >= _FEWEST_MARKS and _most(cells, _is_letter)


def _is_letter(cell: Cell) -> bool:
    text = cell.strip() if isinstance(cell, str) else ""
    return len(text) == 1 and text.isalpha()


def are_days(cells: Sequence[Cell]) -> bool:
    return _most(cells, lambda cell: year_in(cell) is not None)


def is_branch(cell: Cell) -> bool:
    """Whether it names a numbered branch, and little else."""
    if not isinstance(cell, str) or len(cell.split()) > _WORDS_OF_BRANCH:
        return False
    return not sections.is_group(cell) and sections.names_branch(cell)


def are_branches(cells: Sequence[Cell]) -> bool:
    few = len({fold(str(cell)) for cell in cells}) <= _MOST_BRANCHES
    return few and _most(cells, is_branch)


def are_bare_branches(cells: Sequence[Cell]) -> bool:
    """Whether they are names of numbered branches, and nothing else."""
    return _most(cells, lambda cell: isinstance(cell, str) and sections.is_short(cell))


def _are_numbers(pattern: re.Pattern[str]) -> Callable[[Sequence[Cell]], bool]:
    def fits(cell: Cell) -> bool:
        whole = isinstance(cell, str | int) and not isinstance(cell, bool)
        return whole and pattern.fullmatch(number_text(str(cell))) is not None

    return lambda cells: _most(cells, fits)


def _are_branches_or_numbers(cells: Sequence[Cell]) -> bool:
    """Under a heading that names a branch its number is enough."""
    return _most(cells, lambda cell: is_branch(cell) or str(cell).strip().isdecimal())


def _are_texts(cells: Sequence[Cell]) -> bool:
    return _most(cells, lambda cell: isinstance(cell, str) and any(map(str.isalpha, cell)))


_ADDRESS: Final = re.compile(
    r"\b(?:xã|phường|thị trấn|huyện|tỉnh|số nhà|ngõ|đường|xa|phuong|huyen|tinh|so nha|duong)\b",
    re.IGNORECASE,
)


def _are_addresses(cells: Sequence[Cell]) -> bool:
    return _most(cells, lambda cell: isinstance(cell, str) and bool(_ADDRESS.search(cell)))


are_phones: Final = _are_numbers(_PHONE)

# Fields that are known by their values alone, the surest first.
ALONE: Final[Mapping[str, Callable[[Sequence[Cell]], bool]]] = {
    "citizen_id": _are_numbers(_CITIZEN_ID),
    "phone": are_phones,
    "branch": are_branches,
    "address": _are_addresses,
    "full_name": are_people,
    "birth_date": are_births,
}
# What the cells are like under a heading that holds the name of a field among other words.
UNDER_ITS_NAME: Final[Mapping[str, Callable[[Sequence[Cell]], bool]]] = {
    **ALONE,
    "id_card": _are_numbers(_ID_CARD),
    "branch": _are_branches_or_numbers,
    "joined_on": are_days,
    "party_joined_on": are_days,
    "address": _are_texts,
    "hometown": _are_texts,
    "occupation": _are_texts,
}


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
