"""Imports (nhập danh sách): a file in, its preview, its own workbook back, applied, undone."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.answers import attachment
from app.api.http.conditional import chosen_fields, entity, expected_revisions
from app.api.http.context import request_context
from app.api.http.deps import ActorDep
from app.api.http.noting import will_show
from app.api.http.paging import STREAMED, listing
from app.api.http.pending import ACCEPTED, Pending, accepted, answer_when_over
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.api.http.uploads import FILE_BODY, UploadDep
from app.config import Settings
from app.json_values import json_bytes
from app.models.base import Fields
from app.models.imports.imports import (
    ImportApply,
    ImportItem,
    ImportListQuery,
    ImportPage,
    ImportRead,
    ImportUpdate,
    TemplateQuery,
    UploadQuery,
)
from app.models.imports.rows import RowPage, RowQuery, RowRead, RowUpdate
from app.models.kernel.access_log import ReadHow
from app.models.kernel.export_log import ExportFormat
from app.models.kernel.jobs import JobRead
from app.services.imports import files, imports, lists, rows
from app.services.kernel import export_log
from app.services.kernel.access import Actor, Db
from app.services.kernel.list_files import MEDIA_TYPES
from app.workbooks.tables import Limits

router = Router(prefix="/v1/imports", tags=["imports"])
ImportPath = Annotated[UUID, Path(description="Id of the import.")]
RowPath = Annotated[int, Path(description="The row's number in the file.")]
_XLSX = MEDIA_TYPES[ExportFormat.xlsx]


class Workbook(Response):
    """A file of Excel."""

    media_type = _XLSX


_FILE: dict[int | str, dict[str, object]] = {
    200: {
        "description": "A workbook.",
        # Generators of clients know files by the first.
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}}
            for media_type in ("application/octet-stream", _XLSX)
        },
    }
}


def _most_bytes(settings: Settings) -> int:
    return settings.import_max_bytes


@router.post(
    "", status_code=201, response_model=ImportRead, openapi_extra=FILE_BODY, most_bytes=_most_bytes
)
def create_import(
    session: Session,
    actor: ActorDep,
    request: Request,
    query: Annotated[UploadQuery, Query()],
    upload: UploadDep,
) -> Response:
    """Send a list (.xlsx, .xls, .ods, .csv, .ndjson) of a unit: the body, or `file` of a form.

    It is read and compared with what is on record, and nothing is written: `state` is `reading`,
    then `ready` or `refused`. `Prefer: wait=30` answers when that is over.
    """
    name = upload.name or query.file_name or "danh-sach"
    import_id = imports.upload(session, actor, query, name, upload.content)
    return _when_read(request, session, actor, import_id, 201)


def _when_read(
    request: Request, session: Session, actor: Actor, import_id: UUID, status: int
) -> Response:
    location = f"/v1/imports/{import_id}"

    def shown(db: Db, actor: Actor) -> Response:
        item = lists.get_import(db, actor, import_id, request_context.get().language)
        item = ImportRead.model_validate(item).model_dump()
        return entity(request, item, status=status, location=location, derived=True)

    now = shown(session, actor)
    pending = Pending(now.body, status, dict(now.headers), "application/json")
    return answer_when_over(actor, lists.job_of(session, import_id), pending, shown)


@router.get("", response_model=ImportPage, responses=STREAMED)
def list_imports(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[ImportListQuery, Query()]
) -> Response:
    """Files I sent, and those of units I may write to; the newest first."""
    return listing(request, db, query, ImportItem, lists.list_imports(db, actor, query))


@router.get("/template", response_class=Workbook, responses=_FILE)
def get_import_template(
    db: Connection, actor: ActorDep, query: Annotated[TemplateQuery, Query()]
) -> Response:
    """The empty workbook to fill in: text columns, lists to choose from, an example, a guide."""
    name, content = files.empty(db, actor, query.kind)
    return _file(name, content)


@router.get("/{import_id}", response_model=ImportRead)
def get_import(
    db: Connection,
    actor: ActorDep,
    request: Request,
    import_id: ImportPath,
    query: Annotated[Fields, Query()],
) -> Response:
    """What was found in the file: its columns, what its rows would do or did, by unit."""
    fields = chosen_fields(query.fields, ImportRead)
    language = request_context.get().language
    item = lists.get_import(db, actor, import_id, language)
    return entity(
        request, ImportRead.model_validate(item).model_dump(), fields=fields, derived=True
    )


@router.patch("/{import_id}", response_model=ImportRead)
def update_import(
    session: Session, actor: ActorDep, request: Request, import_id: ImportPath, body: ImportUpdate
) -> Response:
    """Choose another sheet, correct what columns are read as, or the options: a new preview.

    What is chosen of how the list is written is remembered for the unit's next list of this shape.
    """
    imports.update(session, actor, import_id, body, expected_revisions(request))
    return _when_read(request, session, actor, import_id, 200)


@router.get("/{import_id}/rows", response_model=RowPage, responses=STREAMED)
def list_import_rows(
    db: Connection,
    actor: ActorDep,
    request: Request,
    import_id: ImportPath,
    query: Annotated[RowQuery, Query()],
) -> Response:
    """Its rows in the order of the file: what each does, each wrong cell with what to write."""
    return listing(request, db, query, RowRead, rows.list_rows(db, actor, import_id, query))


@router.patch("/{import_id}/rows/{number}", response_model=RowRead, if_match=False)
def update_import_row(
    session: Session, actor: ActorDep, import_id: ImportPath, number: RowPath, body: RowUpdate
) -> Response:
    """Accept what is proposed for cells of one row, or decide who a possible duplicate is."""
    item = rows.decide(session, actor, import_id, number, body)
    will_show(RowRead, [item], ReadHow.detail)
    return Response(
        json_bytes(RowRead.model_validate(item).model_dump()), media_type="application/json"
    )


@router.get("/{import_id}/file", response_class=Workbook, responses=_FILE)
def get_import_file(
    db: Connection, actor: ActorDep, request: Request, import_id: ImportPath
) -> Response:
    """My own workbook back, with what became of each row: Kết quả, Lỗi, Gợi ý, Mã.

    Corrected and sent again, only what was corrected changes.
    """
    name, content = files.workbook(db, actor, import_id, _limits(request))
    return _taken(request, actor, name, content)


@router.get("/{import_id}/errors-file", response_class=Workbook, responses=_FILE)
def get_import_errors_file(
    db: Connection, actor: ActorDep, request: Request, import_id: ImportPath
) -> Response:
    """A workbook of the rows in error alone."""
    name, content = files.errors_only(db, actor, import_id, _limits(request))
    return _taken(request, actor, name, content)


@router.post(
    "/{import_id}/apply",
    status_code=202,
    response_model=JobRead,
    responses=ACCEPTED,
    if_match=True,
)
def apply_import(
    session: Session, actor: ActorDep, request: Request, import_id: ImportPath, body: ImportApply
) -> Response:
    """Write what was previewed. `atomic`: all rows or none."""
    job = imports.apply(session, actor, import_id, body, expected_revisions(request))
    return accepted(actor, job)


@router.post(
    "/{import_id}/undo", status_code=202, response_model=JobRead, responses=ACCEPTED, if_match=True
)
def undo_import(
    session: Session, actor: ActorDep, request: Request, import_id: ImportPath
) -> Response:
    """Take back what was written, while nobody has touched it: else 409 with `obstacles`."""
    return accepted(actor, imports.undo(session, actor, import_id, expected_revisions(request)))


def _limits(request: Request) -> Limits:
    return Limits(file_bytes=server_of(request).settings.import_max_bytes)


def _taken(request: Request, actor: Actor, name: str, content: bytes) -> Response:
    """A file of people has left: written down as any export is."""
    database = server_of(request).database
    export_id = export_log.begin(
        database,
        actor,
        request_id=request_context.get().request_id,
        path=request.scope["path"],
        filters={},
        fields=[],
        format_=ExportFormat.xlsx,
    )
    export_log.finish(database, export_id, 0)
    return _file(name, content)


def _file(name: str, content: bytes) -> Response:
    return Workbook(content, 200, attachment(name))
