"""The inbox of each account: what is delivered into it, and what its owner reads there.

A notice names what it is about and nothing more. When it is read, the capability that sent it says
what the reader may know of that now: nothing, and the notice is not shown.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.db import AnySelect, insert_new
from app.errors import not_found
from app.models.base import new_id
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.notices.notifications import (
    Notification,
    NotificationQuery,
    NotificationRead,
)
from app.problem_texts import Language
from app.services.kernel.access import Actor, Db, nearest_holders
from app.services.kernel.keyset import Order, Pages, pages
from app.services.kernel.manifest import manifest
from app.services.kernel.notice_kinds import NoticeKind
from app.services.kernel.tracking import PATH

_NEWEST = Order(col(Notification.id).desc())

# -- delivering


def deliver(
    session: Session,
    kind: str,
    entity_id: UUID,
    account_ids: Sequence[UUID],
    occasion: str = "",
) -> None:
    """Put a notice into these inboxes, where it is not there already."""
    now = utc_now()
    rows = [
        {
            "id": new_id(),
            "account_id": account_id,
            "kind": kind,
            "entity_id": entity_id,
            "occasion": occasion,
            "created_at": now,
        }
        for account_id in sorted(account_ids)
    ]
    insert_new(session, Notification, rows)


def ask(
    session: Session,
    actor: Actor | None,
    kind: str,
    entity_id: UUID,
    right: Right,
    unit_id: int,
    counts: Callable[[UUID], bool] = lambda _: True,
) -> None:
    """Tell those who must act. `counts`: which accounts may act at all."""
    deliver(session, kind, entity_id, who_must_act(session, actor, right, unit_id, counts))


def who_must_act(
    session: Session,
    actor: Actor | None,
    right: Right,
    unit_id: int,
    counts: Callable[[UUID], bool] = lambda _: True,
) -> list[UUID]:
    """Who holds the right in the unit, or where nobody else than the actor does, in the nearest one
    above it."""
    asking = None if actor is None else actor.account_id
    return nearest_holders(
        session, right, unit_id, lambda account_id: account_id != asking and counts(account_id)
    )


def waiting(name: str, vi: str, en: str, link: str, found: AnySelect, right: Right) -> NoticeKind:
    """Notices of what waits for those who hold a right. `found` selects what still waits as `id`,
    and the unit in which as `waits_for`: what was decided is no longer shown."""
    of = found.subquery("waiting")
    statement: AnySelect = sa.select(
        of.c.id,
        col(Unit.id).label("unit_id"),
        col(Unit.level),
        col(Unit.name),
        *(getattr(Unit, column) for column in PATH),
    ).join(Unit, col(Unit.id) == of.c.waits_for)

    def source(db: Db, actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, Any]]:
        return {
            row.id: {"unit": {"id": row.unit_id, "level": row.level, "name": row.name}}
            for row in db.execute(statement.where(of.c.id.in_(ids)))
            if actor.covers(right, row)
        }

    return NoticeKind(name, vi, en, link, source)


# -- reading


def list_notifications(actor: Actor, query: NotificationQuery, language: Language) -> Pages:
    """Mine, the newest first; each shows what it is about as it is now."""
    columns = [getattr(Notification, name) for name in Notification.model_fields]
    statement = sa.select(*columns).where(col(Notification.account_id) == actor.account_id)
    if query.unread:
        statement = statement.where(col(Notification.read_at).is_(None))
    return pages(statement, _NEWEST, partial(_shown, actor, language))


def _shown(
    actor: Actor, language: Language, db: Db, rows: Sequence[Any]
) -> Iterator[dict[str, Any] | None]:
    ids: dict[str, list[UUID]] = defaultdict(list)
    for row in rows:
        ids[row.kind].append(row.entity_id)
    kinds = manifest().notices
    known = {name: kinds[name].source(db, actor, of_kind) for name, of_kind in ids.items()}
    for row in rows:
        told = known[row.kind].get(row.entity_id)
        yield None if told is None else _item(row, kinds[row.kind], told, language)


def _item(
    row: Any, kind: NoticeKind, told: Mapping[str, Any], language: Language
) -> dict[str, Any]:
    said = kind.vi if language == "vi" else kind.en
    # What waits is named by its kind; an event has a title, and the kind says what became of it.
    words = {"title": said, "text": None} if "title" not in told else {"text": said}
    if "says" in told:
        words["text"] = told["says"][language]
    shown = {name: value for name, value in told.items() if name != "says"}
    item = dict.fromkeys(NotificationRead.model_fields) | words | shown
    item |= {name: getattr(row, name) for name in ("id", "kind", "entity_id")}
    item["link"] = kind.link.format_map(item)
    return item | {"created_at": row.created_at, "read_at": row.read_at}


def mark_read(session: Session, actor: Actor, notification_id: UUID) -> None:
    """The owner has read it; 404 for a notification of another account."""
    found = session.exec(
        select(Notification).where(
            col(Notification.id) == notification_id,
            col(Notification.account_id) == actor.account_id,
        )
    ).one_or_none()
    if found is None:
        raise not_found()
    found.read_at = found.read_at or utc_now()
    session.flush()
