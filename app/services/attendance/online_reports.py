"""Reports of participants as Zoom, Google Meet and Microsoft Teams export them (CSV), read as captures.

Their columns are found by name, in English or Vietnamese; times are those of Vietnam. A person who
came and went several times has a line each time. The same file again is the same captures. A report
of Teams has several tables: the participants, with the sum of each, are read.
"""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from io import StringIO
from itertools import islice, takewhile
from typing import Final
from uuid import UUID

from sqlmodel import Session

from app.clock import VIETNAM
from app.errors import FieldError, Problem, invalid, not_found
from app.models.attendance.attendance import AttendanceOutcome, CaptureItem, CaptureKind, Verdict
from app.models.base import uuid8
from app.problem_texts import FieldCode
from app.services.attendance.batch import store_items
from app.services.attendance.drafts import Answer
from app.services.attendance.facts import Sitting
from app.services.attendance.people import by_name
from app.services.attendance.sittings import sitting_to_capture
from app.services.kernel.access import Actor, Db
from app.text import clean, fold

MOST_LINES: Final = 5_000
# A header stands after a few lines about the meeting, at most.
_HEADER_WITHIN: Final = 12
_DAY = timedelta(days=1)

_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": (
        "Name (Original Name)",
        "User Name (Original Name)",
        "Name",
        "Full name",
        "Participant",
        "Tên (Tên gốc)",
        "Họ và tên",
        "Họ tên",
    ),
    "first": ("First name", "Tên"),
    "last": ("Last name", "Họ"),
    "joined": ("Join Time", "Time joined", "First Join", "Thời gian tham gia", "Thời gian vào"),
    "left": (
        "Leave Time",
        "Time exited",
        "Last Leave",
        "Thời gian rời đi",
        "Thời gian rời",
        "Thời gian thoát",
    ),
    "minutes": (
        "Duration (Minutes)",
        "Total Duration (Minutes)",
        "Duration",
        "In-Meeting Duration",
        "Thời lượng (Phút)",
        "Thời lượng",
    ),
}
_BY_TITLE = {fold(title): column for column, titles in _COLUMNS.items() for title in titles}

_DATES = ("%m/%d/%Y", "%m/%d/%y", "%d/%m/%y", "%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y", "%Y/%m/%d")
_TIMES = ("%I:%M:%S %p", "%I:%M %p", "%H:%M:%S", "%H:%M")
_HOURS = re.compile(r"(\d+)\s*(?:h|hr|hrs|hour|hours|gio)\b")
_MINUTES = re.compile(r"(\d+)\s*(?:m|min|mins|minute|minutes|phut)\b")
_SECONDS = re.compile(r"(\d+)\s*(?:s|sec|secs|second|seconds|giay)\b")
# "3. In-Meeting Activities": the next table of a report of Teams.
_NEXT_TABLE = re.compile(r"[0-9]+\. \S.*")
_BRACKETED = re.compile(r"^(.*?)\s*\((.+)\)\s*$")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a report: `names` are her possible names, the likeliest first."""

    number: int
    names: tuple[str, ...]
    joined_at: datetime | None
    left_at: datetime | None
    minutes: int | None


# What a time in a report may mean: without a day it is of the day of the session.
Times = Sequence[time | datetime]


@dataclass(frozen=True, slots=True)
class Reported:
    """One line of a report before the day of its session is known."""

    number: int
    names: tuple[str, ...]
    joined: Times
    left: Times
    minutes: int | None


@dataclass(frozen=True, slots=True)
class Taken:
    line: Line
    answer: Answer


def take(
    session: Session, actor: Actor, session_id: UUID, report: Sequence[Reported]
) -> list[Taken]:
    """Every line of a report (`read`) as an online capture, with its verdict."""
    sitting = sitting_to_capture(session, actor, session_id)
    if sitting is None:
        raise not_found()
    lines = [_of_day(each, sitting.local_date) for each in report]
    names = _names(session, sitting, lines)
    seen: Counter[str] = Counter()
    items = []
    for line in lines:
        content = f"{line.names}{line.joined_at}{line.left_at}{line.minutes}"
        seen[content] += 1
        items.append(_item(sitting, line, names[line.names], f"{content}{seen[content]}"))
    answers = store_items(session, actor, sitting, items)
    return [Taken(line, answer) for line, answer in zip(lines, answers, strict=True)]


def _names(
    db: Db, sitting: Sitting, lines: Sequence[Line]
) -> dict[tuple[str, ...], tuple[str, UUID | None]]:
    """The name to use for each line, and the only person on the roster who has it, if any."""
    found = by_name(db, sitting, {name for line in lines for name in line.names})
    chosen: dict[tuple[str, ...], tuple[str, UUID | None]] = {}
    for line in lines:
        sure = (name for name in line.names if len(found[name]) == 1)
        name = next(sure, next((each for each in line.names if found[each]), line.names[0]))
        chosen[line.names] = (name, found[name][0] if len(found[name]) == 1 else None)
    return chosen


def _item(
    sitting: Sitting, line: Line, called: tuple[str, UUID | None], content: str
) -> CaptureItem:
    name, member_id = called
    # A display name need not be a name by our rules: kept as it is.
    return CaptureItem.model_construct(
        id=_id(sitting.id, content),
        kind=CaptureKind.online,
        occurred_at=line.joined_at or sitting.starts_at,
        name=None if member_id else name[:120],
        member_id=member_id,
        minutes=line.minutes,
        note=None if member_id is None else f"{line.names[0]}"[:500],
    )


def _id(session_id: UUID, content: str) -> UUID:
    """The id of a capture, from the contents of its line (UUIDv8, RFC 9562): no report counts
    twice.
    """
    return uuid8(hashlib.blake2b(session_id.bytes + content.encode(), digest_size=16).digest())


def figures(taken: Sequence[Taken]) -> dict[str, int]:
    answers = [each.answer for each in taken]
    return {
        "lines": len(answers),
        "new": sum(each.attendance is AttendanceOutcome.new for each in answers),
        "already": sum(each.attendance is AttendanceOutcome.already for each in answers),
        "pending_identity": sum(
            each.attendance is AttendanceOutcome.pending_identity for each in answers
        ),
        "refused": sum(each.verdict is Verdict.refused for each in answers),
    }


# -- reading


def read(data: bytes) -> list[Reported]:
    """The lines of a report; 422 when it is none. It takes its time: read it before anything is
    locked."""
    columns, rest = _header(_rows(_text(data)))
    own = takewhile(lambda cells: not _begins_another(cells), rest)
    filled = ((number, cells) for number, cells in enumerate(own, 1) if any(cells))
    lines = [_reported(number, cells, columns) for number, cells in islice(filled, MOST_LINES)]
    if beyond := sum(1 for _ in filled):
        raise Problem("batch_too_large", count=len(lines) + beyond, limit=MOST_LINES)
    if not lines:
        raise invalid("report_unreadable", "")
    return lines


def _begins_another(cells: Sequence[str]) -> bool:
    """Whether another table begins here: its title stands alone."""
    return bool(cells) and not any(cells[1:]) and bool(_NEXT_TABLE.fullmatch(cells[0]))


def _text(data: bytes) -> str:
    for encoding in ("utf-8-sig", "utf-16"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise invalid("report_unreadable", "")


def _rows(text: str) -> Iterator[list[str]]:
    head = text[:2_000]
    delimiter = max(",;\t", key=head.count)
    try:
        for cells in csv.reader(StringIO(text), delimiter=delimiter):
            yield [clean(cell) for cell in cells]
    except csv.Error:
        raise invalid("report_unreadable", "") from None


def _header(rows: Iterator[list[str]]) -> tuple[dict[str, int], Iterator[list[str]]]:
    for cells in islice(rows, _HEADER_WITHIN):
        columns: dict[str, int] = {}
        for place, title in enumerate(cells):
            column = _BY_TITLE.get(fold(title))
            if column is not None:
                columns.setdefault(column, place)
        named = "name" in columns or {"first", "last"} <= columns.keys()
        if named and columns.keys() & {"joined", "minutes"}:
            return columns, rows
    raise invalid("report_unreadable", "")


def _reported(number: int, cells: Sequence[str], columns: Mapping[str, int]) -> Reported:
    told = {column: cells[place] if place < len(cells) else "" for column, place in columns.items()}
    names = _called(told)
    if not names:
        raise _wrong(number, "name", "required")
    joined, left = _times(number, "joined", told), _times(number, "left", told)
    return Reported(number, names, joined, left, _duration(told.get("minutes", "")))


def _of_day(line: Reported, day: date) -> Line:
    joined = _moment(line.number, "joined", line.joined, day)
    left = _moment(line.number, "left", line.left, day)
    if joined and left and left < joined:
        left += _DAY  # times without a day, around midnight
    minutes = line.minutes
    if minutes is None and joined and left:
        minutes = round((left - joined).total_seconds() / 60)
    return Line(line.number, line.names, joined, left, minutes)


def _called(told: Mapping[str, str]) -> tuple[str, ...]:
    if "name" not in told:
        first, last = told["first"], told["last"]
        names = [f"{last} {first}", f"{first} {last}"]
    else:
        bracketed = _BRACKETED.match(told["name"])
        names = [*bracketed.groups()] if bracketed else [told["name"]]
        # "Khu 3 - Nguyễn Thị Hoa": the prefix that participants are asked to use.
        names += [re.split(r"\s[-–_|]\s|_", name)[-1] for name in names]
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _times(number: int, column: str, told: Mapping[str, str]) -> Times:
    """What a cell may mean, whichever of day and month comes first; nothing where it is empty."""
    text = told.get(column, "").upper().replace(", ", " ")
    if not text:
        return ()
    for form in _TIMES:
        if (moment := _parsed(text, form)) is not None:
            return (moment.time(),)
    forms = [f"{date_form} {form}" for date_form in _DATES for form in _TIMES]
    found = [moment for form in forms if (moment := _parsed(text, form)) is not None]
    if not found:
        raise _wrong(number, column, "report_time")
    return found


def _moment(number: int, column: str, times: Times, day: date) -> datetime | None:
    """The one that is near the day of the session."""
    for each in times:
        if not isinstance(each, datetime):
            return datetime.combine(day, each, VIETNAM)
        if abs(each.date() - day) <= _DAY:
            return each.replace(tzinfo=VIETNAM)
    if times:
        raise _wrong(number, column, "report_time")
    return None


def _parsed(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)  # noqa: DTZ007  # its zone is added: it says none
    except ValueError:
        return None


def _duration(text: str) -> int | None:
    """Minutes: `62`, `62 min`, `1 hr 2 min`, `1h 2m 20s`, `1 giờ 2 phút`, `01:02:00`."""
    told = fold(text)
    if told.isascii() and told.isdigit():
        return min(int(told[:6]), 72 * 60)
    if (moment := _parsed(told, "%H:%M:%S")) is not None:
        clock = moment.time()
        return round(
            timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second) / _MINUTE
        )
    parts = [form.search(told) for form in (_HOURS, _MINUTES, _SECONDS)]
    if not any(parts):
        return None
    hours, minutes, seconds = (int(part[1][:5]) if part else 0 for part in parts)
    return min(hours, 999) * 60 + minutes + round(seconds / 60)


_MINUTE = timedelta(minutes=1)


def _wrong(number: int, column: str, code: FieldCode) -> Problem:
    error = FieldError("body", f"/{number}/{column}", code)
    return Problem("validation_failed", errors=[error], count=1)
