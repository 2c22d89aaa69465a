"""Imports: a file comes in, its preview is corrected, it is applied and perhaps undone.

The uploader and those who may write to its unit see it; only the latter see its rows.
"""

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.db import AnySelect, chunks
from app.errors import Problem, invalid, not_found
from app.models.imports.imports import (
    Import,
    ImportApply,
    ImportJob,
    ImportListQuery,
    ImportMapping,
    ImportState,
    ImportUpdate,
    UploadQuery,
)
from app.models.kernel.access import Right
from app.models.kernel.jobs import JobRead
from app.models.kernel.units import Unit
from app.problem_texts import Language
from app.services.imports import store
from app.services.imports.kinds import all_kinds, kind_of
from app.services.imports.undo import ensure_untouched
from app.services.kernel import jobs
from app.services.kernel.access import (
    Actor,
    Db,
    ensure,
    ensure_revision,
    forbidden,
    require_somewhere,
    visible,
)
from app.services.kernel.actors import reach_of
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.list_kinds import KindOfList
from app.services.kernel.offers import Work
from app.services.units.rows import unit_of
from app.services.units.units import closed, find_filter
from app.workbooks import headers
from app.workbooks.tables import Note

_EDITABLE = (ImportState.reading, ImportState.refused, ImportState.ready)
_OPTIONS = {"duplicates": "hold", "empty_cells": "keep", "first_day": False, "accept": []}


# -- uploading


def upload(
    session: Session, actor: Actor, query: UploadQuery, file_name: str, content: bytes
) -> UUID:
    """Keep a file and have it read; 422 for a unit out of scope, 403 without the right over it."""
    kind = kind_of(query.kind)
    unit = find_filter(session, actor, query.unit, pointer="/unit")
    ensure(session, actor, kind.right, unit, seen_with=kind.right)
    if not content:
        raise Problem("import_empty")
    now = utc_now()
    made = Import(
        kind=query.kind,
        unit_id=unit.id,
        account_id=actor.account_id,
        file_name=file_name,
        file_size=len(content),
        sheet=query.sheet,
        mapping={},
        options=dict(_OPTIONS),
        created_at=now,
        updated_at=now,
    )
    session.add(made)
    session.flush()
    store.keep(session, made.id, content)
    _preview(session, actor, made)
    session.flush()
    return made.id


def _preview(session: Session, actor: Actor, made: Import) -> None:
    made.state, made.problem, made.summary = ImportState.reading, None, None
    args = {"import_id": str(made.id), "round": made.round}
    job = jobs.enqueue(session, actor, kind=ImportJob.preview, args=args, unit_id=made.unit_id)
    made.job_id = job.id


# -- reading

_ITEM = ("id", "kind", "state", "account_id", "file_name", "file_size", "summary", "revision")
_TIMES = ("created_at", "applied_at", "applied_by", "undone_at")
_COLUMNS = [getattr(Import, name) for name in (*_ITEM, *_TIMES, "forgotten_at")]
_UNIT = [
    col(Unit.id).label("of_unit"),
    col(Unit.level),
    col(Unit.name),
    *(getattr(Unit, name) for name in ("province_id", "district_id", "commune_id", "branch_id")),
]
_MORE = [
    getattr(Import, name)
    for name in ("unit_id", "sheet", "options", "mapping", "reading", "problem", "round", "job_id")
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
    return {name: getattr(row, name) for name in (*_ITEM, *_TIMES)} | {
        "unit": {"id": row.of_unit, "level": row.level, "name": row.name},
        "file_kept": row.forgotten_at is None,
    }


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
    address = f"/v1/imports/{row.id}"
    return _item(row) | {
        "sheet": found.get("sheet", row.sheet),
        "sheets": found.get("sheets", []),
        "header_row": found.get("header_row"),
        "columns": [_column(column, shown=shown) for column in columns],
        "missing_fields": _missing(kind, mapped) if columns else [],
        "fields_known": _fields(kind),
        "notes": [_note(note) for note in found.get("notes", [])],
        "options": {name: row.options[name] for name in _OPTIONS},
        "by_unit": _by_unit(db, row),
        "problem": row.problem and row.problem[language],
        "job": _job(db, row, language),
        "rows_url": f"{address}/rows",
        "workbook_url": f"{address}/file",
        "errors_only_url": f"{address}/errors-file",
    }


def _column(column: Mapping[str, Any], *, shown: bool) -> dict[str, Any]:
    named = ("letter", "header", "encoding", "examples", "field")
    item = {name: column[name] for name in named} | {"reason": column["why"]}
    return item if shown else item | {"examples": []}


_STANDS_IN = {"full_name": {"surname", "given_name"}, "birth_date": {"female", "male"}}


def _missing(kind: KindOfList, mapped: set[str | None]) -> list[str]:
    """Required fields that no column is read as."""
    return [
        spec.field
        for spec in headers.fields(kind.name).values()
        if spec.required and not ({spec.field} | _STANDS_IN.get(spec.field, set())) & mapped
    ]


def _fields(kind: KindOfList) -> list[dict[str, Any]]:
    return [
        {"field": spec.field, "label": spec.vi, "required": spec.required}
        for spec in headers.fields(kind.name).values()
        if spec.taken
    ]


def _note(note: Mapping[str, Any]) -> dict[str, str]:
    told = Note(note["code"], note["params"])
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


# -- correcting the preview


def _locked(session: Session, actor: Actor, import_id: UUID) -> tuple[Import, Any]:
    row = find_open(session, actor, import_id)
    made = session.exec(
        select(Import).where(col(Import.id) == import_id).with_for_update(),
        execution_options={"populate_existing": True},
    ).one()
    return made, row


def update(
    session: Session, actor: Actor, import_id: UUID, body: ImportUpdate, expected: int | None
) -> None:
    """Another sheet, other columns, other options: the file is previewed anew."""
    made, _ = _locked(session, actor, import_id)
    ensure_revision(made.revision, expected)
    _ensure_kept(made)
    if made.state not in _EDITABLE:
        raise Problem("import_not_editable", state=made.state)
    sent = body.model_dump(exclude_unset=True)
    if "sheet" in sent and sent["sheet"] != made.sheet:
        made.sheet, made.mapping = sent["sheet"], {}
    if "mapping" in sent:
        mapping = cast("dict[str, str | None]", sent["mapping"])
        _ensure_known(made, mapping)
        made.mapping = {**made.mapping, **mapping}
        _remember(session, made, mapping)
    made.options = made.options | {name: sent[name] for name in _OPTIONS if name in sent}
    made.round += 1
    made.revision += 1
    made.updated_at = utc_now()
    _preview(session, actor, made)
    session.flush()


def _ensure_kept(made: Import) -> None:
    if made.forgotten_at is not None:
        raise Problem("import_forgotten")


def _ensure_known(made: Import, mapping: Mapping[str, str | None]) -> None:
    """422 for fields and columns there are not."""
    fields = headers.fields(kind_of(made.kind).name)
    columns = store.content_of(made.reading).get("columns", [])
    letters = [column["letter"] for column in columns]
    for field, letter in mapping.items():
        if field not in fields:
            raise invalid("not_in_list", f"/mapping/{field}", allowed=[*fields])
        if letter is not None and letters and letter not in letters:
            raise invalid("not_in_list", f"/mapping/{field}", allowed=letters)


def _remember(session: Session, made: Import, mapping: Mapping[str, str | None]) -> None:
    """What the columns are, by their headers, for the next file of this unit."""
    columns = store.content_of(made.reading).get("columns", [])
    of_letter = {letter: field for field, letter in mapping.items() if letter is not None}
    told = {
        headers.key(column["header"]): of_letter.get(column["letter"])
        for column in columns
        if column["letter"] in of_letter or mapping.get(column["field"], "") is None
    }
    if not told:
        return
    known = session.get(ImportMapping, (made.unit_id, made.kind))
    now = utc_now()
    if known is None:
        session.add(
            ImportMapping(unit_id=made.unit_id, kind=made.kind, fields=told, updated_at=now)
        )
    else:
        known.fields, known.updated_at = {**known.fields, **told}, now


# -- applying and undoing


def apply(
    session: Session, actor: Actor, import_id: UUID, body: ImportApply, expected: int | None
) -> JobRead:
    """Have the previewed rows written; one that broke off half way goes on where it stood."""
    made, row = _locked(session, actor, import_id)
    ensure_revision(made.revision, expected)
    broken = made.state is ImportState.applying and jobs.is_over(session, made.job_id)
    if made.state is not ImportState.ready and not broken:
        raise Problem("import_not_ready", state=made.state)
    _ensure_kept(made)
    _ensure_unit_open(session, row.unit_id)
    summary = made.summary or {}
    left_out = summary.get("error", 0) + summary.get("duplicate", 0)
    if body.atomic and left_out:
        raise Problem("import_has_errors", count=left_out)
    made.options = made.options | {"atomic": body.atomic}
    return _begin(session, actor, made, ImportState.applying, ImportJob.apply)


def _begin(
    session: Session, actor: Actor, made: Import, state: ImportState, kind: ImportJob
) -> JobRead:
    args = {"import_id": str(made.id)}
    job = jobs.enqueue(session, actor, kind=kind, args=args, unit_id=made.unit_id)
    made.state, made.job_id = state, job.id
    if state is ImportState.applying:
        made.applied_by = actor.account_id
    made.revision += 1
    made.updated_at = utc_now()
    session.flush()
    return job


def _ensure_unit_open(session: Session, unit_id: int) -> None:
    unit = unit_of(session, unit_id)
    if unit.closed_on is not None and unit.closed_on < local_today():
        raise closed(unit, unit.closed_on)


def undo(session: Session, actor: Actor, import_id: UUID, expected: int | None) -> JobRead:
    """Start the undo of what was written; 409 with a list of the obstacles, if any."""
    made, _ = _locked(session, actor, import_id)
    ensure_revision(made.revision, expected)
    over = jobs.is_over(session, made.job_id)
    broken = made.state in (ImportState.undoing, ImportState.applying) and over
    if made.state is not ImportState.applied and not broken:
        raise Problem("import_not_applied", state=made.state)
    ensure_untouched(session, kind_of(made.kind), made.id, made.round)
    return _begin(session, actor, made, ImportState.undoing, ImportJob.undo)
