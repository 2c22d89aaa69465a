"""One line is one line: no text that a form shows on one line is stored with a line break in it."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter, ValidationError

from app.models.base import SeveralLines
from tests.helpers.answers import pointed
from tests.helpers.bodies import with_bodies
from tests.helpers.client import Api

# Compared with what is stored, and stored nowhere.
NO_TEXT = {
    *("password", "new_password", "current_password", "token", "code"),
    *("TokenForm.username", "TokenForm.client_id", "TokenForm.client_secret"),
    *("OperationBatch.cursor", "ExportCreate.since"),
    *("TokenForm.nonce_proof", "TokenForm.subject_token", "TokenForm.subject_token_type"),
    *("TokenForm.refresh_token", "TokenForm.scope", "RevokeForm.token_type_hint"),
}
BREAKS = ["\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"]
CONTROLS = ["\x00", "\x07", "\x1b", "\x7f", "\x9b"]


def texts(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """Each field of text of a body and of what is in it, with its type."""
    for name, each in model.model_fields.items():
        declared: Any = Annotated[(each.annotation, *each.metadata)] if each.metadata else None
        for found in _texts(declared or each.annotation):
            yield (f"{model.__name__}.{name}", found) if not isinstance(found, tuple) else found


def _texts(annotation: Any) -> Iterator[Any]:
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is str or (origin is Annotated and args[0] is str):
        yield annotation
    elif origin is Annotated:
        yield from _texts(args[0])
    elif origin in (Union, UnionType, list):
        for arg in args:
            yield from _texts(arg)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from texts(annotation)


def taken(kind: Any, text: str) -> str | None:
    """What is stored of a text; None where it is refused."""
    try:
        found = TypeAdapter(kind).validate_python(text)
    except ValidationError:
        return None
    return found if isinstance(found, str) else None


def is_of_lines(kind: Any) -> bool:
    return any(isinstance(extra, SeveralLines) for extra in getattr(kind, "__metadata__", ()))


def test_no_body_takes_a_break_in_a_line(shared_app: FastAPI) -> None:
    asked, wrong = 0, set()
    for _, model in with_bodies(shared_app):
        for name, kind in texts(model):
            if NO_TEXT & {name, name.rpartition(".")[2]}:
                continue
            kept = [taken(kind, f"Khu 1{sign}Khu 2") for sign in BREAKS + CONTROLS]
            allowed = set("\n\r\u2028\u2029") if is_of_lines(kind) else set()
            signs = {*BREAKS, *CONTROLS} - allowed
            wrong |= {(name, ascii(text)) for text in kept if text and signs & set(text)}
            asked += 1
    assert not wrong, "\n".join(sorted({name for name, _ in wrong}))
    assert asked > 150


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("Khu 1\nKhu 2", "line_break"),
        ("Khu 1\u2028Khu 2", "line_break"),
        ("Khu 1\tKhu 2", "control_character"),
        ("Khu 1\x7f", "control_character"),
    ],
)
def test_says_where(api: Api, address: str, code: str) -> None:
    officer = api.as_("phutho")
    before = officer.get("/v1/units/1").json()
    answer = officer.patch("/v1/units/1", json={"address": address})
    pointed(answer, "/address", code)
    assert officer.get("/v1/units/1").json() == before


def test_takes_several_lines_where_there_is_room(api: Api, unit_id: dict[str, int]) -> None:
    agenda = "1. Khai mạc\n2. Thảo luận\n\t- thu hội phí"
    body = {"title": "Họp", "kind": "meeting", "host_unit_ids": [unit_id["phuongvi"]]}
    made = api.as_("phuongvi").post("/v1/events", json=body | {"agenda": f" {agenda}\n"})
    assert made.json()["agenda"] == agenda
