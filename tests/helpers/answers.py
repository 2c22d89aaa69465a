"""What a test says of an answer that refuses."""

from typing import Any

from httpx2 import Response

Json = dict[str, Any]
UnitIds = dict[str, int]


def refused(answer: Response, status: int, code: str) -> Json:
    """The problem, which has this status and code."""
    body: Json = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    return body


def pointed(answer: Response, pointer: str, code: str, *, status: int = 422) -> None:
    """It is one wrong value, at this place of what was sent."""
    body: Json = answer.json()
    assert answer.status_code == status, answer.text
    assert status != 422 or body["code"] == "validation_failed", answer.text
    assert [(error["pointer"], error["code"]) for error in body["errors"]] == [(pointer, code)]
