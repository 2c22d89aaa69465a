"""The journal of a merge: every row of the two members as it was and as it became."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python
from sqlmodel import Session, SQLModel

from app.models.base import table_of
from app.models.members.members import Member
from app.services.duplicates import pointers
from app.services.kernel.manifest import manifest
from app.services.kernel.pointers import Pointer

Found = list[dict[str, Any]]
Rows = dict[tuple[str, str], dict[str, Any]]
# These follow from her spells and her branch, and units move: they are settled, not restored.
_SETTLED = frozenset({"status", "province_id", "commune_id", "branch_id"})
# Of every row: what counts its changes, and the province, which is that of its record (kernel/provinces).
DERIVED = frozenset({"revision", "updated_at", "province_id"})


def _in_journal() -> list[Pointer]:
    """The columns whose rows the journal finds again, by their ids."""
    named = [each for each in manifest().pointers if _is_kept_by_id(each.model)]
    return [Pointer(Member, None, "id"), *named]


def _is_kept_by_id(model: type[SQLModel]) -> bool:
    return table_of(model).primary_key.columns.keys() == ["id"]


def models_by_table() -> dict[str, type[SQLModel]]:
    return {each.place[0]: each.model for each in _in_journal()}


def rows_of_members(session: Session, member_ids: Sequence[UUID]) -> Rows:
    """Every row of these members as the database has it, as JSON, by table and id."""
    session.expire_all()
    found: Rows = {}
    for pointer in _in_journal():
        for row in pointers.rows_of(session, pointer, member_ids):
            values = to_jsonable_python(
                {name: getattr(row, name) for name in type(row).model_fields}
            )
            found[str(pointer.model.__tablename__), values["id"]] = values
    return found


def differences(before: Rows, after: Rows) -> Found:
    changes = []
    for table, row_id in sorted(before.keys() | after.keys()):
        old, new = before.get((table, row_id)), after.get((table, row_id))
        if old is not None and new is not None:
            names = [name for name in old if old[name] != new[name] and name not in DERIVED]
            if table == "member":
                names = [name for name in names if name not in _SETTLED]
            old = {name: old[name] for name in names}
            new = {name: new[name] for name in names}
        if old != new:
            changes.append({"table": table, "id": row_id, "before": old, "after": new})
    return changes


def spells_of(rows: Rows) -> Found:
    """The spells as the merge left them: a later change of one is built on the merge."""
    names = ("id", "branch_id", "valid_from", "valid_to", "annulled_at", "left_by")
    return [
        {name: row[name] for name in names}
        for (table, _), row in sorted(rows.items())
        if table == "membership"
    ]


def python_value(model: type[SQLModel], name: str, value: Any) -> Any:
    annotation: Any = model.model_fields[name].annotation
    return TypeAdapter(annotation).validate_json(json.dumps(value))


def typed(model: type[SQLModel], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: python_value(model, name, value) for name, value in values.items()}
