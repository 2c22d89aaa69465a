"""What a phone writes about events while it is offline."""

from typing import Final
from uuid import UUID

from sqlmodel import Session

from app.models.events.events import EventCreate, EventUpdate, SessionCreate, SessionNote
from app.models.events.minutes import MinutesUpdate
from app.models.events.rsvps import OwnRsvp, RsvpSet
from app.models.events.sessions import SessionUpdate
from app.models.kernel.access import Right
from app.services.events import events, minutes, rsvps, sessions
from app.services.kernel.access import Actor, Expected
from app.services.kernel.device_clocks import Noted
from app.services.kernel.operation_kinds import OperationDone, OperationKind, without_parent
from app.services.members.own import own_id


def _create(
    session: Session,
    actor: Actor,
    _event_id: UUID,
    body: EventCreate,
    _noted: Noted,
    _expected: Expected,
) -> OperationDone:
    events.create(session, actor, body)
    return OperationDone()


def _update(
    session: Session,
    actor: Actor,
    event_id: UUID,
    body: EventUpdate,
    _noted: Noted,
    expected: Expected,
) -> OperationDone:
    events.update(session, actor, event_id, body, expected)
    return OperationDone()


def _create_session(
    session: Session,
    actor: Actor,
    _session_id: UUID,
    body: SessionNote,
    _noted: Noted,
    _expected: Expected,
) -> OperationDone:
    sessions.create(session, actor, body.event_id, without_parent(SessionCreate, body))
    return OperationDone()


def _update_session(
    session: Session,
    actor: Actor,
    session_id: UUID,
    body: SessionUpdate,
    _noted: Noted,
    expected: Expected,
) -> OperationDone:
    sessions.update(session, actor, session_id, body, expected)
    return OperationDone()


def _minutes(
    session: Session,
    actor: Actor,
    session_id: UUID,
    body: MinutesUpdate,
    _noted: Noted,
    expected: Expected,
) -> OperationDone:
    minutes.update(session, actor, session_id, body, expected)
    return OperationDone()


def _answer(
    session: Session,
    actor: Actor,
    session_id: UUID,
    body: RsvpSet,
    _noted: Noted,
    expected: Expected,
) -> OperationDone:
    rsvps.answer_for(session, actor, session_id, body, expected)
    return OperationDone()


def _answer_own(
    session: Session,
    actor: Actor,
    session_id: UUID,
    body: OwnRsvp,
    _noted: Noted,
    expected: Expected,
) -> OperationDone:
    rsvps.answer_own(session, actor, session_id, body, expected)
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
