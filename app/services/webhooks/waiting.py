"""What a webhook is sent next: read from the log where it stands, by the rights of its program now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.db import settings_of
from app.errors import Problem
from app.models.feed.events import FeedQuery
from app.models.webhooks.attempts import WebhookPurpose
from app.models.webhooks.endpoints import WebhookEndpoint, WebhookPause, WebhookState
from app.services.feed import feed
from app.services.kernel.access import Actor
from app.services.kernel.due import asks_until
from app.services.kernel.manifest import manifest
from app.services.webhooks import keys, owners
from app.services.webhooks.addresses import ReceiverAddress, target_of

# Read at once: what is read is sent within a turn, or read again.
_PAGE: Final = 100
_ENDPOINT = sa.select(
    *(getattr(WebhookEndpoint, name) for name in WebhookEndpoint.model_fields)
).where(col(WebhookEndpoint.id) == sa.bindparam("endpoint_id"))


class MustPause(Exception):
    """Nothing more can be sent until somebody has looked at it."""

    def __init__(self, reason: WebhookPause) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Waiting:
    """Events for one receiver, in their order. `seq`: all before there were looked at; `more`: there is
    more behind it. `held`: the next one waits for the operator. `target` is None for an address that may
    no longer be sent to."""

    owner: Actor
    target: ReceiverAddress | None
    secrets: Sequence[str]
    purpose: WebhookPurpose
    events: Sequence[dict[str, Any]]
    seq: int
    epoch: UUID
    more: bool
    held: bool


def read(db: Connection, place: Any, now: datetime) -> Waiting | None:
    """What follows a position; None where the webhook is paused or gone. `MustPause` where it cannot go
    on."""
    endpoint = db.execute(_ENDPOINT, {"endpoint_id": place.endpoint_id}).one_or_none()
    if endpoint is None or endpoint.state is not WebhookState.enabled:
        return None
    owner = owners.owner_of(db, endpoint.account_id, endpoint.id)
    if owner is None:
        raise MustPause(WebhookPause.account)
    if owners.has_more(owners.rights_of(owner), endpoint.confirmed):
        raise MustPause(WebhookPause.more_rights)
    is_replay = place.replay_to is not None
    page = _page(db, owner, endpoint, place, is_replay=is_replay)
    events, seq, more = page["items"], page["seq"], page["more"]
    if is_replay:
        events = [each for each in events if each["data"]["seq"] <= place.replay_to]
        more = more and seq < place.replay_to
        seq = min(seq, place.replay_to)
    ready = _may_go(db, events)
    return Waiting(
        owner=owner,
        target=_target(db, endpoint.url),
        secrets=keys.good_for(db, endpoint.id, now),
        purpose=WebhookPurpose.replay if is_replay else WebhookPurpose.event,
        events=ready,
        seq=seq,
        epoch=page["epoch"],
        more=more,
        held=len(ready) < len(events),
    )


def _page(
    db: Connection, owner: Actor, endpoint: Any, place: Any, *, is_replay: bool
) -> dict[str, Any]:
    known = manifest().news
    kinds = [kind for kind in endpoint.kinds if kind in known]
    if endpoint.kinds and not kinds:
        raise MustPause(WebhookPause.no_rights)
    query = FeedQuery.model_construct(
        after=place.replay_after if is_replay else place.seq,
        epoch=place.epoch,
        kinds=kinds,
        unit=endpoint.unit_id,
        limit=_PAGE,
    )
    try:
        return feed.page(db, owner, query)
    except Problem as problem:
        is_start = problem.code == "start_over"
        reason = WebhookPause.start_over if is_start else WebhookPause.no_rights
        raise MustPause(reason) from problem


def _may_go(db: Connection, events: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """After a restore those of before it wait for the operator, for they may have been sent in the lost
    days; so does all behind them."""
    until = asks_until(db)
    if until is None:
        return events
    held = next((at for at, event in enumerate(events) if event["time"] <= until), len(events))
    return events[:held]


def _target(db: Connection, url: str) -> ReceiverAddress | None:
    try:
        return target_of(url, settings_of(db).webhook_allowed_networks)
    except Problem:
        return None
