"""What is due after a restore asks first: what had its time in the lost days may have been done then.

From a restore on, nothing that was due by then is done by itself, until the operator says so.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.models.kernel.epochs import Epoch
from app.services.kernel.access import Actor, Db
from app.services.kernel.notice_kinds import NoticeKind

_WAITS = sa.select(col(Epoch.id), col(Epoch.began_at)).where(col(Epoch.went_on_at).is_(None))


@dataclass(frozen=True, slots=True)
class Due:
    """What a capability does by itself when its time has come: a part of its manifest.

    `count`: how many were due by an instant. `release`: brings on its way what does not look at the
    clock again. `drop`: does away with them; None where people decide on each.
    """

    kind: str
    what: str
    count: Callable[[Db, datetime], int]
    release: Callable[[Session, datetime], object] | None = None
    drop: Callable[[Session, datetime], object] | None = None


def asks_until(db: Db) -> datetime | None:
    """What was due by this instant waits for the operator; None: nothing does."""
    waits = db.execute(_WAITS.order_by(col(Epoch.number).desc()).limit(1)).one_or_none()
    return None if waits is None else waits.began_at


def after_restore(db: Db, due: Any, by: Callable[[datetime], Any]) -> Any:
    """Only what became due after the restore, while the rest waits."""
    until = asks_until(db)
    return sa.true() if until is None else due > by(until)


def waiting(db: Db, dues: Sequence[Due]) -> Mapping[str, int]:
    """How many of each kind wait."""
    until = asks_until(db)
    return {} if until is None else {each.kind: each.count(db, until) for each in dues}


def go_on(session: Session, dues: Sequence[Due], by: str, dropped: Collection[str]) -> bool:
    """The operator has decided: what waits is done, but for the dropped kinds. False where nothing
    waits for a decision."""
    # Of two who decide at once the second finds nothing that waits.
    session.execute(_WAITS.order_by(col(Epoch.number)).with_for_update())
    until = asks_until(session)
    if until is None:
        return False
    for each in dues:
        act = each.drop if each.kind in dropped else each.release
        if act is not None:
            act(session, until)
    session.execute(
        sa.update(Epoch)
        .where(col(Epoch.went_on_at).is_(None))
        .values(went_on_at=utc_now(), went_on_by=by)
    )
    return True


def _source(db: Db, _actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, Any]]:
    waits = db.execute(_WAITS.where(col(Epoch.id).in_(ids)))
    return {row.id: {} for row in waits}


RESTORED = NoticeKind(
    "server_restored",
    "Máy chủ đã được khôi phục từ bản sao lưu; những việc đã đến hạn chờ người vận hành cho chạy tiếp",
    "The server was restored from a backup; what was due waits until its operator says go",
    "/v1/jobs",
    _source,
)
