"""Days as people write them in lists: whole, without the day, only the year, or Excel's own number.

Day before month, always (domain facts, 4.4). What may be read in two ways is a problem with a
proposal; it is taken, with a warning, where the rest of the column leaves one reading only.
"""

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final, Literal

from app.clock import local_today
from app.problem_texts import FieldCode
from app.text import plain_width
from app.workbooks.day_columns import EPOCH, DayColumn, spelled_out, year_shown_as_day
from app.workbooks.tables import Cell, CellProblem

# `birth` and `known`: any precision, until today. `past`: a whole day until today. `any`: a whole day.
DayKind = Literal["birth", "known", "past", "any"]
_IN_PART: Final = frozenset({"birth", "known"})

# To the year 2100.
_FIRST_SERIAL, _LAST_SERIAL = 2101, 73_415
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_MEMBER_FROM, _MEMBER_TO = 14, 100
_UNION_FROM: Final = 1930
_LEAP_YEAR: Final = 2000

_WORDS: Final = re.compile(
    r"(?:sinh|ngày|tháng|năm|mùng|mồng|ngay|thang|nam|mung|day|month|year)\b\.?|\bt\.?(?=\s*[0-9])"
    r"|\b(?:sn|ns|s\.\s?n|n\.\s?s|s/n|n/s)\.?(?=[\s:.,-]*[0-9])",
    re.IGNORECASE,
)
# What stands beside a day: that it is not certain, or a note without a number ("1950 (Canh Dần)").
_NOTED: Final = re.compile(
    r"\b(?:vào khoảng|khoảng|khoang|chừng|chung|độ|ước|uoc|about)\b|[~≈]|\([^()0-9]*\)"
    # The age: "1956 (68t)", "1970 - 55 tuổi".
    r"|[\s,;-]*\(?\s*(?<![0-9/.])[0-9]{1,3}\s*(?:t\b|tuổi|tuoi)(?![\s.]*[0-9])\.?\s*\)?\s*$",
    re.IGNORECASE,
)
# Months in words; Giêng and Chạp are months of the moon, and stay unread.
_MONTH_NAMES: Final = (
    *("một", "hai", "ba", "tư", "năm", "sáu", "bảy", "tám", "chín", "mười"),
    *("mười một", "mười hai"),
)
# "ngày tháng năm 1970" is a form nobody filled in: the year alone.
_MONTH_IN_WORDS: Final = re.compile(
    rf"(?<!ngày )\btháng ({'|'.join(sorted(_MONTH_NAMES, reverse=True))})\b", re.IGNORECASE
)
_UNITS: Final = ("một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
_BEHIND_TEN: Final = (*_UNITS[:4], "lăm", *_UNITS[5:])
_BEHIND_TWENTY: Final = ("mốt", "hai", "ba", "tư", "lăm", *_UNITS[5:])
_DAYS: Final = (
    *_UNITS,
    *("mười", *(f"mười {unit}" for unit in _BEHIND_TEN)),
    *("hai mươi", *(f"hai mươi {unit}" for unit in _BEHIND_TWENTY)),
    *("ba mươi", "ba mươi mốt"),
)
_DAY_IN_WORDS: Final = re.compile(
    rf"\b(?:ngày|mồng|mùng) ({'|'.join(sorted(_DAYS, reverse=True))})(?= tháng\b)",
    re.IGNORECASE,
)
# A year of the moon's calendar, by its stem and its sign, each in the order of years from 1900 on.
_STEMS: Final = ("canh", "tân", "nhâm", "quý", "giáp", "ất", "bính", "đinh", "mậu", "kỷ")
_SIGNS: Final = (
    *("tý", "sửu", "dần", "mão", "thìn", "tỵ"),
    *("ngọ", "mùi", "thân", "dậu", "tuất", "hợi"),
)
_NAMED_YEAR: Final = re.compile(
    rf"\(?\b({'|'.join(_STEMS)})\s+({'|'.join(_SIGNS)})\b\)?", re.IGNORECASE
)
# A day of the moon, which is not converted.
_LUNAR: Final = re.compile(r"\(?\s*\b(?:âm lịch|âm|âl|a\.?l)\b\.?\s*\)?", re.IGNORECASE)
_TIME: Final = re.compile(r"[ T][0-9]{1,2}:[0-9]{2}(?::[0-9.]+)?(?:Z|[+-][0-9:]+)?$")
_SEP: Final = r"\s*[/\-.,\s]\s*"
_DAY: Final = re.compile(rf"([0-9]{{1,2}}){_SEP}([0-9]{{1,2}}){_SEP}([0-9]{{4}}|[0-9]{{2}})")
_ISO: Final = re.compile(rf"([0-9]{{4}}){_SEP}([0-9]{{1,2}})(?:{_SEP}([0-9]{{1,2}}))?")
_MONTH: Final = re.compile(rf"([0-9]{{1,2}}){_SEP}([0-9]{{4}})")
_DAY_MONTH: Final = re.compile(rf"([0-9]{{1,2}}){_SEP}([0-9]{{1,2}})")
_RUN: Final = re.compile("([0-9]{2})([0-9]{2})([0-9]{4})")


def read(
    cell: Cell, kind: DayKind, first_day: bool = False, column: DayColumn | None = None
) -> str | CellProblem:
    """Partial ISO date ("1968", "1968-05", "1968-05-17"); of a `past` or `any` day the whole.

    `first_day`: of a whole day what lacks its day or month is the first of it, by somebody's choice. A problem that
    is `taken` has the value as its proposal.
    """
    if column is not None and column.runs:
        cell = spelled_out(cell)
    found = _read(cell, kind, first_day)
    if column is None:
        return found
    if column.swapped and isinstance(cell, date) and cell.day != cell.month:
        meant = _taken(cell.year, cell.day, cell.month, kind)
        return CellProblem("date_swapped", {"day": f"{cell:%d/%m/%Y}"}, meant)
    if isinstance(found, str) and (year := year_shown_as_day(found)):
        return _year_alone("date_is_year", year, kind, first_day, column.years_as_days)
    if isinstance(found, CellProblem) and found.code == "date_century":
        return replace(found, taken=column.agrees(found.proposal))
    return found


def day_first(cell: Cell) -> Cell:
    """A day in figures that is written month first, as one that is written day first."""
    if isinstance(cell, str):
        written = _TIME.sub("", plain_width(cell).strip())
        if match := _DAY.fullmatch(written):
            return f"{match[2]}/{match[1]}/{match[3]}"
    return cell


def _year_alone(
    code: FieldCode, year: int, kind: DayKind, first_day: bool, taken: bool
) -> str | CellProblem:
    """Of a day that is not sound only the year; `taken`, where the field may be a year."""
    found = _checked(year, 0, 0, kind, first_day)
    if isinstance(found, str):
        return CellProblem(code, {"year": year}, found, taken)
    return replace(found, code=code, params={"year": year}) if found.proposal else found


def _read(cell: Cell, kind: DayKind, first_day: bool) -> str | CellProblem:
    if isinstance(cell, datetime):
        return _checked(cell.year, cell.month, cell.day, kind, first_day)
    if isinstance(cell, date):
        return _checked(cell.year, cell.month, cell.day, kind, first_day)
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return _of_number(cell, kind, first_day)
    if isinstance(cell, str):
        return _of_text(cell, kind, first_day)
    return CellProblem("date_unread")


def _of_number(number: float, kind: DayKind, first_day: bool) -> str | CellProblem:
    if not 0 < number < 100_000_000:  # nor what is no number at all
        return CellProblem("date_unread")
    if _FIRST_SERIAL <= number <= _LAST_SERIAL:
        day = EPOCH + timedelta(days=int(number))
        return _checked(day.year, day.month, day.day, kind, first_day)
    if number == int(number):
        return _of_text(
            f"{int(number):08d}" if number > 999_999 else str(int(number)), kind, first_day
        )
    # 5.1968, and 10.197 for 10.1970: the month and the year, typed with a point.
    month, _, year = str(number).partition(".")
    if len(year) in (3, 4):
        return _proposed(_checked(int(year.ljust(4, "0")), int(month), 0, "birth", first_day))
    return CellProblem("date_unread")


def _of_text(text: str, kind: DayKind, first_day: bool) -> str | CellProblem:
    written = _TIME.sub("", plain_width(text).strip().lstrip("'"))
    if _LUNAR.search(written):
        return _of_the_moon(_of_text(_LUNAR.sub("", written), kind, first_day), kind, first_day)
    if not written.isascii() and (named := _NAMED_YEAR.search(written)):
        found = _noted(_of_text(_NAMED_YEAR.sub(" ", written), kind, first_day), text)
        return found if _is_called(found, named) else CellProblem("date_unread")
    if _NOTED.search(written):
        return _noted(_of_text(_NOTED.sub(" ", written), kind, first_day), text)
    if not written.isascii():
        written = _DAY_IN_WORDS.sub(_day_number, " ".join(written.split()))
    numbered = _MONTH_IN_WORDS.sub(_month_number, written)
    bare = " ".join(_WORDS.sub(" ", numbered).split()).strip(" :.,/…_?-")
    if match := _DAY.fullmatch(bare):
        day, month = int(match[1]), int(match[2])
        year = int(match[3]) if len(match[3]) == 4 else _century(int(match[3]), kind)
        if not isinstance(year, int):
            return _with_year(year, day, month)
        return _checked(year, month, day, kind, first_day)
    if match := _ISO.fullmatch(bare):
        return _checked(int(match[1]), int(match[2]), int(match[3] or 0), kind, first_day)
    if match := _MONTH.fullmatch(bare):
        return _checked(int(match[2]), int(match[1]), 0, kind, first_day)
    if re.fullmatch("[0-9]{4}", bare):
        return _checked(int(bare), 0, 0, kind, first_day)
    if match := _DAY_MONTH.fullmatch(bare):
        sound = _is_day(_LEAP_YEAR, int(match[2]), int(match[1]))
        return CellProblem("date_without_year" if sound else "date_unread")
    if re.fullmatch("[0-9]{2}", bare):
        return _of_two_digits(int(bare), kind, first_day)
    if match := _RUN.fullmatch(bare):
        return _proposed(_checked(int(match[3]), int(match[2]), int(match[1]), kind, first_day))
    if re.fullmatch("[0-9]{5}", bare) and _FIRST_SERIAL <= int(bare) <= _LAST_SERIAL:
        return _proposed(_of_number(int(bare), kind, first_day))
    return CellProblem("date_unread")


def _of_the_moon(found: str | CellProblem, kind: DayKind, first_day: bool) -> str | CellProblem:
    day = found if isinstance(found, str) else found.proposal
    return found if day is None else _year_alone("date_lunar", int(day[:4]), kind, first_day, True)


def _noted(found: str | CellProblem, text: str) -> str | CellProblem:
    """A day that something is written beside: it stands, with a sign."""
    if not isinstance(found, str):
        return found
    return CellProblem("date_noted", {"text": text[:60], "taken": found}, found, taken=True)


def _of_two_digits(digits: int, kind: DayKind, first_day: bool) -> str | CellProblem:
    year = _century(digits, kind)
    if not isinstance(year, int):
        return CellProblem("date_century")
    found = _checked(year, 0, 0, kind, first_day)
    return CellProblem("date_century", {}, found) if isinstance(found, str) else found


def _is_called(found: str | CellProblem, named: re.Match[str]) -> bool:
    """Whether the year that was read is the one of this name: 1950 is Canh Dần."""
    day = found if isinstance(found, str) else found.proposal
    if day is None:
        return False
    past = int(day[:4]) - _FIRST_YEAR
    name = (_STEMS[past % len(_STEMS)], _SIGNS[past % len(_SIGNS)])
    return name == (named[1].casefold(), named[2].casefold())


def _day_number(match: re.Match[str]) -> str:
    return str(_DAYS.index(match[1].casefold()) + 1)


def _month_number(match: re.Match[str]) -> str:
    return f" {_MONTH_NAMES.index(match[1].casefold()) + 1} "


def _proposed(read_: str | CellProblem) -> CellProblem:
    return read_ if isinstance(read_, CellProblem) else CellProblem("date_unread", {}, read_)


def _checked(year: int, month: int, day: int, kind: DayKind, first_day: bool) -> str | CellProblem:
    """The day of these numbers, if there is such a day; 0 means unknown (00/00/1955)."""
    if month > 12 >= day > 0 and _is_day(year, day, month):
        return CellProblem("date_month_first", {}, _taken(year, day, month, kind))
    if not month and day:
        return CellProblem(
            "date_unread", {}, _taken(year, 0, 0, kind) if kind in _IN_PART else None
        )
    if not _is_day(year, month or 1, day or 1):
        return CellProblem("date_unread")
    if year < _FIRST_YEAR:
        return CellProblem("birth_too_early" if kind == "birth" else "date_too_early")
    if year > _LAST_YEAR or (kind != "any" and date(year, month or 1, day or 1) > local_today()):
        return CellProblem("birth_in_future" if kind == "birth" else "date_in_future")
    whole = f"{year:04d}-{month or 1:02d}-{day or 1:02d}"
    if day or (first_day and kind not in _IN_PART):
        return whole
    if kind not in _IN_PART:
        return CellProblem("date_partial", {}, whole)
    return f"{year:04d}-{month:02d}" if month else f"{year:04d}"


def _taken(year: int, month: int, day: int, kind: DayKind) -> str | None:
    """A day as a proposal, if it would be taken."""
    day_ = _checked(year, month, day, kind, first_day=False)
    return day_ if isinstance(day_, str) else None


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _century(year: int, kind: DayKind) -> int | tuple[int, ...]:
    """The year that two digits mean when only one makes sense, else those that might."""
    now = local_today().year
    first, last = {
        "birth": (now - _MEMBER_TO, now - _MEMBER_FROM),
        "known": (_UNION_FROM, now),
        "past": (_UNION_FROM, now),
        "any": (now - 49, now + 50),
    }[kind]
    likely = tuple(each for each in (1900 + year, 2000 + year) if first <= each <= last)
    return likely[0] if len(likely) == 1 else likely or (1900 + year,)


def _with_year(years: tuple[int, ...], day: int, month: int) -> CellProblem:
    year = years[0]
    sound = _is_day(year, month or 1, day or 1) and day and month
    return CellProblem("date_century", {}, f"{year}-{month:02d}-{day:02d}" if sound else None)
