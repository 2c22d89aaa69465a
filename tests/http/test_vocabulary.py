"""One vocabulary over the whole contract: a concept has one name wherever it stands."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from app.models.base import ListQuery

# Parameters that are no field of an item, and why.
NO_FIELD = {
    "q": "words looked for in several fields",
    "external_id": "what another system calls the item",
    "as_of": "the day the answer is of",
    "on": "the day the answer is of",
    "in_force_on": "the day the answer is of",
    "from": "the first day of a period",
    "to": "the last day of a period",
    "unit": "what stands in the unit or below it; items name their branch",
    "under": "what stands below the unit at any depth",
    "branch": "that of the member; items name the member",
    "commune": "that of the branch; items name the branch",
    "by": "what counts are taken apart by",
    "hierarchy": "the units by which rows are counted",
    "after": "a position in the log",
    "epoch": "the log a position is of",
    "since_time": "an instant from which the log is read",
    "kinds": "several kinds at once: the word of all who follow the log",
}
# Filters that select by more than one field, or by what is about the caller.
SELECTS = {
    "count_members": {"status"},
    "count_unit_attendance": {"kind"},
    "explain_figure": {"period"},
    "list_absentees": {"kind", "meetings"},
    "list_agenda": {"mine"},
    "list_feed_rows": {"kind"},
    "list_webhook_attempts": {"failed"},
    "list_appointments": {"all", "expiring_within"},
    "list_children": {"include_closed"},
    "list_events": {"mine"},
    "list_figure_checks": {"period"},
    "list_figures": {"period", "indicators"},
    "list_households": {"deprived", "without_support"},
    "list_members": {"age_from", "age_to", "group"},
    "list_notifications": {"unread"},
    "list_participations_of_group": {"all"},
    "list_poverty_campaigns": {"year"},
    "list_privacy_requests": {"open"},
    "list_programmes": {"household"},
    "list_transfers": {"direction"},
    "list_unit_appointments": {"all", "expiring_within"},
    "list_units": {"include_closed"},
    # How large a page of rows of many kinds may be.
    "pull_changes": {"dialect", "max_bytes"},
}
WHY = re.compile(r"reason|cause|because|why")
# Causes of poverty are a term of the law; the others are lists or texts, not the reason of an act.
OTHER_REASONS = {
    "StandardRead": {"causes"},
    "StatusRead": {"causes"},
    "StatusCreate": {"causes"},
    "Recognised": {"causes"},
    "AssessmentRead": {"reasons"},
    "AssessmentItem": {"reasons"},
    "DecisionItem": {"causes"},
    "CandidateRead": {"reasons"},
    "PairRead": {"reasons"},
    "MembershipMovement": {"by_reason"},
    "MovementPart": {"by_reason"},
    "RetentionKind": {"reason_vi", "reason_en"},
    # No reason that somebody gave.
    "ReorganisationRead": {"returned_because"},
    "ReorganisationItem": {"returned_because"},
}


@pytest.fixture(scope="module")
def document(shared_app: FastAPI) -> dict[str, Any]:
    return shared_app.openapi()


def resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        at: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            at = at[step]
        node = at
    return node


def lists(document: dict[str, Any]) -> Iterator[tuple[str, set[str], set[str]]]:
    """Each list: its operation, its parameters, the fields of an item."""
    for path in document["paths"].values():
        if "get" not in path:
            continue
        operation = path["get"]
        content = operation["responses"]["200"].get("content", {}).get("application/json", {})
        answer = resolved(document, content.get("schema", {})).get("properties", {})
        if "items" not in answer:
            continue
        item = resolved(document, answer["items"]["items"])
        parameters = [resolved(document, each) for each in operation.get("parameters", [])]
        names = {each["name"] for each in parameters if each["in"] == "query"}
        yield operation["operationId"], names, set(item["properties"])


def is_field(name: str, fields: set[str]) -> bool:
    """A field, what a field identifies, or an end of a field's range."""
    if fields & {name, f"{name}_id"}:
        return True
    bound = re.fullmatch(r"(?:min_)?(\w+?)(?:_from|_to)?", name)
    return bound is not None and any(
        bound[1] + end in fields for end in ("", "_on", "_at", "_since")
    )


def test_a_filter_has_the_name_of_its_field(document: dict[str, Any]) -> None:
    everywhere = ListQuery.model_fields.keys() | NO_FIELD.keys()
    others = {
        operation: left
        for operation, names, fields in lists(document)
        if (left := {name for name in names - everywhere if not is_field(name, fields)})
    }
    assert others == SELECTS


def test_reason_says_why(document: dict[str, Any]) -> None:
    """`reason` where a schema has one only, else each says of which act: `refusal_reason`."""
    wrong = {}
    for name, schema in document["components"]["schemas"].items():
        found = {field for field in schema.get("properties", {}) if WHY.search(field)}
        found -= OTHER_REASONS.get(name, set())
        of_acts = {field for field in found if re.fullmatch(r"[a-z]+[^d]_reason", field)}
        if not (found <= {"reason"} or (len(found) > 1 and found <= of_acts | {"reason"})):
            wrong[name] = found
    assert wrong == {}


def test_acts_are_dated_by_effective_on(document: dict[str, Any]) -> None:
    """`closed_on`, `ended_on` and `valid_to` are last days of what is kept: no act is dated by one."""
    acts = {
        name: found
        for name, schema in document["components"]["schemas"].items()
        if re.search(r"(Close|End|Move|Leave|Join|Split|Closing|Ending)$", name)
        and (found := schema.get("properties", {}).keys() & {"closed_on", "ended_on", "valid_to"})
    }
    assert acts == {}
