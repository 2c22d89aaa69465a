"""Phone numbers in cells that hold more: a note, a label, a second number."""

import re
from typing import Final

from app.text import normalise_phone, tidy
from app.workbooks.tables import CellProblem

_NUMBER: Final = re.compile(r"(?<![0-9])\+?[0-9](?:[ .\-]?[0-9]){8,10}(?![0-9])")


def among(text: str) -> tuple[str, CellProblem] | None:
    """The first number in the text, and what it stood among; None without any."""
    found = [number for each in _NUMBER.findall(text) if (number := normalise_phone(each))]
    numbers = list(dict.fromkeys(found))
    if not numbers:
        return None
    taken, *others = numbers
    if others:
        shown = {"taken": taken, "others": ", ".join(others)}
        return taken, CellProblem("phone_several", shown, taken=True)
    return taken, CellProblem("phone_noted", {"text": tidy(text)[:60], "taken": taken}, taken=True)
