"""Other cells of women, as hands write them."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from tests.workbooks.wild.sheets import Cell, Woman


def year_of(woman: Woman, name: str = "birth_date") -> int:
    return int(woman.stored[name][:4])


def of_year(woman: Woman, name: str = "birth_date", shown: Cell = None) -> Woman:
    """Only the year is known; `shown` as what it stands in the cell."""
    year = year_of(woman, name)
    return woman.but(name, year if shown is None else shown, **{name: str(year)})


def as_day(woman: Woman, name: str) -> Woman:
    """A cell of a date."""
    return woman.but(name, date.fromisoformat(woman.stored[name]))


def write_cells(people: list[Woman], name: str, cells: Mapping[int, Cell], **stored: Any) -> None:
    """Other cells in one field, by place; with `stored` another value of fields."""
    for place, cell in cells.items():
        people[place] = people[place].but(name, cell, **stored)


def renamed(woman: Woman, shown: str, name: str | None = None) -> Woman:
    """`shown`: with {n} where her name stands."""
    name = name or woman.stored["full_name"]
    return woman.but("full_name", shown.format(n=name), full_name=name)


def to_wait(people: list[Woman], *places: int) -> None:
    for place in places:
        people[place] = people[place].to_decide()
