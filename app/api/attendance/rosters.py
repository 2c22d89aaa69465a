"""Who is on the roster of a session, and who stays away."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.engine import Connection

from app.api.http.context import request_context
from app.api.http.deps import ActorDep
from app.api.http.ids import SessionPath, UnitPath
from app.api.http.pages import page, text_of, when
from app.api.http.paging import STREAMED, is_file, listing
from app.api.http.pictures import qr_image
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.models.attendance.rosters import (
    AbsenteePage,
    AbsenteeQuery,
    AbsenteeRead,
    RosterPage,
    RosterQuery,
    RosterRead,
    SheetQuery,
)
from app.models.kernel.export_log import ExportFormat
from app.services.attendance import rosters, sheets
from app.services.attendance.sheets import GUEST_ROWS, Sheet
from app.services.kernel import export_log

router = Router(prefix="/v1", tags=["attendance"])


@router.get("/sessions/{session_id}/roster", response_model=RosterPage, responses=STREAMED)
def list_roster(
    db: Connection,
    actor: ActorDep,
    request: Request,
    session_id: SessionPath,
    query: Annotated[RosterQuery, Query()],
) -> Response:
    """Everybody invited who was a member of my units on that day, by name: who came, who was absent
    (`state=absent`), and what each had answered."""
    as_file = is_file(request, query)
    found = rosters.list_roster(db, actor, session_id, query, as_file=as_file)
    return listing(request, db, query, RosterRead, found)


@router.get(
    "/sessions/{session_id}/sign-in-sheet",
    response_model=str,
    response_class=HTMLResponse,
)
def get_sign_in_sheet(
    db: Connection,
    actor: ActorDep,
    request: Request,
    session_id: SessionPath,
    query: Annotated[SheetQuery, Query()],
) -> Response:
    """The roster as a page to print, with room for signatures, and a code at its head by which
    members check in with their phones. Restricted records are left out."""
    sheet = sheets.of_session(db, actor, session_id, query.branch)
    database = server_of(request).database
    export_id = export_log.begin(
        database,
        actor,
        request_id=request_context.get().request_id,
        path=request.scope["path"],
        filters=query.model_dump(exclude_none=True),
        fields=["full_name", "branch_name"],
        format_=ExportFormat.html,
    )
    export_log.finish(database, export_id, len(sheet.people))
    return page(request, sheet.title, _sheet(sheet))


def _sheet(sheet: Sheet) -> Iterator[str]:
    yield qr_image(sheet.code, "Mã điểm danh", "code")
    yield text_of("h1", sheet.title)
    yield text_of(
        "p", " · ".join(filter(None, [when(sheet.starts_at, sheet.ends_at), sheet.place]))
    )
    yield text_of("p", "Danh sách ký tên. Chị nào có điện thoại thì quét mã để điểm danh.")
    yield "<table><thead><tr>"
    for title, css in (("STT", "number"), ("Họ và tên", ""), ("Chi hội", ""), ("Ký tên", "sign")):
        yield text_of("th", title, css)
    yield "</tr></thead><tbody>"
    for number, person in enumerate(sheet.people, 1):
        cells = (text_of("td", each) for each in (str(number), *person))
        yield f"<tr>{''.join(cells)}<td></td></tr>"
    for _ in range(GUEST_ROWS):
        yield "<tr><td>&nbsp;</td><td></td><td>Khách mời</td><td></td></tr>"
    yield "</tbody></table>"


@router.get("/units/{unit_id}/absentees", response_model=AbsenteePage, responses=STREAMED)
def list_absentees(
    db: Connection,
    actor: ActorDep,
    request: Request,
    unit_id: UnitPath,
    query: Annotated[AbsenteeQuery, Query()],
) -> Response:
    """Who missed the last meetings of her branch, several in succession: whom to visit."""
    found = rosters.list_absentees(db, actor, unit_id, query)
    return listing(request, db, query, AbsenteeRead, found)
