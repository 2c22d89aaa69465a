"""Levels of schooling as lists have them: classes finished, of ten or twelve, or a higher school."""

import re
from datetime import date
from itertools import combinations
from typing import Final

from app.text import clean
from app.workbooks import headers
from app.workbooks.tables import Cell, CellProblem, Kind

_OF_ALL: Final = re.compile(r"(?:(?:lớp|lop)\s*)?([0-9]{1,2})\s*/\s*(10|12)")
_CLASS: Final = re.compile(r"(?:học\s+|hoc\s+)?(?:hết\s+|het\s+)?(?:lớp|lop)\s*([0-9]{1,2})")
_FINISHED: Final = re.compile(
    r"(?:đã |da )?(?:(?:tốt nghiệp|tot nghiep|tn|học hết|hoc het|học xong|hoc xong|hết|het|trình độ)\s+)+"
)
# Without tones "đẳng" is written as "đang".
_UNFINISHED: Final = re.compile(
    r"\b(?:chưa|chua|đang|dang học|dang hoc|dở|không|khong|ko|năm (?:thứ )?[0-9])\b", re.IGNORECASE
)
_LONGEST_DEGREE: Final = 80
# Schools that take only who has finished the upper secondary.
_HIGHER: Final = frozenset({"college", "bachelor", "master", "doctor"})


def read(cell: Cell, kind: Kind) -> tuple[str, CellProblem | None] | None:
    """The level, with a warning where the cell says it in another way; None when it names no
    classes and no higher school."""
    text = clean(f"{cell.day}/{cell.month}" if isinstance(cell, date) else str(cell))
    low = text.casefold()
    if of_all := _OF_ALL.fullmatch(low):
        done, whole = int(of_all[1]), int(of_all[2])
        if done > whole:
            return None
        # A spreadsheet made a date of it.
        return _level(done, whole), _told(text) if isinstance(cell, date) else None
    if (single := _CLASS.fullmatch(low)) and int(single[1]) <= 12:
        return _level(int(single[1]), 12), _told(text)
    finished = _FINISHED.match(low)
    if finished and (level := headers.spellings_of(kind, "education").find(text[finished.end() :])):
        return level, _told(text)
    if qualification(text, kind) in _HIGHER:
        return "upper_secondary", _told(text)
    return None


def qualification(text: str, kind: Kind) -> str | None:
    """The level that a qualification begins with ("Đại học Sư phạm"); None where it says two, or
    that it is not finished."""
    spelled = headers.spellings_of(kind, "qualification")
    if len(text) > _LONGEST_DEGREE or _UNFINISHED.search(text):
        return spelled.find(text)
    words = text.split()
    found = [
        (start, code)
        for start, end in combinations(range(len(words) + 1), 2)
        if (code := spelled.find(" ".join(words[start:end]))) not in (None, "none")
    ]
    levels = {code for _, code in found}
    return levels.pop() if len(levels) == 1 and found[0][0] == 0 else spelled.find(text)


def _level(done: int, whole: int) -> str:
    # Of ten classes (before 1989 in the North) four and seven ended a school, of twelve 5 and 9.
    lower, primary = (9, 5) if whole == 12 else (7, 4)
    if done == whole:
        return "upper_secondary"
    if done >= lower:
        return "lower_secondary"
    return "primary" if done >= primary else "none"


def _told(text: str) -> CellProblem:
    return CellProblem("schooling_read", {"text": text}, taken=True)
