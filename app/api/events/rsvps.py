"""Answers to invitations: the caller's own, and those that officers enter for members."""

from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity
from app.api.http.deps import ActorDep
from app.api.http.ids import SessionPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.events.rsvps import (
    OwnRsvp,
    OwnRsvpRead,
    RsvpCount,
    RsvpPage,
    RsvpQuery,
    RsvpRead,
    RsvpSet,
)
from app.services.events import rsvps

router = Router(prefix="/v1/sessions/{session_id}", tags=["events"])


@router.get("/rsvps", response_model=RsvpPage, responses=STREAMED)
def list_rsvps(
    db: Connection,
    actor: ActorDep,
    request: Request,
    session_id: SessionPath,
    query: Annotated[RsvpQuery, Query()],
) -> Response:
    """Who of the members in my scope has answered what."""
    return listing(request, db, query, RsvpRead, rsvps.list_answers(db, actor, session_id, query))


@router.get("/rsvps/count", response_model=RsvpCount)
def count_rsvps(db: Connection, actor: ActorDep, session_id: SessionPath) -> RsvpCount:
    """How many of the members in my scope have answered what. Who came is another question."""
    return rsvps.count(db, actor, session_id)


@router.post("/rsvps", response_model=RsvpRead)
def set_rsvp(
    session: Session, actor: ActorDep, request: Request, session_id: SessionPath, body: RsvpSet
) -> Response:
    """Enter a member's answer for her, until the session is held.

    Sent again it changes the answer.
    """
    return entity(request, rsvps.answer_for(session, actor, session_id, body))


@router.get("/rsvps/own", response_model=OwnRsvpRead)
def get_own_rsvp(
    db: Connection, actor: ActorDep, request: Request, session_id: SessionPath
) -> Response:
    """What I have answered; 404 when I have not."""
    return entity(request, rsvps.own(db, actor, session_id))


@router.post("/rsvps/own", response_model=OwnRsvpRead)
def set_own_rsvp(
    session: Session, actor: ActorDep, request: Request, session_id: SessionPath, body: OwnRsvp
) -> Response:
    """Answer an invitation of mine, until the session is held. Sent again it changes my answer."""
    return entity(request, rsvps.answer_own(session, actor, session_id, body))
