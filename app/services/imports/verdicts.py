"""Verdicts of lines: what an integrator's program reads, packed as they are kept."""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final

from app.errors import field_text
from app.json_values import json_line
from app.models.imports.bulk import BulkOutcome
from app.models.imports.imports import RowOutcome
from app.problem_texts import Language
from app.services.imports.bulk_lines import TakenLine
from app.services.kernel.list_kinds import Json, RowPlan

OF: Final[Mapping[RowOutcome, BulkOutcome]] = {
    RowOutcome.created: BulkOutcome.created,
    RowOutcome.updated: BulkOutcome.updated,
    RowOutcome.same: BulkOutcome.unchanged,
    RowOutcome.duplicate: BulkOutcome.needs_decision,
    RowOutcome.error: BulkOutcome.refused,
    RowOutcome.skipped: BulkOutcome.skipped,
}
_DONE: Final = frozenset({BulkOutcome.created, BulkOutcome.updated, BulkOutcome.unchanged})


class Packed:
    """Lines of NDJSON, packed as they come."""

    def __init__(self) -> None:
        self._zip = zlib.compressobj(1)
        self._parts: list[bytes] = []
        self.counted = dict.fromkeys((each.value for each in BulkOutcome), 0)

    def add(self, verdict: Json) -> None:
        self.counted[verdict["verdict"].value] += 1
        if part := self._zip.compress(json_line(verdict)):
            self._parts.append(part)

    def bytes(self) -> bytes:
        self._parts.append(self._zip.flush())
        return b"".join(self._parts)

    def text(self) -> str:
        return b64encode(self.bytes()).decode()


def unpacked(text: str) -> bytes:
    return zlib.decompress(b64decode(text))


def line(taken: TakenLine, plan: RowPlan, language: Language, *, dry: bool = False) -> Json:
    """One line as BulkVerdict; a dry run gives no id to a record that is not there."""
    verdict = OF[plan.outcome]
    is_new = dry and verdict is BulkOutcome.created
    values = {} if taken.row is None else taken.row.values
    refused = verdict not in _DONE
    problems = [
        _problem(each, values, language)
        for each in plan.problems
        if each["level"] == "error" and not each["left_out"]
    ]
    return {
        "line": taken.number,
        "verdict": verdict,
        "id": None if is_new else plan.entity_id,
        "revision": None if is_new else plan.entity_revision,
        "warnings": [
            _problem(each, values, language)
            for each in plan.problems
            if each["level"] != "error" or each["left_out"]
        ],
        "problems": problems if refused else [],
        "candidates": [
            {
                "id": each.get("member_id") or each.get("household_id"),
                "score": each["score"],
                "unit_id": each["unit"]["id"],
            }
            for each in plan.candidates
        ],
    }


def _problem(problem: Json, values: Mapping[str, Any], language: Language) -> Json:
    said = field_text(problem["code"], {"form": "17/05/1968"} | problem["params"], language)
    taken = values.get(problem["field"]) if problem["level"] != "error" else problem["proposal"]
    return {
        "field": problem["field"],
        "code": problem["code"],
        "reason": said["detail"],
        "hint": said.get("hint"),
        "value": taken,
    }


def summary(counted: Mapping[str, Any]) -> bytes:
    """As BulkSummary."""
    return json_line(counted)
