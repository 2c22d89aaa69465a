"""A batch is read item by item: what is wrong with one is reported with it, and the others are done."""

import json
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI

from app.api.http.routing import Route, routes_of
from app.clock import utc_now
from app.db import Database
from app.json_values import cut
from app.models.kernel.items import MOST_DEPTH, Batch
from tests.helpers.answers import Json, UnitIds
from tests.helpers.captures import hold, members_of
from tests.helpers.client import Api
from tests.helpers.operations import operation

JSON = {"content-type": "application/json"}


def deep(depth: int) -> str:
    return "[" * depth + "]" * depth


def is_batch(route: Route) -> bool:
    body = route.fastapi.body_field
    model = body.field_info.annotation if body is not None else None
    return isinstance(model, type) and issubclass(model, Batch)


def test_these_are_the_batches(shared_app: FastAPI) -> None:
    """Each of them is tested below."""
    found = {each.operation_id for each in routes_of(shared_app) if is_batch(each)}
    assert found == {"push_operations", "capture"}


@pytest.fixture
def batches(unit_id: UnitIds, database: Database) -> dict[str, tuple[str, Json, str]]:
    """Of each its path, an item that is in order, and one of its fields."""
    branch = unit_id["phuongvi-1"]
    session_id, [member_id, *_] = hold(database, [branch]), members_of(database, branch)
    capture = {
        "id": str(uuid4()),
        "kind": "roster",
        "member_id": str(member_id),
        "occurred_at": utc_now().isoformat(),
    }
    patch = {"address": "Khu 1"}
    edit = operation("member.update", str(member_id), patch, base_rev=1)
    return {
        "capture": (f"/v1/sessions/{session_id}/captures", capture, "note"),
        "push_operations": ("/v1/sync/operations", edit, "patch"),
    }


def renamed(item: Json) -> Json:
    """The same under other ids."""
    return item | {name: str(uuid4()) for name in ("id", "op_id") if name in item}


@pytest.mark.parametrize("name", ["capture", "push_operations"])
class TestOneOfThem:
    def answers(self, head: Api, path: str, odd: list[str], good: Json) -> list[Json]:
        """To a batch of odd items and one that is in order, which is done."""
        content = f'{{"items": [{", ".join([*odd, json.dumps(good)])}]}}'
        answer = head.post(path, content=content, headers=JSON)
        assert answer.status_code == 200, answer.text
        *refused, done = answer.json()["items"]
        assert [each["verdict"] for each in refused] == ["refused"] * len(odd)
        assert done["problem"] is None, done
        found: list[Json] = refused
        return found

    def test_what_no_text_has_and_what_is_too_deep(
        self, head: Api, batches: dict[str, tuple[str, Json, str]], name: str
    ) -> None:
        path, good, field = batches[name]
        odd = [
            ('"a\\u0000b"', "nul_character", ""),
            ('{"a\\u0000b": 1}', "nul_character", "/a\0b"),
            ('{"a\\ud800\\u0000": 1}', "nul_character", "/a?\0"),
            (deep(MOST_DEPTH + 1), "too_deep", "/0"),
            (deep(900), "too_deep", "/0"),
            (deep(10_000), "too_deep", "/0"),
            (deep(100_000), "too_deep", "/0"),
            ('{"a":' * 10_000 + "1" + "}" * 10_000, "too_deep", "/a"),
        ]
        wrong = [
            json.dumps(renamed(good) | {field: "DEEP"}).replace('"DEEP"', text)
            for text, _, _ in odd
        ]
        found = []
        for at, answer in enumerate(self.answers(head, path, wrong, good)):
            [error] = answer["problem"]["errors"]
            found.append((error["code"], error["pointer"].removeprefix(f"/items/{at}")))
        assert found == [(code, f"/{field}{below}") for _, code, below in odd]

    def test_what_is_no_item(
        self, head: Api, batches: dict[str, tuple[str, Json, str]], name: str
    ) -> None:
        path, good, _ = batches[name]
        odd = ["1", "null", "[]", '"\\u0000"', '"\\ud800"', deep(500), deep(5000), "1e400", "{}"]
        self.answers(head, path, odd, good)

    def test_odd_values(
        self, head: Api, batches: dict[str, tuple[str, Json, str]], name: str
    ) -> None:
        path, good, _ = batches[name]
        keys = ("id", "kind", "occurred_at", "odd", "\ud800", "odd\0")
        texts: tuple[Any, ...] = ("\ud800", "a\0", "x" * 10_000, 10**400, [{}], None)
        odd = [json.dumps(renamed(good) | {key: text}) for key in keys for text in texts]
        self.answers(head, path, odd, good)

    def test_what_is_beside_the_items_is_of_all(
        self, head: Api, batches: dict[str, tuple[str, Json, str]], name: str
    ) -> None:
        path, good, _ = batches[name]
        answer = head.post(path, json={"items": [good], "sent_at": "a\0"})
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
        assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [
            ("/sent_at", "nul_character")
        ]
        for text in ('{"items": [', '{"items": [' + "[" * 5000, "[" * 5000 + "]" * 4000):
            malformed = head.post(path, content=text, headers=JSON)
            assert (malformed.status_code, malformed.json()["code"]) == (400, "malformed_request")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("[[[1], 2], 3]", "[[0, 2], 3]"),
        ('{"a": {"b": {"c": "]}"}, "d": "{["}}', '{"a": {"b": 0, "d": "{["}}'),
        (r'["[\"[[[", [[["\\"]], 1]]', r'["[\"[[[", [0, 1]]'),
        ("[[1]]", "[[1]]"),
        ("[[[", "[["),
        ('"[[[', '"[[['),
        ("]]]", "]]]"),
    ],
)
def test_what_is_too_deep_is_cut(text: str, left: str) -> None:
    assert cut(text.encode(), 2).decode() == left


def test_nothing_else_is_altered() -> None:
    value: Any = {"a": [1, 'é"\\', {"b": [None, True, -1.5e3]}], "": {}}
    text = json.dumps(value).encode()
    assert cut(text, 10) == text
