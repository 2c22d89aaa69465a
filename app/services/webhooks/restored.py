"""Events that waited when a backup was made, and may have been sent in the days that were lost with it:
after a restore the operator says whether they are sent again."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.models.kernel.epochs import Epoch
from app.models.webhooks.endpoints import WebhookEndpoint, WebhookPosition
from app.services.kernel.access import Db
from app.services.kernel.due import Due
from app.services.kernel.following import newest
from app.services.webhooks import positions

_BEGAN_AFTER = (
    sa.select(sa.func.max(col(Epoch.began_after)))
    .where(col(Epoch.went_on_at).is_(None))
    .scalar_subquery()
)
_BEHIND = col(WebhookPosition.seq) < _BEGAN_AFTER


def _count(db: Db, _until: datetime) -> int:
    behind = sa.select(sa.func.count()).select_from(WebhookPosition).where(_BEHIND)
    return int(db.execute(behind).scalar_one())


def _drop(session: Session, _until: datetime) -> None:
    """They go on with what came after the restore; the gap is seen, and logged."""
    began_after = session.execute(sa.select(_BEGAN_AFTER)).scalar_one()
    epoch = newest(session).epoch
    behind: Any = (
        select(WebhookEndpoint)
        .join(WebhookPosition, col(WebhookPosition.endpoint_id) == col(WebhookEndpoint.id))
        .where(_BEHIND)
        .order_by(col(WebhookEndpoint.id))
    )
    for endpoint in session.exec(behind.with_for_update(of=WebhookEndpoint)).all():
        endpoint.skipped_through = began_after
        session.flush()
        place = {"seq": began_after, "sent_seq": began_after, "epoch": epoch}
        no_replay = dict.fromkeys(("replay_after", "replay_to", "replay_sent"))
        positions.act_on(session, endpoint.id, **place, **no_replay)


DUE = Due("webhook", "webhooks to which events may have been sent already", _count, drop=_drop)
