"""What is wrong with the rows of a list, in the words of its columns: accepted, left out or refused."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from app.errors import FIELD_ERRORS, FieldError, Problem, field_error
from app.models.imports.imports import RowDecision
from app.problem_texts import FieldCode, ProblemCode
from app.services.imports.kinds import wrong
from app.services.kernel.list_kinds import Frame, Given, Json, RowPlan

# The code of a row for problems that name no field, or are worded for an address.
_AS_ROW: Mapping[ProblemCode, FieldCode] = {
    "stale_revision": "record_changed",
    "not_found": "record_gone",
    "forbidden": "unit_unknown",
    "member_restricted": "row_of_restricted",
    "member_erased": "row_of_erased",
    "code_taken": "unit_code_taken",
    "unit_closed": "unit_not_open",
    "unit_level_ended": "unit_level_ended_then",
    "unit_level_order": "unit_under_wrong_level",
    "unit_not_open_yet": "unit_not_open",
}


# What a person has to look at: a decision to write the row takes it, or `accept` for all rows.
WAITS: Final = frozenset(
    {"row_struck_out", "row_says_gone", "row_says_no_member", "row_shifted", "row_hidden"}
)


def _is_decided(row: Given, problem: Json, frame: Frame) -> bool:
    return row.decision in (RowDecision.create, RowDecision.update) or (
        problem["code"] in frame.accept
    )


def _as_meant(problem: Json, meant: str) -> Json:
    said = {"code": "meaning_chosen", "params": {"meant": meant}, "proposal": None}
    return {**problem, **said, "level": "warning"}


class Refusals:
    """Writes down what is wrong with rows.

    `places` are fields by the pointer that the service names them by, where these differ; `since` is
    the day a fact begins.
    """

    places: Mapping[str, str] = {}

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def place(self, field: str) -> tuple[str | None, str | None]:
        return self.frame.columns.get(field, (None, None))

    def accept(self, row: Given, made: RowPlan) -> None:
        """Take the confirmed proposals as values of the row."""
        left = []
        for problem in made.problems:
            meant = self.frame.meaning(problem["field"], problem["written"])
            confirmed = problem["field"] in row.accepted or problem["code"] in self.frame.accept
            if confirmed and problem["proposal"] is not None:
                row.values[problem["field"]] = problem["proposal"]
            elif meant is not None:
                row.values[problem["field"]] = meant
                left.append(_as_meant(problem, meant))
            elif problem["code"] in WAITS and _is_decided(row, problem, self.frame):
                left.append({**problem, "level": "warning"})
            elif problem in self.frame.leave_out:
                left.append({**problem, "level": "warning", "left_out": True})
            else:
                left.append(problem)
        made.problems = left

    def refuse(
        self,
        made: RowPlan,
        row: Given,
        field: str,
        code: FieldCode,
        *,
        level: str = "error",
        **params: Any,
    ) -> None:
        value = row.values.get(field)
        if isinstance(value, dict):
            value = value.get("name") or value.get("id")
        written = "" if value is None else str(value)
        made.problems.append(
            wrong(code, field, self.place(field), written=written, level=level, **params)
        )

    def refuse_all(self, made: RowPlan, row: Given, errors: Sequence[FieldError]) -> None:
        for error in errors:
            field = field_of(error.pointer, self.places)
            params = {k: v for k, v in error.params.items() if v is not None and k != "form"}
            self.refuse(made, row, field, error.code, **params)

    def refuse_problem(self, made: RowPlan, row: Given, problem: Problem, field: str) -> None:
        """The errors that a service found in the row; `field` where it names none."""
        made.problems += [
            wrong(
                told["code"],
                told["field"],
                self.place(told["field"]),
                written=str(row.values.get(told["field"]) or ""),
                **told["params"],
            )
            for told in of_problem(problem, field, self.places)
        ]


def of_problem(problem: Problem, field: str, places: Mapping[str, str]) -> list[Json]:
    """A service's refusal as wrong cells, each with the problem code used for rows."""
    code = _AS_ROW.get(problem.code, problem.code)
    if code == "unit_not_open":
        field = places.get("since", field)  # the day is wrong as much as the unit
    if code in FIELD_ERRORS:
        named = field_of(problem.errors[0].pointer, places) if problem.errors else field
        params = {name: getattr(v, "value", v) for name, v in problem.params.items()}
        return [wrong(code, named, **params)]
    if not problem.errors:
        return [wrong("invalid", field)]
    return [
        wrong(each.code, field_of(each.pointer, places), **each.params) for each in problem.errors
    ]


def field_of(pointer: str, places: Mapping[str, str]) -> str:
    whole = pointer.strip("/")
    return places.get(whole) or places.get(whole.rpartition("/")[2]) or whole.partition("/")[0]


def field_errors(error: ValidationError) -> list[FieldError]:
    return [field_error({**item, "loc": ("body", *item["loc"])}) for item in error.errors()]
