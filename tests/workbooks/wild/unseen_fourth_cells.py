"""How the lists of the fourth unseen set write their cells."""

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date

import openpyxl

from tests.workbooks.wild import files
from tests.workbooks.wild.cells import (
    renamed,
)
from tests.workbooks.wild.sheets import (
    Cell,
    Sheet,
    Woman,
    column,
)

NOTE = column("Ghi chú", "note")
ROMAN = ("I", "II", "III", "IV")
# One column for the old card (9 digits) and the new (12).
EITHER_CARD = ("citizen_id", "id_card")


def name_of(woman: Woman) -> str:
    return str(woman.stored["full_name"])


def phone_of(woman: Woman) -> str:
    return str(woman.written["phone"])


def card_of(woman: Woman) -> str:
    return str(woman.stored["citizen_id"])


def day_of(woman: Woman, name: str = "birth_date") -> date:
    return date.fromisoformat(woman.stored[name])


def short_day(day: date, sign: str = "/") -> str:
    """Without zeros: 5/3/1970."""
    return f"{day.day}{sign}{day.month}{sign}{day.year}"


def for_all(people: list[Woman], name: str, cell: Callable[[Woman], Cell]) -> None:
    people[:] = [woman.but(name, cell(woman)) for woman in people]


def called(people: list[Woman], names: Mapping[int, str]) -> None:
    for place, name in names.items():
        before, _, last = name.rpartition(" ")
        woman = renamed(people[place], "{n}", name).but("surname", before)
        people[place] = woman.but("given_name", last)


def days_of_all_kinds(people: list[Woman], name: str = "birth_date") -> None:
    """Every other day is among the first twelve of its month, so that it could be a month too."""
    for place, woman in enumerate(people):
        if place % 2:
            day = day_of(woman, name)
            day = day.replace(day=(day.day * 5 + place) % 12 + 1)
            people[place] = woman.but(name, f"{day:%d/%m/%Y}", **{name: day.isoformat()})


def born_in(woman: Woman, year: int) -> Woman:
    """Another year of birth, and the card that belongs to it."""
    day = day_of(woman).replace(year=year)
    card = f"025{1 if year < 2000 else 3}{year % 100:02}{card_of(woman)[6:]}"
    woman = woman.but("birth_date", f"{day:%d/%m/%Y}", birth_date=day.isoformat())
    return woman.but("citizen_id", card, citizen_id=card)


def with_old_card(woman: Woman, written: str = "{n}") -> Woman:
    number = f"131{card_of(woman)[6:]}"
    shown = written.format(n=number, dots=f"{number[:3]}.{number[3:6]}.{number[6:]}")
    return woman.but("citizen_id", shown, citizen_id=None, id_card=number)


def without(woman: Woman, *names: str) -> Woman:
    for name in names:
        woman = woman.but(name, None, **{name: None})
    return woman


def xlsx_with(change: Callable[[openpyxl.Workbook], None]) -> Callable[[Sequence[Sheet]], bytes]:
    """What the sheets do not say, done to the finished file."""

    def make(sheets: Sequence[Sheet]) -> bytes:
        book = openpyxl.load_workbook(io.BytesIO(files.xlsx(*sheets)))
        change(book)
        out = io.BytesIO()
        book.save(out)
        return out.getvalue()

    return make
