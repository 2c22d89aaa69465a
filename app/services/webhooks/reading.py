"""Webhooks and their tries, as they are read."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.clock import utc_now
from app.db import AnySelect
from app.errors import not_found
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account
from app.models.kernel.units import Unit
from app.models.webhooks.attempts import (
    WebhookAttempt,
    WebhookAttemptQuery,
    WebhookAttemptRead,
)
from app.models.webhooks.endpoints import (
    WebhookEndpoint,
    WebhookKey,
    WebhookPosition,
    WebhookQuery,
    WebhookRead,
    WebhookReplaying,
    WebhookSecret,
    WebhookWaiting,
)
from app.services.kernel.access import Actor, Db, visible
from app.services.kernel.keyset import Order, Pages, each, pages

_OF_ENDPOINT = [
    name for name in WebhookEndpoint.model_fields if name not in ("confirmed", "updated_at")
]
_OF_POSITION = [
    name for name in WebhookPosition.model_fields if name not in ("endpoint_id", "lease_until")
]
_ROW: AnySelect = (
    sa.select(
        *(getattr(WebhookEndpoint, name) for name in _OF_ENDPOINT),
        *(getattr(WebhookPosition, name) for name in _OF_POSITION),
        col(Account.username),
    )
    .join(WebhookPosition, col(WebhookPosition.endpoint_id) == col(WebhookEndpoint.id))
    .join(Account, col(Account.id) == col(WebhookEndpoint.account_id))
    .join(Unit, col(Unit.id) == col(Account.unit_id))
)
_KEYS: AnySelect = sa.select(
    col(WebhookSecret.endpoint_id),
    *(getattr(WebhookSecret, name) for name in WebhookKey.model_fields),
).order_by(col(WebhookSecret.id).desc())
_ATTEMPT: AnySelect = sa.select(
    *(getattr(WebhookAttempt, name) for name in WebhookAttemptRead.model_fields)
)


def _seen(actor: Actor) -> sa.ColumnElement[bool]:
    own = col(WebhookEndpoint.account_id) == actor.account_id
    return sa.or_(own, visible(Unit, actor, Right.accounts_read))


def list_webhooks(actor: Actor, query: WebhookQuery) -> Pages:
    """My own, and those of programs in my scope, the newest first."""
    statement = _ROW.where(_seen(actor))
    if query.account is not None:
        statement = statement.where(col(WebhookEndpoint.account_id) == query.account)
    if query.state is not None:
        statement = statement.where(col(WebhookEndpoint.state) == query.state)
    return pages(statement, Order(col(WebhookEndpoint.id).desc()), _items)


def _items(db: Db, rows: Sequence[Any]) -> Iterator[dict[str, Any]]:
    return (item.model_dump() for item in _read(db, rows))


def get_webhook(db: Db, actor: Actor, endpoint_id: UUID) -> WebhookRead:
    """404 for what is not mine and out of my scope."""
    return _one(db, _ROW.where(col(WebhookEndpoint.id) == endpoint_id, _seen(actor)))


def written(db: Db, endpoint_id: UUID) -> WebhookRead:
    """One that the actor has just changed."""
    return _one(db, _ROW.where(col(WebhookEndpoint.id) == endpoint_id))


def _one(db: Db, statement: AnySelect) -> WebhookRead:
    row = db.execute(statement).one_or_none()
    if row is None:
        raise not_found()
    [item] = _read(db, [row])
    return item


def _read(db: Db, rows: Sequence[Any]) -> list[WebhookRead]:
    keys: defaultdict[UUID, list[WebhookKey]] = defaultdict(list)
    ids, now = [row.id for row in rows], utc_now()
    for key in db.execute(_KEYS.where(col(WebhookSecret.endpoint_id).in_(ids))):
        if key.expires_at is None or key.expires_at > now:
            keys[key.endpoint_id].append(WebhookKey.model_validate(key))
    own = [
        name for name in WebhookRead.model_fields if name not in ("keys", "waiting", "replaying")
    ]
    return [
        WebhookRead(
            **{name: getattr(row, name) for name in own},
            keys=keys[row.id],
            waiting=_waiting(row),
            replaying=_replaying(row),
        )
        for row in rows
    ]


def _waiting(row: Any) -> WebhookWaiting | None:
    if row.failing_seq is None:
        return None
    return WebhookWaiting(
        seq=row.failing_seq,
        since=row.failing_since,
        failures=row.failures,
        next_at=row.next_at,
        error=row.last_error,
    )


def _replaying(row: Any) -> WebhookReplaying | None:
    if row.replay_to is None:
        return None
    return WebhookReplaying(after=row.replay_after, to_seq=row.replay_to)


def list_attempts(db: Db, actor: Actor, endpoint_id: UUID, query: WebhookAttemptQuery) -> Pages:
    """Tries of a webhook that I may see, the newest first."""
    get_webhook(db, actor, endpoint_id)
    statement = _ATTEMPT.where(col(WebhookAttempt.endpoint_id) == endpoint_id)
    if query.failed is not None:
        failed = col(WebhookAttempt.error).is_not(None)
        statement = statement.where(failed if query.failed else ~failed)
    if query.seq is not None:
        statement = statement.where(col(WebhookAttempt.seq) == query.seq)
    return pages(statement, Order(col(WebhookAttempt.id).desc()), each(lambda row: row._asdict()))
