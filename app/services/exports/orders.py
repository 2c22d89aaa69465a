"""Asking for an export, and its manifest."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import AnySelect
from app.errors import FieldError, Problem, invalid, not_found
from app.models.base import new_id
from app.models.exports.exports import (
    BulkExport,
    BulkExportItem,
    ExportCreate,
    ExportFile,
    ExportJob,
    ExportState,
)
from app.models.files.files import FileSize
from app.models.kernel.accounts import Account
from app.models.kernel.following import FollowQuery, StartOverReason
from app.models.kernel.jobs import Job, JobState
from app.models.kernel.units import Unit
from app.problem_texts import Language
from app.security.sealing import Sealer
from app.services.exports.past import of_day
from app.services.files import stored
from app.services.files.stored import Content
from app.services.kernel import jobs
from app.services.kernel.access import Actor, Db, forbidden
from app.services.kernel.following import Following, newest, start_over
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.manifest import manifest
from app.services.kernel.offers import SyncKind
from app.services.sync import slices
from app.services.sync.cursors import Cursor
from app.services.sync.scopes import Scope
from app.services.units.rows import find

ENTITY: Final = "export"
_WATERMARK: Final = b"export watermark 1"
# Of one account, and of all: each reads for a while, and what waits is asked for again and again.
_MOST_OF_ACCOUNT: Final = 3
_MOST: Final = 50
_AGAIN_AFTER_SECONDS: Final = 15
_EXPORT: AnySelect = sa.select(*(getattr(BulkExport, name) for name in BulkExport.model_fields))
_UNFINISHED = (
    sa.select(sa.func.count())
    .select_from(BulkExport)
    .join(Job, col(Job.id) == col(BulkExport.job_id))
    .where(col(Job.state).in_(jobs.UNFINISHED))
)


# -- asking


def ask(session: Session, actor: Actor, body: ExportCreate, sealer: Sealer) -> UUID:
    """Have an export made, with the rights of now; 403 names the kinds that the actor may not read,
    429 where enough are being made, 409 `start_over` for a watermark from which it cannot go on."""
    unit = None if body.unit is None else find(session, body.unit)
    since = None if body.since is None else _since(session, actor, body, body.since, sealer)
    if since is None:
        kinds = _kinds(session, actor, unit, body.kinds)
    else:
        kinds = list(slices.in_order(manifest().sync, since.asked or ()))
    if body.as_of is not None:
        kinds = of_day(kinds, body.kinds)
    _ensure_fields(kinds, body)
    _ensure_not_too_many(session, actor)
    export_id = new_id()
    args = {"export_id": str(export_id)}
    job = jobs.enqueue(session, actor, kind=ExportJob.export, args=args)
    session.add(
        BulkExport(
            id=export_id,
            account_id=actor.account_id,
            job_id=job.id,
            unit_id=body.unit if since is None else since.unit,
            kinds=[kind.name for kind in kinds],
            fields={str(kind): sorted({*names}) for kind, names in body.fields.items()},
            format=body.format,
            headings=body.headings,
            since=None if since is None else since.packed(),
            as_of=body.as_of,
            created_at=job.created_at,
        )
    )
    session.flush()
    return export_id


def _since(
    session: Session, actor: Actor, body: ExportCreate, sealed: str, sealer: Sealer
) -> Cursor:
    """What the export before has. 422 for other kinds or another unit: these are another export."""
    db = session.connection()
    if body.as_of is not None:
        raise invalid("not_together", "/as_of", expected="since")
    try:
        cursor = Cursor.opened(sealed, sealer, _WATERMARK)
    except ValueError as error:
        raise start_over(StartOverReason.unreadable, newest(db)) from error
    if cursor.account_id != actor.account_id:
        raise start_over(StartOverReason.foreign, newest(db))
    Following.of(db, FollowQuery(after=cursor.seq, epoch=cursor.epoch))
    if body.kinds and {*body.kinds} != {*(cursor.asked or ())}:
        raise invalid("not_together", "/kinds", expected="since")
    if body.unit is not None and body.unit != cursor.unit:
        raise invalid("not_together", "/unit", expected="since")
    return cursor


def _kinds(
    session: Session, actor: Actor, unit: Unit | None, asked: Sequence[str]
) -> list[SyncKind]:
    """Those asked for, parents first; none: all that may be read."""
    scope = Scope.of(session.connection(), actor, unit)
    known = manifest().sync
    kinds = list(slices.in_order(known, asked or known))
    refused = [kind for kind in kinds if not scope.may_hold(kind)]
    if refused and (asked or len(refused) == len(kinds)):
        unreadable = {kind.name for kind in refused}
        errors = [
            FieldError("body", f"/kinds/{place}", "kind_not_readable")
            for place, name in enumerate(asked)
            if name in unreadable
        ]
        right = refused[0].right
        raise forbidden(session, actor, right, None if unit is None else unit.id, errors)
    return [kind for kind in kinds if scope.may_hold(kind)]


def _ensure_fields(kinds: Iterable[SyncKind], body: ExportCreate) -> None:
    """422 for fields of a kind that is not exported, and for those that it does not have."""
    columns = {kind.name: columns_of(kind, of_day=body.as_of is not None) for kind in kinds}
    for kind, names in body.fields.items():
        if kind not in columns:
            raise invalid("not_in_list", f"/fields/{kind}", allowed=sorted(columns))
        for place, name in enumerate(names):
            if name not in columns[kind]:
                raise invalid(
                    "not_in_list", f"/fields/{kind}/{place}", allowed=sorted(columns[kind])
                )


def columns_of(kind: SyncKind, *, of_day: bool = False) -> list[str]:
    """The fields of its rows, in their order; those of the list where it is of a past day."""
    if of_day and kind.past is not None:
        return [*kind.past.schema.model_fields]
    return [name for name in kind.schema.model_fields if name not in kind.derived]


def _ensure_not_too_many(session: Session, actor: Actor) -> None:
    """One account asks at a time, so that many requests at once are counted one after another."""
    mine = col(Account.id) == actor.account_id
    session.execute(sa.select(col(Account.id)).where(mine).with_for_update(key_share=True))
    own = session.execute(
        _UNFINISHED.where(col(BulkExport.account_id) == actor.account_id)
    ).scalar_one()
    if own >= _MOST_OF_ACCOUNT or session.execute(_UNFINISHED).scalar_one() >= _MOST:
        raise Problem("exports_waiting", count=_MOST_OF_ACCOUNT, retry_after=_AGAIN_AFTER_SECONDS)


# -- the manifest


def list_own(actor: Actor) -> Pages:
    """The account's own, the newest first."""
    columns = [getattr(BulkExport, name) for name in BulkExportItem.model_fields]
    statement = sa.select(*columns).where(col(BulkExport.account_id) == actor.account_id)
    return pages(statement, Order(col(BulkExport.id).desc()), each(lambda row: row._asdict()))


def find_own(db: Db, export_id: UUID, account_id: UUID) -> Any:
    """404 for those of others."""
    own = (col(BulkExport.id) == export_id, col(BulkExport.account_id) == account_id)
    row = db.execute(_EXPORT.where(*own)).one_or_none()
    if row is None:
        raise not_found()
    return row


def manifest_of(
    db: Db, actor: Actor, export_id: UUID, language: Language, sealer: Sealer
) -> dict[str, Any]:
    """An export of the account as BulkExportRead."""
    row = find_own(db, export_id, actor.account_id)
    job = jobs.shown_to_colleagues(db, row.job_id, language)
    position = None if row.position is None else Cursor.unpacked(row.position)
    return {
        "id": row.id,
        "state": _state(row, None if job is None else job.state),
        "kinds": row.kinds,
        "unit_id": row.unit_id,
        "format": row.format,
        "as_of": row.as_of,
        "created_at": row.created_at,
        "ready_at": row.ready_at,
        "expires_at": row.expires_at,
        "seq": position and position.seq,
        "epoch": position and position.epoch,
        # An export `since` another is of what is there now.
        "watermark": position and (None if row.as_of else position.sealed(sealer, _WATERMARK)),
        "progress": job.progress.model_dump() if job else {"done": 0, "total": None},
        "files": [_file(row.id, each) for each in _files(db, row)],
        "problem": job and job.problem,
    }


def _state(row: Any, of_job: JobState | None) -> ExportState:
    if row.ready_at is not None:
        return ExportState.expired if row.expires_at <= utc_now() else ExportState.ready
    return ExportState.failed if of_job in (None, JobState.failed) else ExportState.making


def _files(db: Db, row: Any) -> Sequence[Any]:
    columns = [getattr(ExportFile, name) for name in ExportFile.model_fields]
    its = sa.select(*columns).where(col(ExportFile.export_id) == row.id)
    return db.execute(its.order_by(col(ExportFile.file_id))).all()


def _file(export_id: UUID, row: Any) -> dict[str, Any]:
    told = row._asdict() | {"path": f"/v1/exports/{export_id}/files/{row.name}"}
    return {name: value for name, value in told.items() if name not in ("file_id", "export_id")}


# -- the files


def file_of(db: Db, actor: Actor, export_id: UUID, name: str) -> Any:
    """A file that may be read now: its row of the manifest. 410 once it is deleted, and for who has
    other rights than those with which the export was made."""
    row = find_own(db, export_id, actor.account_id)
    if row.ready_at is not None and row.expires_at <= utc_now():
        raise Problem("export_expired")
    found = [each for each in _files(db, row) if each.name == name]
    if not found:
        raise not_found()
    if not _has_same_rights(db, actor, row):
        raise Problem("export_rights_changed")
    return found[0]


def content_of(db: Db, file: Any, name: str) -> Content:
    """A file, whose tag is the sum that the manifest says."""
    found = stored.of_record(db, file.file_id, ENTITY, file.export_id, FileSize.full)
    return replace(found, name=name, tag=f'"{file.sha256}"')


def _has_same_rights(db: Db, actor: Actor, row: Any) -> bool:
    then = Cursor.unpacked(row.position).whole
    unit = None if row.unit_id is None else find(db, row.unit_id)
    now = Scope.of(db, actor, unit)
    kinds = slices.in_order(manifest().sync, row.kinds)
    return all(now.for_kind(kind) == then.for_kind(kind) for kind in kinds)
