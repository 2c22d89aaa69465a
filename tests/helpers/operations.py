"""Operations as phones send them."""

from typing import Any
from uuid import uuid4

from app.clock import utc_now
from tests.helpers.answers import Json
from tests.helpers.client import Api


def operation(kind: str, record_id: str, patch: Json, **more: Any) -> Json:
    return {
        "op_id": str(uuid4()),
        "kind": kind,
        "id": record_id,
        "patch": patch,
        "occurred_at": utc_now().isoformat(),
        **more,
    }


def edit(member: Json, **patch: Any) -> Json:
    """A change of a member by a phone that saw her as she is here."""
    return operation("member.update", member["id"], patch, base_rev=member["revision"])


def push(api: Api, *operations: Json, **more: Any) -> list[Json]:
    answer = api.post("/v1/sync/operations", json={"items": [*operations], **more})
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    assert len(items) == len(operations)
    return items


def verdicts(api: Api, *operations: Json) -> list[str]:
    return [item["verdict"] for item in push(api, *operations)]


def known(api: Api, sent: Json) -> Json:
    answer = api.get(f"/v1/sync/operations/{sent['op_id']}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found
