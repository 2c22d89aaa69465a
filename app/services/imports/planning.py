"""What the plans of all kinds of lists share: proposals, refusals, records that are gone."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from app.errors import FIELD_ERRORS, FieldError, Problem, field_error
from app.models.imports.imports import Outcome
from app.services.imports import store
from app.services.imports.kinds import Earlier, Frame, Given, Json, Plan, wrong
from app.services.kernel.access import Actor, Db

Pairs = Sequence[tuple[Given, Plan]]
# What a service refuses without a field, or in the words of an address, as a row is told.
_AS_ROW = {
    "stale_revision": "record_changed",
    "not_found": "record_gone",
    "forbidden": "unit_unknown",
    "member_restricted": "row_of_restricted",
    "member_erased": "row_of_erased",
    "unit_closed": "unit_not_open",
    "unit_not_open_yet": "unit_not_open",
}


class Planner:
    """One import's frame, and what may be said of its rows. `places` are fields by the pointer
    that the service names them by, where these differ; `since` is the day a fact begins."""

    places: Mapping[str, str] = {}

    def __init__(self, db: Db, actor: Actor, frame: Frame) -> None:
        self.db = db
        self.actor = actor
        self.frame = frame

    def place(self, field: str) -> tuple[str | None, str | None]:
        return self.frame.columns.get(field, (None, None))

    def accept(self, row: Given, made: Plan) -> None:
        """Proposals that somebody has confirmed are what the row says."""
        left = []
        for problem in made.problems:
            confirmed = problem["field"] in row.accepted or problem["code"] in self.frame.accept
            if confirmed and problem["proposal"] is not None:
                row.values[problem["field"]] = problem["proposal"]
            else:
                left.append(problem)
        made.problems = left

    def refuse(
        self, made: Plan, row: Given, field: str, code: str, *, level: str = "error", **params: Any
    ) -> None:
        value = row.values.get(field)
        if isinstance(value, dict):
            value = value.get("name") or value.get("id")
        written = "" if value is None else str(value)
        made.problems.append(
            wrong(code, field, self.place(field), written=written, level=level, **params)
        )

    def refuse_all(self, made: Plan, row: Given, errors: Sequence[FieldError]) -> None:
        for error in errors:
            field = field_of(error.pointer, self.places)
            params = {k: v for k, v in error.params.items() if v is not None and k != "form"}
            self.refuse(made, row, field, error.code, **params)

    def refuse_problem(self, made: Plan, row: Given, problem: Problem, field: str) -> None:
        """What a service said of the row; `field` where it names none."""
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

    def without_taken_back(
        self, pairs: Pairs, targets: Sequence[UUID | None], known: Mapping[UUID, Any]
    ) -> list[UUID | None]:
        """An id that an undone import gave is nobody's: the row is new again."""
        unknown = {t for t in targets if t is not None and t not in known}
        gone = store.taken_back(self.db, unknown)
        for (row, _), target in zip(pairs, targets, strict=True):
            if target in gone:
                row.values["id"] = None
        return [None if target in gone else target for target in targets]


def keys_of(pairs: Pairs) -> list[tuple[int, str]]:
    """What rows without an id may be known by, their unit and their fingerprint."""
    return [
        (made.unit_id or 0, row.fingerprint) if row.values.get("id") is None else (0, "")
        for row, made in pairs
    ]


def targets_of(db: Db, pairs: Pairs, earlier: Earlier) -> tuple[list[UUID | None], list[bool]]:
    """The record each row stands for by its id or by an earlier import, and whether the very same
    row was the last to touch it."""
    keys = keys_of(pairs)
    known = earlier(db, [key for key in keys if key[1]])
    met = [known.get(key, (None, False)) for key in keys]
    targets = [
        as_uuid(row.values.get("id")) or found
        for (row, _), (found, _) in zip(pairs, met, strict=True)
    ]
    return targets, [untouched for _, untouched in met]


def settle(plans: Sequence[Plan]) -> None:
    """A row with something wrong is in error; an id that stands for nothing is not told."""
    for made in plans:
        if any(problem["level"] == "error" for problem in made.problems) and (
            made.outcome not in (Outcome.skipped, Outcome.duplicate)
        ):
            made.outcome = Outcome.error
        if made.outcome is not Outcome.created and made.entity_revision is None:
            made.entity_id = None  # there is no such record, and there will be none


def of_problem(problem: Problem, field: str, places: Mapping[str, str]) -> list[Json]:
    """A service's refusal as wrong cells, each told in the words of rows."""
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


def as_uuid(value: str | None) -> UUID | None:
    return None if value is None else UUID(value)


def field_errors(error: ValidationError) -> list[FieldError]:
    return [field_error({**item, "loc": ("body", *item["loc"])}) for item in error.errors()]


def as_json(model: Any, values: Mapping[str, Any]) -> Json:
    dumped: Json = model.model_construct(**values).model_dump(
        mode="json", exclude_unset=True, warnings=False
    )
    return dumped
