"""Imports: a file comes in, its preview is corrected, it is applied and perhaps undone.

The uploader and those who may write to its unit see it; only the latter see its rows.
"""

from typing import Any, cast
from uuid import UUID

from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.errors import Problem
from app.models.imports.choices import LeaveOut
from app.models.imports.imports import (
    Import,
    ImportApply,
    ImportJob,
    ImportState,
    ImportUpdate,
    UploadQuery,
)
from app.models.kernel.jobs import JobRead
from app.services.imports import choices, store
from app.services.imports.kinds import OPTIONS, kind_of
from app.services.imports.lists import find_open
from app.services.imports.undo import ensure_untouched
from app.services.kernel import jobs
from app.services.kernel.access import Actor, Expected, ensure, ensure_revision
from app.services.units.rows import unit_of
from app.services.units.units import closed, find_filter

_EDITABLE = (ImportState.reading, ImportState.refused, ImportState.ready)


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
        options={},
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


# -- correcting the preview


def _locked(session: Session, actor: Actor, import_id: UUID) -> tuple[Import, Any]:
    row = find_open(session, actor, import_id)
    made = session.exec(
        select(Import).where(col(Import.id) == import_id).with_for_update(),
        execution_options={"populate_existing": True},
    ).one()
    return made, row


def update(
    session: Session, actor: Actor, import_id: UUID, body: ImportUpdate, expected: Expected
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
        choices.ensure_known(made, mapping)
        made.mapping = {**made.mapping, **mapping}
    choices.ensure_codes(sent.get("accept", ()), "/accept")
    if isinstance(body.leave_out, LeaveOut):
        choices.ensure_optional(kind_of(made.kind), body.leave_out)
        sent["leave_out"] = body.leave_out.model_dump()
    if "meanings" in sent:
        choices.ensure_meant(session, actor, made, kind_of(made.kind), sent["meanings"])
        own = store.content_of(made.meanings)
        said = {name: {**own.get(name, {}), **more} for name, more in sent["meanings"].items()}
        made.meanings = store.text_of({**own, **said})
    made.options = made.options | {name: sent[name] for name in OPTIONS if name in sent}
    made.round += 1
    made.revision += 1
    made.updated_at = utc_now()
    _preview(session, actor, made)
    session.flush()


def _ensure_kept(made: Import) -> None:
    if made.forgotten_at is not None:
        raise Problem("import_forgotten")


# -- applying and undoing


def apply(
    session: Session, actor: Actor, import_id: UUID, body: ImportApply, expected: Expected
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


def undo(session: Session, actor: Actor, import_id: UUID, expected: Expected) -> JobRead:
    """Start the undo of what was written; 409 with a list of the obstacles, if any."""
    made, _ = _locked(session, actor, import_id)
    ensure_revision(made.revision, expected)
    over = jobs.is_over(session, made.job_id)
    broken = made.state in (ImportState.undoing, ImportState.applying) and over
    if made.state is not ImportState.applied and not broken:
        raise Problem("import_not_applied", state=made.state)
    ensure_untouched(session, made)
    return _begin(session, actor, made, ImportState.undoing, ImportJob.undo)
