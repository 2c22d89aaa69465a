"""Webhooks: set up, changed and taken away by who may manage the program whose they are."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.errors import Problem
from app.models.kernel.following import FollowQuery
from app.models.webhooks.endpoints import (
    WebhookCreate,
    WebhookEndpoint,
    WebhookPosition,
    WebhookRead,
    WebhookShown,
    WebhookState,
    WebhookUpdate,
)
from app.services.kernel.access import Actor, Expected, ensure_revision
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.following import Following, Position, newest
from app.services.webhooks import addresses, keys, owners, reading
from app.services.webhooks.positions import act_on

_MOST_OF_ACCOUNT = 20


def create(session: Session, actor: Actor, body: WebhookCreate) -> tuple[WebhookShown, bool]:
    """A new webhook with its secret, and whether it is new: the same again shows no secret again."""
    account_id = body.account_id or actor.account_id
    owners.hold_owner(session, actor, account_id)
    secret: str | None = None
    # Its own row is a change, too.
    place = _place(session, body.after)

    def made() -> WebhookEndpoint:
        _ensure_fit(session, body.url)
        _ensure_not_too_many(session, account_id)
        now = utc_now()
        return WebhookEndpoint(
            account_id=account_id,
            url=body.url,
            unit_id=body.unit_id,
            kinds=list(body.kinds),
            description=body.description,
            state=WebhookState.enabled,
            confirmed={},
            created_at=now,
            updated_at=now,
        )

    sent = body.model_dump(include={"url", "unit_id", "kinds", "description"})
    endpoint, is_new = created_once(
        session, WebhookEndpoint, body.id, made, same=holds(sent | {"account_id": account_id})
    )
    if is_new:
        confirm(session, endpoint)
        _begin(session, endpoint.id, place)
        secret = keys.add(session, endpoint.id, body.signing)
    shown = reading.written(session, endpoint.id).model_dump()
    return WebhookShown(**shown, secret=secret), is_new


def _place(session: Session, after: int | None) -> Position:
    """Where it begins; 409 `start_over` for a place that the log does not have."""
    end = newest(session)
    if after is None:
        return end
    Following.of(session.connection(), FollowQuery(after=after))
    return Position(after, end.epoch)


def _begin(session: Session, endpoint_id: UUID, place: Position) -> None:
    session.add(
        WebhookPosition(
            endpoint_id=endpoint_id,
            seq=place.seq,
            epoch=place.epoch,
            sent_seq=place.seq,
            next_at=utc_now(),
        )
    )
    session.flush()


def confirm(session: Session, endpoint: WebhookEndpoint) -> None:
    """What the program may read now is what it is sent from now on; 403 where that is nothing of what
    it is to follow."""
    db = session.connection()
    owner = owners.owner_of(db, endpoint.account_id, endpoint.id)
    if owner is None:
        raise Problem("account_gone")
    owners.ensure_follows(db, owner, endpoint.unit_id, endpoint.kinds)
    endpoint.confirmed = owners.rights_of(owner)
    session.flush()


def _ensure_fit(session: Session, url: str) -> None:
    addresses.target_of(url, owners.allowed_networks(session))


def _ensure_not_too_many(session: Session, account_id: UUID) -> None:
    own = sa.select(sa.func.count()).where(col(WebhookEndpoint.account_id) == account_id)
    if session.execute(own).scalar_one() >= _MOST_OF_ACCOUNT:
        raise Problem("webhooks_full", count=_MOST_OF_ACCOUNT)


def update(
    session: Session, actor: Actor, endpoint_id: UUID, body: WebhookUpdate, expected: Expected
) -> WebhookRead:
    """What is changed holds for everything that was not sent yet."""
    endpoint = owners.hold_endpoint(session, actor, endpoint_id)
    ensure_revision(endpoint.revision, expected)
    changed = body.model_dump(exclude_unset=True)
    if "url" in changed:
        _ensure_fit(session, changed["url"])
    if "kinds" in changed:
        changed["kinds"] = list(changed["kinds"])
    for name, value in changed.items():
        if getattr(endpoint, name) != value:
            setattr(endpoint, name, value)
    confirm(session, endpoint)
    act_on(session, endpoint_id)
    return reading.written(session, endpoint_id)


def delete(session: Session, actor: Actor, endpoint_id: UUID) -> None:
    """Nothing is sent there any more; its tries and secrets go with it."""
    endpoint = owners.hold_endpoint(session, actor, endpoint_id, gives=False)
    session.delete(endpoint)
    session.flush()
