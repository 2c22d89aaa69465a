"""A day in columns of its own (Ngày | Tháng | Năm): read as one column."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, Literal, NamedTuple

from app.text import clean
from app.workbooks import guards, legacy
from app.workbooks.nothing import is_nothing
from app.workbooks.tables import Cell, Encoding, Note, Table

_Role = Literal["day", "month", "day_month", "year"]
# The end of a word: "th¸ng" of an old font is no "th".
_END: Final = r"(?=[\s.,:;()/–-]|$)"
# Without tones "nam" is a man as well: a month beside it says which.
_ROLES: Final[tuple[tuple[_Role, re.Pattern[str]], ...]] = (
    ("day_month", re.compile(rf"(?:ngày|ngay|ng)\W+(?:và |va )?(?:tháng|thang|th){_END}\.?")),
    ("day", re.compile(rf"(?:ngày|ngay|ng|day){_END}\.?")),
    ("month", re.compile(rf"(?:tháng|thang|th|month){_END}\.?")),
    ("year", re.compile(rf"(?:năm|nam|year){_END}\.?")),
)
_BEGINS: Final[frozenset[_Role]] = frozenset({"day", "day_month"})
# What a number in a column may be.
_MOST: Final[Mapping[_Role, int]] = {"day": 31, "month": 12}
_DAY_MONTH: Final = re.compile(r"[0-9]{1,2}\s*[/.\-]\s*[0-9]{1,2}")
_WHOLE: Final = re.compile(r"(?:[0-9]{1,2}/){0,2}[0-9]{4}")
# Of ten cells so many are what the heading says.
_MOST_OF_TEN: Final = 6


class _Part(NamedTuple):
    """A column of a part; `of` is what the day is of ("sinh"), or the heading above."""

    column: int
    role: _Role
    of: str


def is_part(text: str) -> bool:
    """Whether this heading may be of a part of a day."""
    return any(_parts({0: text}))


def are_parts(texts: Iterable[str]) -> bool:
    """Whether these headings are those of a day in parts: a year, and a month."""
    roles = {part.role for part in _parts(dict(enumerate(texts)))}
    return "year" in roles and bool(roles & {"month", "day_month"})


def join(table: Table, texts: dict[int, str]) -> frozenset[int]:
    """Put each day together in the column of its first part.

    Changes the rows, and `texts`, the headers by column. Returns the columns that are read with
    another.
    """
    joined: set[int] = set()
    for heading, found in _days(texts).items():
        parts = _with_months(found)
        if not _is_day(table, parts, found):
            continue
        by_role = {part.role: part.column for part in parts}
        first, *others = sorted(by_role.values())
        for row in table.rows:
            row.cells[first] = _together({r: row.cells[c] for r, c in by_role.items()})
        texts[first] = heading
        for column in others:
            del texts[column]
        joined.update(others)
        letters = ", ".join(map(guards.letter, (first, *others)))
        table.notes.append(Note("day_parts_read", {"letters": letters, "header": clean(heading)}))
    return frozenset(joined)


def _days(texts: Mapping[int, str]) -> dict[str, list[_Part]]:
    """The parts of each day, by its heading: under one heading, or of one thing side by side."""
    groups: dict[str, list[_Part]] = defaultdict(list)
    alone: dict[int, str] = {}
    for column, text in texts.items():
        above, apart, below = text.rpartition(" / ")
        part = next(_parts({column: below}), None) if apart else None
        if part is not None:
            groups[above].append(part)
        elif not apart:
            alone[column] = text
    for run in _runs(list(_parts(alone))):
        said = {part.of for part in run if part.of}
        # "Ngày, Tháng, Năm sinh" says once what it is of; in another order each does.
        if len(said) == 1 and (run[0].role in _BEGINS or all(part.of for part in run)):
            groups[f"Ngày tháng năm {said.pop()}"] += run
    return groups


def _runs(parts: Sequence[_Part]) -> Iterator[list[_Part]]:
    """Parts in columns side by side, each role once, all of one thing."""
    run: list[_Part] = []
    for part in parts:
        said = {each.of for each in run} | {part.of}
        alike = len(said if part.role in _BEGINS else said - {""}) <= 1
        beside = bool(run) and part.column == run[-1].column + 1
        if not beside or not alike or part.role in {each.role for each in run}:
            yield run
            run = []
        run.append(part)
    yield run


def _parts(texts: Mapping[int, str]) -> Iterator[_Part]:
    for column, text in texts.items():
        for said in _readings(text):
            found = ((role, match) for role, pattern in _ROLES if (match := pattern.match(said)))
            if part := next(found, None):
                role, match = part
                yield _Part(column, role, said[match.end() :].strip(" ,.:()"))
                break


def _readings(text: str) -> Iterator[str]:
    yield clean(text).casefold()
    if not text.isascii():
        for encoding in (Encoding.tcvn3, Encoding.vni):
            yield clean(legacy.decode(text, encoding)).casefold()


def _with_months(parts: Sequence[_Part]) -> list[_Part]:
    """Without a column of months a day has the month beside it: 17/5."""
    if any(part.role == "month" for part in parts):
        return list(parts)
    return [part._replace(role="day_month") if part.role == "day" else part for part in parts]


def _is_day(table: Table, parts: Sequence[_Part], headed: Sequence[_Part]) -> bool:
    """Whether these columns make a day, and hold what they say."""
    roles = [part.role for part in parts]
    if len(set(roles)) < len(roles) or "year" not in roles:
        return False
    if not {"month", "day_month"} & {*roles} or {"month", "day_month"} <= {*roles}:
        return False
    # "Ngày sinh" beside a year may be the whole day, and the year again.
    return all(_holds(table, part, or_whole=part in headed) for part in parts)


def _holds(table: Table, part: _Part, *, or_whole: bool) -> bool:
    cells = [cell for row in table.rows if (cell := row.cells[part.column]) is not None]
    filled = [cell for cell in cells if not is_nothing(_text(cell))]
    if part.role == "year" and not filled:
        return False
    fits = sum(_fits(cell, part.role) or (or_whole and _is_whole(cell)) for cell in filled)
    return fits * 10 >= len(filled) * _MOST_OF_TEN


def _fits(cell: Cell, role: _Role) -> bool:
    text = _text(cell)
    if role == "day_month":
        return isinstance(cell, date) or bool(_DAY_MONTH.fullmatch(text))
    if role == "year":
        return text.isdecimal() and len(text) in (2, 4)
    return text.isdecimal() and 0 <= int(text) <= _MOST[role]


def _is_whole(cell: Cell) -> bool:
    """Whether it is a day with its year, as we write it into the first part of a file that goes back."""
    return isinstance(cell, date) or bool(_WHOLE.fullmatch(_text(cell)))


def _together(parts: Mapping[_Role, Cell]) -> Cell:
    """The day as one would write it in one cell; what is missing of it stays unread, but for what
    is more than a year or a month."""
    said = {role: cell for role, cell in parts.items() if not is_nothing(_text(cell))}
    if not said:
        return None
    whole = [cell for role, cell in said.items() if role in _BEGINS and _is_whole(cell)]
    if whole and not isinstance(whole[0], date):
        return whole[0]
    if len(said) == 1:
        role, cell = next(iter(said.items()))
        # A whole day in one of the cells stands for itself.
        return cell if role == "year" or not _fits(cell, role) else f"{_text(cell)}/?"
    year = _text(said.get("year"))
    if "day_month" in said:
        cell = said["day_month"]
        return f"{_day_month(cell)}/{year}"
    day, month = _text(said.get("day")), _text(said.get("month"))
    if not year:
        return f"{day}/{month}"
    return f"{day}/{month or 0}/{year}" if day else f"{month}/{year}"


def _day_month(cell: Cell) -> str:
    return f"{cell.day}/{cell.month}" if isinstance(cell, date) else _text(cell).replace(" ", "")


def _text(cell: Cell) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell).strip()
