"""Sending: what waits for one receiver, event by event in their order, each written down.

An event is past only when the receiver has taken it and that is committed. A sender that is killed in
between leaves it where it was: it is sent again, under the same id.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from app.clock import utc_now
from app.db import Database, insert_many
from app.models.base import new_id
from app.models.feed.events import EventData
from app.models.kernel.access_log import ReadHow
from app.models.webhooks.attempts import WebhookAttempt, WebhookError, WebhookPurpose
from app.models.webhooks.endpoints import WebhookPause
from app.services.kernel import access_log
from app.services.kernel.shown import shown
from app.services.webhooks import bodies, pausing, positions, retries, waiting
from app.services.webhooks.waiting import MustPause, Waiting
from app.services.webhooks.wire import ReceiverAnswer, Wire

# Then the thread is for another receiver; what was read longer ago is read again, by the rights of then.
_TURN_SECONDS: Final = 20.0
_FRESH_SECONDS: Final = 5.0
# That so many places were looked at in vain is worth a write.
_WORTH: Final = 500
# In these cases nothing has left.
_UNSENT: Final = frozenset(
    {WebhookError.name_unknown, WebhookError.address_refused, WebhookError.certificate}
)


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of a turn. `looked_to`: up to there nothing waits; None: it does, or nobody knows."""

    tries: int
    looked_to: int | None = None


def never() -> bool:
    return False


def send(database: Database, endpoint_id: UUID, stopped: Callable[[], bool] = never) -> Turn:
    """Send what waits for a webhook, until it has everything, does not take one, or its turn is over."""
    with database.reading() as db:
        row = positions.find(db, endpoint_id)
    if row is None:
        return Turn(0)
    place = SimpleNamespace(**row._mapping)
    found = _read(database, place)
    if found is None:
        return Turn(0)
    if not found.events and place.replay_to is None:
        return _nothing(database, place, found)
    sender = _Sender(database, place, stopped)
    if not sender.take():
        return Turn(0)
    try:
        with Wire(database.settings) as wire:
            return sender.run(wire, found)
    finally:
        # Where the database is away, the lease ends by itself.
        with suppress(SQLAlchemyError):
            sender.give_back()


def _read(database: Database, place: Any) -> Waiting | None:
    """What waits; None for a webhook that is paused, or has to be now."""
    with database.reading() as db:
        try:
            return waiting.read(db, place, utc_now())
        except MustPause as must:
            reason = must.reason
    with pausing.writing(database) as session:
        if positions.is_at(session, place):
            pausing.pause(session, place.endpoint_id, reason)
    return None


def _nothing(database: Database, place: Any, found: Waiting) -> Turn:
    if found.held:
        return Turn(0, found.seq)
    if found.more or found.seq - place.seq >= _WORTH:
        with database.writing() as session:
            positions.pass_over(session, place, found.seq, found.epoch)
    return Turn(0, None if found.more else found.seq)


class _Sender:
    """One turn at one webhook, which is this sender's alone."""

    def __init__(self, database: Database, place: Any, stopped: Callable[[], bool]) -> None:
        self.database = database
        self.place = place
        self.stopped = stopped
        self.lease = uuid4()
        self.tries = 0
        self.until = time.monotonic() + _TURN_SECONDS

    def take(self) -> bool:
        with self.database.writing() as session:
            return positions.take(session, self.place, self.lease, utc_now())

    def give_back(self) -> None:
        with self.database.writing() as session:
            positions.give_back(session, self.place.endpoint_id, self.lease)

    def run(self, wire: Wire, found: Waiting) -> Turn:
        while True:
            read_at = time.monotonic()
            for event in found.events:
                if self._is_over():
                    return Turn(self.tries)
                if not self._try(wire, found, event):
                    return Turn(self.tries)
                if time.monotonic() - read_at > _FRESH_SECONDS:
                    break
            else:
                if found.held or not self._pass(found):
                    return Turn(self.tries)
                if not found.more and found.purpose is WebhookPurpose.event:
                    return Turn(self.tries, found.seq)
            again = _read(self.database, self.place)
            if again is None:
                return Turn(self.tries)
            found = again

    def _is_over(self) -> bool:
        return self.stopped() or time.monotonic() > self.until

    def _pass(self, found: Waiting) -> bool:
        """All that was read is sent; false where the webhook is no longer this sender's."""
        if found.purpose is WebhookPurpose.replay:
            values: dict[str, Any] = {"replay_after": found.seq}
            if not found.more:
                values = dict.fromkeys(("replay_after", "replay_to", "replay_sent"))
        elif found.more or found.seq - self.place.seq >= _WORTH:
            values = {"seq": found.seq, "epoch": found.epoch}
        else:
            return True
        with self.database.writing() as session:
            return self._move(session, values)

    def _move(self, session: Session, values: dict[str, Any]) -> bool:
        place = self.place
        moved = positions.move(session, place.endpoint_id, self.lease, place.acts, **values)
        if moved:
            vars(place).update(values)
        return moved

    # -- one event

    def _try(self, wire: Wire, found: Waiting, event: dict[str, Any]) -> bool:
        """Whether the receiver has taken it, and the next one may follow."""
        place, seq, now = self.place, event["data"]["seq"], utc_now()
        previous = place.replay_sent if found.purpose is WebhookPurpose.replay else place.sent_seq
        webhook_id = bodies.id_of(place.endpoint_id, event)
        body = bodies.body_of(event, found.epoch)
        headers = bodies.signed(found.secrets, webhook_id, now, body, seq, previous)
        if found.target is None:
            said = ReceiverAnswer(None, WebhookError.address_refused, 0)
        else:
            said = wire.post(found.target, headers, body)
        self.tries += 1
        is_same = place.failing_seq == seq
        failures = (place.failures if is_same else 0) + 1
        attempt = {
            "id": new_id(),
            "endpoint_id": place.endpoint_id,
            "purpose": found.purpose,
            "seq": seq,
            "webhook_id": webhook_id,
            "type": event["type"],
            "number": failures,
            "at": now,
            "duration_ms": said.duration_ms,
            "status": said.status,
            "error": said.error,
            "answer": None if said.error is None else bodies.kept_answer(said.answer, event),
        }
        since = place.failing_since if is_same else now
        values, reason = self._outcome(found, seq, said, failures, since)
        with pausing.writing(self.database) as session:
            # The webhook itself is locked before what hangs on it.
            endpoint = None if reason is None else pausing.hold(session, place.endpoint_id)
            insert_many(session, WebhookAttempt, [attempt])
            if said.error not in _UNSENT:
                access_log.note_in(session, found.owner, _shown(event))
            moved = self._move(session, values)
            if moved and endpoint is not None and reason is not None:
                pausing.pause_held(session, endpoint, reason)
        return moved and said.error is None

    def _outcome(
        self, found: Waiting, seq: int, said: ReceiverAnswer, failures: int, since: datetime
    ) -> tuple[dict[str, Any], WebhookPause | None]:
        """What is written of the position, and why the webhook is paused, if it is."""
        now = utc_now()
        if said.error is None:
            values: dict[str, Any] = {"last_success_at": now}
            if self.place.failures:
                values |= positions.TRY_NOW
            if found.purpose is WebhookPurpose.replay:
                return values | {"replay_after": seq, "replay_sent": seq}, None
            return values | {"seq": seq, "sent_seq": seq, "epoch": found.epoch}, None
        next_at = retries.next_try(failures, since, now, said.retry_after)
        values = {
            "failing_seq": seq,
            "failing_since": since,
            "failures": failures,
            "last_error": said.error,
            "last_failure_at": now,
            "next_at": next_at or now,
        }
        if said.error is WebhookError.gone:
            return values, WebhookPause.gone
        return values, WebhookPause.refused if next_at is None else None


def _shown(event: dict[str, Any]) -> Any:
    return shown(EventData, [event["data"]], ReadHow.list)
