"""What is shown of imports, to those who may see them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect, chunks
from app.errors import not_found
from app.models.imports.imports import (
    Import,
    ImportItem,
    ImportListQuery,
    ImportOfList,
    ImportState,
)
from app.models.kernel.access import Right
from app.models.kernel.jobs import JobRead
from app.models.kernel.units import Unit
from app.problem_texts import Language
from app.services.imports import store, tally
from app.services.imports.choices import choices_of
from app.services.imports.kinds import OPTIONS, all_kinds, kind_of
from app.services.imports.memory import shown as shown_meanings
from app.services.imports.next_steps import Seen, steps_of
from app.services.imports.tally import What
from app.services.kernel import jobs
from app.services.kernel.access import (
    Actor,
    Db,
    forbidden,
    require_somewhere,
    visible,
)
from app.services.kernel.actors import reach_of
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.list_kinds import KindOfList
from app.services.kernel.offers import Work
from app.services.kernel.tracking import PATH
from app.services.units.units import find_filter
from app.workbooks import headers
from app.workbooks.tables import Note

_ITEM = ("id", "kind", "state", "account_id", "file_name", "file_size", "summary", "revision")
_TIMES = ("created_at", "applied_at", "applied_by", "undone_at")
_COLUMNS = [getattr(Import, name) for name in (*_ITEM, *_TIMES, "forgotten_at")]
_UNIT = [
    col(Unit.id).label("of_unit"),
    col(Unit.level),
    col(Unit.name),
    *(getattr(Unit, name) for name in PATH),
]
_MORE = [
    getattr(Import, name)
    for name in (
        "unit_id",
        "sheet",
        "options",
        "meanings",
        "mapping",
        "reading",
        "problem",
        "round",
        "job_id",
    )
]


def _mine(actor: Actor) -> sa.ColumnElement[bool]:
    """Imports that the actor uploaded, and those of units the actor may write to."""
    own = col(Import.account_id) == actor.account_id
    rights = [
        sa.and_(col(Import.kind) == kind, visible(Unit, actor, each.right))
        for kind, each in all_kinds().items()
    ]
    return sa.or_(own, *rights)


def _waiting(_: Db, actor: Actor) -> AnySelect:
    """Files of the actor that were read, and wait to be applied."""
    return sa.select(
        col(Import.id), col(Import.created_at).label("since"), col(Import.unit_id)
    ).where(col(Import.account_id) == actor.account_id, col(Import.state) == ImportState.ready)


WORK = Work(kind="import", right=None, waiting=_waiting, link="/v1/imports/{id}")


def list_imports(db: Db, actor: Actor, query: ImportListQuery) -> Pages:
    """The newest first."""
    statement: AnySelect = (
        sa.select(*_COLUMNS, *_UNIT)
        .join(Unit, col(Unit.id) == col(Import.unit_id))
        .where(_mine(actor))
    )
    if query.kind is not None:
        statement = statement.where(col(Import.kind) == query.kind)
    if query.state is not None:
        statement = statement.where(col(Import.state) == query.state)
    if query.unit is not None:
        unit = find_filter(db, actor, query.unit, pointer="/unit")
        statement = statement.where(reach_of(db, unit).predicate(Unit))
    return pages(statement, Order(col(Import.id).desc()), each(_item))


def _item(row: Any) -> dict[str, Any]:
    unit = {"id": row.of_unit, "level": row.level, "name": row.name}
    values = {**row._mapping, "unit": unit, "file_kept": row.forgotten_at is None}
    return {name: values[name] for name in ImportItem.model_fields}


def find(db: Db, actor: Actor, import_id: UUID) -> Any:
    """The row of an import, with its unit; 404 when it is out of scope."""
    statement: AnySelect = (
        sa.select(*_COLUMNS, *_UNIT, *_MORE)
        .join(Unit, col(Unit.id) == col(Import.unit_id))
        .where(col(Import.id) == import_id)
    )
    row = db.execute(statement).one_or_none()
    if row is not None and (
        actor.covers(kind_of(row.kind).right, row) or row.account_id == actor.account_id
    ):
        return row
    if not any(actor.reach(kind.right) for kind in all_kinds().values()):
        require_somewhere(db, actor, kind_of("members").right)
    raise not_found()


def find_open(db: Db, actor: Actor, import_id: UUID) -> Any:
    """The same for the rows: 403 for an uploader who has lost the right since, and for an actor who
    may not see every field that another's file may hold.
    """
    row = find(db, actor, import_id)
    if (right := _missing_right(actor, row)) is not None:
        raise forbidden(db, actor, right, row.unit_id)
    return row


def _missing_right(actor: Actor, row: Any) -> Right | None:
    """What it takes to be shown an import, and this reader has not."""
    kind = kind_of(row.kind)
    needed = [kind.right]
    if row.account_id != actor.account_id:
        needed += kind.masks.values()
    return next((right for right in needed if not actor.covers(right, row)), None)


def get_import(db: Db, actor: Actor, import_id: UUID, language: Language) -> dict[str, Any]:
    """One import as ImportRead."""
    row = find(db, actor, import_id)
    kind = kind_of(row.kind)
    found = store.content_of(row.reading)
    columns = found.get("columns", [])
    shown = _missing_right(actor, row) is None
    mapped = {column["field"] for column in columns}
    chosen = choices_of(row, found)
    seen = Seen(row, kind, found, tally.read(found.get("tally", ())), chosen)
    address = f"/v1/imports/{row.id}"
    return _item(row) | {
        "sheet": found.get("sheet", row.sheet),
        "sheets": found.get("sheets", []),
        "header_row": found.get("header_row"),
        "lists": [
            {name: each[name] for name in ImportOfList.model_fields}
            for each in found.get("lists", [])
        ],
        "columns": [_column(column, shown=shown) for column in columns],
        "missing_fields": _missing(kind, mapped) if columns else [],
        "fields_known": _fields(kind),
        "rows_read": found.get("rows_read"),
        "rows_left_out": found.get("rows_left_out", []),
        "cells_left_out": _cells_left_out(seen),
        "next_steps": steps_of(seen) if shown else [],
        "notes": [_note(note) for note in found.get("notes", [])],
        "options": {name: chosen.options[name] for name in OPTIONS}
        | {"meanings": shown_meanings(chosen.meanings)},
        "remembered": _remembered(row, found),
        "by_unit": _by_unit(db, row),
        "problem": row.problem and row.problem[language],
        "job": _job(db, row, language),
        "rows_url": f"{address}/rows",
        "workbook_url": f"{address}/file",
        "errors_only_url": f"{address}/errors-file",
    }


def _column(column: Mapping[str, Any], *, shown: bool) -> dict[str, Any]:
    named = ("letter", "header", "encoding", "examples", "field")
    item = {name: column[name] for name in named}
    item |= {"reason": column["why"], "unread_field": column.get("instead_of")}
    return item if shown else item | {"examples": []}


def _remembered(row: Any, found: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was taken from memory, and not chosen anew for this list."""
    known = found.get("remembered", {})
    letters = [c["letter"] for c in found.get("columns", []) if c["why"] == "remembered"]
    options = [name for name in OPTIONS if name in known.get("options", {}).keys() - row.options]
    own = store.content_of(row.meanings)
    meanings = [
        each
        for each in shown_meanings(known.get("meanings", {}))
        if each["written"] not in own.get(each["field"], {})
    ]
    if not (letters or options or meanings):
        return None
    return {
        "memory_ids": known["ids"],
        "columns": letters,
        "options": options,
        "meanings": meanings,
    }


def _cells_left_out(seen: Seen) -> list[dict[str, Any]]:
    headed = {column["field"]: column["header"] for column in seen.columns}
    return [
        {
            "field": line.field,
            "header": headed.get(line.field),
            "code": line.code,
            "count": count,
        }
        for line, count in seen.tally.items()
        if line.what is What.left_out
    ]


def _missing(kind: KindOfList, mapped: set[str | None]) -> list[str]:
    """Required fields that no column is read as."""
    said = headers.said_by({field for field in mapped if field is not None})
    return [
        spec.field
        for spec in headers.fields(kind.name).values()
        if spec.required and spec.field not in said
    ]


def _fields(kind: KindOfList) -> list[dict[str, Any]]:
    return [
        {"field": spec.field, "label": spec.vi, "required": spec.required}
        for spec in headers.fields(kind.name).values()
        if spec.taken
    ]


def _note(note: Mapping[str, Any]) -> dict[str, str]:
    told = Note(note["code"], note["params"], note.get("sheet"))
    texts = {"text_vi": told.render("vi"), "text_en": told.render("en")}
    return {"code": note["code"], **texts}


def _by_unit(db: Db, row: Any) -> list[dict[str, Any]]:
    counted = store.counts_by_unit(db, row.id, row.round) if row.summary else {}
    wanted = sorted(unit_id for unit_id in counted if unit_id is not None)
    names: dict[int, Any] = {}
    for chunk in chunks(wanted):
        statement = sa.select(
            col(Unit.id), col(Unit.level), col(Unit.name), col(Unit.sort_key)
        ).where(col(Unit.id).in_(chunk))
        names |= {unit.id: unit for unit in db.execute(statement)}
    ordered = sorted(wanted, key=lambda unit_id: (names[unit_id].sort_key, unit_id))
    items: list[dict[str, Any]] = []
    for unit_id in ordered:
        unit = names[unit_id]
        ref = {"id": unit.id, "level": unit.level, "name": unit.name}
        items.append({"unit": ref, **counted[unit_id]})
    if None in counted:
        items.append({"unit": None, **counted[None]})
    return items


def _job(db: Db, row: Any, language: Language) -> JobRead | None:
    """The job of the import; of another account's job only its state."""
    return jobs.shown_to_colleagues(db, row.job_id, language)


def job_of(db: Db, import_id: UUID) -> UUID:
    """The work on an import, the last; the caller has checked."""
    found = db.execute(sa.select(col(Import.job_id)).where(col(Import.id) == import_id)).scalar()
    assert found is not None  # noqa: S101  # every import is read by one
    return found
