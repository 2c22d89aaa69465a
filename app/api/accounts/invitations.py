"""Accounts for the heads of many branches at once, and the sheet of their codes."""

from collections.abc import Iterator

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.context import request_context
from app.api.http.deps import ActorDep
from app.api.http.ids import UnitPath
from app.api.http.pages import page, text_of
from app.api.http.pictures import qr_image
from app.api.http.routing import Router
from app.api.http.server import server_of
from app.clock import VIETNAM
from app.models.accounts.invitations import HeadInvitations, HeadsInvite
from app.models.kernel.export_log import ExportFormat
from app.services.accounts import sheets
from app.services.accounts.sheets import CodeLine, CodeSheet
from app.services.kernel import export_log

router = Router(prefix="/v1", tags=["accounts"])


@router.post("/accounts/heads", response_model=HeadInvitations)
def invite_heads(
    session: Session, actor: ActorDep, request: Request, body: HeadsInvite
) -> HeadInvitations:
    """An account for each head of a branch in the unit who has none, up to 500 a call; asked again,
    it makes those that are missing. Each is made under the rules of `POST /v1/accounts`: who cannot
    be invited says why, and keeps nobody else from it. The codes are on the sheet.
    """
    return sheets.invite_heads(session, server_of(request).signin, actor, body.unit_id)


@router.get("/units/{unit_id}/sign-in-codes", response_model=str, response_class=HTMLResponse)
def get_sign_in_codes(
    db: Connection, actor: ActorDep, request: Request, unit_id: UnitPath
) -> Response:
    """A page to print, to be cut and handed out: name, user name, one-time code, QR code of both.

    Of the accounts that I invited or last reset myself; it may be printed again, and codes that
    were used are struck out.
    """
    sheet = sheets.sheet_of(db, actor, unit_id)
    database = server_of(request).database
    export_id = export_log.begin(
        database,
        actor,
        request_id=request_context.get().request_id,
        path=request.scope["path"],
        filters={},
        fields=["full_name", "username", "code"],
        format_=ExportFormat.html,
    )
    export_log.finish(database, export_id, len(sheet.lines))
    title = f"Mã đăng nhập lần đầu – {sheet.unit}"
    return page(request, title, _sheet(title, sheet))


def _sheet(title: str, sheet: CodeSheet) -> Iterator[str]:
    yield text_of("h1", title)
    yield text_of(
        "p",
        "Cắt từng dòng và trao tận tay từng chị. Mã chỉ dùng được một lần: đăng nhập bằng tên và mã,"
        " rồi đặt mật khẩu của mình. Mã đã dùng được gạch đi; mã hết hạn thì cấp lại.",
    )
    yield "<table><thead><tr>"
    for heading in ("STT", "Chi hội", "Họ và tên", "Tên đăng nhập", "Mã dùng một lần", "Mã QR"):
        yield text_of("th", heading)
    yield "</tr></thead><tbody>"
    for number, line in enumerate(sheet.lines, 1):
        yield "<tr>"
        for text in (str(number), line.unit, line.full_name, line.username):
            yield text_of("td", text)
        yield from _code(line)
        yield "</tr>"
    yield "</tbody></table>"


def _code(line: CodeLine) -> Iterator[str]:
    if line.is_used:
        yield "<td><s>Đã dùng</s></td><td></td>"
    elif line.code is None or line.expires_at is None:
        yield "<td>Hết hạn hoặc đã đổi: cấp lại mã.</td><td></td>"
    else:
        until = f"đến {line.expires_at.astimezone(VIETNAM):%H:%M %d/%m/%Y}"
        yield f"<td>{text_of('strong', line.code)} {text_of('span', until)}</td>"
        # What the app reads: the name and the code, each on a line.
        picture = qr_image(f"{line.username}\n{line.code}", "Mã QR", "key")
        yield f"<td>{picture}</td>"
