"""What the tests of exports share: ask for one, have it made, read its files."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from tests.helpers.answers import Json
from tests.helpers.client import Api
from tests.kernel.changes import done

Work = Callable[[], int]


def exported(api: Api, work: Work, **body: Any) -> Json:
    """The manifest of an export that is ready."""
    asked = done(api.post("/v1/exports", json=body))
    work()
    manifest = done(api.get(f"/v1/exports/{asked['id']}"))
    assert manifest["state"] == "ready", manifest
    return manifest


def content(api: Api, file: Json) -> bytes:
    """The bytes of a file, which are those of its sum."""
    answer = api.get(file["path"])
    assert answer.status_code == 200, answer.text
    assert len(answer.content) == file["bytes"]
    assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]
    return answer.content


def rows_of(api: Api, manifest: Json, kind: str) -> dict[str, Json]:
    """The rows of a kind by their id, each of them once."""
    [file] = [file for file in manifest["files"] if file["kind"] == kind]
    rows = [json.loads(line) for line in content(api, file).splitlines()]
    assert len(rows) == file["rows"]
    by_id = {str(row["id"]): row for row in rows}
    assert len(by_id) == len(rows)
    return by_id


def household(api: Api, branch_id: int, member_id: str) -> str:
    """The id of a new household that the member heads."""
    people = [{"member_id": member_id, "relation": "head"}]
    body = {"branch_id": branch_id, "opened_on": "2020-01-01", "people": people}
    id_: str = done(api.post("/v1/households", json=body))["id"]
    return id_
