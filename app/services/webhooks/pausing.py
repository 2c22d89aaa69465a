"""Webhooks that the server pauses itself, and the notice to those who answer for the program."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import AnySelect, Database
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit
from app.models.webhooks.endpoints import WebhookEndpoint, WebhookPause, WebhookState
from app.services.kernel import changes
from app.services.kernel.access import Actor, Db
from app.services.kernel.notice_kinds import NoticeKind
from app.services.kernel.tracking import PATH
from app.services.notices import inbox

_UNIT_OF = sa.select(col(Account.unit_id)).where(col(Account.id) == sa.bindparam("account_id"))
_PAUSED: AnySelect = (
    sa.select(
        col(WebhookEndpoint.id),
        col(WebhookEndpoint.reason),
        col(Account.display_name),
        col(Unit.id).label("unit_id"),
        col(Unit.level),
        col(Unit.name),
        *(getattr(Unit, column) for column in PATH),
    )
    .join(Account, col(Account.id) == col(WebhookEndpoint.account_id))
    .join(Unit, col(Unit.id) == col(Account.unit_id))
    .where(col(WebhookEndpoint.state) == WebhookState.paused)
)
_WHY: Mapping[WebhookPause, tuple[str, str]] = {
    WebhookPause.refused: (
        "Hệ thống nhận không nhận dữ liệu suốt 3 ngày; chưa mất gì, sẽ gửi tiếp khi cho chạy lại.",
        "It has taken nothing for three days; nothing is lost, and it goes on when it is resumed.",
    ),
    WebhookPause.gone: (
        "Hệ thống nhận báo địa chỉ này không còn dùng nữa.",
        "The receiver says that its address is no longer in use.",
    ),
    WebhookPause.account: (
        "Tài khoản của chương trình đã bị khoá.",
        "The account of the program is disabled.",
    ),
    WebhookPause.no_rights: (
        "Chương trình không còn quyền đọc những gì được gửi.",
        "The program may no longer read what it was sent.",
    ),
    WebhookPause.more_rights: (
        "Chương trình vừa được thêm quyền; hãy xác nhận nơi nhận rồi cho chạy lại.",
        "The program has got further rights; confirm where they are sent, then resume.",
    ),
    WebhookPause.start_over: (
        "Nhật ký không còn giữ phần tiếp theo; chương trình cần lấy lại toàn bộ dữ liệu.",
        "The log no longer has what comes next; the program has to export anew.",
    ),
    WebhookPause.asked: ("Có người đã tạm dừng.", "Somebody has paused it."),
}


def _source(db: Db, actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, Any]]:
    """Of those that are still paused, and of programs that the reader answers for."""
    found = db.execute(_PAUSED.where(col(WebhookEndpoint.id).in_(ids)))
    return {
        row.id: {
            "title": row.display_name,
            "unit": {"id": row.unit_id, "level": row.level, "name": row.name},
            "says": dict(zip(("vi", "en"), _WHY[row.reason], strict=True)),
        }
        for row in found
        if actor.covers(Right.accounts_read, row)
    }


PAUSED = NoticeKind(
    "webhook_paused",
    "Đã tạm dừng gửi dữ liệu cho một chương trình",
    "Events are no longer sent to a program",
    "/v1/webhooks/{entity_id}",
    _source,
)


@contextmanager
def writing(database: Database) -> Iterator[Session]:
    """A transaction of a sender."""
    with database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.job, source_ref="webhooks"))
        yield session


def hold(session: Session, endpoint_id: UUID) -> WebhookEndpoint | None:
    """The webhook, kept from everybody else until the commit."""
    return session.get(WebhookEndpoint, endpoint_id, with_for_update=True)


def pause(session: Session, endpoint_id: UUID, reason: WebhookPause) -> None:
    endpoint = hold(session, endpoint_id)
    if endpoint is not None:
        pause_held(session, endpoint, reason)


def pause_held(session: Session, endpoint: WebhookEndpoint, reason: WebhookPause) -> None:
    """Nothing is sent until somebody resumes it; those who answer for the program get a notice."""
    if endpoint.state is WebhookState.paused:
        return
    set_paused(endpoint, reason)
    session.flush()
    unit_id = session.execute(_UNIT_OF, {"account_id": endpoint.account_id}).scalar_one()
    responsible = inbox.who_must_act(session, None, Right.accounts_write, unit_id)
    occasion = f"{reason} {endpoint.revision}"
    inbox.deliver(session, PAUSED.name, endpoint.id, responsible, occasion)


def set_paused(endpoint: WebhookEndpoint, reason: WebhookPause) -> None:
    endpoint.state = WebhookState.paused
    endpoint.reason = reason
    endpoint.paused_at = utc_now()
