"""A follower written from the integrators' guide alone, with nothing but Python: `follower.py BASE TOKEN FILE`.

It begins where FILE has a place, follows up to the newest event, and stores rows and place in FILE.
With a fourth argument it dies after so many pages, in the middle of one.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

BASE, TOKEN = sys.argv[1:3]
FILE = Path(sys.argv[3])
KINDS = (
    *("unit", "member", "membership", "participation", "appointment", "training", "household"),
    *("household_person", "assessment", "poverty_status", "support", "household_visit"),
    *("loan_figure", "event", "event_session", "rsvp", "attendance"),
)


class Refused(Exception):
    """An answer that is no success."""


def get(path: str) -> Any:
    request = urllib.request.Request(BASE + path, headers={"authorization": f"Bearer {TOKEN}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Refused(error.code) from error


def keep(rows: Any, row: Any) -> None:
    key = f"{row['entity']} {row['entity_id']}"
    if key not in rows or rows[key]["revision"] <= row["revision"]:
        rows[key] = {name: row[name] for name in ("entity", "entity_id", "revision", "state")}


def apply(rows: Any, data: Any) -> None:
    if data["state"] is None:
        rows.pop(f"{data['entity']} {data['entity_id']}", None)
    else:
        keep(rows, data)
    for dropped in data["drops"]:
        for key, row in list(rows.items()):
            is_kind = row["entity"] == dropped["entity"]
            if is_kind and row["state"][dropped["field"]] == data["entity_id"]:
                del rows[key]
    for row in data["brings"]:
        keep(rows, row)
    if data["sets"] is not None:
        field, value, units = (data["sets"][name] for name in ("field", "value", "units"))
        for row in rows.values():
            if row["entity"] != "unit" and row["state"].get(field) == value:
                has = {name: unit for name, unit in units.items() if name in row["state"]}
                row["state"].update(has)


def begin() -> Any:
    copy: Any = {"rows": {}}
    for kind in KINDS:
        after: str | None = ""
        while after is not None:
            try:
                found = get(
                    f"/v1/feed/rows?kind={kind}&limit=100" + (f"&after={after}" if after else "")
                )
            except Refused as refused:
                if refused.args[0] != 403:
                    raise
                break
            for name in ("seq", "epoch", "scope"):
                copy.setdefault(name, found[name])
            for row in found["items"]:
                keep(copy["rows"], row)
            after = found["next"]
    return copy


def store(copy: Any) -> None:
    new = FILE.with_suffix(".new")
    new.write_text(json.dumps(copy), "utf-8")
    new.replace(FILE)


def main(pages: int) -> None:
    copy = json.loads(FILE.read_text("utf-8")) if FILE.exists() else None
    while True:
        if copy is None:
            copy = begin()
            store(copy)
        try:
            page = get(f"/v1/feed?after={copy['seq']}&epoch={copy['epoch']}&limit=20")
        except Refused as refused:
            if refused.args[0] != 409:
                raise
            copy = None
            continue
        if page["scope"] != copy["scope"] or any(e["data"]["export_again"] for e in page["items"]):
            copy = None
            continue
        pages -= 1
        for event in page["items"][: len(page["items"]) // 2 if pages == 0 else None]:
            apply(copy["rows"], event["data"])
        if pages == 0:
            os._exit(9)
        copy |= {name: page[name] for name in ("seq", "epoch", "scope")}
        store(copy)
        if not page["more"]:
            return


main(int(sys.argv[4]) if len(sys.argv) > 4 else -1)
