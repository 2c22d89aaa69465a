"""Pings: one event that says nothing, sent while somebody waits to hear what the receiver answers."""

from typing import Final
from uuid import UUID

from sqlmodel import Session

from app.clock import utc_now
from app.db import Database, insert_many
from app.models.base import new_id
from app.models.webhooks.attempts import (
    WebhookAttempt,
    WebhookAttemptRead,
    WebhookPurpose,
)
from app.services.kernel import changes
from app.services.kernel.access import Actor
from app.services.kernel.limits import Limit, limits_of
from app.services.webhooks import addresses, bodies, keys, owners
from app.services.webhooks.wire import Wire

# Enough to try an address out, too little to try out a network.
_PINGS: Final = Limit.of("webhook_pings", "20 per minute")


def ping(
    database: Database, actor: Actor, origin: changes.Origin, endpoint_id: UUID
) -> WebhookAttemptRead:
    """What the receiver says. Nothing of the database is held while it is asked."""
    with database.writing() as session:
        changes.attribute(session, origin)
        url, secrets = _about(session, actor, endpoint_id)
    now = utc_now()
    target = addresses.target_of(url, database.settings.webhook_allowed_networks)
    webhook_id, headers, body = bodies.ping(secrets, endpoint_id, now)
    with Wire(database.settings) as wire:
        said = wire.post(target, headers, body)
    attempt = {
        "id": new_id(),
        "endpoint_id": endpoint_id,
        "purpose": WebhookPurpose.ping,
        "seq": None,
        "webhook_id": webhook_id,
        "type": bodies.PING,
        "number": 1,
        "at": now,
        "duration_ms": said.duration_ms,
        "status": said.status,
        "error": said.error,
        "answer": (said.answer or "").replace("\0", "") or None,
    }
    with database.writing() as session:
        if owners.is_there(session, endpoint_id):
            insert_many(session, WebhookAttempt, [attempt])
    return WebhookAttemptRead.model_validate(attempt)


def _about(session: Session, actor: Actor, endpoint_id: UUID) -> tuple[str, list[str]]:
    endpoint = owners.hold_endpoint(session, actor, endpoint_id, gives=False)
    limits_of(session).spend(_PINGS, str(actor.account_id))
    return endpoint.url, keys.good_for(session, endpoint_id, utc_now())
