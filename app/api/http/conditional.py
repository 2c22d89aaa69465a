"""ETag, If-None-Match, If-Match and `fields` for single resources (RFC 9110, 13).

The tag is the revision and, where the caller sees a part of it (masked or chosen fields) or more
than it (counts, grants, where its branch stands), a mark of what the caller sees: one tag for each representation. After a
restore revisions are given a second time: from then on a tag names the epoch too.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from zlib import crc32

from fastapi import Request, Response
from pydantic import BaseModel
from starlette.types import Scope

from app.api.http.context import request_context
from app.api.http.noting import will_show
from app.api.http.problems import problem_response
from app.errors import invalid
from app.json_values import json_bytes
from app.models.kernel.access_log import ReadHow
from app.services.kernel.access import Expected

# Of a public route that may answer 404; every route with a token documents that anyway.
MISSING: dict[int | str, dict[str, Any]] = {404: problem_response()}
_ABOVE_BRANCH = ("commune_id", "province_id")
_TAG = re.compile(r'(W/)?"([^"]*)"')
_TAGS = re.compile(rf"{_TAG.pattern}(?:[ \t]*,[ \t,]*{_TAG.pattern})*")
_REVISION = re.compile(r"(?P<number>[0-9]{1,9})(?P<epoch>(?:\.[0-9a-f]{8})?)(?:-[0-9a-f]{8})?")


class ShownOnce(Response):
    """An answer with a secret in it: `kept` is the same without, and all that may be stored."""

    kept: bytes


def entity(
    request: Request,
    item: BaseModel | Mapping[str, Any],
    *,
    status: int = 200,
    fields: frozenset[str] | None = None,
    location: str | None = None,
    derived: bool = False,
    shown_once: Collection[str] = (),
) -> Response:
    """One resource with its tag; 304 when the client has it already.

    `derived`: the body holds more than the row (counts, grants), so the tag marks the whole body.
    `shown_once` names the secrets in it: no cache and no replay will show them again.
    """
    row = item if isinstance(item, Mapping) else item.model_dump()
    will_show(request.scope["route"].response_model, [row], ReadHow.detail, chosen=fields)
    shown = row if fields is None else {name: row[name] for name in row if name in fields}
    body = json_bytes(shown)
    kept = json_bytes({**shown, **dict.fromkeys(shown_once)}) if shown_once else body
    tag = f'"{_revision(row)}-{crc32(kept):08x}"' if derived else etag(row, fields)
    headers = {"ETag": tag}
    if location:
        headers["Location"] = location
    if status == 200 and request.method == "GET" and matches(request, tag):
        return Response(status_code=304, headers=headers)
    if shown_once:
        headers["Cache-Control"] = "no-store"
        answer = ShownOnce(body, status, headers, "application/json")
        answer.kept = kept
        return answer
    return Response(body, status, headers, "application/json")


def etag(row: Mapping[str, Any], fields: Iterable[str] | None = None) -> str:
    view = ",".join([*row.get("masked", ()), "|", *sorted(fields or ()), *_place(row)])
    mark = "" if view == "|" else f"-{crc32(view.encode()):08x}"
    return f'"{_revision(row)}{mark}"'


def _place(row: Mapping[str, Any]) -> Sequence[str]:
    """Where the branch of a record stands: another place is no revision of the record."""
    if "branch_id" not in row:
        return ()
    return [f"{name}={row[name]}" for name in _ABOVE_BRANCH if name in row]


def _revision(row: Mapping[str, Any]) -> str:
    return f"{row['revision']}{_epoch()}"


def _epoch() -> str:
    """What revisions of today's epoch have behind them: nothing until a backup was restored."""
    actor = request_context.get().actor
    assert actor is not None  # noqa: S101  # only who has a token is shown a revision
    return f".{actor.epoch.hex[:8]}" if actor.epoch else ""


def matches(request: Request, tag: str) -> bool:
    """The client has this already (If-None-Match)."""
    return is_among(given_tags(request.scope), tag)


def given_tags(scope: Scope) -> str:
    """What If-None-Match names, on one line or on several."""
    lines = [value for name, value in scope["headers"] if name == b"if-none-match"]
    return b",".join(lines).decode("latin-1")


def is_among(given: str, tag: str) -> bool:
    """The tag is one of those of If-None-Match."""
    if not given:
        return False
    return given.strip() == "*" or any(tag == f'"{value}"' for _, value in _TAG.findall(given))


def expected_revisions(request: Request) -> Expected:
    """The revisions that If-Match names: one tag, several, or `*` (any, as without the header).

    The comparison is strong (RFC 9110, 13.1.1), so a weak tag matches nothing, and neither does a
    tag that is not of a revision, or of one that was given before the last restore. A tag that marks a view (`"3-ab12cd34"`) matches by its revision:
    a change is of the row, and not of what this caller sees of it.
    """
    lines = request.headers.getlist("if-match")
    given = ",".join(lines).strip(" \t,")
    if given == "*" or not lines:
        return None
    if _TAGS.fullmatch(given) is None:
        raise invalid("wrong_format", "/if-match", place="header")
    strong = [value for weak, value in _TAG.findall(given) if not weak]
    found = [match for value in strong if (match := _REVISION.fullmatch(value))]
    return frozenset(int(match["number"]) for match in found if match["epoch"] == _epoch())


def chosen_fields(value: str | None, schema: type[BaseModel]) -> frozenset[str] | None:
    """`?fields=a,b` checked against the schema; None = all."""
    if value is None:
        return None
    chosen = frozenset(part.strip() for part in value.split(",") if part.strip())
    unknown = sorted(chosen - set(schema.model_fields))
    if unknown or not chosen:
        allowed = [*schema.model_fields]
        raise invalid("not_in_list", "/fields", place="query", allowed=allowed)
    return chosen
