"""What is sent: an event as the feed tells it, signed, with its place and that of the one before."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.json_values import json_bytes
from app.models.base import new_id
from app.services.webhooks import keys

PING: Final = "webhook.ping"
_AGENT: Final = {"content-type": "application/json", "user-agent": "Hoi-So-Webhooks/1"}


def id_of(endpoint_id: UUID, event: Mapping[str, Any]) -> str:
    """The same for each try of an event, and for each replay of it."""
    return f"{endpoint_id.hex}-{event['id']}"


def body_of(event: Mapping[str, Any], epoch: UUID) -> bytes:
    """With the epoch of its place: after a restore an event may come again, in another one."""
    return json_bytes({**event, "epoch": epoch})


def signed(
    secrets: Sequence[str], webhook_id: str, now: datetime, body: bytes, seq: int, previous: int
) -> dict[str, str]:
    """All headers of a try. `previous`: the place of the event before; another one than the receiver has
    had last is a gap."""
    places = {"x-seq": str(seq), "x-prev-seq": str(previous)}
    return _AGENT | keys.headers(secrets, webhook_id, now, body) | places


def kept_answer(answer: str | None, event: Mapping[str, Any]) -> str | None:
    """What is kept of an answer: nothing of one that repeats what it was sent, which is of people."""
    if not answer:
        return None
    state = event["data"]["state"] or event["data"]["previous"] or {}
    told = [str(value) for value in state.values() if isinstance(value, str) and len(value) > 3]
    return None if any(value in answer for value in told) else answer.replace("\0", "")


def ping(
    secrets: Sequence[str], endpoint_id: UUID, now: datetime
) -> tuple[str, dict[str, str], bytes]:
    """The id, the headers and the body of an event that says nothing and has no place."""
    event_id = str(new_id())
    webhook_id = f"{endpoint_id.hex}-ping-{event_id}"
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"urn:uuid:{endpoint_id}",
        "type": PING,
        "subject": str(endpoint_id),
        "time": now,
        "data": {},
    }
    body = json_bytes(event)
    return webhook_id, _AGENT | keys.headers(secrets, webhook_id, now, body), body
