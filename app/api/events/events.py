"""Events of units: what is planned and was done, and what of it may be shared."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import MISSING, chosen_fields, entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.ids import EventPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.base import Fields, ListQuery
from app.models.events.events import (
    Cancellation,
    EventCreate,
    EventDetail,
    EventRead,
    EventUpdate,
    SessionCreate,
)
from app.models.events.lists import EventPage, EventQuery
from app.models.events.sessions import (
    Generated,
    Recurrence,
    SessionDetail,
    SessionPage,
    SessionRead,
)
from app.models.events.sharing import ShareRead
from app.services.events import agenda, events, recurrence, series, sessions, sharing
from app.services.events.recurrence import Occurrences

router = Router(prefix="/v1/events", tags=["events"])
public = Router(prefix="/v1/events", tags=["calendars"], public=True)


@router.get("", response_model=EventPage, responses=STREAMED)
def list_events(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[EventQuery, Query()]
) -> Response:
    """Events my units host or are invited to, the newest first. Drafts are their hosts' own."""
    return listing(request, db, query, EventRead, events.list_events(db, actor, query))


@router.post(
    "",
    status_code=201,
    response_model=EventDetail,
    responses={200: {"model": EventDetail, "description": "Made by this very request before."}},
)
def create_event(
    session: Session, actor: ActorDep, request: Request, body: EventCreate
) -> Response:
    """Plan an event, as a draft. With its own `id`, sending it twice makes one event."""
    event_id, is_new = events.create(session, actor, body)
    return _answer(session, request, event_id, status=201 if is_new else 200)


@router.get("/{event_id}", response_model=EventDetail)
def get_event(
    db: Connection,
    actor: ActorDep,
    request: Request,
    event_id: EventPath,
    query: Annotated[Fields, Query()],
) -> Response:
    """One event with its agenda and documents."""
    fields = chosen_fields(query.fields, EventDetail)
    return entity(request, events.get(db, actor, event_id), fields=fields, derived=True)


@router.patch("/{event_id}", response_model=EventDetail)
def update_event(
    session: Session, actor: ActorDep, request: Request, event_id: EventPath, body: EventUpdate
) -> Response:
    """Change an event (JSON merge patch). A draft: all of it. Announced, it keeps its hosts; once a
    session was held, also whom it invited and its kind. Closed or cancelled: nothing."""
    events.update(session, actor, event_id, body, expected_revisions(request))
    return _answer(session, request, event_id)


@router.post("/{event_id}/announce", response_model=EventDetail)
def announce_event(
    session: Session, actor: ActorDep, request: Request, event_id: EventPath
) -> Response:
    """Show a draft to the units it invites. It needs a session."""
    events.announce(session, actor, event_id)
    return _answer(session, request, event_id)


@router.post("/{event_id}/cancel", response_model=EventDetail)
def cancel_event(
    session: Session, actor: ActorDep, request: Request, event_id: EventPath, body: Cancellation
) -> Response:
    """Call an event off with all its sessions, before any of them was held."""
    events.cancel(session, actor, event_id, body)
    return _answer(session, request, event_id)


@router.get("/{event_id}/sessions", response_model=SessionPage, responses=STREAMED)
def list_event_sessions(
    db: Connection,
    actor: ActorDep,
    request: Request,
    event_id: EventPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """The sessions of one event in order of time, those cancelled too."""
    return listing(request, db, query, SessionRead, agenda.list_of_event(db, actor, event_id))


@router.post(
    "/{event_id}/sessions",
    status_code=201,
    response_model=SessionDetail,
    responses={200: {"model": SessionDetail, "description": "Made by this very request before."}},
)
def create_session(
    session: Session, actor: ActorDep, request: Request, event_id: EventPath, body: SessionCreate
) -> Response:
    """Add a session. With its own `id`, sending it twice makes one."""
    session_id, is_new = sessions.create(session, actor, event_id, body)
    item = agenda.read(session, actor, session_id)
    status = 201 if is_new else 200
    location = f"/v1/sessions/{session_id}"
    return entity(request, item, status=status, location=location, derived=True)


def _expanded(body: Recurrence) -> Occurrences:
    """A rule takes its time: it is followed before the transaction, in which others would wait."""
    return recurrence.expanded(body)


@router.post("/{event_id}/recurrence", response_model=Generated)
def repeat_event(
    session: Session,
    actor: ActorDep,
    event_id: EventPath,
    rule: Annotated[Occurrences, Depends(_expanded)],
) -> Generated:
    """Make its sessions by a rule (RRULE), at most 200 within 3 years.

    The same rule again changes nothing. Another one: sessions follow it with their answers, but for
    what was changed of one of them alone; what it does not give any more is removed from a draft,
    cancelled otherwise. Sessions that were held, are past or were entered by hand stay.
    """
    return series.repeat(session, actor, event_id, rule)


@public.get("/{event_id}/share", response_model=ShareRead, responses=MISSING, any_query=True)
def get_share_card(db: Connection, event_id: EventPath) -> ShareRead:
    """The card of a public event, for apps that show it themselves, without a token; 404 for any
    other event. What to share on Zalo or Facebook is its `page`.

    Nothing about people is in it, not even the organiser.
    """
    return sharing.share(db, event_id)


def _answer(session: Session, request: Request, event_id: UUID, *, status: int = 200) -> Response:
    location = f"/v1/events/{event_id}" if status == 201 else None
    item = events.read(session, event_id)
    return entity(request, item, status=status, location=location, derived=True)
