"""What people do to a webhook: pause and resume it, skip what it does not take, send anew, and give it
another secret."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlmodel import Session

from app.clock import utc_now
from app.errors import Problem, invalid
from app.models.kernel.following import FollowQuery
from app.models.webhooks.endpoints import (
    WebhookPause,
    WebhookRead,
    WebhookReplay,
    WebhookRotation,
    WebhookShown,
    WebhookSkip,
    WebhookState,
)
from app.services.kernel.access import Actor
from app.services.kernel.following import Following, newest
from app.services.webhooks import keys, owners, pausing, positions, reading
from app.services.webhooks.endpoints import confirm


def pause(session: Session, actor: Actor, endpoint_id: UUID) -> WebhookRead:
    """Nothing is sent until it is resumed. One that is paused already stays as it is."""
    endpoint = owners.hold_endpoint(session, actor, endpoint_id, gives=False)
    if endpoint.state is WebhookState.enabled:
        pausing.set_paused(endpoint, WebhookPause.asked)
        session.flush()
        positions.act_on(session, endpoint_id)
    return reading.written(session, endpoint_id)


def resume(session: Session, actor: Actor, endpoint_id: UUID) -> WebhookRead:
    """It goes on where it stood, by the rights of now, and is tried at once."""
    endpoint = owners.hold_endpoint(session, actor, endpoint_id)
    endpoint.state = WebhookState.enabled
    endpoint.reason = endpoint.paused_at = None
    confirm(session, endpoint)
    positions.act_on(session, endpoint_id)
    return reading.written(session, endpoint_id)


def skip(session: Session, actor: Actor, endpoint_id: UUID, body: WebhookSkip) -> WebhookRead:
    """Nothing up to this place is sent any more: the change log says who decided so, and the receiver
    sees the gap in `x-prev-seq`."""
    endpoint = owners.hold_endpoint(session, actor, endpoint_id)
    place = positions.hold(session, endpoint_id)
    end = newest(session)
    if body.through > end.seq:
        raise invalid("webhook_seq_ahead", "/through", seq=end.seq)
    values = _skipping_replay(place, body.through)
    if body.through > place.seq:
        values |= {"seq": body.through, "sent_seq": body.through, "epoch": end.epoch}
    if not values:
        raise Problem("webhook_passed", seq=place.seq)
    endpoint.skipped_through = body.through
    session.flush()
    positions.act_on(session, endpoint_id, **values)
    return reading.written(session, endpoint_id)


def _skipping_replay(place: Any, through: int) -> dict[str, Any]:
    if place.replay_to is None or through <= place.replay_after:
        return {}
    if through >= place.replay_to:
        return {"replay_after": None, "replay_to": None, "replay_sent": None}
    return {"replay_after": through, "replay_sent": through}


def replay(session: Session, actor: Actor, endpoint_id: UUID, body: WebhookReplay) -> WebhookRead:
    """What was sent before is sent again, under the ids of then, before anything new."""
    owners.hold_endpoint(session, actor, endpoint_id)
    place = positions.hold(session, endpoint_id)
    to_seq = place.seq if body.to_seq is None else body.to_seq
    if to_seq > place.seq:
        raise invalid("webhook_seq_ahead", "/to_seq", seq=place.seq)
    if to_seq < body.from_seq:
        raise invalid("webhook_range_reversed", "/to_seq")
    if place.replay_to is not None:
        raise Problem("webhook_replaying", seq=place.replay_to)
    after = max(body.from_seq - 1, 0)
    Following.of(session.connection(), FollowQuery(after=after))
    positions.act_on(session, endpoint_id, replay_after=after, replay_to=to_seq, replay_sent=after)
    return reading.written(session, endpoint_id)


def rotate(
    session: Session, actor: Actor, endpoint_id: UUID, body: WebhookRotation
) -> WebhookShown:
    """A new secret, shown this once. That of before is good for a while, so that no event is refused
    while the receiver changes over."""
    endpoint = owners.hold_endpoint(session, actor, endpoint_id)
    signing = body.signing or keys.signing_of(session, endpoint_id)
    keys.end_others(session, endpoint_id, timedelta(hours=body.overlap_hours))
    secret = keys.add(session, endpoint_id, signing)
    endpoint.rotated_at = utc_now()
    confirm(session, endpoint)
    positions.act_on(session, endpoint_id)
    shown = reading.written(session, endpoint_id).model_dump()
    return WebhookShown(**shown, secret=secret)
