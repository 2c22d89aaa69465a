"""What the tests see of each operation, for the contract: `make recorded`.

With HOISO_RECORD=FOLDER each process notes the problems and answers of its requests there;
`python -m tests.helpers.recording FOLDER` writes what is new to `app/data/recorded`. Without it,
each 409 must be one that has been recorded.
"""

import atexit
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from httpx2 import Response
from pydantic import TypeAdapter, ValidationError

from app.api.http.contract import conflicts_of
from app.api.http.recorded import RECORDED, capability_of
from app.api.http.routing import Route, routes_of
from app.data_files import load

FOLDER = os.environ.get("HOISO_RECORD")
# Accounts of a phone: branch heads and a member.
_PHONES = ("phuongvi-", "tienluong-")
_MOST_EXAMPLE = 6_000
_SECRETS = ("token", "secret", "password", "code", "key", "card", "url")  # how their names end
_JSON = "application/json"
_seen: dict[str, Any] = defaultdict(lambda: {"conflicts": set(), "by_phone": False, "size": None})


def note(route: Route, username: str | None, sent: Any, answer: Response) -> None:
    if ".trial" in route.endpoint.__module__:
        return
    if answer.status_code == 409:
        code = answer.json()["code"]
        if FOLDER:
            _seen[f"{capability_of(route)} {route.operation_id}"]["conflicts"].add(code)
        else:
            known = conflicts_of(route)
            assert code in known, f"{route.operation_id} {code}: run `make recorded`"
    elif FOLDER and answer.status_code == route.status_code:
        _note_success(route, username or "", sent, answer)


def _note_success(route: Route, username: str, sent: Any, answer: Response) -> None:
    found = _seen[f"{capability_of(route)} {route.operation_id}"]
    found["by_phone"] |= username == "member" or username.startswith(_PHONES)
    if not answer.headers.get("content-type", "").startswith(_JSON):
        return
    body = answer.json()
    example = _shown(body)
    is_empty = isinstance(body, dict) and body.get("items") == []
    size = 0 if is_empty else len(json.dumps(example))
    if size <= _MOST_EXAMPLE and (found["size"] is None or size > found["size"]):
        found |= {"size": size, "answer": example}
        if isinstance(sent, dict):
            found["request"] = _shown(sent)


def _shown(value: Any, name: str = "") -> Any:
    """Without secrets, and of lists the first: a contract is read."""
    if isinstance(value, dict):
        return {key: _shown(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_shown(each, name) for each in value[:1]]
    if isinstance(value, str) and len(value) > 20 and name.endswith(_SECRETS):
        return value[:4] + "..."
    return value


@atexit.register
def _write() -> None:
    if FOLDER and _seen:
        rows = {name: {**row, "conflicts": sorted(row["conflicts"])} for name, row in _seen.items()}
        Path(FOLDER, f"{os.getpid()}.json").write_text(json.dumps(rows, ensure_ascii=False))


def together(files: Iterable[Path]) -> dict[str, Any]:
    """What all processes saw; of several examples the longest."""
    found: dict[str, Any] = {}
    for file in sorted(files):
        for name, row in json.loads(file.read_text()).items():
            known = found.setdefault(name, row)
            known["conflicts"] = sorted({*known["conflicts"], *row["conflicts"]})
            known["by_phone"] |= row["by_phone"]
            if row["size"] is not None and row["size"] > (known["size"] or -1):
                known |= {each: row[each] for each in ("size", "answer", "request") if each in row}
    return found


def fits(route: Route, answer: Any) -> bool:
    """Whether an example is still an answer of the operation."""
    try:
        TypeAdapter(route.response_model).validate_json(json.dumps(answer))
    except ValidationError:
        return False
    return True


def save(app: FastAPI, seen: dict[str, Any]) -> None:
    """An example that still fits stays, so that a record changes only where the API did."""
    files: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in routes_of(app):
        capability = capability_of(route)
        row = seen.get(f"{capability} {route.operation_id}")
        path = RECORDED / f"{capability}.json"
        before = (load(path) if path.exists() else {}).get(route.operation_id, {})
        if row is None:
            if before:
                files[capability][route.operation_id] = before
            continue
        kept = before if "answer" in before and fits(route, before["answer"]) else row
        files[capability][route.operation_id] = {
            "conflicts": row["conflicts"],
            "by_phone": row["by_phone"],
        } | {name: kept[name] for name in ("request", "answer") if name in kept}
    RECORDED.mkdir(exist_ok=True)
    for capability, operations in files.items():
        text = json.dumps(operations, ensure_ascii=False, indent=1, sort_keys=True)
        (RECORDED / f"{capability}.json").write_text(text + "\n")


if __name__ == "__main__":
    from app.main import contract_app

    save(contract_app(), together(Path(sys.argv[1]).glob("*.json")))
