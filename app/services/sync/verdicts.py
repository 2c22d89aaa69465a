"""What became of an operation: how it is kept, and how it reads in the language of the reader."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.errors import FieldError, Problem
from app.models.sync.operations import (
    OperationNext,
    OperationRead,
    OperationState,
    OperationVerdict,
    PushedOperation,
    WaitsFor,
)
from app.problem_texts import LANGUAGES, Language

FAILED = "operation_failed"
_GONE = (
    "not_found",
    "member_erased",
    "operation_forgotten",
    "unit_lost",
    "forbidden",
    "operation_superseded",
    "operation_rewritten",
)
_DONE = (OperationState.applied, OperationState.merged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an operation. `patch`: what of it still waits."""

    state: OperationState
    subject_id: UUID | None = None
    merged_into: UUID | None = None
    revision: int | None = None
    problem: Problem | None = None
    warnings: Sequence[FieldError] = ()
    others: Sequence[Mapping[str, Any]] = ()
    fields: Sequence[str] = ()
    waits_for: WaitsFor | None = None
    waits_on: UUID | None = None
    unit_id: int | None = None
    patch: Mapping[str, Any] | None = None


def refused(problem: Problem, subject_id: UUID | None = None) -> Outcome:
    return Outcome(state=OperationState.refused, problem=problem, subject_id=subject_id)


def failed(patch: Mapping[str, Any]) -> Outcome:
    """The server itself has failed at it: it is tried again, and others do not wait for it."""
    return Outcome(
        state=OperationState.held,
        problem=Problem("operation_failed"),
        waits_for=WaitsFor.retry,
        patch=patch,
    )


def keep(row: PushedOperation, outcome: Outcome) -> None:
    """Write what became of an operation into its row."""
    row.state = outcome.state
    row.subject_id = outcome.subject_id or row.subject_id
    row.code = None if outcome.problem is None else outcome.problem.code
    row.revision = outcome.revision
    row.waits_for = outcome.waits_for
    row.waits_on = outcome.waits_on
    row.unit_id = outcome.unit_id
    row.patch = None if outcome.patch is None else json.dumps(outcome.patch)
    row.told = _told(outcome)


def _told(outcome: Outcome) -> str | None:
    """The sentences in both languages; the phone that asks later may have another one."""
    beside = {
        "others": [*outcome.others],
        "fields": [*outcome.fields],
        "merged_into": outcome.merged_into and str(outcome.merged_into),
    }
    if not (outcome.problem or outcome.warnings or any(beside.values())):
        return None
    told: dict[str, Any] = {
        language: {
            "problem": outcome.problem and _problem(outcome.problem, language),
            "warnings": [_field(each, language) for each in outcome.warnings],
        }
        for language in LANGUAGES
    }
    return json.dumps(told | beside)


def _problem(problem: Problem, language: Language) -> dict[str, Any]:
    """As ItemProblem."""
    body = problem.render(language=language, instance="", request_id="")
    errors = [_field(each, language) for each in problem.errors]
    errors += problem.extra.get("because", {}).get(language, [])
    return {"code": problem.code, "detail": body["detail"], "errors": errors}


def _field(error: FieldError, language: Language) -> dict[str, Any]:
    rendered = error.render(language)
    return {name: rendered[name] for name in ("pointer", "code", "detail")}


def follows_from(row: Any) -> Problem:
    """Why an operation is refused that depends on this one, which was."""
    told: dict[str, Any] = json.loads(row.told or "{}")
    because = {
        language: [
            {
                "pointer": "/depends_on",
                "code": row.code,
                "detail": told[language]["problem"]["detail"],
            }
        ]
        for language in LANGUAGES
        if language in told
    }
    return Problem("predecessor_refused", extra={"because": because})


def read(
    row: Any, language: Language, *, reader_id: UUID | None = None, again: bool = False
) -> dict[str, Any]:
    """As OperationRead. `again`: it came before; what was done then is a duplicate now.

    `reader_id`: the account that asks. What an officer has done for it may be of a unit that it has lost:
    it reads the verdict alone.
    """
    told: dict[str, Any] = json.loads(row.told or "{}")
    said = told.get(language, {"problem": None, "warnings": []})
    is_rescued = row.rescued_by is not None and row.rescued_by != reader_id
    beside: dict[str, Any] = {"others": [], "warnings": [], "revision": None} if is_rescued else {}
    verdict = OperationVerdict(row.state)
    if again and row.state in _DONE:
        verdict = OperationVerdict.duplicate
    item = {
        "op_id": row.op_id,
        "kind": row.kind,
        "verdict": verdict,
        "id": row.record_id,
        "merged_into": told.get("merged_into"),
        "revision": row.revision,
        "waits_for": row.waits_for,
        "waits_on": row.waits_on,
        "others": told.get("others", []),
        "fields": told.get("fields", []),
        **said,
        **beside,
        "next": next_step(row),
        "received_at": row.received_at,
    }
    return {name: item[name] for name in OperationRead.model_fields}


def unkept(op_id: UUID | None, problem: Problem, language: Language) -> dict[str, Any]:
    """As OperationRead, of an operation that has no id of its own to be kept under."""
    empty = dict.fromkeys(OperationRead.model_fields)
    return empty | {
        "op_id": op_id,
        "verdict": OperationVerdict.refused,
        "others": [],
        "fields": [],
        "warnings": [],
        "problem": _problem(problem, language),
        "next": OperationNext.correct,
    }


def next_step(row: Any) -> OperationNext:
    """What the phone does about it."""
    if row.state is OperationState.held:
        return OperationNext.wait
    if row.state in (OperationState.merged, OperationState.conflict):
        return OperationNext.pull
    if row.state is OperationState.applied:
        return OperationNext.nothing
    gone = row.code in _GONE
    return OperationNext.pull if gone else OperationNext.correct
