"""Sessions of events: when and where people meet, in which rooms, and what came of it."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import chosen_fields, entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.ids import SessionPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.base import Fields, ListQuery
from app.models.events.events import Cancellation
from app.models.events.sessions import (
    AgendaQuery,
    RoomCreate,
    RoomPage,
    RoomRead,
    RoomUpdate,
    SessionDetail,
    SessionPage,
    SessionQuery,
    SessionRead,
    SessionUpdate,
)
from app.services.events import agenda, rooms, sessions

router = Router(prefix="/v1", tags=["events"])
RoomPath = Annotated[UUID, Path(description="Id of the room.")]


@router.get("/sessions", response_model=SessionPage, responses=STREAMED)
def list_agenda(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[SessionQuery, Query()]
) -> Response:
    """The calendar: sessions my units host or are invited to, in order of time."""
    return listing(request, db, query, SessionRead, agenda.list_sessions(db, actor, query))


@router.get("/me/events", response_model=SessionPage, responses=STREAMED)
def list_own_events(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[AgendaQuery, Query()]
) -> Response:
    """My agenda: announced sessions of my branch and my groups, and those all of my commune or
    province are invited to."""
    return listing(request, db, query, SessionRead, agenda.own_agenda(db, actor, query))


@router.get("/sessions/{session_id}", response_model=SessionDetail)
def get_session(
    db: Connection,
    actor: ActorDep,
    request: Request,
    session_id: SessionPath,
    query: Annotated[Fields, Query()],
) -> Response:
    """One session with its rooms."""
    fields = chosen_fields(query.fields, SessionDetail)
    return entity(request, agenda.get(db, actor, session_id), fields=fields, derived=True)


@router.patch("/sessions/{session_id}", response_model=SessionDetail)
def update_session(
    session: Session,
    actor: ActorDep,
    request: Request,
    session_id: SessionPath,
    body: SessionUpdate,
) -> Response:
    """Change a session (JSON merge patch). Held, it stays on its day; closed or cancelled, nothing
    of it changes."""
    sessions.update(session, actor, session_id, body, expected_revisions(request))
    return _answer(session, actor, request, session_id)


@router.post("/sessions/{session_id}/hold", response_model=SessionDetail)
def hold_session(
    session: Session, actor: ActorDep, request: Request, session_id: SessionPath
) -> Response:
    """It takes place: on its day, or after it."""
    sessions.hold(session, actor, session_id)
    return _answer(session, actor, request, session_id)


@router.post("/sessions/{session_id}/close", response_model=SessionDetail)
def close_session(
    session: Session, actor: ActorDep, request: Request, session_id: SessionPath
) -> Response:
    """It is over and its figures are frozen. The last session closes its event."""
    sessions.close(session, actor, session_id)
    return _answer(session, actor, request, session_id)


@router.post("/sessions/{session_id}/cancel", response_model=SessionDetail)
def cancel_session(
    session: Session, actor: ActorDep, request: Request, session_id: SessionPath, body: Cancellation
) -> Response:
    """This one does not take place. The last one that was planned cancels its event."""
    sessions.cancel(session, actor, session_id, body)
    return _answer(session, actor, request, session_id)


def _answer(session: Session, actor: ActorDep, request: Request, session_id: UUID) -> Response:
    return entity(request, agenda.read(session, actor, session_id), derived=True)


@router.get("/sessions/{session_id}/rooms", response_model=RoomPage, responses=STREAMED)
def list_rooms(
    db: Connection,
    actor: ActorDep,
    request: Request,
    session_id: SessionPath,
    query: Annotated[ListQuery, Query()],
) -> Response:
    """The rooms (điểm cầu) of a session."""
    return listing(request, db, query, RoomRead, rooms.list_rooms(db, actor, session_id))


@router.post(
    "/sessions/{session_id}/rooms",
    status_code=201,
    response_model=RoomRead,
    responses={200: {"model": RoomRead, "description": "Made by this very request before."}},
)
def create_room(
    session: Session, actor: ActorDep, request: Request, session_id: SessionPath, body: RoomCreate
) -> Response:
    """Add a room, by the unit whose room it is or by a name."""
    room, is_new = rooms.create(session, actor, session_id, body)
    return entity(request, rooms.read(room), status=201 if is_new else 200)


@router.patch("/rooms/{room_id}", response_model=RoomRead)
def update_room(
    session: Session, actor: ActorDep, request: Request, room_id: RoomPath, body: RoomUpdate
) -> Response:
    """Put a room right, or say how many were counted in it (JSON merge patch)."""
    room = rooms.update(session, actor, room_id, body, expected_revisions(request))
    return entity(request, rooms.read(room))


@router.delete("/rooms/{room_id}", status_code=204)
def delete_room(session: Session, actor: ActorDep, room_id: RoomPath) -> None:
    """Remove a room entered by mistake, before its session is held."""
    rooms.delete(session, actor, room_id)
