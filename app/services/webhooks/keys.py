"""The secrets of webhooks: made, replaced with an overlap, and used for signatures."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.models.webhooks.endpoints import WebhookSecret, WebhookSigning
from app.security import webhook_signatures
from app.services.kernel.access import Db


def add(session: Session, endpoint_id: UUID, signing: WebhookSigning) -> str | None:
    """A new secret; returns what is shown of it once, None where all of it that leaves is public."""
    public = None
    if signing is WebhookSigning.hmac_sha256:
        secret = webhook_signatures.new_symmetric()
    else:
        secret, public = webhook_signatures.new_pair()
    session.add(
        WebhookSecret(
            endpoint_id=endpoint_id,
            signing=signing,
            secret=secret,
            public_key=public,
            created_at=utc_now(),
        )
    )
    session.flush()
    return secret if public is None else None


def end_others(session: Session, endpoint_id: UUID, overlap: timedelta) -> None:
    """Those of before are good until then, and for no longer than they were."""
    until = utc_now() + overlap
    of_endpoint = col(WebhookSecret.endpoint_id) == endpoint_id
    longer = sa.or_(col(WebhookSecret.expires_at).is_(None), col(WebhookSecret.expires_at) > until)
    connection = session.connection()
    connection.execute(sa.update(WebhookSecret).where(of_endpoint, longer).values(expires_at=until))
    forget_expired(session)


def signing_of(db: Db, endpoint_id: UUID) -> WebhookSigning:
    """How events to it are signed now."""
    newest = sa.select(col(WebhookSecret.signing)).where(
        col(WebhookSecret.endpoint_id) == endpoint_id
    )
    found: WebhookSigning = db.execute(
        newest.order_by(col(WebhookSecret.id).desc()).limit(1)
    ).scalar_one()
    return found


def forget_expired(session: Session) -> int:
    """A secret that nothing is signed with any more is of use to thieves only."""
    over = col(WebhookSecret.expires_at) <= utc_now()
    return session.connection().execute(sa.delete(WebhookSecret).where(over)).rowcount


def good_for(db: Db, endpoint_id: UUID, now: datetime) -> list[str]:
    """What events are signed with now, the newest first."""
    found = sa.select(col(WebhookSecret.secret)).where(
        col(WebhookSecret.endpoint_id) == endpoint_id,
        sa.or_(col(WebhookSecret.expires_at).is_(None), col(WebhookSecret.expires_at) > now),
    )
    return list(db.execute(found.order_by(col(WebhookSecret.id).desc())).scalars())


def headers(secrets: Sequence[str], webhook_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """The headers of the specification, with a signature of each secret."""
    timestamp = int(now.timestamp())
    signatures = [
        webhook_signatures.signature(secret, webhook_id, timestamp, body) for secret in secrets
    ]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }
