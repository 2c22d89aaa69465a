"""What a whole column of days says of one of its cells."""

import re
from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple

from app.clock import local_today
from app.workbooks.tables import Cell

# Excel counts days from here (true from March 1900 on).
EPOCH: Final = date(1899, 12, 30)
_FIRST_YEAR: Final = 1900
_YEAR: Final = re.compile("(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])")
# Years that agree with a column are of its own span, or as near to it.
_NEAR: Final = 10
_IN_FIGURES: Final = re.compile(
    r"([0-9]{1,2})\s*[/.\-]\s*[0-9]{1,2}\s*[/.\-]\s*(?:[0-9]{4}|[0-9]{2})"
)
_MONTHS: Final = 12
# 05031970, of which a program may have taken the zero before it; 00 is what nobody knows.
_RUN: Final = re.compile("(0?[0-9]|[12][0-9]|3[01])(0[0-9]|1[0-2])((?:19|20)[0-9]{2})")
_FEWEST_RUNS: Final = 3
_MOST_OF_TEN: Final = 8
# That a month could be a day as well by chance: of days of a calendar and of text.
_EARLY, _LATE = 12 / 30, 18 / 30
_BY_CHANCE: Final = 0.02


class DayColumn(NamedTuple):
    """`first` and `last` are the years written in full, None without any. `years_as_days`: most of
    its days are years that the format of the cell shows as days. `swapped`: a program that takes the
    month first has read what it could, so that its cells of dates have day and month exchanged.
    `runs`: its days are written as eight digits."""

    first: int | None
    last: int | None
    years_as_days: bool
    swapped: bool = False
    runs: bool = False

    def agrees(self, day: str | None) -> bool:
        """Whether the year of this day is one of those the column is of."""
        if day is None or self.first is None or self.last is None:
            return False
        return self.first - _NEAR <= int(day[:4]) <= self.last + _NEAR


def year_shown_as_day(day: str) -> int | None:
    """The year somebody typed into a cell formatted as a date: 1968 is shown as 21/05/1905."""
    if not day.startswith("1905-") or len(day) != len("1905-05-21"):
        return None
    year = (date.fromisoformat(day) - EPOCH).days
    return year if _FIRST_YEAR <= year <= local_today().year else None


def of_cells(column: Iterable[Cell]) -> DayColumn:
    cells = list(column)
    years: list[int] = []
    days = shown = 0
    for cell in cells:
        year = _year_of(cell)
        if year is None:
            continue
        is_day = isinstance(cell, date) or (isinstance(cell, str) and len(cell) > len("05/1968"))
        days += is_day
        if is_day and year == EPOCH.year + 6:
            shown += 1
        else:
            years.append(year)
    first, last = min(years, default=None), max(years, default=None)
    return DayColumn(first, last, shown * 2 > days, _are_swapped(cells), _are_runs(cells))


def spelled_out(cell: Cell) -> Cell:
    """A day of eight digits with its separators; any other cell as it is."""
    found = _run_in(cell)
    return f"{found[1]}/{found[2]}/{found[3]}" if found else cell


def _run_in(cell: Cell) -> re.Match[str] | None:
    is_plain = isinstance(cell, str | int) and not isinstance(cell, bool)
    return _RUN.fullmatch(str(cell).strip()) if is_plain else None


def _are_runs(cells: Iterable[Cell]) -> bool:
    filled = [cell for cell in cells if cell is not None]
    runs = sum(_run_in(cell) is not None for cell in filled)
    return runs >= _FEWEST_RUNS and runs * 10 >= len(filled) * _MOST_OF_TEN


def _are_swapped(cells: Iterable[Cell]) -> bool:
    """Whether every text is of a day that is no month, and every date of one that could be: what is
    left where 25/3 stayed text and 5/3 became the 3rd of May."""
    dates = texts = 0
    for cell in cells:
        if isinstance(cell, date):
            if cell.day > _MONTHS:
                return False
            dates += 1
        elif isinstance(cell, str) and (found := _IN_FIGURES.fullmatch(cell.strip())):
            if int(found[1]) <= _MONTHS:
                return False
            texts += 1
    return bool(dates and texts) and _EARLY**dates * _LATE**texts < _BY_CHANCE


def _year_of(cell: Cell) -> int | None:
    if isinstance(cell, date):
        return cell.year
    if isinstance(cell, str):
        found = _YEAR.search(cell)
        return int(found[0]) if found else None
    if isinstance(cell, int) and _FIRST_YEAR <= cell <= local_today().year:
        return int(cell)
    return None
