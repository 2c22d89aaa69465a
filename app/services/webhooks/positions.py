"""Where webhooks stand, and who is at them: one sender at a time, by a lease of its row.

What people do to a webhook counts up `acts`. A sender writes only where the number is the one that it
began with, so what it does not know of yet is never undone by it.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.models.kernel.changes import FeedHead
from app.models.webhooks.endpoints import WebhookEndpoint, WebhookPosition, WebhookState
from app.services.kernel.access import Db

# A sender that is killed is missed after so long. Longer than any look-up and request together.
LEASE: Final = timedelta(seconds=60)
TRY_NOW: Final[dict[str, Any]] = {
    "failing_seq": None,
    "failing_since": None,
    "failures": 0,
    "last_error": None,
}
_HEAD = sa.select(col(FeedHead.seq)).where(col(FeedHead.id) == 1).scalar_subquery()
_FREE = sa.or_(
    col(WebhookPosition.lease_until).is_(None),
    col(WebhookPosition.lease_until) <= sa.bindparam("now"),
)
_PLACE = sa.select(
    *(getattr(WebhookPosition, name) for name in WebhookPosition.model_fields)
).where(col(WebhookPosition.endpoint_id) == sa.bindparam("endpoint_id"))
_ACTS = sa.select(col(WebhookPosition.acts)).where(
    col(WebhookPosition.endpoint_id) == sa.bindparam("endpoint_id")
)
_DUE = (
    sa.select(
        col(WebhookPosition.endpoint_id),
        col(WebhookPosition.failures),
        col(WebhookPosition.acts),
        _HEAD.label("head"),
    )
    .join(WebhookEndpoint, col(WebhookEndpoint.id) == col(WebhookPosition.endpoint_id))
    .where(
        col(WebhookEndpoint.state) == WebhookState.enabled,
        col(WebhookPosition.next_at) <= sa.bindparam("now"),
        _FREE,
        sa.or_(col(WebhookPosition.seq) < _HEAD, col(WebhookPosition.replay_to).is_not(None)),
    )
    .order_by(col(WebhookPosition.next_at), col(WebhookPosition.endpoint_id))
)


def act_on(session: Session, endpoint_id: UUID, **values: Any) -> None:
    """Somebody has done something to the webhook: what waits is tried at once, by these values."""
    session.connection().execute(
        sa.update(WebhookPosition)
        .where(col(WebhookPosition.endpoint_id) == endpoint_id)
        .values(acts=col(WebhookPosition.acts) + 1, next_at=utc_now(), **TRY_NOW, **values)
    )


def hold(session: Session, endpoint_id: UUID) -> Any:
    """Where it stands, kept from its sender until the commit."""
    return session.execute(_PLACE.with_for_update(), {"endpoint_id": endpoint_id}).one()


def due(db: Db, now: datetime) -> list[Any]:
    """Webhooks to which something may have to be sent now, and that nobody is at."""
    return list(db.execute(_DUE, {"now": now}).all())


def find(db: Db, endpoint_id: UUID) -> Any | None:
    return db.execute(_PLACE, {"endpoint_id": endpoint_id}).one_or_none()


def is_at(session: Session, place: Any) -> bool:
    """Nobody has done anything to it since it was read; it is kept until the commit."""
    acts = session.execute(_ACTS.with_for_update(), {"endpoint_id": place.endpoint_id}).scalar()
    return bool(acts == place.acts)


def take(session: Session, place: Any, lease: UUID, now: datetime) -> bool:
    """It is this sender's alone until its lease ends; false where another one has it, or it does not
    stand where it was read."""
    taken = (
        sa.update(WebhookPosition)
        .where(
            col(WebhookPosition.endpoint_id) == place.endpoint_id,
            col(WebhookPosition.acts) == place.acts,
            col(WebhookPosition.seq) == place.seq,
            col(WebhookPosition.replay_after).is_not_distinct_from(place.replay_after),
            _FREE,
        )
        .values(lease=lease, lease_until=now + LEASE)
    )
    return session.connection().execute(taken, {"now": now}).rowcount == 1


def pass_over(session: Session, place: Any, seq: int, epoch: UUID) -> None:
    """Nothing up to there is for it; nobody has to be at it for that."""
    session.connection().execute(
        sa.update(WebhookPosition)
        .where(
            col(WebhookPosition.endpoint_id) == place.endpoint_id,
            col(WebhookPosition.acts) == place.acts,
            col(WebhookPosition.seq) == place.seq,
        )
        .values(seq=seq, epoch=epoch)
    )


def move(session: Session, endpoint_id: UUID, lease: UUID, acts: int, **values: Any) -> bool:
    """The sender writes how far it has come, and keeps the webhook; false where it has lost it, or
    somebody has done something to it meanwhile."""
    moved = (
        sa.update(WebhookPosition)
        .where(
            col(WebhookPosition.endpoint_id) == endpoint_id,
            col(WebhookPosition.lease) == lease,
            col(WebhookPosition.acts) == acts,
        )
        .values(lease_until=utc_now() + LEASE, **values)
    )
    return session.connection().execute(moved).rowcount == 1


def give_back(session: Session, endpoint_id: UUID, lease: UUID) -> None:
    session.connection().execute(
        sa.update(WebhookPosition)
        .where(col(WebhookPosition.endpoint_id) == endpoint_id, col(WebhookPosition.lease) == lease)
        .values(lease=None, lease_until=None)
    )
