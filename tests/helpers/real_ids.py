"""Ids of what is there, by the names that parameters of paths and fields of bodies have."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import SQLModel

from app.clock import local_today
from app.db import Database

# Where the ids of a parameter are, if not in the table of its name.
TABLES = {
    "session_id": "event_session",
    "request_id": "privacy_request",
    "correction_id": "correction_request",
    "pair_id": "duplicate_pair",
    "path_id": "escape_path",
    "step_id": "escape_step",
    "check_id": "escape_check",
    "status_id": "poverty_status",
    "reminder_id": "event_reminder",
    "link_id": "calendar_link",
    "limit_id": "processing_limit",
    "grant_id": "access_grant",
    "delegation_id": "access_grant",
    "other_id": "member",
    "child_id": "household_person",
    "head_id": "household_person",
    "person_id": "household_person",
    "into_id": "household",
    "branch_id": "unit",
    "parent_id": "unit",
    "group_id": "unit",
    "to_branch_id": "unit",
    "helper_id": "unit",
    "host_unit_ids": "unit",
    "invited_unit_ids": "unit",
}
COLUMNS = dict.fromkeys(("person_id", "head_id", "child_id"), "person_id")
MOST = 20


Found = Mapping[str, Sequence[Any]]


def ids_in(database: Database) -> Found:
    """The ids of what is there, by the names that they have."""
    tables = SQLModel.metadata.tables
    names = {f"{name}_id": name for name in tables} | TABLES
    with database.reading() as db:
        found = {
            name: [_shown(each) for each in db.execute(_ids(tables[table], name)).scalars()]
            for name, table in names.items()
            if COLUMNS.get(name, "id") in tables[table].c
        }
    return found | {"standard_id": ["vn-2022"], "campaign": [str(local_today().year)]}


class RealIds:
    """Each in its turn, for a name; none where nothing of the kind is there."""

    def __init__(self, found: Found) -> None:
        self.kinds = {name for name, ids in found.items() if ids}
        self._next: dict[str, Iterator[Any]] = {n: cycle(found[n]) for n in self.kinds}

    def of(self, name: str) -> Any:
        return next(self._next[name])

    def in_path(self, template: str, path: str) -> str:
        """The path with real ids, where the ids in it could be: wrong ones stay wrong."""
        steps = list(zip(template.split("/"), path.split("/"), strict=False))
        return "/".join(
            str(self.of(wanted[1:-1]))
            if wanted[1:-1] in self.kinds and wanted.startswith("{") and _could_be(given)
            else given
            for wanted, given in steps
        )

    def in_query(self, query: bytes) -> bytes:
        """A parameter has the name of the field, without `_id`."""
        asked = [
            (name, str(self.of(f"{name}_id")))
            if f"{name}_id" in self.kinds and _could_be(given)
            else (name, given)
            for name, given in parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        ]
        return urlencode(asked).encode()

    def in_body(self, body: bytes) -> bytes:
        try:
            sent = json.loads(body)
        except ValueError:
            return body
        return json.dumps(self._in(sent, "")).encode()

    def _in(self, value: Any, name: str) -> Any:
        if isinstance(value, Mapping):
            return {key: self._in(each, key) for key, each in value.items()}
        if isinstance(value, list):
            return [self._in(each, name) for each in value]
        is_id = name.endswith(("_id", "_ids")) and name in self.kinds
        return self.of(name) if is_id and _could_be(value) else value


def _ids(table: sa.Table, name: str) -> sa.Select[Any]:
    column = table.c[COLUMNS.get(name, "id")]
    statement = sa.select(column).distinct().order_by(column.desc()).limit(MOST)
    return statement.where(table.c.level == "group") if name == "group_id" else statement


def _shown(value: Any) -> Any:
    return value if isinstance(value, int) else str(value)


def _could_be(given: Any) -> bool:
    if isinstance(given, int):
        return not isinstance(given, bool) and 0 < given < 2**31
    if not isinstance(given, str):
        return False
    if given.isascii() and given.isdigit():
        return 0 < int(given) < 2**31
    try:
        UUID(given)
    except ValueError:
        return False
    return True
