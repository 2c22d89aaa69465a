"""Levels of schooling as lists have them: classes finished, of ten or twelve, or a higher school."""

import re
from collections.abc import Iterable, Sequence
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
# Between two levels in one cell; a class of twelve has a stroke of its own.
_APART: Final = re.compile(
    r"\s*[,;+&()\n]\s*|\s+[-–—/]\s*|\s*[-–—]\s+|(?<=/1[02])(?:\s*[-–—/]\s*|\s+)|\s+(?:và|va)\s+"
)
_MOST_OF_TEN: Final = 8
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


def levels(cell: Cell, kind: Kind) -> dict[str, str] | None:
    """`education` and `qualification`, as far as a cell says them: "12/12, ĐH Sư phạm"; None where
    it says something else, or one of them twice."""
    text = clean(f"{cell.day}/{cell.month}" if isinstance(cell, date) else str(cell))
    if len(text) > _LONGEST_DEGREE:
        return None
    found: dict[str, str] = {}
    for part in filter(None, _APART.split(text)):
        said = _one_level(part, kind)
        if said is None or said[0] in found:
            return None
        found[said[0]] = said[1]
    return found or None


def read_levels(cell: Cell, kind: Kind) -> tuple[dict[str, str], CellProblem | None] | None:
    """`levels`, with a warning that says what goes where; of schooling alone that of `read`. None for
    what is neither."""
    found = levels(cell, kind)
    if found is None:
        return None
    if found.keys() == {"education"}:
        classes = read(cell, kind)
        return found, classes[1] if classes else None
    specs = headers.fields(kind)
    said = (f"{specs[n].vi}: {dict(headers.code_list(kind, n))[found[n]]}" for n in found)
    return found, CellProblem(
        "levels_read", {"text": str(cell)[:60], "said": "; ".join(said)}, taken=True
    )


def _one_level(part: str, kind: Kind) -> tuple[str, str] | None:
    """The field, and its value."""
    if (degree := qualification(part, kind)) is not None:
        return "qualification", degree
    if (level := headers.spellings_of(kind, "education").find(part)) is not None:
        return "education", level
    return ("education", classes[0]) if (classes := read(part, kind)) else None


def are_levels(cells: Sequence[Cell], kind: Kind) -> bool:
    """Whether most cells say one of the two levels or both, and some a qualification."""
    said = [levels(cell, kind) for cell in cells]
    with_degree = any("qualification" in each for each in said if each)
    return with_degree and sum(map(bool, said)) * 10 >= len(said) * _MOST_OF_TEN


def says_both(cells: Iterable[Cell], kind: Kind) -> bool:
    """Whether one of the cells says both levels."""
    return any(len(levels(cell, kind) or ()) > 1 for cell in cells)


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
