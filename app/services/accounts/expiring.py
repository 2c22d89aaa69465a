"""Programs and secrets that end soon: whoever looks after them is sent a notice, once for each end."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today, start_of
from app.db import AnySelect, Database, settings_of
from app.models.identity.clients import ClientSecret
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account, AccountStatus
from app.models.kernel.units import Unit
from app.services.identity.client_secrets import good_on
from app.services.kernel import due
from app.services.kernel.access import Actor, Db
from app.services.kernel.notice_kinds import NoticeKind
from app.services.kernel.tracking import PATH
from app.services.notices import inbox

_LINK: Final = "/v1/accounts/{entity_id}"
_IN_USE = col(Account.status) != AccountStatus.disabled


def _programs(today: date, last: date) -> AnySelect:
    """Programs whose last day comes up to `last`."""
    return sa.select(
        col(Account.id),
        col(Account.unit_id),
        col(Account.valid_to),
        sa.null().label("which"),
    ).where(_IN_USE, col(Account.valid_to) >= today, col(Account.valid_to) <= last)


def _secrets(today: date, last: date) -> AnySelect:
    """Programs one of whose secrets has its last day up to `last`."""
    return (
        sa.select(
            col(Account.id),
            col(Account.unit_id),
            col(ClientSecret.valid_to),
            col(ClientSecret.id).label("which"),
        )
        .join(Account, col(Account.id) == col(ClientSecret.account_id))
        .where(_IN_USE, good_on(today), col(ClientSecret.valid_to) <= last)
    )


def send_due(database: Database) -> int:
    """Tell of what ends within the days of the settings; returns how many ends."""
    with database.writing() as session:
        return sum(_tell(session, kind.name, found) for kind, found in _KINDS)


def _tell(session: Session, kind: str, found: Any) -> int:
    today, days = local_today(), timedelta(days=settings_of(session).expiry_notice_days)
    until = due.asks_until(session)
    rows = session.execute(found(today, today + days)).all()
    for row in rows:
        if until is not None and start_of(row.valid_to - days) <= until:
            continue  # perhaps it was sent before the restore: the operator decides
        who = inbox.who_must_act(session, None, Right.accounts_write, row.unit_id)
        inbox.deliver(session, kind, row.id, who, _occasion(row))
    return len(rows)


def _occasion(row: Any) -> str:
    """Each end of each secret, in 40 characters."""
    return f"{row.valid_to}{row.which.hex[-30:] if row.which else ''}"


def waiting(db: Db, until: Any) -> int:
    """How many ends a notice was due for by an instant."""
    today, days = local_today(), timedelta(days=settings_of(db).expiry_notice_days)
    return sum(
        start_of(row.valid_to - days) <= until
        for _, found in _KINDS
        for row in db.execute(found(today, today + days))
    )


def _source(found: Any, vi: str, en: str) -> Any:
    """What notices of a kind say now: of what has been renewed since, nothing."""

    def source(db: Db, actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, Any]]:
        today = local_today()
        ending = found(today, today + timedelta(days=settings_of(db).expiry_notice_days))
        of = ending.where(col(Account.id).in_(ids)).subquery("ending")
        rows = db.execute(
            sa.select(
                of.c.id,
                sa.func.min(of.c.valid_to).label("valid_to"),
                col(Account.display_name),
                col(Unit.id).label("unit_id"),
                col(Unit.level),
                col(Unit.name),
                *(getattr(Unit, name) for name in PATH),
            )
            .join(Account, col(Account.id) == of.c.id)
            .join(Unit, col(Unit.id) == col(Account.unit_id))
            .group_by(of.c.id, col(Account.display_name), col(Unit.id))
        )
        return {
            row.id: {
                "title": row.display_name,
                "says": {
                    "vi": vi.format(name=row.display_name, day=f"{row.valid_to:%d/%m/%Y}"),
                    "en": en.format(name=row.display_name, day=row.valid_to),
                },
                "unit": {"id": row.unit_id, "level": row.level, "name": row.name},
            }
            for row in rows
            if actor.covers(Right.accounts_read, row)
        }

    return source


PROGRAM = NoticeKind(
    "program_ends",
    "Tài khoản của một phần mềm sắp hết hạn",
    "The account of a program ends soon",
    _LINK,
    _source(
        _programs,
        "Tài khoản phần mềm “{name}” chỉ dùng được đến hết ngày {day}. Hãy gia hạn nếu còn cần.",
        "The account of the program “{name}” is good up to {day}. Extend it if it is still needed.",
    ),
)
SECRET = NoticeKind(
    "secret_ends",
    "Khoá bí mật của một phần mềm sắp hết hạn",
    "A secret of a program ends soon",
    _LINK,
    _source(
        _secrets,
        "Một khoá bí mật của phần mềm “{name}” chỉ dùng được đến hết ngày {day}. Hãy cấp khoá mới cho bên sử dụng.",
        "A secret of the program “{name}” is good up to {day}. Give its users a new one.",
    ),
)
_KINDS = ((PROGRAM, _programs), (SECRET, _secrets))
