"""In answers a field is always there, or it is left out and never null: a client needs no third case."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI


@pytest.fixture(scope="module")
def contract(shared_app: FastAPI) -> dict[str, Any]:
    return shared_app.openapi()


def named(part: Any) -> Iterator[str]:
    """The schemas that a part of the contract names."""
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"].rpartition("/")[2]
        for each in part.values():
            yield from named(each)
    elif isinstance(part, list):
        for each in part:
            yield from named(each)


def of_answers(contract: dict[str, Any]) -> set[str]:
    schemas = contract["components"]["schemas"]
    found: set[str] = set()
    waiting = [
        name
        for path in contract["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
        for name in named(operation.get("responses"))
    ]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += named(schemas[name])
    return found


def may_be_null(schema: dict[str, Any]) -> bool:
    options = [schema, *schema.get("anyOf", []), *schema.get("oneOf", [])]
    return any("null" in (each.get("type") or "") for each in options)


def test_what_may_be_left_out_of_an_answer_is_never_null(contract: dict[str, Any]) -> None:
    schemas = contract["components"]["schemas"]
    optional = {
        f"{name}.{field}": may_be_null(schema)
        for name in of_answers(contract)
        for field, schema in schemas[name].get("properties", {}).items()
        if field not in schemas[name].get("required", [])
    }
    assert "ProblemBody.errors" in optional
    assert [field for field, is_null in optional.items() if is_null] == []
