"""The kinds of lists that are installed, and problems of their rows as they are kept."""

from collections.abc import Mapping
from typing import Any, Final

from app.errors import FieldError
from app.problem_texts import FieldCode
from app.services.kernel.list_kinds import Json, KindOfList
from app.services.kernel.manifest import manifest
from app.workbooks.rows import RowProblem
from app.workbooks.tables import CellProblem

# What is chosen for a list that nobody has chosen anything for.
OPTIONS: Final[Mapping[str, Any]] = {
    "duplicates": "hold",
    "empty_cells": "keep",
    "first_day": False,
    "accept": [],
    "leave_out": {"fields": [], "codes": []},
    "day_order": "day_first",
}


def all_kinds() -> Mapping[str, KindOfList]:
    """Every kind of list that a capability takes, by its name."""
    return manifest().import_kinds


def kind_of(name: str) -> KindOfList:
    return all_kinds()[name]


# -- problems as they are kept


def wrong(
    code: FieldCode,
    field_: str,
    place: tuple[str | None, str | None] = (None, None),
    *,
    written: str = "",
    proposal: str | None = None,
    level: str = "error",
    left_out: bool = False,
    **params: Any,
) -> Json:
    """One wrong cell as JSON; `place` is (letter, header)."""
    letter, header = place
    return {
        "level": level,
        "field": field_,
        "letter": letter,
        "header": header,
        "written": written,
        "code": code,
        "params": {name: value for name, value in params.items() if value is not None},
        "proposal": proposal,
        "left_out": left_out,
    }


def of_file(problem: RowProblem) -> Json:
    """A problem of the file's own as JSON."""
    found = problem.problem
    place = (problem.letter, problem.header)
    return wrong(
        found.code,
        problem.field,
        place,
        written=problem.written,
        proposal=found.proposal,
        level="warning" if found.taken or found.left_out else "error",
        left_out=found.left_out,
        **found.params,
    )


def as_cell(problem: Json, index: int | None, header: str) -> RowProblem:
    """The same, for the file that goes back."""
    cell = CellProblem(problem["code"], problem["params"], problem["proposal"])
    return RowProblem(problem["field"], index, problem["letter"], header, problem["written"], cell)


def texts(problem: Json) -> dict[str, str | None]:
    """`text_vi`, `text_en`, `hint_vi`, `hint_en`."""
    params = {"form": "17/05/1968"} | problem["params"]
    error = FieldError("body", "", problem["code"], params)
    vi, en = error.render("vi"), error.render("en")
    return {
        "text_vi": vi["detail"],
        "text_en": en["detail"],
        "hint_vi": vi.get("hint"),
        "hint_en": en.get("hint"),
    }
