"""Calendars for phones: `.ics` of an event, and feeds by a secret address."""

from typing import Annotated
from uuid import UUID
from zlib import crc32

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import MISSING, entity, matches
from app.api.http.deps import ActorDep
from app.api.http.ids import EventPath
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.models.events.calendar_links import (
    CalendarLinkCreate,
    CalendarLinkMade,
    CalendarLinkPage,
    CalendarLinkQuery,
    CalendarLinkRead,
)
from app.services.events import calendars

router = Router(prefix="/v1", tags=["calendars"])
public = Router(prefix="/v1/calendars", tags=["calendars"], public=True)
LinkPath = Annotated[UUID, Path(description="Id of the calendar link.")]
LinkTokenPath = Annotated[
    str, Path(min_length=20, max_length=100, description="The secret of the link.")
]
CALENDAR = "text/calendar; charset=utf-8"


class CalendarResponse(Response):
    media_type = "text/calendar"


@public.get(
    "/{token}.ics",
    any_query=True,
    response_model=str,
    response_class=CalendarResponse,
    responses=MISSING,
)
def get_calendar(db: Connection, request: Request, token: LinkTokenPath) -> Response:
    """The calendar of a link, for a phone to subscribe to: no token, the secret is in the address.

    When and where, never anything about people, nor the link to join. A revoked link is a 404.
    """
    return _calendar(request, calendars.feed(db, token))


@router.get(
    "/events/{event_id}/calendar.ics",
    response_model=str,
    response_class=CalendarResponse,
)
def get_event_calendar(
    db: Connection, actor: ActorDep, request: Request, event_id: EventPath
) -> Response:
    """The sessions of one event as a calendar file."""
    return _calendar(request, calendars.of_event(db, actor, event_id))


def _calendar(request: Request, body: bytes) -> Response:
    tag = f'"{crc32(body):08x}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=300"}
    if matches(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, CALENDAR)


@router.get("/me/calendars", response_model=CalendarLinkPage, responses=STREAMED)
def list_calendar_links(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[CalendarLinkQuery, Query()]
) -> Response:
    """The links I have made, without their secrets."""
    return listing(request, db, query, CalendarLinkRead, calendars.list_links(actor))


@router.post("/me/calendars", status_code=201, response_model=CalendarLinkMade)
def create_calendar_link(
    session: Session, actor: ActorDep, request: Request, body: CalendarLinkCreate
) -> Response:
    """A secret address of my own calendar, or of a unit's. It is shown this once, and anybody who
    has it can read the calendar until I revoke it."""
    link, token = calendars.create(session, actor, body)
    item = {**calendars.read(link), "path": f"/v1/calendars/{token}.ics"}
    return entity(request, item, status=201, shown_once=("path",))


@router.delete("/me/calendars/{link_id}", status_code=204)
def revoke_calendar_link(session: Session, actor: ActorDep, link_id: LinkPath) -> None:
    """The address opens nothing any more."""
    calendars.revoke(session, actor, link_id)
