"""What a phone writes about events while it is offline."""

from typing import Final

from app.models.events.events import EventCreate, EventUpdate, SessionCreate, SessionNote
from app.models.events.minutes import MinutesUpdate
from app.models.events.rsvps import OwnRsvp, RsvpSet
from app.models.events.sessions import SessionUpdate
from app.models.kernel.access import Right
from app.services.events import events, minutes, rsvps, sessions
from app.services.kernel.operation_kinds import (
    OperationDone,
    OperationKind,
    SentOperation,
    without_parent,
)
from app.services.members.own import own_id


def _create(sent: SentOperation[EventCreate]) -> OperationDone:
    events.create(sent.session, sent.actor, sent.body)
    return OperationDone()


def _update(sent: SentOperation[EventUpdate]) -> OperationDone:
    events.update(sent.session, sent.actor, sent.record_id, sent.body, sent.expected)
    return OperationDone()


def _create_session(sent: SentOperation[SessionNote]) -> OperationDone:
    sessions.create(
        sent.session, sent.actor, sent.body.event_id, without_parent(SessionCreate, sent.body)
    )
    return OperationDone()


def _update_session(sent: SentOperation[SessionUpdate]) -> OperationDone:
    sessions.update(sent.session, sent.actor, sent.record_id, sent.body, sent.expected)
    return OperationDone()


def _minutes(sent: SentOperation[MinutesUpdate]) -> OperationDone:
    minutes.update(sent.session, sent.actor, sent.record_id, sent.body, sent.expected)
    return OperationDone()


def _answer(sent: SentOperation[RsvpSet]) -> OperationDone:
    rsvps.answer_for(sent.session, sent.actor, sent.record_id, sent.body, sent.expected)
    return OperationDone()


def _answer_own(sent: SentOperation[OwnRsvp]) -> OperationDone:
    rsvps.answer_own(sent.session, sent.actor, sent.record_id, sent.body, sent.expected)
    return OperationDone()


KINDS: Final = (
    OperationKind(
        name="event.create",
        operation="create_event",
        right=Right.events_write,
        entity="event",
        body=EventCreate,
        apply=_create,
    ),
    OperationKind(
        name="event.update",
        operation="update_event",
        right=Right.events_write,
        entity="event",
        body=EventUpdate,
        apply=_update,
        merges=True,
    ),
    OperationKind(
        name="session.create",
        operation="create_session",
        right=Right.events_write,
        entity="event",
        values_of="event_session",
        body=SessionNote,
        apply=_create_session,
        subject=lambda _, body: body.event_id,
    ),
    OperationKind(
        name="session.update",
        operation="update_session",
        right=Right.events_write,
        entity="event_session",
        body=SessionUpdate,
        apply=_update_session,
        merges=True,
    ),
    OperationKind(
        name="minutes.update",
        operation="update_minutes",
        right=Right.events_write,
        entity="minutes",
        body=MinutesUpdate,
        apply=_minutes,
        found=lambda db, _actor, session_id, _body: minutes.id_of(db, session_id),
        merges=True,
    ),
    OperationKind(
        name="rsvp.set",
        operation="set_rsvp",
        right=Right.events_write,
        entity="rsvp",
        body=RsvpSet,
        apply=_answer,
        found=lambda db, _actor, session_id, body: rsvps.id_of(db, session_id, body.member_id),
        merges=True,
        whole=True,
    ),
    OperationKind(
        name="rsvp.own",
        operation="set_own_rsvp",
        right=None,
        entity="rsvp",
        body=OwnRsvp,
        apply=_answer_own,
        found=lambda db, actor, session_id, _body: rsvps.id_of(db, session_id, own_id(actor)),
        merges=True,
        whole=True,
    ),
)
